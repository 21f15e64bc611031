#include <array>

#include "core/base/text.h"
#include "core/store/clickhouse/clickhouse.h"
#include "core/store/kafka/kafka.h"
#include "core/store/lines/lines.h"
#include "core/store/postgres/postgres.h"
#include "core/store/questdb/questdb.h"
#include "core/store/redis/redis.h"
#include "core/store/rest/rest.h"
#include "core/store/store.h"

namespace ysdb {

namespace {
struct Driver {
    std::string_view scheme;
    std::unique_ptr<Store> (*open)(const StoreConfig&);
};

// One line a scheme.
constexpr auto drivers = std::to_array<Driver>({
    {"postgres", postgres::open},
    {"postgresql", postgres::open},
    {"postgres+patroni", postgres::open},
    {"redis", redis::open},
    {"rediss", redis::open},
    {"redis+sentinel", redis::open},
    {"rediss+sentinel", redis::open},
    {"redis+cluster", redis::open},
    {"rediss+cluster", redis::open},
    {"clickhouse", clickhouse::open},
    {"clickhouses", clickhouse::open},
    {"chdb", clickhouse::open},
    {"kafka", kafka::open},
    {"kafkas", kafka::open},
    {"questdb", questdb::open},
    {"weaviate", rest::open_weaviate},
    {"weaviates", rest::open_weaviate},
    {"arango", rest::open_arango},
    {"arangos", rest::open_arango},
    {"stdout", lines::open},
    {"null", lines::open},
});
}  // namespace

std::vector<std::string> store_schemes() {
    std::vector<std::string> schemes;
    for (const Driver& driver : drivers) schemes.emplace_back(driver.scheme);
    return schemes;
}

std::unique_ptr<Store> open_store(const StoreConfig& config) {
    const std::string scheme = config.url.substr(0, config.url.find("://"));
    for (const Driver& driver : drivers) {
        if (driver.scheme == scheme) return driver.open(config);
    }
    const auto known = store_schemes();
    throw Error(Code::config, "store '" + config.name + "': unknown scheme '" + scheme + "'" + did_you_mean(scheme, known),
                "known schemes: " + join(known, ", "));
}

ScriptResult SqlSession::script(std::span<const SqlStatement> statements, Deadline deadline) {
    ScriptResult result;
    for (const SqlStatement& statement : statements) {
        try {
            query(statement.sql, statement.params, deadline);
        } catch (const Error& error) {
            result.error = error;
            return result;
        }
        ++result.done;
    }
    return result;
}

}  // namespace ysdb
