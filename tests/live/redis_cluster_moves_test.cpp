// programs: redis-server
// takes: 30
// Changes into a Redis Cluster while its slots move and its masters die.
#include <doctest/doctest.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "core/base/text.h"
#include "core/store/redis/slots.h"
#include "tests/live/cluster_cache.h"

using namespace ysdb;
using namespace ysdb::test;
using redis::Command;
using redis::Reply;

TEST_CASE("rows whose slot is on its way are written where they are, and wait where a transaction would be torn") {
    ClusterCache cache;
    const TableInfo table = holdings({0, 1});
    const auto writer = cache.follow(cache.landing("p:{{user_id}}:{coin}"), table);
    writer->truncate(at(1), soon());  // so that there is a floor
    write(*writer, table, {{at(10), {1, 7, "eth", "a"}}, {at(10), {2, 7, "btc", "a"}}});
    const std::uint16_t slot = redis::key_slot("{7}");
    const std::size_t from = shared_cluster().master_of(slot), to = (from + 1) % 3;
    shared_cluster().open_slot(slot, from, to);
    write(*writer, table, {{at(11), {1, 7, "eth", "b"}}, {at(11), {2, 7, "btc", "b"}}});   // all keys are where they were
    CHECK(cache.field("p:{7}:eth", "note") == "b");
    shared_cluster().move_keys(slot, from, to);
    const std::uint64_t asked = shared_cluster().errors("ASK"), again = shared_cluster().errors("TRYAGAIN");
    write(*writer, table, {{at(12), {1, 7, "eth", "c"}}, {at(12), {2, 7, "btc", "c"}}});   // all are at the new place
    CHECK(cache.field("p:{7}:eth", "note") == "c");
    CHECK(shared_cluster().errors("ASK") > asked);
    write(*writer, table, {{at(11), {1, 7, "eth", "old"}}});
    CHECK(cache.field("p:{7}:eth", "note") == "c");
    // A new row is none yet on either side: its transaction cannot run before the move is over, and is not given up for it.
    std::atomic<bool> written = false;
    {
        std::jthread third([&] {
            write(*writer, table, {{at(13), {3, 7, "sol", "d"}}});
            written = true;
        });
        CHECK(wait_until([&] { return shared_cluster().errors("TRYAGAIN") > again; }));
        CHECK_FALSE(written);
        shared_cluster().close_slot(slot, to);
    }
    CHECK(cache.field("p:{7}:sol", "note") == "d");
    shared_cluster().open_slot(slot, to, from);
    const Failure stuck = failure_of([&] {
        writer->apply(batch_of(table, {{at(14), {4, 7, "new", "e"}}}), soon(), none_rejected);
        writer->flush(Deadline::after(Millis(700)));
    });
    writer->discard();
    CHECK(stuck.error.retryable());
    CHECK(stuck.error.message().find("slot " + std::to_string(slot)) != std::string::npos);
    shared_cluster().move_keys(slot, to, from);
    shared_cluster().close_slot(slot, from);
    write(*writer, table, {{at(14), {4, 7, "new", "e"}}});
    CHECK(cache.field("p:{7}:new", "note") == "e");
}

TEST_CASE("a row that is still on its old server while all that belongs to it is on the new one is not taken for none") {
    ClusterCache cache;
    const TableInfo table = holdings({0, 1});
    for (const std::string key : {"x:{{user_id}}:{coin}", "y:{{user_id}}:{coin}"}) {   // y: the row takes another's place, and its own has to be emptied
        CAPTURE(key);
        const auto writer = cache.follow(cache.landing(key, {key.substr(0, 1) + "-of:{{user_id}}"}), table);
        writer->truncate(at(1), soon());
        const std::string start = key.substr(0, 2) + "{7}:";
        write(*writer, table, {{at(10), {1, 7, "eth", "a"}}});
        if (key[0] == 'y') write(*writer, table, {{at(9), {2, 7, "sol", "a"}}});
        const std::uint16_t slot = redis::key_slot("{7}");
        const std::size_t from = shared_cluster().master_of(slot), to = (from + 1) % 3;
        shared_cluster().open_slot(slot, from, to);
        Command move{"MIGRATE", "127.0.0.1", std::to_string(shared_cluster().node(to).port()), "", "0", "10000", "KEYS"};
        for (const Reply& name : shared_cluster().direct(from).command({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), "100"}, soon()).elements) {
            if (name.text != cache.key(start + "eth")) move.push_back(name.text);
        }
        shared_cluster().direct(from).command(move, soon());
        const std::uint64_t again = shared_cluster().errors("TRYAGAIN");
        const std::string next = key[0] == 'x' ? "eth" : "sol";
        std::atomic<bool> written = false;
        {
            std::jthread third([&] {
                write(*writer, table, {{at(13), {1, 7, next, "b"}}});
                written = true;
            });
            CHECK(wait_until([&] { return written || shared_cluster().errors("TRYAGAIN") > again + 3; }));
            CHECK_FALSE(written);
            shared_cluster().move_keys(slot, from, to);   // refused where a key is on both sides
            shared_cluster().close_slot(slot, to);
        }
        CHECK(cache.keys(cache.key(start + "*")) == std::vector<std::string>{cache.key(start + next)});
        CHECK(cache.field(start + next, "note") == "b");
        CHECK(cache.members(key.substr(0, 1) + "-of:{7}") == start + next + " ");
        shared_cluster().open_slot(slot, to, from);
        shared_cluster().move_keys(slot, to, from);
        shared_cluster().close_slot(slot, from);
    }
}

TEST_CASE("rows that are flushed count as written also while slots move that have nothing to do with them") {
    ClusterCache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("f:{id}"), table);
    write(*writer, table, rows_at(0, 9, 1, "1"));   // knows the slots as they are now
    const std::uint64_t moved = shared_cluster().errors("MOVED");
    for (std::uint16_t round = 0; round < 3; ++round) {
        // The first ones: where a flush asks each master how far its replicas are, two times of three.
        for (std::size_t master = 0; master < 3; ++master) {
            const auto slot = static_cast<std::uint16_t>(master * 16384 / 3 + round);
            const std::size_t from = shared_cluster().master_of(slot), to = (from + 1) % 3;
            shared_cluster().open_slot(slot, from, to);
            shared_cluster().move_keys(slot, from, to);
            shared_cluster().close_slot(slot, to);
        }
        write(*writer, table, rows_at(0, 9, 10 + round, std::to_string(round)));
    }
    CHECK(count_of(cache.rows(), text_of(12, "2")) == 9);
    CHECK(shared_cluster().errors("MOVED") > moved);
}

TEST_CASE("slots move to and fro while rows are written, removed and truncated, and nothing older ever wins") {
    ClusterCache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("m:{id}"), table);
    write(*writer, table, rows_at(0, 300, 1, "1"));
    const std::uint64_t moved = shared_cluster().errors("MOVED");
    std::atomic<int> moves = 0;
    std::uint64_t position = 1;
    {
        std::jthread mover([&](std::stop_token stop) {
            for (std::int64_t id = 0; !stop.stop_requested(); id = (id + 1) % 300) {
                const std::uint16_t slot = redis::key_slot(cache.key("m:" + std::to_string(id)));
                const std::size_t from = shared_cluster().master_of(slot), to = (from + 1) % 3;
                try {
                    shared_cluster().open_slot(slot, from, to);
                } catch (const Error&) {  // the nodes do not agree yet whose it is: another time
                    shared_cluster().direct(to).command({"CLUSTER", "SETSLOT", std::to_string(slot), "STABLE"}, soon());
                    continue;
                }
                shared_cluster().move_keys(slot, from, to);
                shared_cluster().close_slot(slot, to);
                ++moves;
            }
        });
        while (moves < 150) {
            ++position;
            write(*writer, table, rows_at(0, 300, position * 10, std::to_string(position)));
            write(*writer, table, rows_at(0, 300, position * 10 - 5, "old"));
            write(*writer, table, rows_at(0, 50, position * 10 + 1, "", Op::remove));
            write(*writer, table, rows_at(0, 50, position * 10, "old"));
        }
    }
    const auto rows = cache.rows();
    CHECK(rows.size() == 250);
    CHECK(count_of(rows, text_of(position * 10, std::to_string(position))) == 250);
    CHECK(shared_cluster().errors("MOVED") > moved);
    writer->truncate(at(position * 10 + 2), soon());
    CHECK(cache.rows().empty());
}

TEST_CASE("a truncation that could miss rows on their way from one master to the other waits until they are there") {
    ClusterCache cache;
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("w:{id}"), table);
    write(*writer, table, rows_at(0, 100, 10, "old"));
    const std::uint16_t slot = redis::key_slot(cache.key("w:1"));
    const std::size_t from = shared_cluster().master_of(slot), to = (from + 1) % 3;
    shared_cluster().open_slot(slot, from, to);
    shared_cluster().move_keys(slot, from, to);
    const Failure failure = failure_of([&] { writer->truncate(at(20), Deadline::after(Millis(4'000))); });
    CHECK(failure.error.retryable());
    CHECK(failure.error.message().find("slots kept moving, now " + std::to_string(slot)) != std::string::npos);
    writer->discard();
    shared_cluster().close_slot(slot, to);
    writer->truncate(at(20), soon());
    CHECK(cache.rows().empty());
    CHECK(cache.keys("ysdb:landing:{*}" + cache.key("w:{id}")).size() == redis::slot_count);
    shared_cluster().open_slot(slot, to, from);
    shared_cluster().move_keys(slot, to, from);
    shared_cluster().close_slot(slot, from);
}

TEST_CASE("no row that was flushed is lost with the master that had it, and writing goes on with the next") {
    OwnCluster own;
    ClusterCache cache(own);
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    std::uint64_t position = 0;
    int failed = 0;
    const auto tell = [&] {
        ++position;
        failed += write_through_outage(*writer, table, rows_at(0, 300, position, std::to_string(position)));
    };
    for (int i = 0; i < 10; ++i) tell();
    const std::size_t master = own.master_of(redis::key_slot(cache.key("h:1")));
    own.kill(master);
    REQUIRE(wait_until([&] { return own.master_of(redis::key_slot(cache.key("h:1"))) == master + 3; }));
    CHECK(count_of(cache.rows(), text_of(position, std::to_string(position))) == 300);
    for (int i = 0; i < 10; ++i) tell();
    // And one that dies while it is being written to: what was under way is told again.
    const std::size_t next = (master + 1) % 3;
    {
        std::jthread killer([&] {
            own.direct(next).command({"CLIENT", "PAUSE", "20000", "WRITE"}, soon());
            CHECK(wait_until([&] {  // a transaction is under way there
                for (const std::string& word : split(own.direct(next).command({"CLIENT", "LIST", "TYPE", "NORMAL"}, soon()).text, ' ')) {
                    if (word.starts_with("flags=") && word.find('b', 6) != std::string::npos) return true;
                }
                return false;
            }));
            own.kill(next);
        });
        for (int i = 0; i < 20; ++i) tell();
    }
    REQUIRE(wait_until([&] { return own.direct((master + 2) % 3).command({"CLUSTER", "INFO"}, soon()).text.find("cluster_state:ok") != std::string::npos; }));
    for (int i = 0; i < 5; ++i) tell();
    CHECK(failed >= 1);
    CHECK(count_of(cache.rows(), text_of(position, std::to_string(position))) == 300);
}

TEST_CASE("a flush is none when a master died after it took rows and before a replica was asked for them") {
    OwnCluster own;
    ClusterCache cache(own);
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    writer->apply(batch_of(table, rows_at(0, 600, 1, "a")), soon(), none_rejected);   // more than is kept: most are written by now
    own.kill(0);
    REQUIRE(wait_until([&] { return own.master_of(1) == 3; }));
    const Failure failure = failure_of([&] {
        writer->apply(batch_of(table, rows_at(600, 1200, 1, "a")), soon(), none_rejected);
        writer->flush(soon());
    });
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.retryable());
    CHECK(failure.error.message().find("broke before a replica had its rows") != std::string::npos);
    writer->discard();
    write(*writer, table, rows_at(0, 1200, 1, "a"));
    CHECK(count_of(cache.rows(), text_of(1, "a")) == 1200);
}

TEST_CASE("a flush that no replica took is none, as long as the master has one") {
    OwnCluster own({"cluster-node-timeout 15000"});
    ClusterCache cache(own);
    const TableInfo table = holdings();
    const auto writer = cache.follow(cache.landing("h:{id}"), table);
    own.node(3).signal(SIGSTOP);
    writer->apply(batch_of(table, rows_at(0, 200, 1, "a")), soon(), none_rejected);
    const Failure failure = failure_of([&] { writer->flush(Deadline::after(Millis(800))); });
    own.node(3).signal(SIGCONT);
    CHECK(failure.error.message().find("no replica took the rows") != std::string::npos);
    CHECK(failure.error.retryable());
    writer->discard();
    write(*writer, table, rows_at(0, 200, 1, "a"));
}
