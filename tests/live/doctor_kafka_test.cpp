// needs: main events
// What doctor says about the topic of a sync target.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "core/store/kafka/kafka.h"
#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

nlohmann::json examine(const std::string& topic) {
    const TempDir directory;
    directory.write("ysdb.toml", "[[sync]]\nname = \"s\"\ntables = [\"public.t\"]\n[[sync.to]]\nstore = \"events\"\ntopic = \"" + topic + "\"\n");
    const CommandResult result = run_ysdb({"doctor", "--output", "json", "--timeout", "20s"},
                                          {{"XDG_CONFIG_HOME", "/nowhere"}, {"YSDB_STORES_MAIN_URL", store_config("main").url}, {"YSDB_STORES_EVENTS_URL", store_config("events").url}}, directory.string());
    const auto report = nlohmann::json::parse(result.out);
    for (const auto& check : report.at("checks")) {
        if (check.at("name") == "sync.s.to.events") return check;
    }
    return {};
}

}  // namespace

TEST_CASE("a topic that is there is shown, one that is not may be created, and is not") {
    const auto store = open_store(store_config("events"));
    kafka::KafkaStore& kafka = kafka::as_kafka(*store);
    const Deadline soon = Deadline::after(Millis(60'000));
    const std::string name = unique_name();

    const auto absent = examine(name);
    CHECK(absent.at("state") == "ok");
    CHECK(absent.at("detail") == "topic " + name + " does not exist yet and may be created");
    CHECK_FALSE(kafka.topic(name, soon));

    kafka::NewTopic wanted;
    wanted.name = name;
    wanted.partitions = 3;
    REQUIRE_FALSE(kafka.create_topics({&wanted, 1}, soon).at(0));
    const auto present = examine(name);
    CHECK(present.at("state") == "ok");
    CHECK(present.at("detail") == "topic " + name + ", 3 partitions");
    kafka.delete_topics({&name, 1}, soon);
}
