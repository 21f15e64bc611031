// needs: events
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "core/store/kafka/kafka.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;
using kafka::Record;

namespace {

Deadline soon() { return Deadline::after(Millis(20'000)); }

// A topic of the test's own, gone at the end.
class TestTopic {
public:
    explicit TestTopic(int partitions = 3) : store_(open_store(store_config("events"))), name_(unique_name()) {
        const std::vector<kafka::NewTopic> wanted{{name_, partitions, -1, {{"retention.ms", "3600000"}}}};
        const auto results = (*this)->create_topics(wanted, soon());
        REQUIRE(!results.at(0));
        REQUIRE(wait_until([&] {
            const auto topic = (*this)->topic(name_, soon());
            return topic && std::all_of(topic->partitions.begin(), topic->partitions.end(), [](const auto& partition) { return partition.leader >= 0; });
        }));
    }
    ~TestTopic() {
        const std::vector<std::string> names{name_};
        (*this)->delete_topics(names, soon());
    }
    kafka::KafkaStore* operator->() { return &kafka::as_kafka(*store_); }
    const std::string& name() const { return name_; }
    Record record(const std::string& key, const std::string& value) const {
        Record record;
        record.topic = name_;
        record.key = key;
        record.value = value;
        return record;
    }

private:
    std::unique_ptr<Store> store_;
    std::string name_;
};

std::vector<Record> read(kafka::Consumer& consumer, std::size_t count) {
    std::vector<Record> records;
    const bool all = wait_until([&] {
        for (Record& record : consumer.poll(1000, Deadline::after(Millis(500)))) records.push_back(std::move(record));
        return records.size() >= count;
    });
    CHECK(all);
    return records;
}

// Does it in a thread of its own, and something else meanwhile.
bool ends(std::function<void()> work, const std::function<void()>& meanwhile = [] {}) {
    auto ended = std::make_shared<std::atomic<bool>>(false);
    std::thread([ended, work = std::move(work)] {
        work();
        *ended = true;
    }).detach();
    return wait_until([&] {
        meanwhile();
        return ended->load();
    });
}

kafka::ConsumerOptions member(const TestTopic& topic, const std::string& group) {
    kafka::ConsumerOptions options;
    options.group = group;
    options.topics = {topic.name()};
    return options;
}

// Keeps `has` what the member has.
kafka::ConsumerOptions following(kafka::ConsumerOptions options, std::set<int>& has) {
    options.on_assigned = [&](const std::vector<kafka::Position>& came) {
        for (const auto& position : came) has.insert(position.partition);
    };
    options.on_revoked = [&](const std::vector<kafka::Position>& went, bool) {
        for (const auto& position : went) has.erase(position.partition);
    };
    return options;
}

}  // namespace

TEST_CASE("a probe tells the product, its release, the brokers and how long a round trip takes") {
    const ProbeResult result = open_store(store_config("events"))->probe(soon());
    CHECK(result.product == "Kafka");
    CHECK(result.version.find('.') != std::string::npos);
    CHECK((result.role == "standalone" || result.role == "cluster"));
    CHECK(result.detail.find("broker") != std::string::npos);
    CHECK(result.detail.find("cluster ") != std::string::npos);
    CHECK(result.latency_s > 0);
    CHECK(result.latency_s < 1);
}

TEST_CASE("a topic is created with its settings, described, changed and deleted; each refusal has its own result") {
    const auto opened = open_store(store_config("events"));
    kafka::KafkaStore& store = kafka::as_kafka(*opened);
    const std::string name = unique_name();
    const std::vector<kafka::NewTopic> wanted{{name, 4, 1, {{"cleanup.policy", "compact"}, {"retention.ms", "60000"}}}, {"not a name!", 1, 1, {}}};
    const auto created = store.create_topics(wanted, soon());
    CHECK(!created.at(0));
    REQUIRE(created.at(1));
    CHECK(created.at(1)->code() == Code::rejected);
    CHECK(created.at(1)->message().find("not a name!") != std::string::npos);
    const auto again = store.create_topics(std::span(wanted).first(1), soon());
    REQUIRE(again.at(0));
    CHECK(again.at(0)->server_code() == "TOPIC_ALREADY_EXISTS");

    REQUIRE(wait_until([&] { return store.topic(name, soon()).has_value(); }));
    CHECK(store.topic(name, soon())->partitions.size() == 4);

    const auto own = [&] {
        std::map<std::string, std::string> settings;
        for (const auto& setting : store.topic_settings(name, soon())) {
            if (setting.own) settings[setting.name] = setting.value;
        }
        return settings;
    };
    CHECK(own() == std::map<std::string, std::string>{{"cleanup.policy", "compact"}, {"retention.ms", "60000"}});
    store.change_topic_settings(name, {{"retention.ms", "120000"}}, soon());
    CHECK(wait_until([&] { return own() == std::map<std::string, std::string>{{"cleanup.policy", "compact"}, {"retention.ms", "120000"}}; }));
    const Error wrong = failure_of([&] { store.change_topic_settings(name, {{"retention.ms", "soon"}}, soon()); }).error;
    CHECK(wrong.code() == Code::rejected);
    CHECK(wrong.message().find(name) != std::string::npos);

    const std::vector<std::string> names{name, "no_such_topic"};
    const auto deleted = store.delete_topics(names, soon());
    CHECK(!deleted.at(0));
    REQUIRE(deleted.at(1));
    CHECK(deleted.at(1)->server_code() == "UNKNOWN_TOPIC_OR_PART");
    CHECK(wait_until([&] { return !store.topic(name, soon()); }));
}

TEST_CASE("what was produced is read back whole: keys, tombstones, headers, bytes, and in order for each key") {
    TestTopic topic;
    auto producer = topic->producer({}, soon());
    const std::string bytes("a\0\xff b", 5);
    for (int n = 0; n < 300; ++n) {
        Record record = topic.record("key" + std::to_string(n % 7), std::to_string(n));
        record.headers = {{"op", "upsert"}, {"bytes", bytes}};
        producer.send(record, static_cast<std::uint64_t>(n), soon());
    }
    Record tombstone = topic.record("gone", "");
    tombstone.value.reset();
    producer.send(tombstone, 300, soon());
    producer.flush(soon());

    auto consumer = topic->consumer(member(topic, unique_name()), soon());
    const auto records = read(consumer, 301);
    REQUIRE(records.size() == 301);
    std::map<std::string, std::vector<int>> by_key;
    std::map<std::string, std::set<int>> partitions;
    for (const Record& record : records) {
        partitions[*record.key].insert(record.partition);
        if (*record.key == "gone") {
            CHECK(!record.value);
            continue;
        }
        by_key[*record.key].push_back(std::stoi(*record.value));
        REQUIRE(record.headers.size() == 2);
        CHECK(record.headers[1].second == bytes);
    }
    for (const auto& [key, values] : by_key) CHECK(std::is_sorted(values.begin(), values.end()));
    for (const auto& [key, in] : partitions) CHECK(in.size() == 1);
}

TEST_CASE("each record is reported with its place, or with its own error, which flush repeats") {
    TestTopic topic(1);
    std::map<std::uint64_t, kafka::Delivery> reports;
    kafka::ProducerOptions options;
    options.on_delivery = [&](const kafka::Delivery& delivery) { reports[delivery.token] = delivery; };
    auto producer = topic->producer(options, soon());
    for (std::uint64_t n = 1; n <= 10; ++n) producer.send(topic.record("k", "v"), n, soon());
    producer.flush(soon());
    REQUIRE(reports.size() == 10);
    CHECK(reports[1].offset == 0);
    CHECK(reports[10].offset == 9);
    CHECK(!reports[10].error);

    topic->change_topic_settings(topic.name(), {{"max.message.bytes", "1000"}}, soon());
    std::string noise;
    for (int i = 0; i < 20'000; ++i) noise += static_cast<char>((i * 7919 + i / 256 * 104729) % 251);
    Error flushed(Code::ok, "");
    REQUIRE(wait_until([&] {  // until the broker heeds the new limit
        reports.clear();
        producer.send(topic.record("k", noise), 11, soon());
        producer.send(topic.record("k", "small"), 12, soon());
        flushed = failure_of([&] { producer.flush(soon()); }).error;
        return flushed.code() != Code::ok;
    }));
    CHECK(flushed.code() == Code::rejected);
    CHECK(flushed.server_code() == "MSG_SIZE_TOO_LARGE");
    CHECK(flushed.message().find(topic.name()) != std::string::npos);
    REQUIRE(reports[11].error);
    producer.send(topic.record("k", "after"), 13, soon());
    producer.flush(soon());
    CHECK(!reports[13].error);
}

TEST_CASE("a full queue makes send wait, and records for a topic that does not exist fail instead of vanishing") {
    StoreConfig config = store_config("events");
    config.options["queue.buffering.max.messages"] = "100";
    const auto opened = open_store(config);
    TestTopic topic(1);
    auto producer = kafka::as_kafka(*opened).producer({}, soon());
    for (int n = 0; n < 5000; ++n) producer.send(topic.record("k", std::to_string(n)), 0, soon());
    producer.flush(soon());
    auto consumer = topic->consumer(member(topic, unique_name()), soon());
    CHECK(read(consumer, 5000).size() == 5000);

    kafka::ProducerOptions impatient;
    impatient.delivery_timeout = Millis(2000);
    auto lost = kafka::as_kafka(*opened).producer(impatient, soon());
    Record record = topic.record("k", "v");
    record.topic = "no_such_topic!";
    const Failure failure = failure_of([&] {
        lost.send(record, 1, soon());
        lost.flush(soon());
    });
    CHECK(failure.error.code() != Code::ok);
    CHECK(failure.error.message().find("no_such_topic!") != std::string::npos);
}

TEST_CASE("a group goes on where it committed, and what was not committed is read again") {
    TestTopic topic;
    const std::string group = unique_name();
    auto producer = topic->producer({}, soon());
    for (int n = 0; n < 100; ++n) producer.send(topic.record(std::to_string(n), "first"), 0, soon());
    producer.flush(soon());
    {
        auto consumer = topic->consumer(member(topic, group), soon());
        const auto records = read(consumer, 100);
        consumer.commit(kafka::positions_after(records), soon());
        consumer.close(soon());
    }
    CHECK(wait_until([&] {
        const auto groups = topic->groups(soon());
        return std::any_of(groups.begin(), groups.end(), [&](const kafka::Group& g) { return g.name == group && g.state == "Empty"; });
    }));
    for (int n = 0; n < 50; ++n) producer.send(topic.record(std::to_string(n), "second"), 0, soon());
    producer.flush(soon());
    const auto only_second = [](const std::vector<Record>& records) {
        return std::all_of(records.begin(), records.end(), [](const Record& record) { return *record.value == "second"; });
    };
    for (int attempt = 0; attempt < 2; ++attempt) {
        auto consumer = topic->consumer(member(topic, group), soon());
        const auto records = read(consumer, 50);
        CHECK(records.size() == 50);
        CHECK(only_second(records));
    }
}

TEST_CASE("members of a group share the partitions, are told what comes and goes, and take over from one that leaves") {
    TestTopic topic(4);
    const std::string group = unique_name();
    std::set<int> first_has;
    std::set<int> second_has;
    auto first = topic->consumer(following(member(topic, group), first_has), soon());
    CHECK(wait_until([&] { return first.poll(10, Deadline::after(Millis(100))).empty() && first_has.size() == 4; }));
    auto second = topic->consumer(following(member(topic, group), second_has), soon());
    CHECK(wait_until([&] {
        first.poll(10, Deadline::after(Millis(100)));
        second.poll(10, Deadline::after(Millis(100)));
        return first_has.size() == 2 && second_has.size() == 2;
    }));
    first.close(soon());
    CHECK(first_has.empty());
    CHECK(wait_until([&] { return second.poll(10, Deadline::after(Millis(100))).empty() && second_has.size() == 4; }));
}

TEST_CASE("a member that was given no partitions, and leaves before it hears of that, ends and lets the others go on") {
    TestTopic topic(1);
    const std::string group = unique_name();
    int told = 0;
    kafka::ConsumerOptions options = member(topic, group);
    options.on_assigned = [&](const std::vector<kafka::Position>&) { ++told; };
    auto first = topic->consumer(options, soon());
    const auto until = [&](const auto& condition) { return wait_until([&] { return first.poll(10, Deadline::after(Millis(100))).empty() && condition(); }); };
    REQUIRE(until([&] { return told == 1; }));
    auto second = std::make_unique<kafka::Consumer>(topic->consumer(member(topic, group), soon()));
    REQUIRE(until([&] { return told == 2; }));   // the partition stays here: nothing is left for the second
    second->committed({{topic.name(), 0}}, soon());   // an answer that comes behind that

    CHECK(ends([&] { second.reset(); }, [&] { first.poll(10, Deadline::after(Millis(100))); }));
    CHECK(until([&] { return told == 3; }));   // it said that it goes: the group did not wait for its session to end
    auto producer = topic->producer({}, soon());
    producer.send(topic.record("k", "v"), 0, soon());
    producer.flush(soon());
    CHECK(read(first, 1).size() == 1);
}

TEST_CASE("a member that was given up because it did not poll, while it had to give partitions back, ends") {
    StoreConfig config = store_config("events");
    config.options["max.poll.interval.ms"] = "6000";
    const auto opened = open_store(config);
    struct Pair {
        TestTopic topic{2};
        std::set<int> first_has, second_has;
        std::unique_ptr<kafka::Consumer> first, second;
    };
    std::vector<Pair> pairs(12);   // a few of them are in that very moment
    for (Pair& pair : pairs) {
        kafka::ConsumerOptions options = following(member(pair.topic, pair.topic.name()), pair.first_has);
        options.session_timeout = Millis(6'000);
        pair.first = std::make_unique<kafka::Consumer>(kafka::as_kafka(*opened).consumer(options, soon()));
    }
    const auto all_have = [&](auto consumer, auto has) {
        return wait_until([&] {
            for (Pair& pair : pairs) (pair.*consumer)->poll(10, Deadline::after(Millis(0)));
            return std::all_of(pairs.begin(), pairs.end(), [&](Pair& pair) { return (pair.*has).size() == 2; });
        });
    };
    REQUIRE(all_have(&Pair::first, &Pair::first_has));
    for (Pair& pair : pairs) pair.second = std::make_unique<kafka::Consumer>(pair.topic->consumer(following(member(pair.topic, pair.topic.name()), pair.second_has), soon()));
    REQUIRE(all_have(&Pair::second, &Pair::second_has));
    for (Pair& pair : pairs) REQUIRE(ends([&] { pair.first.reset(); }));
}

TEST_CASE("a member whose topic is deleted is told so, and ends") {
    StoreConfig config = store_config("events");
    config.options["topic.metadata.propagation.max.ms"] = "100";
    config.options["topic.metadata.refresh.interval.ms"] = "1000";
    const auto opened = open_store(config);
    std::optional<TestTopic> topic(std::in_place, 2);
    auto consumer = std::make_unique<kafka::Consumer>(kafka::as_kafka(*opened).consumer(member(*topic, unique_name()), soon()));
    auto producer = (*topic)->producer({}, soon());
    for (int n = 0; n < 100; ++n) producer.send(topic->record(std::to_string(n), "v"), 0, soon());
    producer.flush(soon());
    read(*consumer, 100);
    const std::string name = topic->name();
    topic.reset();
    const Error error = failure_of([&] { while (true) consumer->poll(1, soon()); }).error;
    CHECK(error.message().find(name) != std::string::npos);
    CHECK(ends([&] { consumer.reset(); }));
}

TEST_CASE("reading a topic that does not exist says so") {
    const auto opened = open_store(store_config("events"));
    kafka::ConsumerOptions options;
    options.group = unique_name();
    options.topics = {unique_name()};
    auto consumer = kafka::as_kafka(*opened).consumer(options, soon());
    const Error error = failure_of([&] { while (consumer.poll(1, soon()).empty()) continue; }).error;
    CHECK(error.code() == Code::rejected);
    CHECK(error.message().find(options.topics[0]) != std::string::npos);
}

TEST_CASE("a poll without records ends at its deadline") {
    TestTopic topic(1);
    auto consumer = topic->consumer(member(topic, unique_name()), soon());
    const Failure failure = failure_of([&] { CHECK(consumer.poll(1, Deadline::after(Millis(300))).empty()); });
    CHECK(failure.error.code() == Code::ok);
    CHECK(failure.seconds < 1.5);
}

TEST_CASE("the client library's own lines go to the given sink") {
    StoreConfig config = store_config("events");
    config.options = {{"fetch.wait.max.ms", "100"}};  // means nothing to a producer, which the library remarks on
    const auto opened = open_store(config);
    std::mutex mutex;
    std::string lines;
    kafka::as_kafka(*opened).set_log([&](LogLevel, std::string_view, std::string_view line) {
        const std::lock_guard lock(mutex);
        lines += line;
    });
    auto producer = kafka::as_kafka(*opened).producer({}, soon());
    const std::lock_guard lock(mutex);
    CHECK(lines.find("fetch.wait.max.ms") != std::string::npos);
}

TEST_CASE("an option that the client library does not know, or a login that the broker does not want, is said") {
    StoreConfig config = store_config("events");
    config.options = {{"compression.codec", "nonsense"}};
    const Error option = failure_of([&] { open_store(config)->probe(soon()); }).error;
    CHECK(option.code() == Code::config);
    CHECK(option.message().find("compression.codec") != std::string::npos);

    const std::string url = store_config("events").url;
    const Failure login = failure_of([&] { open_store(store_at("events", "kafka://app@" + url.substr(url.find("://") + 3), "hunter2"))->probe(Deadline::after(Millis(3000))); });
    CHECK(login.seconds < 4);
    CHECK(login.error.code() == Code::connect);
    CHECK((login.error.message() + login.error.hint()).find("hunter2") == std::string::npos);
    CHECK(!login.error.hint().empty());
}
