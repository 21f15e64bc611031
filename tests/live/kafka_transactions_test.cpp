// needs: main analytics events
// takes: 60
// Kafka with transactional = true: whoever reads committed records sees each change once, whatever died in between.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "core/store/changes.h"
#include "core/store/kafka/kafka.h"
#include "core/value/version_text.h"
#include "tests/live/change_rows.h"
#include "tests/live/servers.h"
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(60'000)); }

// How often each version is in a topic, as readers of committed records see it.
std::map<std::string, int> versions_in(const std::string& topic) {
    const auto store = open_store(store_config("events"));
    std::map<std::string, int> versions;
    for (const kafka::Record& record : kafka::as_kafka(*store).read_all(topic, soon())) {
        for (const auto& [name, value] : record.headers) {
            if (name == "ysdb-version") ++versions[value];
        }
    }
    return versions;
}

std::size_t told_twice(const std::map<std::string, int>& versions) {
    return static_cast<std::size_t>(std::count_if(versions.begin(), versions.end(), [](const auto& entry) { return entry.second > 1; }));
}

void remove_topics(const std::vector<std::string>& names) {
    const auto store = open_store(store_config("events"));
    kafka::as_kafka(*store).delete_topics(names, soon());
}

struct Writers {
    Writers() : store(open_store(store_config("events"))), set(unique_name()), topic(unique_name()) {
        landing.set = set;
        landing.source = {"public", "holdings"};
        landing.topic = topic;
        landing.partitions = 3;
        landing.transactional = true;
    }
    ~Writers() { remove_topics({topic, "ysdb." + set + ".positions"}); }
    std::unique_ptr<ChangeWriter> make() {
        auto writer = store->changes()->follow(landing, soon());
        writer->reshape(table, {}, soon());
        return writer;
    }
    void apply(ChangeWriter& writer, std::uint64_t from, std::uint64_t to) {
        std::vector<HoldingChange> changes;
        for (std::uint64_t p = from; p < to; ++p) changes.push_back({at(p), {static_cast<std::int64_t>(p % 50), 7, std::to_string(p), {}}});
        writer.apply(batch_of(table, changes), soon(), [](std::size_t, RejectedRow row) { FAIL_CHECK("rejected: " << row.key << " " << row.reason); });
    }

    std::unique_ptr<Store> store;
    std::string set, topic;
    TableInfo table = holdings();
    Landing landing;
};

}  // namespace

TEST_CASE("what was committed is not told again by the next writer, what was not is told once") {
    Writers writers;
    auto first = writers.make();
    writers.apply(*first, 1, 100);
    first->flush(soon());
    writers.apply(*first, 100, 200);   // dies with this open
    first.reset();
    auto second = writers.make();
    writers.apply(*second, 50, 250);
    second->flush(soon());
    const auto versions = versions_in(writers.topic);
    CHECK(versions.size() == 249);
    CHECK(told_twice(versions) == 0);
    CHECK(writers.store->changes()->epoch(writers.set, soon()) == 1);   // a set of the same name begins behind it
}

TEST_CASE("a row of a retry is told though what is behind it was committed, and moves nothing") {
    Writers writers;
    auto first = writers.make();
    writers.apply(*first, 1, 100);
    first->flush(soon());
    first.reset();
    auto second = writers.make();   // knows from the topic of positions what was committed
    const std::vector<HoldingChange> mended{{at(50, 0), {1, 7, "mended", {}}}};
    second->apply(batch_of(writers.table, mended), soon(), [](std::size_t, RejectedRow row) { FAIL_CHECK("rejected: " << row.key << " " << row.reason); });
    second->flush(soon());
    writers.apply(*second, 90, 110);
    second->flush(soon());
    const auto versions = versions_in(writers.topic);
    REQUIRE(versions.contains(version_text(at(50, 0))));
    CHECK(versions.at(version_text(at(50, 0))) == 1);
    CHECK(versions.size() == 110);
    CHECK(told_twice(versions) == 0);
}

TEST_CASE("what is discarded is never seen, and told again it is seen once; a truncation, too") {
    Writers writers;
    auto writer = writers.make();
    writers.apply(*writer, 1, 100);
    writer->discard();
    writers.apply(*writer, 1, 100);
    writer->truncate(at(100), soon());
    writer->flush(soon());
    writer->truncate(at(100), soon());
    writer->flush(soon());
    const auto versions = versions_in(writers.topic);
    CHECK(versions.size() == 100);
    CHECK(versions.at(version_text(at(100))) == 3);   // one a partition
    CHECK(told_twice(versions) == 1);
}

TEST_CASE("two that write at once, of which one is of a run that was taken for dead, tell no change twice") {
    Writers writers;
    auto live = writers.make(), zombie = writers.make();
    for (std::uint64_t from = 1; from < 400; from += 40) {
        for (ChangeWriter* writer : {live.get(), zombie.get()}) {
            CHECK(wait_until([&] {
                try {
                    writers.apply(*writer, from, from + 60);
                    writer->flush(soon());
                    return true;
                } catch (const Error& error) {
                    CHECK(error.retryable());   // the other took its place
                    writer->discard();
                    return false;
                }
            }));
        }
    }
    const auto versions = versions_in(writers.topic);
    CHECK(versions.size() == 420);
    CHECK(told_twice(versions) == 0);
}

TEST_CASE("killed around every flush and every word to the source, each change is in the topic once; without transactions some are there twice") {
    for (const bool transactional : {true, false}) {
        CAPTURE(transactional);
        const std::string topic = unique_name();
        SyncSite site("\"public.t\", \"public.u\"", "[[sync.to]]\nstore = \"events\"\ntopic = \"" + topic + ".{table}\"\npartitions = 3\ntransactional = " + (transactional ? "true" : "false") +
                                                        "\n[stores.events]\nurl = \"" + store_config("events").url + "\"\n");
        site.source("CREATE TABLE t (id bigint PRIMARY KEY, v text); CREATE TABLE u (id bigint PRIMARY KEY, v text)");
        site.catch_up();
        std::int64_t rows = 0;
        for (const std::string fault : {"sync.flush.before:3", "sync.flush.after", "sync.confirm.before", "sync.flush.after:2", "sync.confirm.after", "sync.confirm.before"}) {
            CAPTURE(fault);
            for (int i = 0; i < 20; ++i, rows += 10) {
                for (const std::string table : {"t", "u"}) site.source("INSERT INTO " + table + " SELECT g, 'v' FROM generate_series(" + std::to_string(rows) + ", " + std::to_string(rows + 9) + ") g");
            }
            CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", fault}}).exit_code == 137);
        }
        site.catch_up();
        std::size_t twice = 0;
        for (const std::string table : {"t", "u"}) {
            const auto versions = versions_in(topic + "." + table);
            CHECK(static_cast<std::int64_t>(versions.size()) == rows);
            twice += told_twice(versions);
        }
        if (transactional) CHECK(twice == 0);
        else CHECK(twice > 0);
        CHECK(site.equal());
        remove_topics({topic + ".t", topic + ".u", "ysdb." + site.set() + ".positions"});
    }
}
