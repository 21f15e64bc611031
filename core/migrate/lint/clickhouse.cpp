#include "core/migrate/lint/clickhouse.h"

#include <algorithm>

namespace ysdb::migrate::lint {

namespace {

// Moves the cursor behind the word; false, and to the end, when it does not come.
bool seek(Words& words, std::string_view word) {
    while (!words.at_end()) {
        if (words.take(word)) return true;
        words.take_any();
    }
    return false;
}

bool seek(Words& words, std::initializer_list<std::string_view> in_order) {
    while (!words.at_end()) {
        if (words.take_all(in_order)) return true;
        words.take_any();
    }
    return false;
}

void skip_to_comma(Words& words) {
    while (!words.at_end() && !words.is(",")) {
        if (words.is("(")) words.skip_parentheses();
        else words.take_any();
    }
}

// The columns of "(a Nullable(Int32), b String)" that may hold NULL; the cursor stands before the parenthesis.
std::set<std::string> nullable_columns(Words words) {
    std::set<std::string> columns;
    if (!words.take("(")) return columns;
    while (!words.at_end() && !words.is(")")) {
        const Name column = words.take_name();
        words.take_all({"lowcardinality", "("});
        if (words.is("nullable") && column.parts.size() == 1) columns.insert(column.last());
        while (!words.at_end() && !words.is(",") && !words.is(")")) {
            if (words.is("(")) words.skip_parentheses();
            else words.take_any();
        }
        // LowCardinality( opened one more than was closed.
        if (words.is(")") && words.is(",", 1)) words.take(")");
        if (!words.take(",")) break;
    }
    return columns;
}

}  // namespace

void ClickHouseRules::begin_file(bool all_new_stays_new, bool clusters) {
    if (!all_new_stays_new) new_.clear();
    made_.clear();
    added_columns_.clear();
    clusters_ = clusters;
}

ClickHouseRules ClickHouseRules::way_back() const {
    ClickHouseRules back;
    back.new_ = made_;
    back.added_columns_ = added_columns_;
    back.clusters_ = clusters_;
    return back;
}

Verdict ClickHouseRules::look(std::string_view sql, bool settles) {
    verdict_ = {};
    verdict_.known = true;
    Words words(sql, Dialect::clickhouse);
    if (words.take("create")) {
        create(words);
    } else if (words.take("drop")) {
        drop(words);
    } else if (words.take("alter")) {
        alter(words);
    } else if (words.take("truncate")) {
        words.take("table");
        words.take_all({"if", "exists"});
        const Name table = words.take_name();
        hit("ch-truncate", table);
        on_cluster(words, table);
        if (!table.empty() && !is_new(table)) verdict_.loses = "the rows of " + table.written;
    } else if (words.take("rename")) {
        const bool database = words.take("database");
        words.take("table");
        const Name table = words.take_name();
        hit("ch-rename-table", table);
        if (words.take("to") && !database) {
            const Name target = words.take_name();
            if (!table.empty() && !target.empty() && new_.erase(table.last()) != 0) new_.insert(target.last());
        }
        on_cluster(words, table);
    } else if (words.take("optimize")) {
        words.take("table");
        const Name table = words.take_name();
        on_cluster(words, table);
        if (words.has("final")) {
            hit("ch-optimize-final", table);
            touch(table);
        }
    } else if (words.take_all({"delete", "from"})) {
        const Name table = words.take_name();
        hit("ch-lightweight-delete", table);
        touch(table);
        if (!table.empty() && !is_new(table)) verdict_.loses = "rows of " + table.written;
    } else if (words.take("insert") && !settles && words.has("select")) {
        words.take("into");
        words.take("table");
        hit("ch-no-probe", words.take_name(), false);
    }
    return std::move(verdict_);
}

void ClickHouseRules::hit(std::string_view rule, const Name& table, bool existing_only) {
    if (existing_only && !table.empty() && is_new(table)) return;
    verdict_.hits.push_back({find_rule(rule), 0, table.written, table.written, {}, {}});
}

void ClickHouseRules::touch(const Name& table) {
    if (!table.empty() && !is_new(table)) verdict_.touches.push_back({table.written, Lock::none, true, true});
}

void ClickHouseRules::on_cluster(Words& words, const Name& table) {
    if (clusters_ && !words.has({"on", "cluster"})) hit("ch-missing-on-cluster", table, false);
}

void ClickHouseRules::create(Words& words) {
    words.take_all({"or", "replace"});
    words.take("temporary");
    std::string kind = words.take_any();
    if (kind == "materialized" || kind == "live" || kind == "window") kind += " " + words.take_any();
    words.take_all({"if", "not", "exists"});
    const Name name = words.take_name();
    if (name.empty()) return;
    if (kind == "table" || kind == "materialized view" || kind == "view" || kind == "dictionary" || kind == "database") on_cluster(words, name);
    if (kind == "materialized view" && words.has("populate")) hit("ch-populate", name, false);
    if (kind == "table" || kind == "materialized view") table_design(name, words);
    new_.insert(name.last());
    made_.insert(name.last());
}

void ClickHouseRules::table_design(const Name& table, Words words) {
    if (words.take_all({"on", "cluster"})) words.take_name();
    const std::set<std::string> nullable = nullable_columns(words);
    words.skip_parentheses();
    Words engine = words;
    if (!seek(engine, "engine")) return;
    engine.take("=");
    if (!engine.take_any().ends_with("mergetree")) return;
    Words order = words;
    if (!seek(order, {"order", "by"})) {
        if (!words.has({"primary", "key"})) hit("ch-no-order-by", table, false);
        return;
    }
    if (order.take_all({"tuple", "(", ")"}) || order.take_all({"(", ")"})) return hit("ch-order-by-tuple", table, false);
    if (words.has("allow_nullable_key")) return;
    const bool list = order.take("(");
    do {
        const Name column = order.take_name();
        const bool whole = order.at_end() || order.is(",") || order.is(")") || !list;
        if (whole && column.parts.size() == 1 && nullable.count(column.last()) != 0) return hit("ch-nullable-key", table, false);
        while (list && !order.at_end() && !order.is(",") && !order.is(")")) {
            if (order.is("(")) order.skip_parentheses();
            else order.take_any();
        }
    } while (list && order.take(","));
}

void ClickHouseRules::drop(Words& words) {
    words.take("temporary");
    const std::string kind = words.take_any();
    words.take_all({"if", "exists"});
    const Name name = words.take_name();
    if (name.empty()) return;
    if (kind == "table") hit("ch-drop-table", name);
    if (kind == "database") hit("ch-drop-database", name);
    if (kind == "table" || kind == "database" || kind == "view" || kind == "dictionary") on_cluster(words, name);
    if ((kind == "table" || kind == "database") && !is_new(name)) verdict_.loses = (kind == "table" ? "the rows of " : "everything in database ") + name.written;
    new_.erase(name.last());
}

void ClickHouseRules::alter(Words& words) {
    if (!words.take("table")) return;
    words.take_all({"if", "exists"});
    const Name table = words.take_name();
    if (table.empty()) return;
    on_cluster(words, table);
    if (words.take_all({"on", "cluster"})) words.take_name();
    while (!words.at_end()) {
        words.take("(");
        alter_command(table, words);
        skip_to_comma(words);
        words.take(",");
    }
}

void ClickHouseRules::alter_command(const Name& table, Words& words) {
    const auto loses = [&](const std::string& what) {
        if (!is_new(table)) verdict_.loses = what + " of " + table.written;
    };
    if (words.take("update") || words.is("delete")) {
        if (words.take("delete")) loses("rows");
        else loses("the old values of rows");
        hit("ch-mutation", table);
        touch(table);
    } else if (words.take("materialize")) {
        hit("ch-materialize", table);
        touch(table);
    } else if (words.take_all({"modify", "order", "by"})) {
        hit("ch-modify-order-by", table);
    } else if (words.take_all({"modify", "ttl"})) {
        if (words.has("materialize_ttl_after_modify")) return;
        hit("ch-modify-ttl", table);
        touch(table);
    } else if (words.take_all({"modify", "column"}) || words.take_all({"alter", "column"})) {
        words.take_all({"if", "exists"});
        words.take_name();
        words.take("type");
        for (const std::string_view no_type : {"default", "materialized", "alias", "codec", "comment", "ttl", "remove", "modify", "reset", "first", "after", ","}) {
            if (words.is(no_type)) return;
        }
        if (words.at_end()) return;
        hit("ch-modify-column", table);
        touch(table);
    } else if (words.take_all({"rename", "column"})) {
        hit("ch-rename-column", table);
    } else if (words.take_all({"add", "column"})) {
        words.take_all({"if", "not", "exists"});
        if (const Name column = words.take_name(); !column.empty()) added_columns_.insert(table.last() + "." + column.last());
    } else if (words.take_all({"drop", "column"})) {
        words.take_all({"if", "exists"});
        const Name column = words.take_name();
        if (!column.empty() && added_columns_.count(table.last() + "." + column.last()) != 0) return;
        hit("ch-drop-column", table);
        loses("a column");
    } else if (words.take_all({"clear", "column"})) {
        hit("ch-clear-column", table);
        loses("a column");
    } else if (words.take_all({"drop", "partition"}) || words.take_all({"drop", "part"}) || words.take_all({"drop", "detached"})) {
        hit("ch-drop-partition", table);
        loses("a partition");
    } else if (words.take_all({"detach", "partition"}) || words.take_all({"detach", "part"})) {
        hit("ch-detach-partition", table);
    }
}

}  // namespace ysdb::migrate::lint
