// Changes as a source would tell them, for tests of sinks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/value/batch.h"

namespace ysdb::test {

// A holding: what the tests of sinks follow. `id` is the primary key.
struct Holding {
    std::int64_t id = 0;
    std::int64_t user = 0;
    std::string coin;
    std::optional<std::string> note;
};

struct HoldingChange {
    Version version;
    Holding row;
    Op op = Op::upsert;
};

inline TableInfo holdings(std::vector<std::uint32_t> key = {0}) {
    TableInfo table;
    table.ref = {"public", "holdings"};
    table.columns = {{"id", {TypeKind::int64, false}}, {"user_id", {TypeKind::int64, false}}, {"coin", {TypeKind::text, false}}, {"note", {TypeKind::text, true}}};
    table.key = std::move(key);
    return table;
}

// A removal has the key's cells only, as a source tells it. The table must outlive the batch.
inline ChangeBatch batch_of(const TableInfo& table, const std::vector<HoldingChange>& changes) {
    ChangeBatch batch;
    batch.rows = Batch(&table);
    batch.ops.clear();
    batch.versions.clear();
    batch.committed = {1'700'000'000'123'456};
    const auto told = [&](std::uint32_t column, Op op) {
        if (op != Op::remove) return true;
        for (const std::uint32_t key : table.key) {
            if (key == column) return true;
        }
        return false;
    };
    for (const auto& [version, row, op] : changes) {
        if (told(0, op)) batch.rows.add(&row.id, sizeof row.id);
        else batch.rows.add_null();
        if (told(1, op)) batch.rows.add(&row.user, sizeof row.user);
        else batch.rows.add_null();
        if (told(2, op)) batch.rows.add(row.coin.data(), row.coin.size());
        else batch.rows.add_null();
        if (row.note && told(3, op)) batch.rows.add(row.note->data(), row.note->size());
        else batch.rows.add_null();
        batch.ops.push_back(op);
        batch.versions.push_back(version);
    }
    return batch;
}

inline Version at(std::uint64_t position, std::uint32_t ordinal = 1, std::uint32_t epoch = 1) { return {epoch, position, ordinal}; }

}  // namespace ysdb::test
