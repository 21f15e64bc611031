#include <algorithm>

#include "core/schema/draft.h"

namespace ysdb::schema {

namespace {

using Params = std::vector<std::optional<std::string>>;

bool in_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// Calls `seen` with each name in the text, its place, and whether it is in backquotes; passes over literals.
template <class Seen>
void each_name(const std::string& sql, Seen seen) {
    for (std::size_t i = 0; i < sql.size();) {
        const char c = sql[i];
        if (c == '\'' || c == '`' || c == '"') {
            std::size_t end = i + 1;
            while (end < sql.size() && sql[end] != c) end += sql[end] == '\\' ? 2 : 1;
            end = std::min(end, sql.size());
            if (c != '\'') seen(i, end + 1, sql.substr(i + 1, end - i - 1));
            i = end + 1;
        } else if (in_word(c)) {
            std::size_t end = i;
            while (end < sql.size() && in_word(sql[end])) ++end;
            seen(i, end, sql.substr(i, end - i));
            i = end;
        } else {
            ++i;
        }
    }
}

}  // namespace

std::string without_database(const std::string& sql, const std::string& database) {
    std::string text;
    std::size_t kept = 0;
    each_name(sql, [&](std::size_t begin, std::size_t end, const std::string& name) {
        if (name != database || end >= sql.size() || sql[end] != '.' || (begin > 0 && sql[begin - 1] == '.')) return;
        text += sql.substr(kept, begin - kept);
        kept = end + 1;
    });
    return text + sql.substr(std::min(kept, sql.size()));
}

Schema read_clickhouse(SqlStore& sql, Deadline deadline) {
    const std::string database = sql.query("SELECT currentDatabase()", deadline).row(0).text(0);
    // create_table_query is the server's own, normalised form; formatQuery breaks it into lines that a diff can tell apart.
    const SqlResult tables = sql.query(
        "SELECT name, engine, formatQuery(create_table_query) FROM system.tables WHERE database = {p1:String} AND NOT is_temporary"
        " AND NOT startsWith(name, '.inner') AND NOT startsWith(name, '.tmp') ORDER BY name",
        Params{database}, deadline);
    std::vector<Draft> drafts;
    for (std::size_t i = 0; i < tables.rows(); ++i) {
        const SqlRow row = tables.row(i);
        const std::string& engine = row.text(1);
        Draft draft;
        draft.key = row.text(0);
        draft.object.kind = engine == "View" ? "view" : engine == "MaterializedView" ? "materialized view" : engine == "Dictionary" ? "dictionary" : "table";
        draft.phase = draft.object.kind == "table" ? 0 : draft.object.kind == "dictionary" ? 1 : 2;
        draft.object.name = sql.quote_identifier(row.text(0));
        draft.object.table = draft.phase == 0 ? draft.object.name : "";
        draft.object.ddl = without_database(row.text(2), database) + ";\n";
        drafts.push_back(std::move(draft));
    }
    // There is no list of what a query reads: what it names, it may need. A table needs no view, whatever its columns are called.
    std::map<std::string, int> phases;
    for (const Draft& draft : drafts) phases.emplace(draft.key, draft.phase);
    for (Draft& draft : drafts) {
        each_name(draft.object.ddl, [&](std::size_t, std::size_t, const std::string& name) {
            const auto found = phases.find(name);
            if (found != phases.end() && found->second <= draft.phase && name != draft.key && (draft.phase > 0 || draft.object.ddl.find("dictGet") != std::string::npos)) draft.needs.insert(name);
        });
    }
    Schema schema;
    schema.dialect = Dialect::clickhouse;
    std::vector<std::vector<std::string>> circles;  // a column may be named like a view: no harm, the order by phase holds
    for (Draft& draft : in_order(std::move(drafts), circles)) schema.objects.push_back(std::move(draft.object));
    return schema;
}

}  // namespace ysdb::schema
