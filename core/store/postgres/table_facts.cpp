#include "core/store/postgres/table_facts.h"

#include <nlohmann/json.hpp>

#include "core/base/embedded.h"
#include "core/store/postgres/sql_build.h"

namespace ysdb::postgres {

namespace {

TableFacts facts_of(const nlohmann::json& json) {
    TableFacts facts;
    facts.ref = {json.value("schema", ""), json.value("name", "")};
    if (json.contains("rewrite") && !json.at("rewrite").is_null()) facts.rewrite = json.at("rewrite").get<std::string>();
    if (json.contains("touched") && json.at("touched").is_array()) facts.touched = json.at("touched").get<std::set<int>>();
    for (const auto& column : json.at("columns")) {
        const std::string name = column.at("name");
        facts.columns[name] = {.number = column.at("number").get<int>(),
                               .nullable = column.at("nullable").get<bool>(),
                               .has_default = column.value("default", false),
                               .generated = column.value("generated", false),
                               .type = {column.value("type", 0u), column.value("modifier", -1)},
                               .comment = column.at("comment").is_null() ? "" : column.at("comment").get<std::string>()};
        AddedColumn added;
        if (!column.at("fill").is_null()) added.fill = column.at("fill").get<std::string>();
        added.varies = column.at("varies").get<bool>();
        if (added.fill || added.varies) facts.added[name] = added;
    }
    for (const auto& name : json.at("key")) facts.key.push_back(name);
    return facts;
}

}  // namespace

TableFacts table_facts(SqlSession& session, const TableRef& table, Deadline deadline) {
    const SqlResult result = session.query(std::string(embedded_file("sql/ysdb/postgres/table_facts.sql")), std::vector<std::optional<std::string>>{table.schema, table.table}, deadline);
    if (result.rows() == 0) return {};
    return facts_of(nlohmann::json::parse(result.row(0).text(0)));
}

std::pair<std::uint32_t, TableFacts> parse_facts(std::string_view message) {
    try {
        const auto json = nlohmann::json::parse(message);
        return {json.at("relation").get<std::uint32_t>(), facts_of(json)};
    } catch (const nlohmann::json::exception&) {
        throw Error(Code::internal, "a message of the event trigger cannot be read", "was it made by another version? run: ysdb sync install");
    }
}

std::optional<std::uint32_t> teller_of(std::string_view message) {
    const auto json = nlohmann::json::parse(message, nullptr, false);
    if (!json.is_object() || !json.contains("transaction") || !json.at("transaction").is_number_unsigned()) return std::nullopt;
    return json.at("transaction").get<std::uint32_t>();
}

void keep_fills(const TableFacts& before, TableFacts& now) {
    for (const auto& [old_name, added] : before.added) {
        const auto old = before.columns.find(old_name);
        if (!added.fill || old == before.columns.end()) continue;
        for (const auto& [name, column] : now.columns) {
            if (column.number == old->second.number && !now.added.contains(name)) now.added[name] = added;
        }
    }
}

std::string facts_query() {
    constexpr std::string_view from = "-- facts of c\n", to = "-- end of facts";
    const std::string query(embedded_file("sql/ysdb/postgres/table_facts.sql"));
    const std::size_t start = query.find(from) + from.size();
    return query.substr(start, query.find(to) - start);
}

std::string event_trigger_sql(bool log) {
    std::string sql(embedded_file(log ? "sql/ysdb/postgres/trigger_tables.sql" : "sql/ysdb/postgres/tell_tables.sql"));
    std::string rewrites(embedded_file("sql/ysdb/postgres/rewrites.sql"));
    const auto fill = [](std::string& text, std::string_view mark, const std::string& with) { text.replace(text.find(mark), mark.size(), with); };
    fill(rewrites, "{schema}.", log ? "cdc." : "ysdb.");
    rewrites = rewrites.substr(rewrites.find("SELECT c.oid"));
    fill(sql, "({facts})", "(" + facts_query() + ")");
    fill(sql, "({rewrites})", "(" + rewrites + ")");
    // Also where no table has partitions yet: they may come.
    return log ? sql : sql + ";\n" + tell_truncate_sql();
}

std::string tell_truncate_sql() {
    const std::string sql(embedded_file("sql/ysdb/postgres/tell_truncate.sql"));
    return sql.substr(sql.find("CREATE OR REPLACE"));
}

bool lacks_event_triggers(SqlSession& session, bool log, Deadline deadline) {
    // What is between the marks is what the catalog has of a function: an earlier version's is another.
    constexpr std::string_view mark = "$function$";
    const std::string sql = event_trigger_sql(log);
    std::string bodies;
    int functions = 0;
    for (std::size_t from = sql.find(mark); from != std::string::npos; ++functions) {
        const std::size_t to = sql.find(mark, from += mark.size());
        bodies += (bodies.empty() ? "" : ", ") + literal(sql.substr(from, to - from));
        from = sql.find(mark, to + mark.size());
    }
    const SqlResult found = session.query("SELECT rolsuper AND ((SELECT count(*) FROM pg_event_trigger WHERE evtname IN ($1, $2)) < 2 OR (SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace(" +
                                              literal(log ? "cdc" : "ysdb") + ") AND prosrc IN (" + bodies + ")) < " + std::to_string(functions) + ") FROM pg_roles WHERE rolname = current_user",
                                          std::vector<std::optional<std::string>>{std::string(log ? log_event_trigger : event_trigger), std::string(log ? log_rewrite_trigger : rewrite_trigger)}, deadline);
    return found.row(0).truth(0);
}

}  // namespace ysdb::postgres
