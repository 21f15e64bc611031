// Each table's columns, number of rows, and the function that makes one row. Every fill is thread-safe.
#pragma once

#include <span>

#include "core/generate/world.h"
#include "core/value/type.h"

namespace ysdb::generate {

struct TableMaker {
    std::string_view schema;         // shipped schema: "yieldsensei"
    std::string_view store;          // "main", "analytics"
    std::string_view name;
    TableInfo (*columns)();          // the columns that are filled; ref.schema is left empty
    std::uint64_t (*rows)(const World&);
    void (*fill)(const World&, std::uint64_t row, Cells& cells);
};

// In the order foreign keys ask for.
std::span<const TableMaker> user_tables();       // users, protocols, assets, portfolio_holdings, portfolio_snapshots
std::span<const TableMaker> transaction_tables();
std::span<const TableMaker> market_tables();     // price_data_raw, liquidity_pools, protocol_tvl_history, yield_history, market_sentiment
std::span<const TableMaker> event_tables();      // transaction_events
std::span<const TableMaker> trading_tables();    // solana's trader_config, order_rules, node_health

// "numeric(36,18)" and the like, for declaring columns.
ColumnInfo column(std::string name, TypeKind kind, bool nullable = false, std::uint8_t precision = 0, std::uint8_t scale = 0);
inline ColumnInfo money(std::string name, std::uint8_t precision, std::uint8_t scale, bool nullable = false) {
    return column(std::move(name), TypeKind::decimal, nullable, precision, scale);
}

}  // namespace ysdb::generate
