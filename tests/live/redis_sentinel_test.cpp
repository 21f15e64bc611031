// programs: redis-server
// takes: 30
// A Sentinel group of the test's own: a master, a replica and three sentinels.
#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>
#include <map>
#include <thread>

#include "core/store/changes.h"
#include "core/store/redis/redis.h"
#include "core/value/version_text.h"
#include "tests/live/change_rows.h"
#include "tests/live/change_writes.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(20'000)); }

class Group {
public:
    Group() {
        const std::vector<std::string> settings{"requirepass swordfish", "masterauth swordfish", "save ''", "repl-diskless-sync-delay 0"};
        master_ = std::make_unique<RedisProcess>(directory_.path() / "master", settings);
        auto of_replica = settings;
        of_replica.push_back("replicaof 127.0.0.1 " + std::to_string(master_->port()));
        replica_ = std::make_unique<RedisProcess>(directory_.path() / "replica", of_replica);
        const std::vector<std::string> of_sentinel{"sentinel monitor mymaster 127.0.0.1 " + std::to_string(master_->port()) + " 2",
                                                   "sentinel auth-pass mymaster swordfish", "sentinel down-after-milliseconds mymaster 1000",
                                                   "sentinel failover-timeout mymaster 6000"};
        for (const char* name : {"s1", "s2", "s3"}) {
            sentinels_.push_back(std::make_unique<RedisProcess>(directory_.path() / name, of_sentinel, std::vector<std::string>{"--sentinel"}));
        }
        REQUIRE(wait_until([&] { return replicas_streaming() == 1 && all_sentinels_ready(); }));
    }

    StoreConfig config(const std::string& name = "mymaster") const {
        std::string hosts;
        for (const auto& sentinel : sentinels_) hosts += (hosts.empty() ? "" : ",") + sentinel->address();
        return store_at("cache", "redis+sentinel://" + hosts + "/" + name + "/0", "swordfish");
    }
    RedisProcess& master() { return *master_; }
    RedisProcess& replica() { return *replica_; }
    RedisProcess& sentinel(std::size_t i) { return *sentinels_[i]; }

private:
    int replicas_streaming() {
        const ProbeResult result = open_store(store_at("m", "redis://" + master_->address(), "swordfish"))->probe(soon());
        return result.detail == "1 replica" ? 1 : 0;
    }
    // Each knows the replica and the two others, and would find a quorum.
    bool all_sentinels_ready() {
        return std::all_of(sentinels_.begin(), sentinels_.end(), [](const auto& sentinel) {
            const auto store = open_store(store_at("s", "redis://" + sentinel->address()));
            try {
                return redis::as_redis(*store).command({"SENTINEL", "CKQUORUM", "mymaster"}, soon()).text.starts_with("OK 3") &&
                       redis::as_redis(*store).command({"SENTINEL", "REPLICAS", "mymaster"}, soon()).elements.size() == 1;
            } catch (const Error&) {
                return false;
            }
        });
    }

    TemporaryDirectory directory_;
    std::unique_ptr<RedisProcess> master_;
    std::unique_ptr<RedisProcess> replica_;
    std::vector<std::unique_ptr<RedisProcess>> sentinels_;
};

// Writers that go on while something happens to the group. Each remembers what was acknowledged.
class Writers {
public:
    explicit Writers(Store& store) {
        for (int w = 0; w < 4; ++w) {
            threads_.emplace_back([this, &store, w](std::stop_token stop) {
                for (int n = 0; !stop.stop_requested(); ++n) {
                    try {
                        redis::as_redis(store).command({"SET", "w" + std::to_string(w), std::to_string(n)}, Deadline::after(Millis(15'000)));
                        ++acknowledged_;
                    } catch (const Error& error) {
                        ++failed_;
                        if (!error.retryable()) ++final_;
                    }
                    std::this_thread::sleep_for(Millis(2));
                }
            });
        }
    }
    int acknowledged() const { return acknowledged_; }
    int failed() const { return failed_; }
    int failed_for_good() const { return final_; }

private:
    std::atomic<int> acknowledged_ = 0;
    std::atomic<int> failed_ = 0;
    std::atomic<int> final_ = 0;
    std::vector<std::jthread> threads_;
};

// The server that takes the store's commands now; empty while none does.
std::string serving_port(Store& store) {
    try {
        return redis::as_redis(store).command({"CONFIG", "GET", "port"}, Deadline::after(Millis(2'000))).elements.at(1).text;
    } catch (const Error& error) {
        CHECK(error.retryable());
        return {};
    }
}

bool goes_on(const Writers& writers) {
    const int before = writers.acknowledged();
    return wait_until([&] { return writers.acknowledged() > before + 20; });
}

}  // namespace

TEST_CASE("writers ride over the death of the master: only calls in flight fail, and none for good") {
    Group group;
    const auto store = open_store(group.config());
    CHECK(store->probe(soon()).role == "primary");
    Writers writers(*store);
    REQUIRE(goes_on(writers));

    group.master().signal(SIGKILL);
    const std::string new_master = std::to_string(group.replica().port());
    CHECK(wait_until([&] { return serving_port(*store) == new_master; }));
    CHECK(goes_on(writers));
    CHECK(writers.failed() <= 4);  // one a writer: what was under way
    CHECK(writers.failed_for_good() == 0);
}

TEST_CASE("writers leave a master that hangs, or was demoted, for the new one") {
    Group group;
    const auto store = open_store(group.config());
    Writers writers(*store);
    REQUIRE(goes_on(writers));
    const std::string new_master = std::to_string(group.replica().port());

    SUBCASE("a planned failover") {
        const auto sentinel = open_store(store_at("s", "redis://" + group.sentinel(0).address()));
        redis::as_redis(*sentinel).command({"SENTINEL", "FAILOVER", "mymaster"}, soon());
        CHECK(wait_until([&] { return serving_port(*store) == new_master; }));
    }
    SUBCASE("a master that is stopped") {
        group.master().signal(SIGSTOP);
        CHECK(wait_until([&] { return serving_port(*store) == new_master; }));
        group.master().signal(SIGCONT);
    }
    CHECK(goes_on(writers));
    CHECK(writers.failed_for_good() == 0);
}

TEST_CASE("dead and hanging sentinels are passed over") {
    Group group;
    group.sentinel(0).signal(SIGKILL);
    group.sentinel(1).signal(SIGSTOP);
    const Failure failure = failure_of([&] { CHECK(open_store(group.config())->probe(Deadline::after(Millis(5000))).role == "primary"); });
    CHECK(failure.error.code() == Code::ok);
}

TEST_CASE("a name that the sentinels do not know is said to be unknown at once") {
    Group group;
    const Failure failure = failure_of([&] { open_store(group.config("other"))->probe(soon()); });
    CHECK(failure.seconds < 2);
    CHECK(failure.error.code() == Code::connect);
    CHECK(!failure.error.retryable());
    CHECK(failure.error.message().find("knows no master 'other'") != std::string::npos);
}

TEST_CASE("without a master the call ends at its deadline and tells whom the sentinels name") {
    Group group;
    group.replica().signal(SIGKILL);
    group.master().signal(SIGKILL);
    const Failure failure = failure_of([&] { open_store(group.config())->probe(Deadline::after(Millis(1500))); });
    CHECK(failure.seconds < 2.5);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.retryable());
    CHECK(failure.error.message().find(group.master().address()) != std::string::npos);
}

namespace {

std::unique_ptr<ChangeWriter> follow(Store& store, const TableInfo& table) {
    Landing landing;
    landing.set = "s";
    landing.source = table.ref;
    landing.key = "h:{id}";
    auto writer = store.changes()->follow(landing, soon());
    writer->reshape(table, {}, soon());
    return writer;
}

std::vector<HoldingChange> all_rows(std::uint64_t position) {
    std::vector<HoldingChange> changes;
    for (std::int64_t id = 0; id < 200; ++id) changes.push_back({at(position), {id, 7, std::to_string(position), {}}});
    return changes;
}

}  // namespace

TEST_CASE("changes go on with the next master, and no row that was flushed is lost with the old one") {
    Group group;
    const auto store = open_store(group.config());
    const TableInfo table = holdings();
    const auto writer = follow(*store, table);
    const std::string new_master = std::to_string(group.replica().port());
    std::uint64_t position = 0;
    int failed = 0;
    const auto tell = [&] {
        ++position;
        failed += write_through_outage(*writer, table, all_rows(position));
    };
    for (int i = 0; i < 20; ++i) tell();
    group.master().signal(SIGKILL);
    CHECK(wait_until([&] { return serving_port(*store) == new_master; }));
    for (std::int64_t id = 0; id < 200; id += 50) {
        CHECK(redis::as_redis(*store).command({"HGET", "h:" + std::to_string(id), "coin"}, soon()).text == std::to_string(position));
    }
    for (int i = 0; i < 20; ++i) tell();
    CHECK(failed >= 1);
    CHECK(redis::as_redis(*store).command({"HGET", "h:77", "coin"}, soon()).text == std::to_string(position));
}

TEST_CASE("a flush that no replica took is none, as long as the master has one") {
    Group group;
    const auto store = open_store(group.config());
    const TableInfo table = holdings();
    const auto writer = follow(*store, table);
    group.replica().signal(SIGSTOP);
    writer->apply(batch_of(table, all_rows(1)), soon(), [](std::size_t, RejectedRow) {});
    const Failure failure = failure_of([&] { writer->flush(Deadline::after(Millis(800))); });
    CHECK(failure.seconds < 2);
    CHECK(failure.error.message().find("no replica took the rows") != std::string::npos);
    CHECK(failure.error.retryable());
    group.replica().signal(SIGCONT);
    writer->discard();
    writer->apply(batch_of(table, all_rows(1)), soon(), [](std::size_t, RejectedRow) {});
    writer->flush(soon());
}
