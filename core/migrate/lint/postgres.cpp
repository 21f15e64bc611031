#include "core/migrate/lint/postgres.h"

#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "core/migrate/source.h"

namespace ysdb::migrate::lint {

namespace {

// Rows of an INSERT, not a change of the schema; its tree would be many times as large.
constexpr std::size_t longest_statement = 256 * 1024;

std::string_view string_value(Node node) { return node.as("String")["sval"].text(); }

std::string quoted(std::string_view name) {
    const bool plain = !name.empty() && (name[0] < '0' || name[0] > '9') && std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
    if (plain) return std::string(name);
    std::string out = "\"";
    for (const char c : name) out += c == '"' ? std::string("\"\"") : std::string(1, c);
    return out + "\"";
}

ColumnType type_of(Node type_name) {
    ColumnType type;
    for (Node part : type_name["names"]) {
        const std::string_view name = string_value(part);
        if (name == "pg_catalog") continue;
        type.name += (type.name.empty() ? "" : ".") + std::string(name);
    }
    for (Node modifier : type_name["typmods"]) {
        const Node constant = modifier.as("A_Const");
        if (constant) type.modifiers.push_back(static_cast<int>(constant["ival"]["ival"].integer()));
    }
    if (type_name["arrayBounds"]) type.name += "[]";
    return type;
}

bool serial(const ColumnType& type) {
    constexpr std::array<std::string_view, 6> names{"serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"};
    return std::find(names.begin(), names.end(), type.name) != names.end();
}

Node constraint_of(Node column, std::string_view kind) {
    for (Node wrapped : column["constraints"]) {
        if (const Node constraint = wrapped.as("Constraint"); constraint["contype"].is(kind)) return constraint;
    }
    return {};
}

// Functions of the server that are known not to be volatile; any other may be.
bool may_be_volatile(std::string_view function) {
    constexpr std::array<std::string_view, 58> settled{
        "now", "transaction_timestamp", "statement_timestamp", "current_setting", "timezone", "date_trunc", "date_part", "extract", "to_char", "to_date", "to_timestamp", "to_number", "lower", "upper",
        "initcap", "coalesce", "nullif", "greatest", "least", "abs", "round", "floor", "ceil", "length", "char_length", "md5", "sha256", "encode", "decode", "concat", "concat_ws", "format", "replace", "trim",
        "btrim", "ltrim", "rtrim", "substring", "substr", "left", "right", "lpad", "rpad", "split_part", "array_fill", "make_date", "make_interval", "make_timestamp", "make_timestamptz", "make_time", "age",
        "jsonb_build_object", "jsonb_build_array", "json_build_object", "json_build_array", "to_json", "to_jsonb", "int4range"};
    return std::find(settled.begin(), settled.end(), function) == settled.end();
}

bool calls_volatile(Node node) {
    if (node.name() == "FuncCall") {
        std::string_view name;
        for (Node part : node["funcname"]) name = string_value(part);
        if (may_be_volatile(name)) return true;
    }
    if (node.name() == "SubLink") return true;
    for (Node child : node) {
        if (calls_volatile(child)) return true;
    }
    return false;
}

// CHECK (column IS NOT NULL)
std::string not_null_column(Node expression) {
    const Node test = expression.as("NullTest");
    if (!test["nulltesttype"].is("IS_NOT_NULL")) return {};
    return std::string(string_value(test["arg"].as("ColumnRef")["fields"].first()));
}

bool option(Node list, std::string_view name) {
    for (Node wrapped : list) {
        const Node element = wrapped.as("DefElem");
        if (!element["defname"].is(name)) continue;
        const Node value = element["arg"].body();
        const std::string word = lower(value["sval"].text().empty() ? value["boolval"].text() : value["sval"].text());
        return word != "false" && word != "off" && !(element["arg"].kind() == "Integer" && value["ival"].integer() == 0);
    }
    return false;
}

bool always_true(Node where) { return !where || where.as("A_Const")["boolval"]["boolval"].truth(); }

struct Width {
    int bytes = 0;    // 0: not fixed
    int align = 1;
};

Width width_of(const ColumnType& type) {
    static const std::map<std::string_view, Width> widths{
        {"int8", {8, 8}}, {"bigserial", {8, 8}}, {"serial8", {8, 8}}, {"float8", {8, 8}}, {"timestamp", {8, 8}}, {"timestamptz", {8, 8}}, {"time", {8, 8}}, {"money", {8, 8}}, {"interval", {16, 8}}, {"timetz", {12, 8}},
        {"int4", {4, 4}}, {"serial", {4, 4}}, {"serial4", {4, 4}}, {"float4", {4, 4}}, {"date", {4, 4}}, {"oid", {4, 4}}, {"int2", {2, 2}}, {"smallserial", {2, 2}}, {"bool", {1, 1}}, {"uuid", {16, 1}}, {"char", {1, 1}}};
    const auto found = widths.find(type.name);
    return found == widths.end() ? Width{} : found->second;
}

std::size_t location(Node node) { return static_cast<std::size_t>(std::max<std::int64_t>(0, node["location"].integer())); }

}  // namespace

std::string lock_text(Lock lock, const std::string& table) {
    constexpr std::array<std::string_view, 9> names{"", "ACCESS SHARE", "ROW SHARE", "ROW EXCLUSIVE", "SHARE UPDATE EXCLUSIVE", "SHARE", "SHARE ROW EXCLUSIVE", "EXCLUSIVE", "ACCESS EXCLUSIVE"};
    if (lock < Lock::row_exclusive) return {};
    const std::string_view blocks = lock == Lock::access_exclusive         ? "blocks reads and writes"
                                    : lock >= Lock::share                  ? "blocks writes"
                                    : lock == Lock::share_update_exclusive ? "blocks neither reads nor writes"
                                                                           : "blocks writes of the same rows";
    return std::string(names[static_cast<std::size_t>(lock)]) + " on " + table + ": " + std::string(blocks);
}

void PostgresRules::begin_file(bool transaction, bool all_new_stays_new) {
    transaction_ = transaction;
    if (!all_new_stays_new) {
        new_.clear();
        new_types_.clear();
    }
    given_keys_.clear();
    enum_values_.clear();
    worked_on_.clear();
    locked_.clear();
    for (auto& [table, constraints] : constraints_) {
        for (auto& [name, constraint] : constraints) constraint.added_here = false;
    }
}

Verdict PostgresRules::look(std::string_view sql) {
    sql_ = sql;
    verdict_ = {};
    if (sql.size() > longest_statement) {
        if (lower(sql.substr(0, 6)) != "insert") hit("not-parsed", 0, "a statement of " + std::to_string(sql.size()) + " bytes");
        return std::move(verdict_);
    }
    const ParseTree tree(sql);
    if (tree.failure()) {
        hit("not-parsed", tree.failure()->offset, tree.failure()->message);
        return std::move(verdict_);
    }
    const Node wrapped = tree.statement();
    const Node statement = wrapped.body();
    const std::string_view kind = wrapped.kind();
    verdict_.known = static_cast<bool>(wrapped);
    if (!enum_values_.empty() && kind != "AlterEnumStmt") uses_new_enum_values(statement);
    if (kind == "AlterTableStmt") alter_table(statement);
    else if (kind == "CreateStmt") create_table(statement);
    else if (kind == "IndexStmt") create_index(statement);
    else if (kind == "DropStmt") drop(statement);
    else if (kind == "RenameStmt" || kind == "AlterObjectSchemaStmt") rename(statement);
    else if (kind == "VacuumStmt" || kind == "ClusterStmt" || kind == "RefreshMatViewStmt" || kind == "ReindexStmt" || kind == "LockStmt") maintain(statement, kind);
    else if (kind == "UpdateStmt" || kind == "DeleteStmt" || kind == "InsertStmt" || kind == "TruncateStmt" || kind == "CopyStmt") change_rows(statement, kind);
    else other(statement, kind);
    sum_up();
    return std::move(verdict_);
}

// What later statements of the file have to know of this one.
void PostgresRules::sum_up() {
    for (const Touch& touch : verdict_.touches) {
        if (touch.lock == Lock::access_exclusive && transaction_ && locked_.empty()) locked_ = touch.table;
    }
}

PostgresRules::Relation PostgresRules::relation(Node range) {
    const std::string schema(range["schemaname"].text());
    const std::string name(range["relname"].text());
    return {schema.empty() || schema == "public" ? name : schema + "." + name, (schema.empty() ? "" : quoted(schema) + ".") + quoted(name), location(range)};
}

PostgresRules::Relation PostgresRules::relation_of_names(Node names) {
    std::vector<std::string_view> parts;
    if (names.kind() == "String") parts.push_back(string_value(names));
    for (Node part : names.kind() == "List" ? names.as("List")["items"] : names) {
        if (!string_value(part).empty() && names.kind() != "String") parts.push_back(string_value(part));
    }
    Relation found;
    for (const std::string_view part : parts) {
        if (!(part == "public" && found.key.empty() && parts.size() > 1)) found.key += (found.key.empty() ? "" : ".") + std::string(part);
        found.shown += (found.shown.empty() ? "" : ".") + quoted(part);
    }
    return found;
}

void PostgresRules::hit(std::string_view rule, std::size_t offset, std::string subject, std::string table) {
    verdict_.hits.push_back({find_rule(rule), std::min(offset, sql_.empty() ? 0 : sql_.size() - 1), std::move(subject), std::move(table), {}, {}});
}

// Only for a table that somebody may be using.
void PostgresRules::hit_old(std::string_view rule, std::size_t offset, const Relation& table, std::string subject) {
    if (!is_new(table)) hit(rule, offset, subject.empty() ? table.shown : std::move(subject), table.shown);
}

void PostgresRules::touch(const Relation& table, Lock lock, bool rewrites, bool scans) {
    if (is_new(table) || table.shown.empty()) return;
    const auto found = std::find_if(verdict_.touches.begin(), verdict_.touches.end(), [&](const Touch& touch) { return touch.table == table.shown; });
    Touch& touch = found != verdict_.touches.end() ? *found : verdict_.touches.emplace_back(Touch{table.shown, Lock::none, false, false});
    touch.lock = std::max(touch.lock, lock);
    touch.rewrites = touch.rewrites || rewrites;
    touch.scans = touch.scans || scans;
}

void PostgresRules::lose(const std::string& what) { verdict_.loses += (verdict_.loses.empty() ? "" : ", ") + what; }

// Where a word stands as a word, from a place on; the place itself when it does not.
std::size_t PostgresRules::place(std::string_view word, std::size_t from) const {
    const auto in_word = [&](std::size_t at) { return at < sql_.size() && (std::isalnum(static_cast<unsigned char>(sql_[at])) != 0 || sql_[at] == '_'); };
    for (std::size_t at = from; !word.empty() && at + word.size() <= sql_.size(); ++at) {
        if (!in_word(at + word.size()) && (at == 0 || !in_word(at - 1)) && lower(sql_.substr(at, word.size())) == lower(word)) return at;
    }
    return from;
}

void PostgresRules::check_name(Node holder, std::string_view field, std::size_t at) {
    // The parser cuts a name at 63 bytes, as the server does: the length shows in the text only.
    const std::string_view name = holder[field].text();
    if (name.size() < 60) return;
    const auto found = sql_.find(name);
    if (found == std::string_view::npos) return;
    const std::size_t length = word_length(sql_.substr(found));
    if (length > 63) hit("identifier-too-long", std::max(found, at), std::string(sql_.substr(found, length)));
}

void PostgresRules::outside_transaction(std::size_t at) {
    if (transaction_) hit("not-in-transaction", at, "");
}

// --- ALTER TABLE -----------------------------------------------------------------------------------------------------------------

void PostgresRules::alter_table(Node statement) {
    const Node kind = statement["objtype"];
    const Relation table = relation(statement["relation"]);
    if (kind.is("OBJECT_INDEX")) {
        for (Node wrapped : statement["cmds"]) {
            if (wrapped.as("AlterTableCmd")["subtype"].is("AT_SetTableSpace")) hit_old("set-tablespace", table.location, table, "index " + table.shown);
        }
        return touch(table, Lock::access_exclusive);
    }
    if (!kind.is("OBJECT_TABLE") && !kind.is("OBJECT_MATVIEW")) return;
    for (Node wrapped : statement["cmds"]) {
        const Node command = wrapped.as("AlterTableCmd");
        const std::string_view subtype = command["subtype"].text();
        if (subtype == "AT_AddColumn") add_column(table, command["def"].as("ColumnDef"));
        else if (subtype == "AT_AddConstraint") add_constraint(table, command["def"].as("Constraint"));
        else if (subtype == "AT_AlterColumnType") change_type(table, command);
        else if (subtype == "AT_SetNotNull") set_not_null(table, command);
        else other_command(table, command, subtype);
        if (command["behavior"].is("DROP_CASCADE")) hit_old("drop-cascade", place("cascade", table.location), table);
    }
    for (const Touch& touch : verdict_.touches) {
        if ((touch.rewrites || touch.scans) && touch.table == table.shown && !worked_on_.insert(table.key).second) hit_old("several-rewrites", table.location, table);
    }
}

void PostgresRules::add_column(const Relation& table, Node column) {
    const std::string name(column["colname"].text());
    const std::string subject = table.shown + "." + quoted(name);
    const std::size_t at = location(column);
    const ColumnType type = type_of(column["typeName"]);
    const Node fallback = constraint_of(column, "CONSTR_DEFAULT");
    const bool generated = static_cast<bool>(constraint_of(column, "CONSTR_GENERATED"));
    const bool identity = static_cast<bool>(constraint_of(column, "CONSTR_IDENTITY"));
    const bool volatile_default = fallback && calls_volatile(fallback["raw_expr"]);
    column_design(table, column);
    if (serial(type)) hit_old("add-serial-column", at, table, subject);
    else if (identity) hit_old("add-identity-column", at, table, subject);
    else if (generated) hit_old("add-generated-column", at, table, subject);
    else if (volatile_default) hit_old("add-column-volatile-default", at, table, subject);
    else if (!fallback && (constraint_of(column, "CONSTR_NOTNULL") || constraint_of(column, "CONSTR_PRIMARY"))) hit_old("add-not-null-column", at, table, subject);
    const bool rewrites = serial(type) || identity || generated || volatile_default;
    bool scans = rewrites;
    if (constraint_of(column, "CONSTR_CHECK")) {
        hit_old("add-check", location(constraint_of(column, "CONSTR_CHECK")), table);
        scans = true;
    }
    if (constraint_of(column, "CONSTR_UNIQUE")) hit_old("add-unique", location(constraint_of(column, "CONSTR_UNIQUE")), table);
    if (constraint_of(column, "CONSTR_PRIMARY")) hit_old("add-primary-key", location(constraint_of(column, "CONSTR_PRIMARY")), table);
    scans = scans || constraint_of(column, "CONSTR_UNIQUE") || constraint_of(column, "CONSTR_PRIMARY");
    if (const Node foreign = constraint_of(column, "CONSTR_FOREIGN")) {
        // A new column that holds nothing but NULL needs no check.
        const Relation target = relation(foreign["pktable"]);
        touch(target, Lock::share_row_exclusive);
        if (fallback || rewrites) {
            hit_old("add-foreign-key", location(foreign), table);
            scans = true;
        }
    }
    touch(table, Lock::access_exclusive, rewrites, scans);
    columns_[table.key][name] = type;
}

void PostgresRules::add_constraint(const Relation& table, Node constraint) {
    const Node kind = constraint["contype"];
    const std::size_t at = location(constraint);
    const bool not_valid = constraint["skip_validation"].truth();
    const std::string name(constraint["conname"].text());
    check_name(constraint, "conname", at);
    bool scans = false;
    Lock lock = Lock::access_exclusive;
    if (kind.is("CONSTR_CHECK")) {
        if (!not_valid) hit_old("add-check", at, table);
        scans = !not_valid;
        constraints_[table.key][name] = {not_null_column(constraint["raw_expr"]), !not_valid, true};
    } else if (kind.is("CONSTR_NOTNULL")) {
        if (!not_valid) hit_old("set-not-null", at, table);
        scans = !not_valid;
    } else if (kind.is("CONSTR_FOREIGN")) {
        lock = Lock::share_row_exclusive;
        if (!not_valid) hit_old("add-foreign-key", at, table);
        scans = !not_valid;
        touch(relation(constraint["pktable"]), Lock::share_row_exclusive);
        if (not_valid) constraints_[table.key][name] = {"", false, true};
    } else if (kind.is("CONSTR_UNIQUE") || kind.is("CONSTR_PRIMARY")) {
        const bool unique = kind.is("CONSTR_UNIQUE");
        if (constraint["indexname"].text().empty()) {
            hit_old(unique ? "add-unique" : "add-primary-key", at, table);
            scans = true;
        }
        if (!unique) given_keys_.insert(table.shown);
        for (Node key : constraint["keys"]) {
            const auto column = columns_[table.key].find(std::string(string_value(key)));
            const bool alone = constraint["keys"].size() == 1;
            if (!unique && alone && column != columns_[table.key].end() && (column->second.name == "int4" || column->second.name == "int2"))
                hit("small-integer-key", at, table.shown + "." + quoted(column->first), table.shown);
        }
    } else if (kind.is("CONSTR_EXCLUSION")) {
        hit_old("add-exclusion", at, table);
        scans = true;
    }
    touch(table, lock, false, scans);
}

void PostgresRules::change_type(const Relation& table, Node command) {
    const std::string column(command["name"].text());
    const Node definition = command["def"].as("ColumnDef");
    const ColumnType to = type_of(definition["typeName"]);
    const std::string subject = table.shown + "." + quoted(column);
    const std::size_t at = place(column, table.location + 1);
    // USING that only casts to the new type says what the server would do without it.
    const Node converted = definition["raw_default"];
    const Node cast = converted.as("TypeCast");
    const bool plain_cast = cast && string_value(cast["arg"].as("ColumnRef")["fields"].first()) == column && type_of(cast["typeName"]).name == to.name;
    const bool computes = converted && !plain_cast && string_value(converted.as("ColumnRef")["fields"].first()) != column;
    const auto known = columns_[table.key].find(column);
    const ColumnType from = known == columns_[table.key].end() ? ColumnType{} : known->second;
    const bool rewrites = computes || (from.known() && change_rewrites(from, to));
    if (rewrites) {
        hit_old("change-column-type", at, table, subject);
    } else if (!from.known()) {
        hit_old("change-column-type-unknown", at, table, subject);
        if (!is_new(table)) {
            verdict_.hits.back().column = column;
            verdict_.hits.back().type = to;
        }
    }
    touch(table, Lock::access_exclusive, rewrites, rewrites);
    columns_[table.key][column] = to;
}

void PostgresRules::set_not_null(const Relation& table, Node command) {
    const std::string column(command["name"].text());
    const auto& constraints = constraints_[table.key];
    const bool proven = std::any_of(constraints.begin(), constraints.end(), [&](const auto& entry) { return entry.second.valid && entry.second.not_null == column; });
    if (!proven) hit_old("set-not-null", place(column, table.location + 1), table, table.shown + "." + quoted(column));
    touch(table, Lock::access_exclusive, false, !proven);
}

void PostgresRules::other_command(const Relation& table, Node command, std::string_view subtype) {
    const std::string name(command["name"].text());
    const std::string subject = table.shown + "." + quoted(name);
    const std::size_t at = place(name, table.location + 1);
    if (subtype == "AT_DropColumn") {
        hit_old("drop-column", at, table, subject);
        if (!is_new(table)) lose("the data of " + subject);
        columns_[table.key].erase(name);
    } else if (subtype == "AT_DropNotNull") {
        hit_old("drop-not-null", at, table, subject);
    } else if (subtype == "AT_ColumnDefault" && !command["def"]) {
        hit_old("drop-default", at, table, subject);
    } else if (subtype == "AT_DropConstraint") {
        const auto& constraints = constraints_[table.key];
        const auto found = constraints.find(name);
        // The CHECK that proved a NOT NULL has done its work.
        if (found == constraints.end() || found->second.not_null.empty()) hit_old("drop-constraint", at, table, quoted(name));
    } else if (subtype == "AT_ValidateConstraint") {
        Constraint& constraint = constraints_[table.key][name];
        constraint.valid = true;
        if (transaction_ && constraint.added_here) hit_old("validate-in-same-transaction", at, table);
        return touch(table, Lock::share_update_exclusive, false, true);
    } else if (subtype == "AT_SetLogged" || subtype == "AT_SetUnLogged") {
        hit_old("set-logged", table.location, table);
        return touch(table, Lock::access_exclusive, true, true);
    } else if (subtype == "AT_SetTableSpace") {
        hit_old("set-tablespace", table.location, table);
        return touch(table, Lock::access_exclusive, true, true);
    } else if (subtype == "AT_SetAccessMethod") {
        hit_old("set-access-method", table.location, table);
        return touch(table, Lock::access_exclusive, true, true);
    } else if (subtype == "AT_AttachPartition") {
        const Relation part = relation(command["def"].as("PartitionCmd")["name"]);
        const auto& constraints = constraints_[part.key];
        const bool proven = std::any_of(constraints.begin(), constraints.end(), [](const auto& entry) { return entry.second.valid && entry.second.not_null.empty(); });
        if (!proven) hit_old("attach-partition-scan", part.location, part);
        touch(part, Lock::access_exclusive, false, !proven);
        return touch(table, Lock::share_update_exclusive);
    } else if (subtype == "AT_DetachPartition") {
        const Node part = command["def"].as("PartitionCmd");
        if (part["concurrent"].truth()) {
            outside_transaction();
            return touch(table, Lock::share_update_exclusive);
        }
        hit_old("detach-partition", table.location, table);
    } else if (subtype.starts_with("AT_DisableTrig") || subtype.starts_with("AT_EnableTrig") || subtype.starts_with("AT_EnableAlwaysTrig") || subtype.starts_with("AT_EnableReplicaTrig")) {
        if (subtype.starts_with("AT_DisableTrig")) hit_old("disable-trigger", table.location, table);
        return touch(table, Lock::share_row_exclusive);
    } else if (subtype == "AT_EnableRowSecurity" || subtype == "AT_DisableRowSecurity" || subtype == "AT_ForceRowSecurity") {
        hit_old("row-level-security", table.location, table);
    } else if (subtype == "AT_ReplicaIdentity") {
        hit_old("replica-identity", table.location, table);
    } else if (subtype == "AT_SetStatistics" || subtype == "AT_ClusterOn" || subtype == "AT_DropCluster" || subtype == "AT_SetOptions" || subtype == "AT_ResetOptions" || subtype == "AT_SetRelOptions" ||
               subtype == "AT_ResetRelOptions" || subtype == "AT_DetachPartitionFinalize") {
        return touch(table, Lock::share_update_exclusive);
    }
    touch(table, Lock::access_exclusive);
}

// --- CREATE ----------------------------------------------------------------------------------------------------------------------

void PostgresRules::column_design(const Relation& table, Node column) {
    const ColumnType type = type_of(column["typeName"]);
    const std::string subject = table.shown + "." + quoted(column["colname"].text());
    const std::size_t at = location(column["typeName"]);
    const std::string base = type.name.ends_with("[]") ? type.name.substr(0, type.name.size() - 2) : type.name;
    if (base == "bpchar") hit("char-type", at, subject);
    if (base == "varchar" && !type.modifiers.empty()) hit("varchar-limit", at, subject);
    if (base == "timestamp") hit("timestamp-without-time-zone", at, subject);
    if (base == "timetz") hit("time-with-time-zone", at, subject);
    if (base == "json") hit("json-type", at, subject);
    if (base == "money") hit("money-type", at, subject);
    if (serial(type)) hit("serial-type", at, subject);
    const bool small = type.name == "int4" || type.name == "int2" || type.name == "serial" || type.name == "smallserial" || type.name == "serial4" || type.name == "serial2";
    if (small && (constraint_of(column, "CONSTR_PRIMARY") || constraint_of(column, "CONSTR_IDENTITY"))) hit("small-integer-key", at, subject);
    check_name(column, "colname", location(column));
}

void PostgresRules::create_table(Node statement) {
    const Relation table = relation(statement["relation"]);
    const Node elements = statement["tableElts"];
    const bool partition = static_cast<bool>(statement["partbound"]);
    const bool temporary = statement["relation"]["relpersistence"].is("t");
    if (!transaction_ && !statement["if_not_exists"].truth()) hit("not-repeatable", 0, "");
    check_name(statement["relation"], "relname", table.location);
    bool key = partition || temporary || statement["inhRelations"];
    std::set<std::string> referenced;
    const auto reference = [&](Node constraint) {
        const Relation target = relation(constraint["pktable"]);
        if (target.key != table.key && referenced.insert(target.key).second) hit_old("create-references", location(constraint), target);
        if (target.key != table.key) touch(target, Lock::share_row_exclusive);
    };
    for (Node element : elements) {
        if (const Node column = element.as("ColumnDef")) {
            column_design(table, column);
            columns_[table.key][std::string(column["colname"].text())] = type_of(column["typeName"]);
            key = key || constraint_of(column, "CONSTR_PRIMARY");
            if (const Node foreign = constraint_of(column, "CONSTR_FOREIGN")) reference(foreign);
        } else if (const Node constraint = element.as("Constraint")) {
            const bool primary = constraint["contype"].is("CONSTR_PRIMARY");
            key = key || primary;
            if (constraint["contype"].is("CONSTR_FOREIGN")) reference(constraint);
            if (!primary || constraint["keys"].size() != 1) continue;
            const std::string name(string_value(constraint["keys"].first()));
            const std::string type = columns_[table.key][name].name;
            if (type == "int4" || type == "int2") hit("small-integer-key", location(constraint), table.shown + "." + quoted(name));
        } else if (element.as("TableLikeClause")) {
            key = true;  // may bring one
        }
    }
    if (!key) hit("no-primary-key", table.location, table.shown, table.shown);
    padding(table, elements);
    if (partition) {
        for (Node parent : statement["inhRelations"]) {
            const Relation whole = relation(parent.as("RangeVar"));
            hit_old("create-partition-of", table.location, whole);
            touch(whole, Lock::access_exclusive);
        }
    }
    new_.insert(table.key);
}

// Between columns of fixed width; what stands behind one of variable width begins anywhere.
void PostgresRules::padding(const Relation& table, Node elements) {
    int wasted = 0, offset = 0;
    for (Node element : elements) {
        const Node column = element.as("ColumnDef");
        if (!column) continue;
        const Width width = width_of(type_of(column["typeName"]));
        if (width.bytes == 0) {
            offset = 0;
            continue;
        }
        const int gap = (width.align - offset % width.align) % width.align;
        wasted += gap;
        offset += gap + width.bytes;
    }
    if (wasted >= 8) hit("column-padding", table.location, table.shown);
}

void PostgresRules::create_index(Node statement) {
    const Relation table = relation(statement["relation"]);
    const bool concurrent = statement["concurrent"].truth();
    const bool only = !statement["relation"]["inh"].truth();
    const bool optional = statement["if_not_exists"].truth();
    const std::string name(statement["idxname"].text());
    check_name(statement, "idxname", 0);
    if (concurrent) {
        outside_transaction();
        if (optional) hit("index-if-not-exists", place("if", 0), quoted(name));
        return touch(table, Lock::share_update_exclusive, false, true);
    }
    if (!transaction_ && !optional) hit("not-repeatable", 0, "");
    if (!only) hit_old("index-not-concurrent", place("index", 0), table);
    touch(table, Lock::share, false, !only);
}

// --- DROP, RENAME ----------------------------------------------------------------------------------------------------------------

void PostgresRules::drop(Node statement) {
    const std::string_view type = statement["removeType"].text();
    const bool concurrent = statement["concurrent"].truth();
    const bool cascade = statement["behavior"].is("DROP_CASCADE");
    if (!transaction_ && !concurrent && !statement["missing_ok"].truth()) hit("not-repeatable", 0, "");
    if (concurrent) outside_transaction();
    for (Node wrapped : statement["objects"]) {
        const Relation object = relation_of_names(wrapped.kind() == "TypeName" ? wrapped.as("TypeName")["names"] : wrapped.kind() == "ObjectWithArgs" ? wrapped.as("ObjectWithArgs")["objname"] : wrapped);
        const std::size_t at = place(object.shown, place("drop", 0) + 4);
        const bool fresh = is_new(object) || new_types_.count(object.key) != 0;
        if (cascade && !fresh) hit("drop-cascade", place("cascade", at), object.shown);
        if (type == "OBJECT_TABLE") {
            hit_old("drop-table", at, object);
            touch(object, Lock::access_exclusive);
            if (!fresh) lose("the rows of " + object.shown);
            new_.erase(object.key);
            columns_.erase(object.key);
            constraints_.erase(object.key);
        } else if (type == "OBJECT_INDEX") {
            if (!concurrent) hit("drop-index-not-concurrent", at, object.shown, object.shown);
            touch(object, concurrent ? Lock::share_update_exclusive : Lock::access_exclusive);
        } else if (type == "OBJECT_SCHEMA") {
            if (!fresh) hit("drop-schema", at, object.shown);
            lose("everything in schema " + object.shown);
        } else if (type == "OBJECT_TRIGGER" || type == "OBJECT_POLICY" || type == "OBJECT_RULE") {
            std::string shown = object.shown;
            const auto dot = shown.rfind('.');
            Relation table = object;
            if (dot != std::string::npos) table = {object.key.substr(0, object.key.rfind('.')), shown.substr(0, dot), 0};
            hit_old("drop-object", place(dot == std::string::npos ? shown : shown.substr(dot + 1), at), table, lower(type.substr(7)) + " " + shown);
            touch(table, Lock::access_exclusive);
        } else if (!fresh) {
            std::string what = lower(type.substr(std::min<std::size_t>(7, type.size())));
            std::replace(what.begin(), what.end(), '_', ' ');
            hit("drop-object", at, (what == "matview" ? "materialized view" : what) + " " + object.shown);
            if (type == "OBJECT_MATVIEW" || type == "OBJECT_VIEW" || type == "OBJECT_SEQUENCE") touch(object, Lock::access_exclusive);
        }
    }
}

void PostgresRules::rename(Node statement) {
    const bool moves = static_cast<bool>(statement["newschema"]);
    const std::string_view type = statement[moves ? "objectType" : "renameType"].text();
    const Node range = statement["relation"];
    const Relation table = range ? relation(range) : Relation{};
    if (type == "OBJECT_COLUMN") {
        const std::string old(statement["subname"].text());
        hit_old("rename-column", place(old, table.location + 1), table, table.shown + "." + quoted(old));
        auto& columns = columns_[table.key];
        if (auto node = columns.extract(old)) {
            node.key() = std::string(statement["newname"].text());
            columns.insert(std::move(node));
        }
        return touch(table, Lock::access_exclusive);
    }
    if (type == "OBJECT_TABLE") {
        hit_old("rename-table", table.location, table);
        touch(table, Lock::access_exclusive);
        Relation target{std::string(statement[moves ? "newschema" : "newname"].text()), {}, 0};
        if (moves) target.key = target.key == "public" ? std::string(range["relname"].text()) : target.key + "." + std::string(range["relname"].text());
        else if (const auto dot = table.key.find('.'); dot != std::string::npos) target.key = table.key.substr(0, dot + 1) + target.key;
        if (new_.erase(table.key) != 0) new_.insert(target.key);
        if (auto node = columns_.extract(table.key)) {
            node.key() = target.key;
            columns_.insert(std::move(node));
        }
        return;
    }
    if (type == "OBJECT_INDEX") return touch(table, Lock::share_update_exclusive);
    if (type == "OBJECT_TABCONSTRAINT" || type == "OBJECT_TRIGGER" || type == "OBJECT_POLICY" || type == "OBJECT_RULE" || type == "OBJECT_ROLE") return touch(table, Lock::access_exclusive);
    const Node object = statement["object"];
    const Relation named = range ? table : relation_of_names(object.kind() == "TypeName" ? object.as("TypeName")["names"] : object.kind() == "ObjectWithArgs" ? object.as("ObjectWithArgs")["objname"] : object);
    const std::string shown = named.shown.empty() ? quoted(statement["subname"].text()) : named.shown;
    if (new_.count(named.key) == 0 && new_types_.count(named.key) == 0) hit("rename-object", place(shown, 6), shown);
    if (range) touch(table, Lock::access_exclusive);
}

// --- the rest --------------------------------------------------------------------------------------------------------------------

void PostgresRules::maintain(Node statement, std::string_view kind) {
    const Relation table = statement["relation"] ? relation(statement["relation"]) : Relation{};
    if (kind == "VacuumStmt") {
        const bool vacuum = statement["is_vacuumcmd"].truth();
        const bool full = vacuum && option(statement["options"], "full");
        if (vacuum) outside_transaction();
        for (Node wrapped : statement["rels"]) {
            const Relation one = relation(wrapped.as("VacuumRelation")["relation"]);
            if (full) hit_old("vacuum-full", one.location, one);
            touch(one, full ? Lock::access_exclusive : Lock::share_update_exclusive, full, vacuum);
        }
        if (full && !statement["rels"]) hit("vacuum-full", 0, "every table");
    } else if (kind == "ClusterStmt") {
        if (table.shown.empty()) {
            outside_transaction();
            return hit("cluster", 0, "every clustered table");
        }
        hit_old("cluster", table.location, table);
        touch(table, Lock::access_exclusive, true, true);
    } else if (kind == "RefreshMatViewStmt") {
        const bool concurrent = statement["concurrent"].truth();
        const bool empties = statement["skipData"].truth();
        if (!concurrent && !empties) hit_old("refresh-not-concurrent", table.location, table);
        touch(table, concurrent ? Lock::exclusive : Lock::access_exclusive, !empties, !empties);
    } else if (kind == "ReindexStmt") {
        const bool concurrent = option(statement["params"], "concurrently");
        const bool index = statement["kind"].is("REINDEX_OBJECT_INDEX");
        const bool many = !statement["relation"];
        if (concurrent || many) outside_transaction();
        const std::string what = many ? "every table of " + (statement["name"].text().empty() ? std::string("the database") : quoted(statement["name"].text())) : index ? "the table of index " + table.shown : table.shown;
        if (!concurrent && many) hit("reindex-not-concurrent", 0, what);
        else if (!concurrent) hit_old("reindex-not-concurrent", table.location, table, what);
        touch(table, concurrent ? Lock::share_update_exclusive : index ? Lock::access_exclusive : Lock::share, false, true);
    } else {
        const auto mode = static_cast<Lock>(std::clamp<std::int64_t>(statement["mode"].integer(8), 0, 8));
        for (Node wrapped : statement["relations"]) {
            const Relation one = relation(wrapped.as("RangeVar"));
            if (mode >= Lock::share) hit_old("lock-table", one.location, one);
            touch(one, mode);
        }
    }
}

void PostgresRules::change_rows(Node statement, std::string_view kind) {
    if (kind == "TruncateStmt") {
        for (Node wrapped : statement["relations"]) {
            const Relation table = relation(wrapped.as("RangeVar"));
            hit_old("truncate", table.location, table);
            if (statement["behavior"].is("DROP_CASCADE")) hit_old("truncate-cascade", place("cascade", table.location), table);
            touch(table, Lock::access_exclusive);
            if (!is_new(table)) lose("the rows of " + table.shown);
        }
        return;
    }
    if (kind == "CopyStmt" && !statement["is_from"].truth()) return;
    const Relation table = relation(statement["relation"]);
    const bool changes = kind == "UpdateStmt" || kind == "DeleteStmt";
    const bool all = changes && always_true(statement["whereClause"]) && !statement["fromClause"] && !statement["usingClause"];
    if (all) hit_old(kind == "UpdateStmt" ? "unbounded-update" : "unbounded-delete", table.location, table);
    const bool from_query = kind == "InsertStmt" && statement["selectStmt"].as("SelectStmt") && !statement["selectStmt"].as("SelectStmt")["valuesLists"] &&
                            statement["selectStmt"].as("SelectStmt")["fromClause"];
    if ((changes || from_query) && !locked_.empty()) hit("backfill-under-lock", table.location, locked_, locked_);
    touch(table, Lock::row_exclusive, all && kind == "UpdateStmt", all);
    if (changes && !is_new(table)) lose(std::string(kind == "UpdateStmt" ? "the old values of rows of " : "rows of ") + table.shown);
}

void PostgresRules::other(Node statement, std::string_view kind) {
    if (kind == "TransactionStmt") {
        const std::string_view what = statement["kind"].text();
        if (what != "TRANS_STMT_SAVEPOINT" && what != "TRANS_STMT_RELEASE" && what != "TRANS_STMT_ROLLBACK_TO") hit("transaction-control", 0, "");
    } else if (kind == "CreateTableAsStmt") {
        const Relation table = relation(statement["into"]["rel"]);
        const bool view = statement["objtype"].is("OBJECT_MATVIEW");
        if (!view && !statement["into"]["rel"]["relpersistence"].is("t")) hit("no-primary-key", table.location, table.shown, table.shown);
        new_.insert(table.key);
    } else if (kind == "ViewStmt") {
        if (!statement["replace"].truth()) new_.insert(relation(statement["view"]).key);
    } else if (kind == "CreateEnumStmt" || kind == "CreateDomainStmt" || kind == "CompositeTypeStmt") {
        const Node name = kind == "CreateDomainStmt" ? statement["domainname"] : statement["typeName"];
        if (name) new_types_.insert(relation_of_names(name).key);
        if (kind == "CreateDomainStmt" && constraint_of(statement, "CONSTR_CHECK")) hit("create-domain-constraint", location(constraint_of(statement, "CONSTR_CHECK")), relation_of_names(name).shown);
    } else if (kind == "CreateSchemaStmt") {
        new_.insert(std::string(statement["schemaname"].text()));
    } else if (kind == "CreateFunctionStmt") {
        if (!statement["replace"].truth()) new_.insert(relation_of_names(statement["funcname"]).key);
    } else if (kind == "CreateTrigStmt") {
        const Relation table = relation(statement["relation"]);
        hit_old("create-trigger", table.location, table);
        touch(table, Lock::share_row_exclusive);
    } else if (kind == "RuleStmt") {
        const Relation table = relation(statement["relation"]);
        hit_old("create-rule", table.location, table);
        touch(table, Lock::access_exclusive);
    } else if (kind == "CreatePolicyStmt" || kind == "AlterPolicyStmt") {
        touch(relation(statement["table"]), Lock::access_exclusive);
    } else if (kind == "CreateStatsStmt") {
        for (Node wrapped : statement["relations"]) touch(relation(wrapped.as("RangeVar")), Lock::share_update_exclusive);
    } else if (kind == "AlterDomainStmt") {
        const Relation domain = relation_of_names(statement["typeName"]);
        const Node constraint = statement["def"].as("Constraint");
        const bool adds = statement["subtype"].is("C") && !constraint["skip_validation"].truth();
        if ((adds || statement["subtype"].is("O")) && new_types_.count(domain.key) == 0) hit("domain-constraint", location(constraint), domain.shown);
    } else if (kind == "AlterEnumStmt") {
        const std::string value(statement["newVal"].text());
        const Relation type = relation_of_names(statement["typeName"]);
        if (!statement["oldVal"].text().empty()) {
            if (new_types_.count(type.key) == 0) hit("rename-enum-value", place(statement["oldVal"].text(), 0), "'" + std::string(statement["oldVal"].text()) + "'");
        } else if (transaction_ && new_types_.count(type.key) == 0) {
            enum_values_.insert(value);
        }
    } else if (kind == "DropdbStmt") {
        outside_transaction();
        hit("drop-database", 0, quoted(statement["dbname"].text()));
        lose("everything in database " + quoted(statement["dbname"].text()));
    } else if (kind == "CreatedbStmt" || kind == "CreateTableSpaceStmt" || kind == "DropTableSpaceStmt") {
        outside_transaction();
    } else if (kind == "AlterSystemStmt") {
        outside_transaction();
        hit("alter-system", 0, "");
    } else if (kind == "GrantStmt" && statement["is_grant"].truth()) {
        for (Node wrapped : statement["grantees"]) {
            const Node role = wrapped.as("RoleSpec");
            if (!role["roletype"].is("ROLESPEC_PUBLIC")) continue;
            const Node object = statement["objects"].first();
            hit("grant-to-public", location(role), object.as("RangeVar") ? relation(object.as("RangeVar")).shown : relation_of_names(object.as("ObjectWithArgs") ? object.as("ObjectWithArgs")["objname"] : object).shown);
        }
    }
}

void PostgresRules::uses_new_enum_values(Node node) {
    if (node.name() == "A_Const") {
        const std::string value(node["sval"]["sval"].text());
        if (node["sval"] && enum_values_.count(value) != 0) hit("enum-value-in-transaction", location(node), "'" + value + "'");
        return;
    }
    for (Node child : node) uses_new_enum_values(child);
}

}  // namespace ysdb::migrate::lint
