#include "core/migrate/guard.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "core/report/render.h"

namespace ysdb::migrate {

namespace {

constexpr std::int64_t wraparound_age = 1'200'000'000;         // the server stops at 2.1 billion; a rewrite holds its vacuum back
constexpr double long_lag_s = 60, long_transaction_s = 300;
constexpr std::int64_t long_lag_bytes = std::int64_t{1} << 30;
constexpr std::int64_t long_slot_bytes = std::int64_t{10} << 30;

std::string size(std::int64_t bytes) { return human_value(bytes, Unit::bytes); }

template <class T>
std::optional<T> optional_cell(const SqlRow& row, std::size_t i) {
    if (row.null(i)) return std::nullopt;
    return static_cast<T>(row.real(i));
}

PostgresHealth read_postgres(SqlStore& store, Deadline deadline) {
    // Roles without pg_monitor see less of other sessions: then these are null and say nothing.
    const SqlResult result = store.query(
        "SELECT (SELECT max(age(datfrozenxid)) FROM pg_database), (SELECT max(extract(epoch FROM replay_lag)) FROM pg_stat_replication),"
        " (SELECT max(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, replay_lsn)) FROM pg_stat_replication),"
        " (SELECT max(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, restart_lsn)) FROM pg_replication_slots),"
        " (SELECT extract(epoch FROM clock_timestamp() - min(xact_start)) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database())",
        deadline);
    const SqlRow row = result.row(0);
    return {row.integer(0), optional_cell<double>(row, 1), optional_cell<std::int64_t>(row, 2), optional_cell<std::int64_t>(row, 3), optional_cell<double>(row, 4)};
}

ClickHouseHealth read_clickhouse(SqlStore& store, Deadline deadline) {
    const SqlResult result = store.query(
        "SELECT (SELECT min(free_space) FROM system.disks), (SELECT countIf(is_readonly) FROM system.replicas), (SELECT max(absolute_delay) FROM system.replicas),"
        " (SELECT count() FROM system.mutations WHERE NOT is_done), (SELECT anyIf(concat(database, '.', table, ': ', substring(latest_fail_reason, 1, 200)), latest_fail_reason != '') FROM system.mutations WHERE NOT is_done)",
        deadline);
    const SqlRow row = result.row(0);
    const auto number = [&](std::size_t i) { return row.null(i) ? std::int64_t{0} : row.integer(i); };
    return {row.null(0) ? ~std::uint64_t{0} : std::stoull(row.text(0)), number(1), number(2), number(3), row.text_or(4, "")};
}

}  // namespace

std::vector<std::string> troubles(const PostgresHealth& health) {
    std::vector<std::string> found;
    if (health.oldest_xid_age > wraparound_age) {
        found.push_back(fmt::format("transaction ids are {} million old, at 2100 million the server stops; a long statement holds the vacuum back that would help", health.oldest_xid_age / 1'000'000));
    }
    if (health.replay_lag_s.value_or(0) > long_lag_s || health.replay_lag_bytes.value_or(0) > long_lag_bytes) {
        found.push_back(fmt::format("a replica is {:.0f} s and {} behind; what is written now comes on top", health.replay_lag_s.value_or(0), size(health.replay_lag_bytes.value_or(0))));
    }
    if (health.slot_bytes.value_or(0) > long_slot_bytes) found.push_back("a replication slot keeps " + size(*health.slot_bytes) + " of WAL on the disk, and what is written now comes on top");
    if (health.oldest_transaction_s.value_or(0) > long_transaction_s) {
        found.push_back(fmt::format("a transaction has been open for {:.0f} s: a concurrent build waits for it", *health.oldest_transaction_s));
    }
    return found;
}

std::vector<std::string> troubles(const ClickHouseHealth& health, std::uint64_t heaviest) {
    std::vector<std::string> found;
    if (health.free_bytes / 2 < heaviest) {
        found.push_back(fmt::format("{} are free on the disk, and a table of {} may be written anew", size(static_cast<std::int64_t>(health.free_bytes)), size(static_cast<std::int64_t>(heaviest))));
    }
    if (health.readonly_replicas > 0) found.push_back(fmt::format("{} replicated tables take no writes", health.readonly_replicas));
    if (health.replica_delay_s > static_cast<std::int64_t>(long_lag_s)) found.push_back(fmt::format("a replica is {} s behind", health.replica_delay_s));
    if (!health.failing.empty()) found.push_back("a mutation does not get on, " + health.failing);
    else if (health.unfinished_mutations > 0) found.push_back(fmt::format("{} mutations are unfinished; a new one queues behind those of its table", health.unfinished_mutations));
    return found;
}

std::vector<std::string> troubles(const plan::Plan& plan, Context& context, std::uint64_t above) {
    std::map<std::string, std::uint64_t> heaviest;  // by store
    for (const plan::Unit& unit : plan.units) {
        for (const plan::Step& step : unit.steps) {
            if (step.bytes >= above && step.bytes > 0) heaviest[unit.store] = std::max(heaviest[unit.store], step.bytes);
        }
    }
    std::vector<std::string> found;
    for (const auto& [name, bytes] : heaviest) {
        SqlStore& store = *context.stores.get(name).sql();
        std::vector<std::string> here;
        if (store.dialect() == Dialect::postgres) here = troubles(read_postgres(store, context.deadline()));
        if (store.dialect() == Dialect::clickhouse) here = troubles(read_clickhouse(store, context.deadline()), bytes);
        for (const std::string& trouble : here) found.push_back("store '" + name + "': " + trouble);
    }
    return found;
}

}  // namespace ysdb::migrate
