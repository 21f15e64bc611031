#include "core/migrate/lint/sizes.h"

#include <algorithm>
#include <map>
#include <set>

#include "core/base/text.h"

namespace ysdb::migrate::lint {

namespace {

struct Size {
    std::uint64_t bytes = 0;
    std::int64_t rows = -1;   // not known
};

using Sizes = std::map<std::string, Size>;   // by the name that was asked for; no entry: no such table

// An index counts as its table, a partitioned table as all of its partitions.
constexpr const char* postgres_sizes =
    "SELECT n.name, sum(pg_total_relation_size(r.oid)), CASE WHEN bool_and(r.reltuples >= 0) THEN sum(r.reltuples)::bigint ELSE -1 END"
    " FROM unnest(string_to_array($1, E'\\n')) n(name)"
    " CROSS JOIN LATERAL (SELECT coalesce((SELECT indrelid FROM pg_index WHERE indexrelid = to_regclass(n.name)), to_regclass(n.name)) AS oid) t"
    " CROSS JOIN LATERAL (SELECT c.oid, c.reltuples FROM pg_class c WHERE c.relkind <> 'p' AND (c.oid = t.oid OR c.oid IN (SELECT relid FROM pg_partition_tree(t.oid)))) r"
    " WHERE t.oid IS NOT NULL GROUP BY n.name";
constexpr const char* clickhouse_sizes =
    "SELECT database = currentDatabase(), database, table, toInt64(sum(bytes_on_disk)), toInt64(sum(rows)) FROM system.parts WHERE active GROUP BY database, table";

std::string without_quotes(std::string name) {
    std::erase_if(name, [](char c) { return c == '`' || c == '"'; });
    return name;
}

Sizes look_up(SqlStore& store, const std::set<std::string>& tables, Deadline deadline) {
    Sizes sizes;
    if (store.dialect() == Dialect::postgres) {
        const std::vector<std::string> names(tables.begin(), tables.end());
        const std::vector<std::optional<std::string>> params{join(names, "\n")};
        const SqlResult result = store.query(postgres_sizes, params, deadline);
        for (std::size_t i = 0; i < result.rows(); ++i) sizes[result.row(i).text(0)] = {static_cast<std::uint64_t>(result.row(i).integer(1)), result.row(i).integer(2)};
    } else if (store.dialect() == Dialect::clickhouse) {
        const SqlResult result = store.query(clickhouse_sizes, deadline);
        for (std::size_t i = 0; i < result.rows(); ++i) {
            const SqlRow row = result.row(i);
            for (const std::string& asked : tables) {
                const std::string name = without_quotes(asked);
                if (name == row.text(1) + "." + row.text(2) || (row.truth(0) && name == row.text(2))) sizes[asked] = {static_cast<std::uint64_t>(row.integer(3)), row.integer(4)};
            }
        }
    }
    return sizes;
}

// With the type that the column has in the store; nothing to say when the change is one of the catalog alone.
bool settled_by_catalog(Finding& finding, SqlStore& store, Deadline deadline) {
    const std::vector<std::optional<std::string>> params{finding.table, finding.column};
    const SqlResult result = store.query(
        "SELECT t.typname, a.atttypmod FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped", params, deadline);
    if (result.rows() == 0) return false;
    const ColumnType from = type_from_catalog(result.row(0).text(0), static_cast<long>(result.row(0).integer(1)));
    if (!change_rewrites(from, finding.type)) return true;
    finding.rule = find_rule("change-column-type");
    finding.message = message_of(*finding.rule, finding.table + "." + finding.column);
    return false;
}

}  // namespace

Severity severity_at(Severity severity, std::uint64_t bytes, std::int64_t rows) {
    const auto step = static_cast<int>(severity);
    if (bytes > large_bytes) return static_cast<Severity>(std::min(step + 1, static_cast<int>(Severity::error)));
    if (bytes < small_bytes || (rows >= 0 && rows < small_rows)) return static_cast<Severity>(std::max(step - 1, static_cast<int>(Severity::note)));
    return severity;
}

void weigh(std::vector<Finding>& findings, Context& context) {
    std::map<std::string, std::set<std::string>> asked;  // by store
    for (const Finding& finding : findings) {
        if (!finding.table.empty()) asked[finding.file->store].insert(finding.table);
    }
    for (const auto& [name, tables] : asked) {
        SqlStore* store = context.stores.get(name).sql();
        if (store == nullptr) continue;
        const Sizes sizes = look_up(*store, tables, context.deadline());
        std::erase_if(findings, [&, &name = name](Finding& finding) {
            if (finding.file->store != name) return false;
            if (!finding.column.empty() && settled_by_catalog(finding, *store, context.deadline())) return true;
            const auto size = sizes.find(finding.table);
            if (size == sizes.end()) return false;
            finding.bytes = size->second.bytes;
            finding.sized = true;
            if (finding.rule->sized) finding.severity = severity_at(finding.rule->severity, size->second.bytes, size->second.rows);
            return false;
        });
    }
}

}  // namespace ysdb::migrate::lint
