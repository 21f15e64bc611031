// needs: main analytics
// An insert that a run began and never ended (stopped, cut off) can land in ClickHouse after another run changed the table's columns: its rows have the
// versions of rows that are there, and lack what those columns hold by then. `validate` is the judge.
#include <thread>

#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

TEST_CASE("an insert of an earlier run that is still on its way is ended before the table's columns change; somebody else's is not") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t SELECT g, 'told' || g FROM generate_series(1, 40) g");
    site.catch_up();
    const std::string database = site.target("SELECT currentDatabase()").row(0).text(0);
    site.target("CREATE TABLE log (id Int32) ENGINE = MergeTree ORDER BY id");
    // Each row a block of its own, as they would trickle in; of 40 seconds in all.
    const auto slowly = [&](const std::string& label, const std::string& insert) {
        return std::jthread([&site, label, insert] {
            try {
                const auto store = site.target_store();
                const auto session = store->sql()->open_session("test", SyncSite::soon());
                session->set_label(label);
                for (const char* setting : {"SET max_block_size = 1", "SET min_insert_block_size_rows = 1", "SET function_sleep_max_microseconds_per_block = 0", "SET max_insert_threads = 1", "SET max_threads = 1"}) session->query(setting, SyncSite::soon());
                session->query(insert, Deadline::after(Millis(120'000)));
            } catch (const Error&) {   // it was ended
            }
        });
    };
    const auto running = [&](const std::string& label) {
        return site.target("SELECT count() FROM system.processes WHERE startsWith(query_id, '" + label + "-') AND query LIKE 'INSERT%'").row(0).integer(0) > 0;
    };
    const std::string ours = "ysdb-sync-" + site.set(), theirs = "theirs-" + site.set();
    const std::jthread late = slowly(ours, "INSERT INTO `" + database + "`.`t` (`id`, `a`, `_version`, `_is_deleted`) SELECT id, concat(a, substring(toString(sleepEachRow(1)), 2)), _version, _is_deleted FROM `" + database + "`.t ORDER BY id");
    const std::jthread other = slowly(theirs, "INSERT INTO `" + database + "`.`log` (`id`) SELECT number + sleepEachRow(0.2) FROM numbers(50)");
    REQUIRE(wait_until([&] { return running(ours) && running(theirs) && site.target_count("log") > 0; }));
    site.source("ALTER TABLE t RENAME a TO b; UPDATE t SET b = 'after' WHERE id = 1");
    site.catch_up();
    CHECK_FALSE(running(ours));
    REQUIRE(wait_until([&] { return !running(ours) && !running(theirs); }, Millis(90'000)));
    CHECK(site.target_count("log") == 50);
    CHECK(site.equal());
}
