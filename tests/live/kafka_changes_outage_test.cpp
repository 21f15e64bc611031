// fetched: kafka
// lock: own_lab
// takes: 40
// Changes into a Kafka of the test's own that dies and hangs: nothing is lost, nothing is out of order, repetitions can be told.
#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <thread>
#include <utility>

#include "core/store/changes.h"
#include "core/store/kafka/kafka.h"
#include "core/value/version_text.h"
#include "tests/live/change_rows.h"
#include "tests/live/own_lab.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;
using kafka::Record;

TEST_CASE("a broker that dies, or hangs, costs errors to try again after; every change is there in its order") {
    OwnLab lab;
    REQUIRE(lab.run({"up", "--only", "kafka"}).exit_code == 0);
    const auto store = open_store(store_at("events", lab.api().stores().at(0).url));
    const TableInfo table = holdings();
    Landing landing;
    landing.set = "s";
    landing.source = table.ref;
    landing.topic = "outage";
    landing.partitions = 2;
    const auto writer = store->changes()->follow(landing, Deadline::after(Millis(30'000)));

    constexpr std::int64_t rows = 40;
    std::uint64_t position = 0;
    int failed = 0;
    std::jthread disturber;
    std::function<void()> mend;
    // As the caller does it: what failed is discarded and told again.
    const auto tell = [&] {
        ++position;
        std::vector<HoldingChange> changes;
        for (std::int64_t id = 0; id < rows; ++id) changes.push_back({at(position), {id, 7, "eth", std::string(500, 'x')}});
        const ChangeBatch batch = batch_of(table, changes);
        CHECK(wait_until([&] {
            try {
                const Deadline deadline = Deadline::after(Millis(mend ? 3'000 : 20'000));
                writer->reshape(table, {}, deadline);
                writer->apply(batch, deadline, [](std::size_t, RejectedRow) { FAIL_CHECK("rejected"); });
                writer->flush(deadline);
                return true;
            } catch (const Error& error) {
                CAPTURE(error.message());
                CHECK(error.code() == Code::connect);
                CHECK(error.retryable());
                ++failed;
                writer->discard();
                if (disturber.joinable()) disturber.join();
                if (mend) std::exchange(mend, nullptr)();
                return false;
            }
        }, Millis(90'000)));
    };
    for (const std::string disturbance : {"KILL", "STOP", "KILL", "STOP"}) {
        for (int i = 0; i < 10; ++i) tell();
        mend = [&] {
            const auto repair = disturbance == "KILL" ? std::vector<std::string>{"start", "kafka"} : std::vector<std::string>{"kill", "kafka", "--signal", "CONT"};
            CHECK(lab.run(repair).exit_code == 0);
        };
        disturber = std::jthread([&] { CHECK(lab.run({"kill", "kafka", "--signal", disturbance}).exit_code == 0); });
        while (mend) tell();  // one of them is under way when it happens
    }
    CHECK(failed >= 4);

    kafka::ConsumerOptions options;
    options.group = "reader";
    options.topics = {"outage"};
    kafka::Consumer consumer = kafka::as_kafka(*store).consumer(options, Deadline::after(Millis(30'000)));
    std::map<std::string, std::vector<std::string>> told;
    std::size_t records = 0, complete = 0;
    CHECK(wait_until([&] {
        for (const Record& record : consumer.poll(10'000, Deadline::after(Millis(1'000)))) {
            std::vector<std::string>& versions = told[*record.key];
            ++records;
            if (versions.empty() || record.headers.at(0).second > versions.back()) versions.push_back(record.headers[0].second);  // else a repetition
        }
        complete = 0;
        for (const auto& [key, versions] : told) complete += versions.size() == position ? 1 : 0;
        return complete == rows;
    }, Millis(40'000)));
    CHECK(complete == rows);
    MESSAGE(failed << " errors, " << records - rows * position << " repetitions of " << rows * position << " changes");
}
