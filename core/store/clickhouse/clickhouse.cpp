#include "core/store/clickhouse/clickhouse.h"

#include "core/store/clickhouse/query.h"
#include "core/store/clickhouse/statement.h"

namespace ysdb::clickhouse {

namespace {

class ClickHouse final : public Store, SqlStore {
public:
    explicit ClickHouse(const StoreConfig& config)
        : Store(config), target_(parse_target(config)), transport_(target_.embedded ? open_embedded(target_) : open_http(target_)) {}

    std::string redacted_url() const override { return target_.redacted_url(); }
    SqlStore* sql() override { return this; }

    ProbeResult probe(Deadline deadline) override {
        const SqlResult facts = query("SELECT version(), (SELECT count() FROM system.replicas), (SELECT max(absolute_delay) FROM system.replicas)", {}, deadline);
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

private:
    Target target_;
    std::unique_ptr<Transport> transport_;
    QueryIds ids_;
};

}  // namespace

std::unique_ptr<Store> open(const StoreConfig& config) { return std::make_unique<ClickHouse>(config); }

}  // namespace ysdb::clickhouse
