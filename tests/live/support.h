// What live tests share: the stores of the fixture lab, a database of their own, running the binary as a user does.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/base/process.h"
#include "core/config/config.h"
#include "core/context.h"

namespace ysdb::test {

// Empty when the store is there, otherwise why not.
std::string missing_store(const std::string& name);
// The fixture lab's store as configured; its URL carries what is needed to log in.
StoreConfig store_config(const std::string& name);
// "t_<pid>_<n>": unique in this run; names databases, prefixes, topics.
std::string unique_name();

// A PostgreSQL database of the test's own; dropped at the end. config() points at it.
class TestDatabase {
public:
    explicit TestDatabase(const std::string& store = "main");
    explicit TestDatabase(StoreConfig server);   // of another server
    ~TestDatabase();
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;
    const StoreConfig& config() const { return config_; }
    // As a new one is, for a tenth of the time: nobody is connected, no slot, no schema but an empty public one.
    void empty() const;

private:
    StoreConfig server_;
    StoreConfig config_;
    std::string name_;
};

// A ClickHouse database of the test's own; dropped at the end.
class TestClickHouse {
public:
    explicit TestClickHouse(const std::string& store = "analytics");
    ~TestClickHouse();
    TestClickHouse(const TestClickHouse&) = delete;
    TestClickHouse& operator=(const TestClickHouse&) = delete;
    const StoreConfig& config() const { return config_; }
    void empty() const;

private:
    StoreConfig server_;
    StoreConfig config_;
    std::string name_;
};

// A Context over the given stores: logs warnings, shows no progress.
class TestContext {
public:
    explicit TestContext(std::vector<StoreConfig> stores, std::function<void(Config&)> adjust = {});
    Context& operator*() { return context_; }
    Context* operator->() { return &context_; }

private:
    Config config_;
    Stores stores_;
    Log log_;
    NoProgress progress_;
    std::stop_source stop_;
    Context context_;
};

// Runs the built `ysdb` with these arguments and environment, as a user would, in `cwd`.
CommandResult run_ysdb(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}, const std::string& cwd = {},
                       Millis limit = Millis(120'000));

// Whether the long runs are asked for: `./bootstrap test --soak`.
bool soak();
// The seed of what a test does at random, printed; YSDB_TEST_SEED repeats one.
std::uint64_t random_seed();

// Polls until the condition holds; false at the deadline.
bool wait_until(const std::function<bool()>& condition, Millis limit = Millis(30'000));

}  // namespace ysdb::test
