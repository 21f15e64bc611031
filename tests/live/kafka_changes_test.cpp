// needs: events
// Changes into Kafka, as the driver takes them: what stands in the records, their order, and what failures cost.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "core/lab/ports.h"
#include "core/store/changes.h"
#include "core/store/kafka/kafka.h"
#include "core/value/version_text.h"
#include "tests/live/change_rows.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;
using kafka::Record;
using nlohmann::json;

namespace {

Deadline soon() { return Deadline::after(Millis(30'000)); }

// A landing on a topic of the test's own, which the sink makes; gone at the end.
class Events {
public:
    Events() : store_(open_store(store_config("events"))), topic_(unique_name()) {}
    ~Events() {
        const std::vector<std::string> names{topic_};
        (*this)->delete_topics(names, soon());
    }
    kafka::KafkaStore* operator->() { return &kafka::as_kafka(*store_); }
    const std::string& topic() const { return topic_; }
    Landing landing(const std::string& format = {}, int partitions = 3) const {
        Landing landing;
        landing.set = "s";
        landing.source = {"public", "holdings"};
        landing.topic = topic_;
        landing.format = format;
        landing.partitions = partitions;
        landing.retention = Millis(3'600'000);
        return landing;
    }
    std::unique_ptr<ChangeWriter> follow(const Landing& landing, const TableInfo& table) {
        auto writer = store_->changes()->follow(landing, soon());
        writer->reshape(table, {}, soon());
        return writer;
    }
    void make_topic(int partitions, std::map<std::string, std::string> settings = {}) {
        const std::vector<kafka::NewTopic> wanted{{topic_, partitions, -1, std::move(settings)}};
        REQUIRE(!(*this)->create_topics(wanted, soon()).at(0));
        REQUIRE(wait_until([&] { return (*this)->topic(topic_, soon()).has_value(); }));
    }
    // All records of the topic, by partition, each in its order.
    std::map<int, std::vector<Record>> read(std::size_t count) {
        kafka::ConsumerOptions options;
        options.group = unique_name();
        options.topics = {topic_};
        kafka::Consumer consumer = (*this)->consumer(options, soon());
        std::map<int, std::vector<Record>> records;
        std::size_t seen = 0;
        CHECK(wait_until([&] {
            for (Record& record : consumer.poll(10'000, Deadline::after(Millis(500)))) {
                records[record.partition].push_back(std::move(record));
                ++seen;
            }
            return seen >= count;
        }));
        for (Record& record : consumer.poll(10'000, Deadline::after(Millis(300)))) {
            records[record.partition].push_back(std::move(record));
            ++seen;
        }
        CHECK(seen == count);
        return records;
    }
    std::vector<Record> read_all(std::size_t count) {
        std::vector<Record> all;
        for (auto& [partition, records] : read(count)) std::move(records.begin(), records.end(), std::back_inserter(all));
        return all;
    }

private:
    std::unique_ptr<Store> store_;
    std::string topic_;
};

void none_rejected(std::size_t, RejectedRow row) { FAIL_CHECK("rejected: " << row.key << " " << row.column << " " << row.reason); }

void tell(ChangeWriter& writer, const TableInfo& table, const std::vector<HoldingChange>& changes) {
    writer.apply(batch_of(table, changes), soon(), none_rejected);
    writer.flush(soon());
}

std::string header(const Record& record) {
    REQUIRE(record.headers.size() == 1);
    CHECK(record.headers[0].first == "ysdb-version");
    return record.headers[0].second;
}

}  // namespace

TEST_CASE("a change is a record: the primary key as its key, what happened as its value, the version beside it") {
    Events events;
    const TableInfo table = holdings({0, 1});
    const auto writer = events.follow(events.landing("", 1), table);
    CHECK_FALSE(writer->takes_copies());
    tell(*writer, table, {{at(10), {1, 7, "eth \"x\"", {}}}, {at(11), {1, 7, "", {}}, Op::remove}});
    const auto records = events.read_all(2);
    CHECK(*records[0].key == R"({"id":1,"user_id":7})");
    CHECK(header(records[0]) == version_text(at(10)));
    CHECK(json::parse(*records[0].value) == json{{"op", "upsert"}, {"table", "public.holdings"}, {"version", version_text(at(10))}, {"key", {{"id", 1}, {"user_id", 7}}},
                                                 {"row", {{"id", 1}, {"user_id", 7}, {"coin", "eth \"x\""}, {"note", nullptr}}}});
    CHECK(*records[1].key == *records[0].key);
    CHECK(json::parse(*records[1].value) == json{{"op", "delete"}, {"table", "public.holdings"}, {"version", version_text(at(11))}, {"key", {{"id", 1}, {"user_id", 7}}}});
    CHECK(header(records[1]) == version_text(at(11)));
}

TEST_CASE("Debezium's envelope: before, after, source, op; a tombstone behind a removal") {
    Events events;
    const TableInfo table = holdings();
    const auto writer = events.follow(events.landing("debezium", 1), table);
    tell(*writer, table, {{at(9, 0), {1, 7, "eth", {}}}, {at(10), {1, 8, "eth", "n"}}, {at(11), {1, 7, "", {}}, Op::remove}, {at(12), {1, 9, "btc", {}}, Op::insert}});
    const auto records = events.read_all(5);
    const json copied = json::parse(*records[0].value), changed = json::parse(*records[1].value), removed = json::parse(*records[2].value);
    CHECK(copied["op"] == "r");
    CHECK(copied["source"]["snapshot"] == "true");
    CHECK(changed["op"] == "u");
    CHECK(changed["before"].is_null());
    CHECK(changed["after"] == json{{"id", 1}, {"user_id", 8}, {"coin", "eth"}, {"note", "n"}});
    CHECK(changed["source"]["connector"] == "postgresql");
    CHECK(changed["source"]["name"] == "s");
    CHECK(changed["source"]["schema"] == "public");
    CHECK(changed["source"]["table"] == "holdings");
    CHECK(changed["source"]["lsn"] == 10);
    CHECK(changed["source"]["ts_ms"] == 1'700'000'000'123);   // its commit
    CHECK(changed["source"]["snapshot"] == "false");
    CHECK(changed["ts_ms"].get<std::int64_t>() > 1'600'000'000'000);
    CHECK(removed["op"] == "d");
    CHECK(removed["before"] == json{{"id", 1}, {"user_id", nullptr}, {"coin", nullptr}, {"note", nullptr}});
    CHECK(removed["after"].is_null());
    CHECK_FALSE(records[3].value.has_value());
    CHECK(json::parse(*records[4].value)["op"] == "c");
    for (const Record& record : records) CHECK(*record.key == R"({"id":1})");
    CHECK(header(records[3]) == version_text(at(11)));
}

TEST_CASE("the changes of one row keep their order, whatever else is told") {
    Events events;
    const TableInfo table = holdings();
    const auto writer = events.follow(events.landing(), table);
    constexpr std::int64_t rows = 50;
    std::uint64_t position = 0;
    for (int round = 0; round < 20; ++round) {
        std::vector<HoldingChange> changes;
        for (std::int64_t id = 0; id < rows; ++id) changes.push_back({at(++position), {id, 7, "eth", {}}, position % 5 == 0 ? Op::remove : Op::upsert});
        tell(*writer, table, changes);
    }
    const auto records = events.read(position);
    CHECK(records.size() == 3);  // all partitions
    std::map<std::string, std::string> last;
    std::map<std::string, int> partition_of;
    for (const auto& [partition, in_order] : records) {
        for (const Record& record : in_order) {
            CHECK(last[*record.key] < header(record));
            last[*record.key] = header(record);
            CHECK(partition_of.emplace(*record.key, partition).first->second == partition);
        }
    }
    CHECK(last.size() == rows);
}

TEST_CASE("a truncation is told to every partition, behind what came before") {
    Events events;
    const TableInfo table = holdings();
    for (const std::string format : {"json", "debezium"}) {
        Events own;
        const auto writer = own.follow(own.landing(format), table);
        std::vector<HoldingChange> changes;
        for (std::int64_t id = 0; id < 30; ++id) changes.push_back({at(10), {id, 7, "eth", {}}});
        writer->apply(batch_of(table, changes), soon(), none_rejected);
        writer->truncate(at(20), soon());
        writer->apply(batch_of(table, {{at(21), {1, 7, "eth", {}}}}), soon(), none_rejected);
        writer->flush(soon());
        int truncations = 0;
        for (const auto& [partition, records] : own.read(34)) {
            std::string last;
            for (const Record& record : records) {
                CHECK(last <= header(record));
                last = header(record);
                const std::string op = json::parse(*record.value)["op"];
                if (op == "truncate" || op == "t") ++truncations;
            }
        }
        CHECK(truncations == 3);
    }
}

TEST_CASE("a missing topic is made as configured; one that is there is left as it is") {
    Events events;
    const TableInfo table = holdings();
    const auto retention = [&] {
        for (const auto& setting : events->topic_settings(events.topic(), soon())) {
            if (setting.name == "retention.ms") return setting.value;
        }
        return std::string();
    };
    events.follow(events.landing("", 4), table);
    REQUIRE(wait_until([&] { return events->topic(events.topic(), soon()).has_value(); }));
    CHECK(events->topic(events.topic(), soon())->partitions.size() == 4);
    CHECK(retention() == "3600000");
    Landing other = events.landing("", 8);
    other.retention = Millis(1'000);
    tell(*events.follow(other, table), table, {{at(10), {1, 7, "eth", {}}}});
    CHECK(events->topic(events.topic(), soon())->partitions.size() == 4);
    CHECK(retention() == "3600000");
}

TEST_CASE("a row larger than the topic takes is told, and its neighbours are written") {
    Events events;
    events.make_topic(1, {{"max.message.bytes", "20000"}});
    const TableInfo table = holdings();
    const auto writer = events.follow(events.landing(), table);
    std::vector<HoldingChange> changes;
    for (std::int64_t id = 0; id < 200; ++id) changes.push_back({at(10), {id, 7, std::string(id == 77 ? 30'000 : 1'000, 'x'), {}}});
    std::vector<std::pair<std::size_t, RejectedRow>> rejected;
    writer->apply(batch_of(table, changes), soon(), [&](std::size_t row, RejectedRow why) { rejected.emplace_back(row, std::move(why)); });
    writer->flush(soon());
    REQUIRE(rejected.size() == 1);
    CHECK(rejected[0].first == 77);
    CHECK(rejected[0].second.key == "id=77");
    CHECK(rejected[0].second.reason.find("max.message.bytes") != std::string::npos);
    events.read_all(199);
}

TEST_CASE("a topic that takes less than it did is looked at again, and the row that does not fit is told") {
    Events events;
    events.make_topic(1);
    const TableInfo table = holdings();
    const auto writer = events.follow(events.landing(), table);
    tell(*writer, table, {{at(10), {1, 7, "eth", {}}}});
    events->change_topic_settings(events.topic(), {{"max.message.bytes", "20000"}}, soon());
    // Does not compress, so that the broker measures what we measured.
    std::string noise;
    for (std::uint64_t i = 0, x = 88172645463325252ull; i < 60'000; ++i) noise += "0123456789abcdef"[(x ^= x << 13, x ^= x >> 7, x ^= x << 17) & 0xf];
    const ChangeBatch batch = batch_of(table, {{at(11), {2, 7, noise, {}}}, {at(12), {3, 7, "eth", {}}}});
    std::size_t rejected = 0;
    int tries = 0;
    CHECK(wait_until([&] {
        try {
            ++tries;
            rejected = 0;
            writer->apply(batch, soon(), [&](std::size_t, RejectedRow) { ++rejected; });
            writer->flush(soon());
            return rejected == 1;  // the setting has reached the broker
        } catch (const Error& error) {
            CHECK(error.retryable());
            writer->discard();
            return false;
        }
    }));
    CHECK(tries >= 2);
}

TEST_CASE("rows that cannot be told, and tables that cannot be followed") {
    Events events;
    const TableInfo table = holdings();
    const auto writer = events.follow(events.landing(), table);
    std::vector<RejectedRow> rejected;
    writer->apply(batch_of(table, {{at(1), {1, 7, "\xff", {}}}, {at(1, 2), {2, 7, "eth", {}}}}), soon(), [&](std::size_t, RejectedRow why) { rejected.push_back(std::move(why)); });
    writer->flush(soon());
    REQUIRE(rejected.size() == 1);
    CHECK(rejected[0].column == "coin");
    const Error keyless = failure_of([&] { events.follow(events.landing(), holdings({})); }).error;
    CHECK(keyless.code() == Code::refused);
    CHECK(keyless.message().find("no primary key") != std::string::npos);
    CHECK(failure_of([&] { events.follow(events.landing("debezum"), table); }).error.message().find("did you mean 'debezium'?") != std::string::npos);
    CHECK(events->changes()->epoch("s", soon()) == 0);
}

TEST_CASE("a broker that is not there costs an error to try again after") {
    const auto store = open_store(store_at("events", "kafka://127.0.0.1:" + std::to_string(lab::choose_port())));
    Landing landing;
    landing.set = "s";
    landing.topic = "t";
    const auto writer = store->changes()->follow(landing, soon());
    const Failure failure = failure_of([&] { writer->reshape(holdings(), {}, Deadline::after(Millis(2'000))); });
    CHECK(failure.seconds < 5);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.retryable());
}

TEST_CASE("what was discarded and told again arrives, with the same versions and in order; old failures concern nobody") {
    Events events;
    const TableInfo table = holdings();
    const auto writer = events.follow(events.landing("", 1), table);
    const std::vector<HoldingChange> changes{{at(10), {1, 7, "a", {}}}, {at(11), {1, 7, "b", {}}}};
    writer->apply(batch_of(table, changes), soon(), none_rejected);
    writer->discard();
    tell(*writer, table, changes);
    const auto records = events.read_all(4);
    CHECK(header(records[2]) == version_text(at(10)));
    CHECK(header(records[3]) == version_text(at(11)));
    // A topic that vanishes fails its records; they are told again into a new one.
    const std::vector<std::string> names{events.topic()};
    REQUIRE(!events->delete_topics(names, soon()).at(0));
    CHECK(wait_until([&] {
        try {
            writer->apply(batch_of(table, changes), soon(), none_rejected);
            writer->flush(soon());
            return events->topic(events.topic(), soon()).has_value();
        } catch (const Error& error) {
            CHECK(error.retryable());
            writer->discard();
            return false;
        }
    }, Millis(60'000)));
}

TEST_CASE("how fast changes are told") {
    const TableInfo table = holdings();
    constexpr std::int64_t rows = 100'000;
    for (const std::string format : {"json", "debezium"}) {
        Events events;
        const auto writer = events.follow(events.landing(format), table);
        std::vector<ChangeBatch> batches;
        for (std::int64_t from = 0; from < rows; from += rows / 20) {
            std::vector<HoldingChange> changes;
            for (std::int64_t id = from; id < from + rows / 20; ++id) changes.push_back({at(10), {id, id % 100, "coin" + std::to_string(id), "a note of some length"}});
            batches.push_back(batch_of(table, changes));
        }
        tell(*writer, table, {{at(9), {0, 0, "first", {}}}});  // a new producer takes about a second to be known
        const auto start = SteadyClock::now();
        for (const ChangeBatch& batch : batches) {
            writer->apply(batch, soon(), none_rejected);
            writer->flush(soon());
        }
        const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
        MESSAGE(format << ": " << static_cast<int>(rows / seconds) << " rows/s");
        CHECK(rows / seconds > 5'000);
    }
}

TEST_CASE("how soon a change is there") {
    const TableInfo table = holdings();
    Events events;
    const auto writer = events.follow(events.landing(), table);
    for (const std::int64_t rows : {1, 50, 500, 5000}) {
        std::vector<HoldingChange> changes;
        for (std::int64_t id = 0; id < rows; ++id) changes.push_back({at(10), {id, id % 100, "coin" + std::to_string(id), "a note of some length"}});
        const ChangeBatch batch = batch_of(table, changes);
        std::vector<double> took;
        for (int i = 0; i < 30; ++i) {
            const auto start = SteadyClock::now();
            writer->apply(batch, soon(), none_rejected);
            writer->flush(soon());
            took.push_back(std::chrono::duration<double>(SteadyClock::now() - start).count() * 1000);
        }
        std::sort(took.begin(), took.end());
        MESSAGE(rows << " rows: median " << took[15] << " ms, slowest " << took.back() << " ms");
        CHECK(took[15] < 1'000);
    }
}
