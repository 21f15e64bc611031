// What the bad days of `sync run` are made of: a lab of their own behind a network that can be cut, a writer that remembers every commit that
// was acknowledged, and a run that has to bring all of it to ClickHouse.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/live/servers.h"
#include "tests/live/sync_site.h"

namespace ysdb::test {

// PostgreSQL and ClickHouse of the test's own, each behind a Relay. As root ClickHouse's disk is a small one that can be filled.
class SyncLab {
public:
    // `postgres`: a major that `ysdb lab fetch` brings; empty: what YSDB_TEST_POSTGRES says, or the distribution's. `kafka`: a broker as well, without a relay: it tells its own address.
    explicit SyncLab(const std::string& postgres = {}, bool kafka = false);
    ~SyncLab();
    SyncLab(const SyncLab&) = delete;
    SyncLab& operator=(const SyncLab&) = delete;

    const std::string& directory() const { return directory_; }
    // "main", "analytics", "events": past the relays, for the test itself.
    StoreConfig direct(const std::string& store) const;
    // As ysdb is told.
    StoreConfig relayed(const std::string& store) const;
    void kill(const std::string& server, const std::string& signal = "KILL") const;
    void start(const std::string& server) const;
    Relay& relay(const std::string& store) { return *relays_.at(store); }
    bool can_fill_disk() const { return mounted_; }
    void fill_disk() const;
    void empty_disk() const;
    CommandResult ysdb(std::vector<std::string> arguments) const { return run_ysdb(std::move(arguments), {}, directory_); }

private:
    std::string directory_;
    bool mounted_ = false;
    std::map<std::string, std::string> urls_;
    std::map<std::string, std::unique_ptr<Relay>> relays_;
};

// Commits single rows of t (id, v) on a thread of its own, and goes on after every outage. What a commit did whose answer got lost it reads
// from the source.
class RecordingWriter {
public:
    RecordingWriter(StoreConfig source, std::uint64_t seed, int first_id);
    ~RecordingWriter();
    std::uint64_t acknowledged() const { return acknowledged_; }
    // Waits for that many more commits.
    bool commits_more(std::uint64_t rows, Millis limit = Millis(30'000)) const;
    // Ends it; every row that was acknowledged, with its last value, among those from `first_id`.
    std::map<int, std::string> stop();

private:
    void work(std::stop_token stop);
    void step(SqlSession& session);
    void settle(SqlSession& session);
    StoreConfig source_;
    std::uint64_t state_;
    int next_id_;
    int sequence_ = 0;
    std::map<int, std::string> rows_;
    std::vector<int> ids_;             // ever written
    std::optional<int> unsure_;        // the row of a commit without an answer
    std::atomic<std::uint64_t> acknowledged_{0};
    std::jthread thread_;
};

enum class Fault { kill_ysdb, kill_postgres, kill_clickhouse, stop_clickhouse, cut_network, stall_network, disk_full };
enum class Moment { copying, streaming, between, columns };
std::string text(Fault fault);
std::string text(Moment moment);

// A database and a set of its own in the lab, for one day.
class SyncDay {
public:
    // `of_set`: further lines of its [[sync]].
    SyncDay(SyncLab& lab, int rows, std::string more_targets = {}, std::string of_set = {});
    ~SyncDay();
    SyncDay(const SyncDay&) = delete;
    SyncDay& operator=(const SyncDay&) = delete;

    // Past the relays, unless set_source() said otherwise.
    StoreConfig source() const { return source_.empty() ? with_database(lab_.direct("main")) : store_at("main", source_); }
    StoreConfig target() const { return with_database(lab_.direct("analytics")); }
    SqlResult ask_source(const std::string& sql) const;
    SqlResult ask_target(const std::string& sql) const;
    CommandResult ysdb(std::vector<std::string> arguments) const { return run_ysdb(std::move(arguments), {}, directory_); }
    std::unique_ptr<Running> run(std::vector<std::string> more = {}) const;
    // From now on ysdb and the test find the source there.
    void set_source(const std::string& url);
    // The first copy is done, and changes follow.
    bool following() const;
    std::int64_t staged() const;                       // rows in ClickHouse, of a copy that is under way or done; -1: it does not answer
    bool arrived(int id, const std::string& v) const;  // in ClickHouse, as readers see it
    const std::string& slot() const { return slot_; }
    const std::string& directory() const { return directory_; }

    // `run --until-caught-up` and `validate`; the rows from `first_id` on are those, on both sides.
    void check(const std::map<int, std::string>& expected, int first_id) const;
    // The same, of what is there by now.
    void compare(const std::map<int, std::string>& expected, int first_id) const;

private:
    StoreConfig with_database(StoreConfig config) const;
    void write_config(const std::string& source) const;
    SyncLab& lab_;
    std::string more_targets_, of_set_, source_;
    std::string name_ = unique_name();
    std::string slot_;
    std::string directory_;
};

// One day: a run, a writer, a fault at that moment. The run, unless it was the one that was killed, must come back by itself.
void live_through(SyncLab& lab, Fault fault, Moment moment, std::uint64_t seed);

}  // namespace ysdb::test
