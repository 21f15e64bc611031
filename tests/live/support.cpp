#include "tests/live/support.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <stdexcept>
#include <thread>

#include "core/base/file.h"

namespace ysdb::test {

namespace {

const char* stores_file() { return std::getenv("YSDB_TEST_STORES"); }

nlohmann::json stores() {
    if (stores_file() == nullptr) throw std::runtime_error("YSDB_TEST_STORES is not set: ctest does, or name a file with what `ysdb lab env --output json` prints");
    return nlohmann::json::parse(read_file(stores_file())).at("stores");
}

// The same URL with another last path segment.
std::string with_database(const std::string& url, const std::string& database) {
    const auto query = url.find('?');
    const std::string base = url.substr(0, query);
    return base.substr(0, base.rfind('/') + 1) + database + (query == std::string::npos ? "" : url.substr(query));
}

void run_sql(const StoreConfig& config, const std::vector<std::string>& statements) {
    const auto store = open_store(config);
    const auto session = store->sql()->open_session("test", Deadline::after(Millis(20'000)));
    for (const std::string& sql : statements) session->query(sql, Deadline::after(Millis(60'000)));
}

void run_sql(const StoreConfig& config, const std::string& sql) { run_sql(config, std::vector<std::string>{sql}); }

// A slot would keep the database from being dropped, and whoever reads it the slot.
std::vector<std::string> to_let_go_of(const std::string& database) {
    return {"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '" + database + "' AND pid <> pg_backend_pid()",
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '" + database + "'"};
}

}  // namespace

std::string missing_store(const std::string& name) {
    try {
        return stores().contains(name) ? "" : std::string("not among the servers of the fixture lab (") + stores_file() + ")";
    } catch (const std::exception& error) {
        return error.what();
    }
}

StoreConfig store_config(const std::string& name) {
    StoreConfig config;
    config.name = name;
    config.url = stores().at(name).at("url").get<std::string>();
    return config;
}

std::string unique_name() {
    static std::atomic<int> next{0};
    return "t_" + std::to_string(getpid()) + "_" + std::to_string(next++);
}

TestDatabase::TestDatabase(const std::string& store) : TestDatabase(store_config(store)) {}

TestDatabase::TestDatabase(StoreConfig server) : server_(std::move(server)), config_(server_), name_(unique_name()) {
    run_sql(server_, "CREATE DATABASE " + name_);
    config_.url = with_database(server_.url, name_);
}

void TestDatabase::empty() const {
    std::vector<std::string> statements = to_let_go_of(name_);
    statements.push_back("DO $$ DECLARE what text; BEGIN"
                         " FOR what IN SELECT format('DROP EVENT TRIGGER %I', evtname) FROM pg_event_trigger UNION ALL SELECT format('DROP PUBLICATION %I', pubname) FROM pg_publication"
                         " UNION ALL SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"
                         " UNION ALL SELECT format('ALTER DATABASE %I RESET ALL', current_database()) LOOP EXECUTE what; END LOOP;"
                         " CREATE SCHEMA public; GRANT USAGE ON SCHEMA public TO PUBLIC; END $$");
    run_sql(config_, statements);
}

TestDatabase::~TestDatabase() {
    try {
        std::vector<std::string> statements = to_let_go_of(name_);
        statements.push_back("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
        run_sql(server_, statements);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "could not drop %s: %s\n", name_.c_str(), error.what());
    }
}

TestClickHouse::TestClickHouse(const std::string& store) : server_(store_config(store)), config_(server_), name_(unique_name()) {
    run_sql(server_, "CREATE DATABASE " + name_);
    config_.url = with_database(server_.url, name_);
}

void TestClickHouse::empty() const {
    run_sql(server_, "DROP DATABASE " + name_ + " SYNC");
    run_sql(server_, "CREATE DATABASE " + name_);
}

TestClickHouse::~TestClickHouse() {
    try {
        run_sql(server_, "DROP DATABASE IF EXISTS " + name_);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "could not drop %s: %s\n", name_.c_str(), error.what());
    }
}

namespace {
Config config_of(std::vector<StoreConfig> stores, const std::function<void(Config&)>& adjust) {
    Config config;
    for (StoreConfig& store : stores) config.stores.emplace(store.name, store);
    if (adjust) adjust(config);
    return config;
}
}  // namespace

TestContext::TestContext(std::vector<StoreConfig> stores, std::function<void(Config&)> adjust)
    : config_(config_of(std::move(stores), adjust)),
      stores_(config_),
      log_(LogLevel::warn, LogFormat::text, false),
      context_{config_, stores_, log_, progress_, stop_.get_token(), Millis(30'000), unique_name(), false} {}

CommandResult run_ysdb(std::vector<std::string> arguments, std::map<std::string, std::string> environment, const std::string& cwd, Millis limit) {
    SpawnOptions options;
    options.argv = std::move(arguments);
    options.argv.insert(options.argv.begin(), YSDB_BINARY);
    options.env = std::move(environment);
    options.cwd = cwd;
    return run_command(options, Deadline::after(limit));
}

bool soak() {
    const char* asked = std::getenv("YSDB_SOAK");
    return asked != nullptr && *asked != '\0';
}

std::uint64_t random_seed() {
    const char* given = std::getenv("YSDB_TEST_SEED");
    const std::uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device{}();
    std::printf("repeat with YSDB_TEST_SEED=%llu\n", static_cast<unsigned long long>(seed));
    return seed;
}

bool wait_until(const std::function<bool()>& condition, Millis limit) {
    const Deadline deadline = Deadline::after(limit);
    while (!condition()) {
        if (deadline.passed()) return false;
        std::this_thread::sleep_for(Millis(20));
    }
    return true;
}

}  // namespace ysdb::test
