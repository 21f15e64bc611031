#include "core/store/clickhouse/clickhouse.h"

#include "core/store/clickhouse/catalog.h"
#include "core/store/clickhouse/follow.h"
#include "core/store/clickhouse/query.h"
#include "core/store/clickhouse/sink.h"
#include "core/store/clickhouse/source.h"
#include "core/store/clickhouse/statement.h"

namespace ysdb::clickhouse {

namespace {

// ClickHouse has no snapshots: each read sees the parts that are there when it begins, and rows carry their versions.
class NoSnapshot final : public SourceSnapshot {
public:
    std::uint64_t position() const override { return 0; }
    std::string describe() const override { return "the parts at the time of reading"; }
};

class ClickHouse final : public Store, SqlStore, RowSource, RowSink, RowLoader {
public:
    explicit ClickHouse(const StoreConfig& config)
        : Store(config), target_(parse_target(config)), transport_(target_.embedded ? open_embedded(target_) : open_http(target_)), catalog_(*transport_, target_) {}

    std::string redacted_url() const override { return target_.redacted_url(); }
    SqlStore* sql() override { return this; }
    RowSource* rows() override { return this; }
    RowSink* sink() override { return this; }
    RowLoader* loader() override { return this; }
    ChangeSink* changes() override { return follow_.get(); }

    ProbeResult probe(Deadline deadline) override {
        const SqlResult facts = query("SELECT version(), (SELECT count() FROM system.replicas), (SELECT max(absolute_delay) FROM system.replicas)", {}, deadline);
        if (facts.rows() != 1 || facts.columns.size() != 3 || !facts.cells[0] || !facts.cells[1]) {
            throw Error(Code::connect, "store '" + name() + "': what listens at " + target_.origin() + " answers, but not as a ClickHouse does", "is a proxy between? is the url right?");
        }
        const auto start = SteadyClock::now();
        query("SELECT 1", {}, deadline);
        ProbeResult result;
        result.latency_s = std::chrono::duration<double>(SteadyClock::now() - start).count();
        const SqlRow row = facts.row(0);
        result.product = "ClickHouse";
        result.version = row.text(0);
        const bool replicated = row.integer(1) > 0;
        result.role = replicated ? "replica" : "standalone";
        if (replicated) {
            result.lag_s = row.real(2);
            result.detail = row.text(1) + " replicated tables";
        } else if (target_.embedded) {
            result.detail = "embedded in this process";
        }
        return result;
    }

    // --- SqlStore ---
    Dialect dialect() const override { return Dialect::clickhouse; }
    bool transactional_ddl() const override { return false; }
    std::string quote_identifier(std::string_view name) const override { return quote(name); }
    std::unique_ptr<SqlSession> open_session(const std::string& label, Deadline) override { return std::make_unique<Session>(*transport_, ids_, label); }
    using SqlStore::query;
    SqlResult query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) override {
        return clickhouse::query(*transport_, sql, params, {}, ids_.next("ysdb"), deadline);
    }

    // --- RowSource ---
    TableInfo describe(const TableRef& table, Deadline deadline) override { return catalog_.describe(table, deadline); }
    std::unique_ptr<SourceSnapshot> open_snapshot(std::span<const TableRef>, Deadline) override { return std::make_unique<NoSnapshot>(); }
    // One range: the server reads with several threads, and cutting by key would make each range read the whole key.
    std::vector<ReadRange> ranges(const TableInfo& table, SourceSnapshot&, std::uint64_t, Deadline) override { return {{table.ref.table, "", table.estimated_rows}}; }
    ReadRange range_from(const TableInfo& table, std::uint32_t column, std::int64_t from) override {
        return {table.ref.table, at_least(table.columns[column], from), table.estimated_rows};
    }
    void read(const TableInfo& table, const ReadRange& range, SourceSnapshot&, std::size_t batch_bytes, Millis idle, std::stop_token stop,
              const std::function<void(Batch&)>& consume, const std::function<void(RejectedRow)>& rejected) override {
        clickhouse::read(*transport_, catalog_, ids_, table, batch_bytes, idle, stop, consume, rejected, range.token);
    }

    // --- RowSink ---
    SinkGuarantee guarantee() const override { return SinkGuarantee::last_version_wins; }
    std::unique_ptr<RowWriter> begin_replace(const TableInfo& source, const TableRef& target, const std::string& run, Deadline deadline) override {
        return clickhouse::begin_replace(*transport_, catalog_, ids_, source, target, run, deadline);
    }
    void finish_replace(const TableInfo& source, const TableRef& target, const std::string& run, Deadline deadline) override {
        clickhouse::finish_replace(catalog_, source, target, run, deadline);
    }

    // --- RowLoader ---
    std::uint64_t load(const TableInfo& table, const std::function<bool(Batch&)>& fill, Millis idle, std::stop_token stop) override {
        return clickhouse::load(*transport_, catalog_, ids_, table, fill, idle, stop);
    }

private:
    Target target_;
    std::unique_ptr<Transport> transport_;
    Catalog catalog_;
    QueryIds ids_;
    std::unique_ptr<ChangeSink> follow_ = change_sink(*transport_, catalog_, ids_);
};

}  // namespace

std::unique_ptr<Store> open(const StoreConfig& config) { return std::make_unique<ClickHouse>(config); }

}  // namespace ysdb::clickhouse
