// needs: main analytics events
// Some of a table's columns, over Kafka: what is left out is not in a byte of the bus.
#include "core/store/kafka/kafka.h"
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

TEST_CASE("what is left out is nowhere on the bus: not in copies, not in changes, not among the columns' names") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        SyncSite site("\"public.t\"", "[stores.events]\nurl = \"" + store_config("events").url + "\"\n[[sync.table]]\nname = \"public.t\"\nexcept = [\"secret\"]\n", capture);
        site.source("CREATE TABLE t (id int PRIMARY KEY, email text, secret text); INSERT INTO t SELECT g, 'copied' || g, 'HIDDEN' || g FROM generate_series(1, 100) g; ALTER TABLE t REPLICA IDENTITY FULL");
        site.json({"sync", "run", "--to", "events", "--until-caught-up"});
        site.source("UPDATE t SET secret = 'HIDDEN', email = 'changed' WHERE id <= 5; INSERT INTO t VALUES (200, 'inserted', 'HIDDEN'); DELETE FROM t WHERE id = 50; UPDATE t SET secret = 'HIDDEN too' WHERE id = 9");
        site.json({"sync", "run", "--to", "events", "--until-caught-up"});
        std::string bytes;
        const auto store = open_store(store_config("events"));
        for (const char* topic : {"changes", "shapes"}) {
            for (const kafka::Record& record : kafka::as_kafka(*store).read_all("ysdb." + site.set() + "." + topic, SyncSite::soon())) bytes += record.key.value_or("") + record.value.value_or("");
        }
        for (const char* shown : {"copied1", "changed", "inserted", "email"}) CHECK_MESSAGE(bytes.find(shown) != std::string::npos, shown);
        CHECK(bytes.find("HIDDEN") == std::string::npos);
        CHECK(bytes.find("secret") == std::string::npos);
    }
}
