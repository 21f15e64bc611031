// CREATE TABLE, CREATE INDEX and ALTER TABLE: columns, constraints and what they cost on a table that is in use.
#include <algorithm>
#include <array>

#include "core/base/text.h"
#include "core/migrate/lint/postgres.h"
#include "core/migrate/lint/postgres_tree.h"

namespace ysdb::migrate::lint {

namespace {

bool serial(const ColumnType& type) {
    constexpr std::array<std::string_view, 6> names{"serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"};
    return std::find(names.begin(), names.end(), type.name) != names.end();
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

}  // namespace

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
    const std::string subject = table.shown + "." + sql_name(name);
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
    added_columns_.insert(table.key + "." + name);
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
                hit("small-integer-key", at, table.shown + "." + sql_name(column->first), table.shown);
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
    const std::string subject = table.shown + "." + sql_name(column);
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
    if (!proven) hit_old("set-not-null", place(column, table.location + 1), table, table.shown + "." + sql_name(column));
    touch(table, Lock::access_exclusive, false, !proven);
}

void PostgresRules::other_command(const Relation& table, Node command, std::string_view subtype) {
    const std::string name(command["name"].text());
    const std::string subject = table.shown + "." + sql_name(name);
    const std::size_t at = place(name, table.location + 1);
    if (subtype == "AT_DropColumn") {
        if (added_columns_.count(table.key + "." + name) == 0) hit_old("drop-column", at, table, subject);
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
        if (found == constraints.end() || found->second.not_null.empty()) hit_old("drop-constraint", at, table, sql_name(name));
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
            touch(relation(part["name"]), Lock::access_exclusive);
            return touch(table, Lock::share_update_exclusive);
        }
        hit_old("detach-partition", table.location, table);
        touch(relation(part["name"]), Lock::access_exclusive);
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
    const std::string subject = table.shown + "." + sql_name(column["colname"].text());
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
            if (type == "int4" || type == "int2") hit("small-integer-key", location(constraint), table.shown + "." + sql_name(name));
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
    touched_.insert(table.key);
    make(table.key);
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
    if (is_new(table)) indexes_[name] = table.key;
    if (statement["unique"].truth()) hit_old("unique-index-duplicates", table.location, table);
    if (concurrent) {
        outside_transaction();
        if (optional) hit("index-if-not-exists", place("if", 0), sql_name(name));
        return touch(table, Lock::share_update_exclusive, false, true);
    }
    if (!transaction_ && !optional) hit("not-repeatable", 0, "");
    if (!only) hit_old("index-not-concurrent", place("index", 0), table);
    touch(table, Lock::share, false, !only);
}

}  // namespace ysdb::migrate::lint
