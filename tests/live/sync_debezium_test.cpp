// needs: main analytics events
// fetched: kafka-connect debezium
// Debezium's own connector, as templates/connect has it, tells a table to Kafka; members bring it to ClickHouse; `validate` is the judge.
#include <csignal>
#include <fstream>

#include "cmd/lab_places.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/lab/pins.h"
#include "core/lab/ports.h"
#include "core/store/kafka/kafka.h"
#include "tests/live/servers.h"
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// Connect with one connector, from the template; ended and gone with the object.
class Connect {
public:
    Connect(const SyncSite& site, const std::string& database_url, const std::string& prefix, bool schemas) : prefix_(prefix), directory_(site.directory()) {
        const std::string broker = split(store_config("events").url, '/').at(2);
        const std::string address = database_url.substr(database_url.find("://") + 3);   // user:password@host:port/database
        const std::string login = address.substr(0, address.rfind('@')), place = address.substr(address.rfind('@') + 1);
        const std::map<std::string, std::string> values{{"name", prefix}, {"host", place.substr(0, place.find(':'))}, {"port", place.substr(place.find(':') + 1, place.find('/') - place.find(':') - 1)},
                                                        {"database", place.substr(place.find('/') + 1, place.find('?') - place.find('/') - 1)}, {"user", login.substr(0, login.find(':'))},
                                                        {"password", login.find(':') == std::string::npos ? store_config("main").password.reveal() : login.substr(login.find(':') + 1)}, {"slot", prefix},
                                                        {"publication", prefix}, {"prefix", prefix}, {"tables", "public.t"}, {"snapshot", "initial"}};
        auto config = nlohmann::json::parse(read_file(std::string(YSDB_SOURCE_DIR) + "/templates/connect/debezium-postgres.json"))["config"];
        config["value.converter.schemas.enable"] = schemas ? "true" : "false";
        std::string connector = "name=" + prefix + "\n";
        for (const auto& [key, value] : config.items()) {
            std::string text = value;
            for (const auto& [name, filled] : values) {
                for (auto at = text.find("${" + name + "}"); at != std::string::npos; at = text.find("${" + name + "}")) text.replace(at, name.size() + 3, filled);
            }
            connector += key + "=" + text + "\n";
        }
        write_file_atomically(directory_ + "/connector.properties", connector);
        std::filesystem::create_directories(directory_ + "/plugins");
        std::filesystem::create_directory_symlink(lab::fetched("debezium", default_cache_dir()), directory_ + "/plugins/debezium");
        write_file_atomically(directory_ + "/worker.properties",
                              "bootstrap.servers=" + broker + "\nplugin.path=" + directory_ + "/plugins\nplugin.discovery=service_load\nkey.converter=org.apache.kafka.connect.json.JsonConverter\n"
                              "value.converter=org.apache.kafka.connect.json.JsonConverter\noffset.storage.file.filename=" + directory_ + "/offsets\noffset.flush.interval.ms=1000\n"
                              "connector.client.config.override.policy=All\nlisteners=http://127.0.0.1:" + std::to_string(lab::choose_port()) + "\n");
        SpawnOptions options;
        options.argv = {"java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", (lab::fetched("kafka-connect", default_cache_dir()) / "*").string(),
                        "org.apache.kafka.connect.cli.ConnectStandalone", directory_ + "/worker.properties", directory_ + "/connector.properties"};
        options.cwd = directory_;
        options.output_file = log();
        process_ = spawn(options);
    }
    ~Connect() {
        send_signal(process_, SIGKILL);
        wait_gone(process_, Deadline::after(Millis(10'000)));
    }
    std::string log() const { return directory_ + "/connect.log"; }
    std::string topic() const { return prefix_ + ".public.t"; }
    // Until that many records are in the topic.
    bool told(std::size_t count) const {
        const auto store = open_store(store_config("events"));
        return wait_until([&] { return kafka::as_kafka(*store).read_all(topic(), SyncSite::soon()).size() >= count; }, Millis(90'000));
    }

private:
    std::string prefix_, directory_;
    ProcessId process_;
};

// Puts every record of the topic with that in its value behind the last one; how many.
std::size_t tell_again(const std::string& topic, const std::string& part) {
    const auto store = open_store(store_config("events"));
    kafka::KafkaStore& kafka = kafka::as_kafka(*store);
    const std::vector<kafka::Record> told = kafka.read_all(topic, SyncSite::soon());
    kafka::Producer producer = kafka.producer({}, SyncSite::soon());
    std::size_t count = 0;
    for (const kafka::Record& record : told) {
        if (!record.value || record.value->find(part) == std::string::npos) continue;
        producer.send(record, 0, SyncSite::soon());
        ++count;
    }
    producer.flush(SyncSite::soon());
    return count;
}

}  // namespace

TEST_CASE("what Debezium tells of a table, its snapshot and its changes, arrives: every type, with schemas and without") {
    for (const bool schemas : {false, true}) {
        CAPTURE(schemas);
        SyncSite site("\"public.t\"", "[stores.events]\nurl = \"" + store_config("events").url + "\"\n");
        site.source("CREATE TYPE mood AS ENUM ('sad', 'happy');"
                    "CREATE TABLE t (id bigint PRIMARY KEY, b bool, i2 int2, i4 int4, f4 float4, f8 float8, n numeric(36,18), free numeric, tx text, v varchar(9), by bytea, u uuid, d date, tm time, ts timestamp,"
                    " ts3 timestamp(3), tz timestamptz, iv interval, jb jsonb, m mood, ia int[] NOT NULL, ta text[] NOT NULL); ALTER TABLE t REPLICA IDENTITY FULL");
        const std::string rows = "INSERT INTO t SELECT g, g % 2 = 0, g, -g, g / 3.0, -g / 7.0, g * 1.000000000000000001, g / 11.0, 'text \"' || g || E'\" \u00e9\\n', CASE WHEN g % 5 = 0 THEN NULL ELSE 'v' || g END,"
                                 " decode(md5(g::text), 'hex'), md5(g::text)::uuid, date '1999-01-01' + g::int, time '00:00' + g * interval '1.000001 second', timestamp '1950-01-01 00:00:00.000001' + g * interval '1 hour',"
                                 " timestamp '2026-01-01 00:00:00.123' + g * interval '1 hour', timestamptz '1960-01-01 00:00:00.5+00' + g * interval '1 day', g * interval '-1 day 00:00:00.5' + interval '14 months',"
                                 " jsonb_build_object('g', g, 'n', NULL), (ARRAY['sad', 'happy'])[1 + g % 2]::mood, ARRAY[g, NULL, -g]::int[], ARRAY['a', NULL, 'c\"{},\\' || g, '']";
        site.source(rows + " FROM generate_series(1, 300) g");
        site.source("CREATE PUBLICATION " + site.set() + " FOR TABLE t");
        {
            const Connect connect(site, site.source_url(), site.set(), schemas);
            INFO(read_file(connect.log()));
            REQUIRE(connect.told(300));
            site.source(rows + " FROM generate_series(301, 400) g");
            site.source("UPDATE t SET tx = 'changed', n = n + 1 WHERE id <= 50; DELETE FROM t WHERE id BETWEEN 60 AND 69; UPDATE t SET id = id + 10000 WHERE id BETWEEN 70 AND 79");
            CHECK(connect.told(300 + 100 + 50 + 2 * 10 + 3 * 10));   // removals bring tombstones
            const std::vector<std::string> member{"sync", "run", "--from", "events", "--format", "debezium", "--topic", site.set() + ".{schema}.{table}", "--until-caught-up"};
            CHECK(site.json(member)["dead_letters"] == 0);
            CHECK(site.target_count("t_current") == 390);
            CHECK(site.equal());
            CHECK(site.json(member)["sinks"][0]["changes"] == 0);   // committed
            // The whole snapshot told once more, as by a connector that forgot how far it was: rows that changed or went since stay as they are.
            CHECK(tell_again(connect.topic(), "\"op\":\"r\"") == 300);
            CHECK(site.json(member)["sinks"][0]["changes"] == 300);
            CHECK(site.equal());
        }
        CHECK(wait_until([&] { return site.ask_source("SELECT 1 FROM pg_replication_slots WHERE slot_name = '" + site.set() + "' AND NOT active").rows() == 1; }));
        site.source("SELECT pg_drop_replication_slot('" + site.set() + "')");
    }
}
