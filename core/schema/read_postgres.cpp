#include <algorithm>

#include "core/base/text.h"
#include "core/schema/draft.h"
#include "core/schema/postgres_selects.h"

namespace ysdb::schema {

namespace {

struct ColumnPart {
    std::string name;
    std::string declaration;     // "id integer"
    std::string fallback;        // DEFAULT expression; empty: none
    std::string fallback_key;
    bool not_null = false;
    bool inherited = false;      // from a table named in INHERITS: not declared again
    std::string after;
};

struct CheckPart {
    std::string key, name, definition, after;
    bool separate = false;       // NOT VALID: cannot be said in CREATE TABLE
};

struct TableParts {
    std::string name, create, behind, after;
    bool partition = false;
    std::vector<ColumnPart> columns;
    std::vector<CheckPart> checks;
};

struct Catalog {
    std::vector<Draft> drafts;                              // all but tables
    std::map<std::string, TableParts> tables;               // by key
    std::multimap<std::string, std::string> needs;          // dependent -> referenced
    std::map<std::string, std::string> aliases;
    std::vector<std::string> left_out;
};

Object table_object(const TableParts& table, const std::string& ddl) { return {"table", table.name, ddl, table.name, table.partition}; }

// A default or check of its own, where the table comes before what the expression needs.
Draft part(const TableParts& table, const std::string& kind, const std::string& key, const std::string& table_key, const std::string& name, const std::string& ddl) {
    Draft draft{key, 9, 4, {kind, table.name + " " + name, ddl, table.name, table.partition}, {table_key}};
    return draft;
}

// CREATE TABLE with everything in it that it can hold; `split`: defaults and checks stand for themselves.
void add_table(std::vector<Draft>& drafts, const std::string& key, const TableParts& table, bool split) {
    const std::string alter = "ALTER TABLE ONLY " + table.name + " ";
    std::vector<Draft> parts;
    std::string body, after;
    const auto item = [&](const std::string& text) { body += (body.empty() ? "\n    " : ",\n    ") + text; };
    for (const ColumnPart& column : table.columns) {
        const bool separate = !column.fallback.empty() && (split || column.inherited);
        if (!column.inherited) item(column.declaration + (column.fallback.empty() || separate ? "" : " DEFAULT " + column.fallback) + (column.not_null ? " NOT NULL" : ""));
        else if (column.not_null) after += alter + "ALTER COLUMN " + column.name + " SET NOT NULL;\n";
        if (separate) {
            const std::string ddl = alter + "ALTER COLUMN " + column.name + " SET DEFAULT " + column.fallback + ";\n";
            if (split) parts.push_back(part(table, "default", column.fallback_key, key, column.name, ddl));
            else after += ddl;
        }
        after += column.after;
    }
    for (const CheckPart& check : table.checks) {
        if (!check.separate && !split) {
            item("CONSTRAINT " + check.name + " " + check.definition);
            after += check.after;
            continue;
        }
        parts.push_back(part(table, "check", check.key, key, check.name, alter + "ADD CONSTRAINT " + check.name + " " + check.definition + ";\n" + check.after));
    }
    drafts.push_back({key, 6, 0, table_object(table, table.create + " (" + body + (body.empty() ? "" : "\n") + ")" + table.behind + ";\n" + after + table.after), {}});
    for (Draft& draft : parts) drafts.push_back(std::move(draft));
}

Catalog read_catalog(SqlSession& session, const ReadOptions& options, Deadline deadline) {
    Catalog catalog;
    const int version = static_cast<int>(session.query("SELECT current_setting('server_version_num')", deadline).row(0).integer(0));
    const SqlResult objects = session.query(objects_select(version, options.grants), deadline);
    for (std::size_t i = 0; i < objects.rows(); ++i) {
        const SqlRow row = objects.row(i);
        Draft draft{row.text(3), static_cast<int>(row.integer(0)), static_cast<int>(row.integer(1)), {row.text(2), row.text(5), row.text(6) + "\n", row.text(4), row.truth(8)}, {}};
        for (const std::string& need : split(row.text(7), ' ')) draft.needs.insert(need);
        catalog.drafts.push_back(std::move(draft));
    }
    const SqlResult tables = session.query(tables_select(), deadline);
    for (std::size_t i = 0; i < tables.rows(); ++i) {
        const SqlRow row = tables.row(i);
        catalog.tables.emplace(row.text(0), TableParts{row.text(1), row.text(2), row.text(3), row.text(4), row.truth(5), {}, {}});
    }
    const SqlResult columns = session.query(columns_select(), deadline);
    for (std::size_t i = 0; i < columns.rows(); ++i) {
        const SqlRow row = columns.row(i);
        catalog.tables.at(row.text(0)).columns.push_back({row.text(7), row.text(1), row.text_or(2, ""), row.text_or(3, ""), row.truth(4), row.truth(6), row.text(5)});
    }
    const SqlResult checks = session.query(checks_select(), deadline);
    for (std::size_t i = 0; i < checks.rows(); ++i) {
        const SqlRow row = checks.row(i);
        catalog.tables.at(row.text(0)).checks.push_back({row.text(1), row.text(2), row.text(3), row.text(5), row.truth(4)});
    }
    const SqlResult needs = session.query(dependencies_select(), deadline);
    for (std::size_t i = 0; i < needs.rows(); ++i) catalog.needs.emplace(needs.row(i).text(0), needs.row(i).text(1));
    const SqlResult aliases = session.query(aliases_select(), deadline);
    for (std::size_t i = 0; i < aliases.rows(); ++i) catalog.aliases.emplace(aliases.row(i).text(0), aliases.row(i).text(1));
    const SqlResult left_out = session.query(left_out_select(), deadline);
    for (std::size_t i = 0; i < left_out.rows(); ++i) catalog.left_out.push_back(left_out.row(i).text(0));
    return catalog;
}

std::vector<Draft> drafts_of(const Catalog& catalog, const std::set<std::string>& split) {
    std::vector<Draft> drafts = catalog.drafts;
    for (const auto& [key, table] : catalog.tables) add_table(drafts, key, table, split.contains(key));
    std::map<std::string, std::size_t> index;
    for (std::size_t i = 0; i < drafts.size(); ++i) index.emplace(drafts[i].key, i);
    const auto resolve = [&](std::string key) {
        for (int hops = 0; !index.contains(key) && hops < 5; ++hops) {
            const auto alias = catalog.aliases.find(key);
            if (alias == catalog.aliases.end()) break;
            key = alias->second;
        }
        return key;
    };
    for (const auto& [dependent, referenced] : catalog.needs) {
        const auto from = index.find(resolve(dependent));
        const std::string to = resolve(referenced);
        if (from != index.end() && index.contains(to) && to != from->first) drafts[from->second].needs.insert(to);
    }
    for (Draft& draft : drafts) {
        std::set<std::string> resolved;
        for (const std::string& need : draft.needs) resolved.insert(resolve(need));
        draft.needs = std::move(resolved);
    }
    return drafts;
}

// Behind the literal that begins at `at`: 'it''s', E'a\\'b'.
std::size_t literal_end(const std::string& sql, std::size_t at) {
    const bool escapes = sql[at] == 'E';
    for (std::size_t i = at + (escapes ? 2 : 1); i < sql.size(); ++i) {
        if (escapes && sql[i] == '\\') ++i;
        else if (sql[i] == '\'' && sql.compare(i, 2, "''") == 0) ++i;
        else if (sql[i] == '\'') return i + 1;
    }
    return sql.size();
}

// At "(ARRAY['a'::t, 'b'::t])::u[]": its other form, and where it ends. Nothing for an array of other than literals.
std::optional<std::pair<std::string, std::size_t>> array_cast(const std::string& sql, std::size_t at) {
    constexpr std::string_view open = "(ARRAY[", close = "])::";
    if (sql.compare(at, open.size(), open) != 0) return std::nullopt;
    std::vector<std::string> elements;
    std::size_t i = at + open.size();
    while (true) {
        if (sql.compare(i, 1, "'") != 0 && sql.compare(i, 2, "E'") != 0) return std::nullopt;
        std::size_t end = literal_end(sql, i);
        if (sql.compare(end, 2, "::") != 0) return std::nullopt;
        for (int depth = 0; end < sql.size() && (depth > 0 || (sql[end] != ',' && sql[end] != ']')); ++end) depth += sql[end] == '(' ? 1 : sql[end] == ')' ? -1 : 0;
        elements.push_back(sql.substr(i, end - i));
        i = end;
        if (sql.compare(i, 2, ", ") != 0) break;
        i += 2;
    }
    if (sql.compare(i, close.size(), close) != 0) return std::nullopt;
    i += close.size();
    const auto brackets = sql.find("[]", i);
    if (brackets == std::string::npos) return std::nullopt;
    const std::string type = sql.substr(i, brackets - i);
    if (type.empty() || type.find_first_not_of("abcdefghijklmnopqrstuvwxyz ._0123456789") != std::string::npos) return std::nullopt;
    std::string text;
    for (const std::string& element : elements) text += (text.empty() ? "" : ", ") + ("(" + element + ")::" + type);
    return std::pair("ARRAY[" + text + "]", brackets + 2);
}

}  // namespace

std::string with_element_casts(const std::string& sql) {
    if (sql.find("(ARRAY[") == std::string::npos) return sql;
    std::string text;
    for (std::size_t i = 0; i < sql.size();) {
        std::size_t end = i + 1;
        if (sql[i] == '\'') end = literal_end(sql, i > 0 && sql[i - 1] == 'E' ? i - 1 : i);
        else if (sql[i] == '"') end = std::min(sql.find('"', i + 1), sql.size() - 1) + 1;
        else if (auto cast = array_cast(sql, i)) {
            text += cast->first;
            i = cast->second;
            continue;
        }
        text += sql.substr(i, end - i);
        i = end;
    }
    return text;
}

Schema read_postgres(SqlStore& sql, const ReadOptions& options, Deadline deadline) {
    const auto session = sql.open_session("ysdb schema", deadline);
    // Names without a schema in what the server writes depend on search_path, times in bounds on the time zone. RESET would forget the URL's options.
    session->query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", deadline);
    session->query("SELECT set_config('search_path', '', true), set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true), set_config('intervalstyle', 'postgres', true),"
                   " set_config('extra_float_digits', '1', true), set_config('quote_all_identifiers', 'off', true), set_config('bytea_output', 'hex', true)", deadline);
    const Catalog catalog = read_catalog(*session, options, deadline);
    session->query("COMMIT", deadline);

    // Where a default or a check needs what needs the table, they leave CREATE TABLE; then it is tried again.
    std::set<std::string> split;
    while (true) {
        std::vector<std::vector<std::string>> circles;
        std::vector<Draft> ordered = in_order(drafts_of(catalog, split), circles);
        const std::size_t before = split.size();
        for (const auto& circle : circles) {
            for (const std::string& key : circle) {
                if (catalog.tables.contains(key)) split.insert(key);
            }
        }
        if (split.size() != before) continue;
        Schema schema;
        schema.left_out = catalog.left_out;
        for (Draft& draft : ordered) {
            // The text of a routine is the user's own.
            if (draft.object.kind != "function" && draft.object.kind != "procedure") draft.object.ddl = with_element_casts(draft.object.ddl);
            schema.objects.push_back(std::move(draft.object));
        }
        return schema;
    }
}

}  // namespace ysdb::schema
