#include "core/base/text.h"
#include "core/migrate/classify_dialects.h"

namespace ysdb::migrate {

namespace {

constexpr std::string_view in_database = " FROM system.tables WHERE database = if({p1:String} = '', currentDatabase(), {p1:String}) AND name = {p2:String}";
constexpr std::size_t longest_mutation = 64u << 10;  // it travels as a parameter, in the URL

// `here` says of one host's rows of a system table whether the statement took effect there.
plan::Probe on_every_host(const std::string& here, std::string_view table, std::vector<std::optional<std::string>> params, const std::string& cluster) {
    params.emplace_back(cluster);
    const std::string last = "{p" + std::to_string(params.size()) + ":String}";
    return {{"SELECT multiIf(countIf(here) = count(), 'present', countIf(here) = 0, 'absent', 'unclear'),"
             " concat('done on ', arrayStringConcat(groupArrayIf(host, here), ', '), ', not on ', arrayStringConcat(groupArrayIf(host, NOT here), ', '))"
             " FROM (SELECT concat(hostName(), ':', toString(tcpPort())) AS host, " + here + " AS here FROM clusterAllReplicas(" + last + ", system." + std::string(table) + ") GROUP BY host)",
             std::move(params)},
            {}};
}

// The condition on one row; on other hosts the database is not the session's own.
std::string same_table(std::string_view name_column) {
    return "database = if({p1:String} = '', (SELECT currentDatabase()), {p1:String}) AND " + std::string(name_column) + " = {p2:String}";
}

plan::Probe table_there(const Name& name, bool wanted, const std::string& cluster) {
    if (!cluster.empty()) return on_every_host("countIf(" + same_table("name") + ") " + (wanted ? "> 0" : "= 0"), "tables", {name.qualifier(), name.last()}, cluster);
    return {{std::string("SELECT if(count() ") + (wanted ? "> 0" : "= 0") + ", 'present', 'absent')" + std::string(in_database), {name.qualifier(), name.last()}}, {}};
}

plan::Probe database_there(const Name& name, bool wanted, const std::string& cluster) {
    if (!cluster.empty()) return on_every_host(std::string("countIf(name = {p1:String}) ") + (wanted ? "> 0" : "= 0"), "databases", {name.last()}, cluster);
    return {{std::string("SELECT if(count() ") + (wanted ? "> 0" : "= 0") + ", 'present', 'absent') FROM system.databases WHERE name = {p1:String}", {name.last()}}, {}};
}

plan::Probe renamed(const Name& from, const Name& to) {
    return {{"SELECT multiIf(countIf(name = {p2:String} AND database = if({p1:String} = '', currentDatabase(), {p1:String})) > 0, 'absent',"
             " countIf(name = {p4:String} AND database = if({p3:String} = '', currentDatabase(), {p3:String})) > 0, 'present', 'unclear') FROM system.tables",
             {from.qualifier(), from.last(), to.qualifier(), to.last()}},
            {}};
}

// One ALTER changes all its columns or none.
plan::Probe columns_there(const Name& table, const std::vector<std::string>& columns, bool wanted, const std::string& cluster) {
    const std::string list = join(columns, "/");
    if (!cluster.empty()) {
        return on_every_host("countIf(" + same_table("table") + " AND has(splitByChar('/', {p3:String}), name)) = " + (wanted ? "length(splitByChar('/', {p3:String}))" : "0"), "columns",
                             {table.qualifier(), table.last(), list}, cluster);
    }
    return {{std::string("SELECT multiIf(count() = length(splitByChar('/', {p3:String})), ") + (wanted ? "'present', count() = 0, 'absent'" : "'absent', count() = 0, 'present'") +
                 ", 'unclear') FROM system.columns WHERE database = if({p1:String} = '', currentDatabase(), {p1:String}) AND table = {p2:String}"
                 " AND has(splitByChar('/', {p3:String}), name)",
             {table.qualifier(), table.last(), list}},
            {}};
}

// A mutation outlives its statement. Those of the table that came after the statement was begun are known by their numbers, which only rise; and this
// one among them by its commands, which the server keeps as it would write them itself.
plan::Probe mutated(const Name& table, std::string alter) {
    const std::string number = "toUInt64OrZero(extract(mutation_id, '[0-9]+'))";
    const std::string of_table = " FROM system.mutations WHERE database = if({p1:String} = '', currentDatabase(), {p1:String}) AND table = {p2:String}";
    // It adds the database to tables of subqueries.
    const auto bare = [](const std::string& text) {
        return "replaceAll(replaceAll(replaceRegexpAll(" + text + ", '\\\\s+', ' '), concat('`', database, '`.'), ''), concat(database, '.'), '')";
    };
    const std::string ours = "position(" + bare("formatQuerySingleLine({p3:String})") + ", " + bare("command") + ") > 0";
    plan::Probe probe{{"SELECT multiIf(count() = 0, 'absent', countIf(ours) = 0, 'unclear', minIf(is_done, ours) = 1, 'present', anyIf(latest_fail_reason, failing) != '', 'stuck', 'running'),"
                       " multiIf(countIf(ours) = 0, concat('since then its table was given ', arrayStringConcat(groupArray(command), ', ')),"
                       " countIf(failing) > 0, concat(substring(anyIf(latest_fail_reason, failing), 1, 300), ' (at ', toString(maxIf(latest_fail_time, failing)), ')'),"
                       " concat(toString(sumIf(parts_to_do, ours AND NOT is_done)), ' parts of its mutation to do'))"
                       " FROM (SELECT *, " + ours + " AS ours, ours AND NOT is_done AND latest_fail_reason != '' AS failing" + of_table + " AND " + number + " > {p4:UInt64})",
                       {table.qualifier(), table.last(), std::move(alter)}},
                      {}};
    probe.mark = plan::SqlText{"SELECT max(" + number + ")" + of_table, {table.qualifier(), table.last()}};
    probe.find = plan::SqlText{"SELECT DISTINCT database, table, mutation_id" + of_table + " AND NOT is_done AND " + number + " > {p4:UInt64} AND " + ours, probe.look.params};
    probe.end = "KILL MUTATION WHERE database = {p1:String} AND table = {p2:String} AND mutation_id = {p3:String}";
    return probe;
}

std::size_t offset_of_where(std::string_view sql) {
    const Source source{"", std::string(sql)};
    Scanner scanner(source, Dialect::clickhouse);
    for (Token token = scanner.next(); token.kind != TokenKind::end; token = scanner.next()) {
        if (token.kind == TokenKind::word && lower(sql.substr(token.begin, token.end - token.begin)) == "where") return token.begin;
    }
    return std::string_view::npos;
}

// What stands behind ON CLUSTER; takes it, when it is next.
std::string take_cluster(Words& words) {
    if (!words.take_all({"on", "cluster"})) return {};
    const std::string literal = words.take_string();
    return literal.empty() ? words.take_name().written : literal;
}

// The same, wherever it stands.
std::string find_cluster(Words words) {
    while (!words.at_end() && !(words.is("on") && words.is("cluster", 1))) words.take_any();
    return take_cluster(words);
}

void create(Words& words, StatementFacts& facts) {
    const bool replaces = words.take_all({"or", "replace"});
    words.take("temporary");
    std::string kind = words.take_any();
    if (kind == "materialized" || kind == "live" || kind == "row" || kind == "settings" || kind == "named") kind += " " + words.take_any();
    const bool optional = words.take_all({"if", "not", "exists"});
    const Name name = words.take_name();
    facts.cluster = find_cluster(words);
    facts.what = "CREATE " + upper(kind) + (name.empty() ? "" : " " + name.written);
    // What takes its rows from a query may exist and lack half of them.
    const bool fills = (kind == "table" && words.has("select")) || words.has("populate");
    facts.may_leave_part = fills || !facts.cluster.empty();
    facts.repeatable = replaces || (optional && !fills);
    if (name.empty() || fills) return;
    if (kind == "database") facts.probe = database_there(name, true, facts.cluster);
    if (kind == "table" || kind == "view" || kind == "materialized view" || kind == "dictionary") facts.probe = table_there(name, true, facts.cluster);
}

void drop(Words& words, StatementFacts& facts) {
    words.take("temporary");
    const std::string kind = words.take_any();
    facts.repeatable = words.take_all({"if", "exists"});
    const Name name = words.take_name();
    facts.what = "DROP " + upper(kind) + (name.empty() ? "" : " " + name.written);
    facts.cluster = find_cluster(words);
    const bool several = words.is(",");
    facts.may_leave_part = !facts.cluster.empty() || several;
    if (name.empty() || several) return;
    if (kind == "database") facts.probe = database_there(name, false, facts.cluster);
    if (kind == "table" || kind == "view" || kind == "dictionary") facts.probe = table_there(name, false, facts.cluster);
}

// The columns of an ALTER whose commands all are ADD COLUMN (or all DROP COLUMN); empty for any other.
std::vector<std::string> altered_columns(Words words, std::string_view verb) {
    std::vector<std::string> columns;
    while (!words.at_end()) {
        if (!words.take_all({verb, "column"})) return {};
        words.take_all({"if", "not", "exists"});
        words.take_all({"if", "exists"});
        const Name column = words.take_name();
        if (column.parts.size() != 1 || column.last().find('/') != std::string::npos) return {};
        columns.push_back(column.last());
        while (!words.at_end() && !words.is(",")) {
            if (words.is("(")) words.skip_parentheses();
            else words.take_any();
        }
        words.take(",");
    }
    return columns;
}

void alter(Words& words, StatementFacts& facts, std::string_view sql) {
    const std::string kind = words.take_any();
    const Name name = words.take_name();
    facts.what = "ALTER " + upper(kind) + " " + name.written;
    facts.may_leave_part = true;
    if (kind != "table" || name.empty()) return;
    facts.object = name.written;
    facts.cluster = take_cluster(words);
    const bool mutates = words.is("update") || words.is("delete") || words.has("materialize");
    if (mutates) facts.locks = "a mutation of " + name.written + ": rewrites its parts in the background";
    // Set to the same value twice: the same.
    facts.repeatable = (words.is("modify") || words.is("comment")) && !words.has(",");
    facts.may_leave_part = !facts.repeatable || !facts.cluster.empty();
    // On a cluster each host has a mutation of its own; the cluster's queue tells.
    if (mutates && facts.cluster.empty() && sql.size() < longest_mutation) facts.probe = mutated(name, std::string(sql));
    for (const std::string_view verb : {"add", "drop"}) {
        const auto columns = altered_columns(words, verb);
        if (columns.empty()) continue;
        facts.probe = columns_there(name, columns, verb == "add", facts.cluster);
        facts.may_leave_part = !facts.cluster.empty();
    }
}

void rename(Words& words, StatementFacts& facts) {
    words.take("table");
    const Name from = words.take_name();
    const bool to = words.take("to");
    const Name target = words.take_name();
    facts.cluster = find_cluster(words);
    facts.what = "RENAME TABLE " + from.written + " TO " + target.written;
    facts.may_leave_part = !words.at_end();
    if (to && words.at_end() && !from.empty() && !target.empty()) facts.probe = renamed(from, target);
}

}  // namespace

StatementFacts classify_clickhouse(Words& words, std::string_view sql) {
    StatementFacts facts;
    const std::string verb = words.take_any();
    facts.what = upper(verb);
    if (verb == "create") {
        create(words, facts);
    } else if (verb == "drop") {
        drop(words, facts);
    } else if (verb == "alter") {
        alter(words, facts, sql);
    } else if (verb == "rename") {
        rename(words, facts);
    } else if (verb == "optimize" || verb == "truncate" || verb == "system" || verb == "select" || verb == "grant" || verb == "revoke" || verb == "set") {
        facts.repeatable = true;
        facts.cluster = verb == "select" || verb == "set" ? "" : find_cluster(words);
        words.take("table");
        if (verb == "optimize" || verb == "truncate") facts.what += " " + words.take_name().written;
    } else {
        words.take("into");
        words.take("table");
        words.take("from");
        const Name name = words.take_name();
        if (verb == "insert" || verb == "delete") facts.what += " " + name.written;
        facts.may_leave_part = true;
        if (verb == "delete" && !name.empty()) {
            facts.cluster = take_cluster(words);
            facts.object = name.written;
            // A mark on the deleted rows, written by a mutation.
            const auto where = words.is("where") ? offset_of_where(sql) : std::string_view::npos;
            if (facts.cluster.empty() && where < longest_mutation) facts.probe = mutated(name, "ALTER TABLE t UPDATE _row_exists = 0 " + std::string(sql.substr(where)));
        }
    }
    return facts;
}

}  // namespace ysdb::migrate
