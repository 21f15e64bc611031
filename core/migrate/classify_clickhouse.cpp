#include "core/base/text.h"
#include "core/migrate/classify_dialects.h"

namespace ysdb::migrate {

namespace {

constexpr std::string_view in_database = " FROM system.tables WHERE database = if({p1:String} = '', currentDatabase(), {p1:String}) AND name = {p2:String}";

plan::Probe table_there(const Name& name, bool wanted) {
    return {{std::string("SELECT if(count() ") + (wanted ? "> 0" : "= 0") + ", 'present', 'absent')" + std::string(in_database), {name.qualifier(), name.last()}}, {}};
}

plan::Probe database_there(const Name& name, bool wanted) {
    return {{std::string("SELECT if(count() ") + (wanted ? "> 0" : "= 0") + ", 'present', 'absent') FROM system.databases WHERE name = {p1:String}", {name.last()}}, {}};
}

plan::Probe renamed(const Name& from, const Name& to) {
    return {{"SELECT multiIf(countIf(name = {p2:String} AND database = if({p1:String} = '', currentDatabase(), {p1:String})) > 0, 'absent',"
             " countIf(name = {p4:String} AND database = if({p3:String} = '', currentDatabase(), {p3:String})) > 0, 'present', 'unclear') FROM system.tables",
             {from.qualifier(), from.last(), to.qualifier(), to.last()}},
            {}};
}

// One ALTER changes all its columns or none.
plan::Probe columns_there(const Name& table, const std::vector<std::string>& columns, bool wanted) {
    return {{std::string("SELECT multiIf(count() = length(splitByChar('/', {p3:String})), ") + (wanted ? "'present', count() = 0, 'absent'" : "'absent', count() = 0, 'present'") +
                 ", 'unclear') FROM system.columns WHERE database = if({p1:String} = '', currentDatabase(), {p1:String}) AND table = {p2:String}"
                 " AND has(splitByChar('/', {p3:String}), name)",
             {table.qualifier(), table.last(), join(columns, "/")}},
            {}};
}

void create(Words& words, StatementFacts& facts) {
    const bool replaces = words.take_all({"or", "replace"});
    words.take("temporary");
    std::string kind = words.take_any();
    if (kind == "materialized" || kind == "live" || kind == "row" || kind == "settings" || kind == "named") kind += " " + words.take_any();
    const bool optional = words.take_all({"if", "not", "exists"});
    const Name name = words.take_name();
    const bool on_cluster = words.has({"on", "cluster"});
    facts.what = "CREATE " + upper(kind) + (name.empty() ? "" : " " + name.written);
    // What takes its rows from a query may exist and lack half of them.
    const bool fills = (kind == "table" && words.has("select")) || words.has("populate");
    facts.may_leave_part = fills || on_cluster;
    facts.repeatable = replaces || (optional && !fills);
    if (name.empty() || fills || on_cluster) return;
    if (kind == "database") facts.probe = database_there(name, true);
    if (kind == "table" || kind == "view" || kind == "materialized view" || kind == "dictionary") facts.probe = table_there(name, true);
}

void drop(Words& words, StatementFacts& facts) {
    words.take("temporary");
    const std::string kind = words.take_any();
    facts.repeatable = words.take_all({"if", "exists"});
    const Name name = words.take_name();
    facts.what = "DROP " + upper(kind) + (name.empty() ? "" : " " + name.written);
    facts.may_leave_part = words.has({"on", "cluster"}) || words.is(",");
    if (name.empty() || facts.may_leave_part) return;
    if (kind == "database") facts.probe = database_there(name, false);
    if (kind == "table" || kind == "view" || kind == "dictionary") facts.probe = table_there(name, false);
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

void alter(Words& words, StatementFacts& facts) {
    const std::string kind = words.take_any();
    const Name name = words.take_name();
    facts.what = "ALTER " + upper(kind) + " " + name.written;
    facts.may_leave_part = true;
    if (kind != "table" || name.empty()) return;
    facts.object = name.written;
    if (words.has({"on", "cluster"})) return;
    if (words.is("update") || words.is("delete") || words.has("materialize")) facts.locks = "a mutation of " + name.written + ": rewrites its parts in the background";
    // Set to the same value twice: the same.
    facts.repeatable = (words.is("modify") || words.is("comment")) && !words.has(",");
    facts.may_leave_part = !facts.repeatable;
    for (const std::string_view verb : {"add", "drop"}) {
        const auto columns = altered_columns(words, verb);
        if (columns.empty()) continue;
        facts.probe = columns_there(name, columns, verb == "add");
        facts.may_leave_part = false;
    }
}

void rename(Words& words, StatementFacts& facts) {
    words.take("table");
    const Name from = words.take_name();
    const bool to = words.take("to");
    const Name target = words.take_name();
    facts.what = "RENAME TABLE " + from.written + " TO " + target.written;
    facts.may_leave_part = !words.at_end();
    if (to && words.at_end() && !from.empty() && !target.empty()) facts.probe = renamed(from, target);
}

}  // namespace

StatementFacts classify_clickhouse(Words& words) {
    StatementFacts facts;
    const std::string verb = words.take_any();
    facts.what = upper(verb);
    if (verb == "create") {
        create(words, facts);
    } else if (verb == "drop") {
        drop(words, facts);
    } else if (verb == "alter") {
        alter(words, facts);
    } else if (verb == "rename") {
        rename(words, facts);
    } else if (verb == "optimize" || verb == "truncate" || verb == "system" || verb == "select" || verb == "grant" || verb == "revoke" || verb == "set") {
        facts.repeatable = true;
        words.take("table");
        if (verb == "optimize" || verb == "truncate") facts.what += " " + words.take_name().written;
    } else {
        words.take("into");
        words.take("table");
        words.take("from");
        const Name name = words.take_name();
        if (verb == "insert" || verb == "delete") facts.what += " " + name.written;
        facts.may_leave_part = true;
    }
    return facts;
}

}  // namespace ysdb::migrate
