#include "core/sync/copy/copy_log.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "core/value/version_text.h"

namespace ysdb::sync {

namespace {

using Params = std::vector<std::optional<std::string>>;

}  // namespace

std::string columns_text(const TableInfo& table) {
    std::string text;
    for (const ColumnInfo& column : table.columns) text += fmt::format("{} {} {}\n", column.number, column.type.native, column.name);
    return text;
}

CopyLog::CopyLog(Store& source, std::string set) : sql_(source.sql()), set_(std::move(set)) {
    if (sql_ != nullptr && sql_->dialect() != Dialect::postgres) sql_ = nullptr;
}

std::optional<CopyProgress> CopyLog::find(const std::string& table, const std::string& sink, Deadline deadline) {
    if (sql_ == nullptr) return std::nullopt;
    const Params which{set_, table, sink};
    const SqlResult found = sql_->query("SELECT run, version, columns, ranges FROM ysdb.sync_copies WHERE set_name = $1 AND table_name = $2 AND sink = $3", which, deadline);
    if (found.rows() == 0) return std::nullopt;
    const SqlRow row = found.row(0);
    CopyProgress copy{row.text(0), parse_version(row.text(1)).value_or(Version{}), row.text(2), {}, {}};
    for (const auto& range : nlohmann::json::parse(row.text(3))) {
        copy.ranges.push_back({range.at("id"), range.at("token"), range.at("rows"), range.at("layout")});
    }
    copy.done.resize(copy.ranges.size());
    const SqlResult done = sql_->query("SELECT range, rows, rejected FROM ysdb.sync_copied_ranges WHERE set_name = $1 AND table_name = $2 AND sink = $3", which, deadline);
    for (std::size_t i = 0; i < done.rows(); ++i) {
        copy.done.at(static_cast<std::size_t>(done.row(i).integer(0))) = true;
        copy.rows += static_cast<std::uint64_t>(done.row(i).integer(1));
        copy.rejected += static_cast<std::uint64_t>(done.row(i).integer(2));
    }
    return copy;
}

void CopyLog::begin(const std::string& table, const std::string& sink, const CopyProgress& copy, Deadline deadline) {
    if (sql_ == nullptr) return;
    auto ranges = nlohmann::json::array();
    for (const ReadRange& range : copy.ranges) ranges.push_back({{"id", range.id}, {"token", range.token}, {"rows", range.estimated_rows}, {"layout", range.layout}});
    sql_->query("WITH d AS (DELETE FROM ysdb.sync_copied_ranges WHERE set_name = $1 AND table_name = $2 AND sink = $3)"
                " INSERT INTO ysdb.sync_copies (set_name, table_name, sink, run, version, columns, ranges) VALUES ($1, $2, $3, $4, $5, $6, $7)"
                " ON CONFLICT (set_name, table_name, sink) DO UPDATE SET run = excluded.run, version = excluded.version, columns = excluded.columns, ranges = excluded.ranges",
                Params{set_, table, sink, copy.run, version_text(copy.version), copy.columns, ranges.dump()}, deadline);
}

void CopyLog::range_done(const std::string& table, const std::string& sink, std::size_t range, std::uint64_t rows, std::uint64_t rejected, Deadline deadline) {
    if (sql_ == nullptr) return;
    sql_->query("INSERT INTO ysdb.sync_copied_ranges (set_name, table_name, sink, range, rows, rejected) VALUES ($1, $2, $3, $4, $5, $6)",
                Params{set_, table, sink, std::to_string(range), std::to_string(rows), std::to_string(rejected)}, deadline);
}

void CopyLog::forget(const std::string& table, const std::string& sink, Deadline deadline) {
    if (sql_ == nullptr) return;
    sql_->query("WITH d AS (DELETE FROM ysdb.sync_copied_ranges WHERE set_name = $1 AND table_name = $2 AND sink = $3) DELETE FROM ysdb.sync_copies WHERE set_name = $1 AND table_name = $2 AND sink = $3",
                Params{set_, table, sink}, deadline);
}

}  // namespace ysdb::sync
