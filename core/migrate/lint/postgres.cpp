#include "core/migrate/lint/postgres.h"

#include <algorithm>
#include <array>
#include <memory>

#include "core/base/text.h"
#include "core/migrate/lint/postgres_tree.h"
#include "core/migrate/source.h"

namespace ysdb::migrate::lint {

namespace {

// Rows of an INSERT, not a change of the schema; its tree would be many times as large.
constexpr std::size_t longest_statement = 128 * 1024;

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

// As long as it was, so that places stay: ${name} becomes v_name_.
std::string names_for_variables(std::string_view sql) {
    std::string text(sql);
    for (auto at = text.find("${"); at != std::string::npos; at = text.find("${", at + 1)) {
        const auto end = text.find('}', at);
        if (end == std::string::npos) break;
        text[at] = 'v';
        text[at + 1] = text[end] = '_';
    }
    return text;
}

bool always_true(Node where) { return !where || where.as("A_Const")["boolval"]["boolval"].truth(); }

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
    for (auto* of_file : {&made_, &made_types_, &touched_, &added_columns_}) of_file->clear();
    given_keys_.clear();
    enum_values_.clear();
    worked_on_.clear();
    locked_.clear();
    backfill_told_ = false;
    for (auto& [table, constraints] : constraints_) {
        for (auto& [name, constraint] : constraints) constraint.added_here = false;
    }
}

PostgresRules PostgresRules::way_back() const {
    PostgresRules back;
    back.transaction_ = transaction_;
    back.new_ = made_;
    back.new_types_ = made_types_;
    back.added_columns_ = added_columns_;
    for (const std::string& table : touched_) {
        if (const auto columns = columns_.find(table); columns != columns_.end()) back.columns_.insert(*columns);
        if (const auto constraints = constraints_.find(table); constraints != constraints_.end()) back.constraints_.insert(*constraints);
    }
    for (auto& [table, constraints] : back.constraints_) {
        for (auto& [name, constraint] : constraints) constraint.added_here = false;
    }
    if (!made_.empty()) back.indexes_ = indexes_;
    return back;
}

Verdict PostgresRules::look(std::string_view sql, bool batched) {
    sql_ = sql;
    batched_ = batched;
    verdict_ = {};
    if (sql.size() > longest_statement) {
        if (lower(sql.substr(0, 6)) != "insert") hit("not-parsed", 0, "a statement of " + std::to_string(sql.size()) + " bytes");
        return std::move(verdict_);
    }
    const auto tree = std::make_unique<ParseTree>(sql);
    // ${name} is no SQL; most stand where a name may stand.
    const auto with_names = tree->failure() && sql.find("${") != std::string_view::npos ? std::make_unique<ParseTree>(names_for_variables(sql)) : nullptr;
    if (tree->failure() && (!with_names || with_names->failure())) {
        hit("not-parsed", tree->failure()->offset, tree->failure()->message);
        return std::move(verdict_);
    }
    const Node wrapped = (with_names ? *with_names : *tree).statement();
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
    return {schema.empty() || schema == "public" ? name : schema + "." + name, (schema.empty() ? "" : sql_name(schema) + ".") + sql_name(name), location(range)};
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
        found.shown += (found.shown.empty() ? "" : ".") + sql_name(part);
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
    touched_.insert(table.key);
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
            const auto index = indexes_.find(object.key.substr(object.key.rfind('.') + 1));
            const bool of_new = index != indexes_.end() && new_.count(index->second) != 0;
            if (!concurrent && !of_new) hit("drop-index-not-concurrent", at, object.shown, object.shown);
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
        hit_old("rename-column", place(old, table.location + 1), table, table.shown + "." + sql_name(old));
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
    const std::string shown = named.shown.empty() ? sql_name(statement["subname"].text()) : named.shown;
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
        const std::string what = many ? "every table of " + (statement["name"].text().empty() ? std::string("the database") : sql_name(statement["name"].text())) : index ? "the table of index " + table.shown : table.shown;
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
    if (all && (!batched_ || kind == "DeleteStmt")) hit_old(kind == "UpdateStmt" ? "unbounded-update" : "unbounded-delete", table.location, table);
    std::set<std::string_view> set_columns;
    for (Node wrapped : kind == "UpdateStmt" ? statement["targetList"] : Node()) {
        const Node target = wrapped.as("ResTarget");
        if (!target["indirection"] && !set_columns.insert(target["name"].text()).second) hit("duplicate-column", location(target), sql_name(target["name"].text()));
    }
    const bool from_query = kind == "InsertStmt" && statement["selectStmt"].as("SelectStmt") && !statement["selectStmt"].as("SelectStmt")["valuesLists"] &&
                            statement["selectStmt"].as("SelectStmt")["fromClause"];
    if ((changes || from_query) && !locked_.empty() && !backfill_told_ && !batched_) {
        backfill_told_ = true;  // once a file
        hit("backfill-under-lock", table.location, locked_, locked_);
    }
    touch(table, Lock::row_exclusive, all && kind == "UpdateStmt", all);
    if (changes && !is_new(table)) lose(std::string(kind == "UpdateStmt" ? "the old values of rows of " : "rows of ") + table.shown);
}

void PostgresRules::other(Node statement, std::string_view kind) {
    if (kind == "TransactionStmt") {
        const std::string_view what = statement["kind"].text();
        if (what != "TRANS_STMT_SAVEPOINT" && what != "TRANS_STMT_RELEASE" && what != "TRANS_STMT_ROLLBACK_TO") hit("transaction-control", 0, "");
    } else if (kind == "DoStmt" || kind == "CallStmt") {
        verdict_.known = false;
        hit("not-parsed", 0, kind == "DoStmt" ? "what is inside DO" : "what the procedure does");
    } else if (kind == "CreateTableAsStmt") {
        const Relation table = relation(statement["into"]["rel"]);
        const bool view = statement["objtype"].is("OBJECT_MATVIEW");
        if (!view && !statement["into"]["rel"]["relpersistence"].is("t")) hit("no-primary-key", table.location, table.shown, table.shown);
        make(table.key);
    } else if (kind == "ViewStmt") {
        if (!statement["replace"].truth()) make(relation(statement["view"]).key);
    } else if (kind == "CreateEnumStmt" || kind == "CreateDomainStmt" || kind == "CompositeTypeStmt") {
        const Node name = kind == "CreateDomainStmt" ? statement["domainname"] : statement["typeName"];
        if (name) {
            new_types_.insert(relation_of_names(name).key);
            made_types_.insert(relation_of_names(name).key);
        }
        if (kind == "CreateDomainStmt" && constraint_of(statement, "CONSTR_CHECK")) hit("create-domain-constraint", location(constraint_of(statement, "CONSTR_CHECK")), relation_of_names(name).shown);
    } else if (kind == "CreateSchemaStmt") {
        make(std::string(statement["schemaname"].text()));
    } else if (kind == "CreateFunctionStmt") {
        if (!statement["replace"].truth()) make(relation_of_names(statement["funcname"]).key);
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
        } else if (new_types_.count(type.key) == 0) {
            if (transaction_) enum_values_.insert(value);
            if (statement["newValNeighbor"].text().empty()) hit("enum-value-order", place(value, 0), "'" + value + "'");
        }
    } else if (kind == "DropdbStmt") {
        outside_transaction();
        hit("drop-database", 0, sql_name(statement["dbname"].text()));
        lose("everything in database " + sql_name(statement["dbname"].text()));
    } else if (kind == "CreatedbStmt" || kind == "CreateTableSpaceStmt" || kind == "DropTableSpaceStmt") {
        outside_transaction();
    } else if (kind == "AlterSystemStmt") {
        outside_transaction();
        hit("alter-system", 0, "");
    } else if (kind == "GrantStmt" && !statement["is_grant"].truth()) {
        const Node object = statement["objects"].first();
        const Relation named = object.as("RangeVar") ? relation(object.as("RangeVar")) : relation_of_names(object.as("ObjectWithArgs") ? object.as("ObjectWithArgs")["objname"] : object);
        bool from_public_only = true;
        for (Node role : statement["grantees"]) from_public_only = from_public_only && role.as("RoleSpec")["roletype"].is("ROLESPEC_PUBLIC");
        if (new_.count(named.key) == 0 && !from_public_only) hit("revoke", 0, named.shown);
    } else if (kind == "GrantStmt") {
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
