// needs: main ticks
// Migrations of a QuestDB store, with their history in PostgreSQL.
#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/file.h"
#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using namespace ysdb::test;

TEST_CASE("files for QuestDB are planned, applied once, and found applied") {
    const TestDatabase database;
    const std::string table = unique_name();  // QuestDB has one database for all
    const TempDir directory;
    directory.write("ysdb.toml", "[stores.main]\nurl = \"" + database.config().url + "\"\n[stores.ticks]\nurl = \"" + store_config("ticks").url + "\"\n");
    directory.write("migrations/0001_a.sql", "CREATE TABLE a (id int);");
    directory.write("migrations/0002_ticks.sql", "-- migrate:up store:ticks\nCREATE TABLE " + table + " (ts TIMESTAMP, price DOUBLE) TIMESTAMP(ts) PARTITION BY DAY;\n");
    const auto migrate = [&](const std::string& verb) {
        const CommandResult result = run_ysdb({"migrate", verb}, {{"XDG_CONFIG_HOME", "/nonexistent"}}, directory.string());
        CHECK_MESSAGE(result.exit_code == 0, result.err);
        return result.out;
    };
    CHECK(migrate("plan").find("0002_ticks") != std::string::npos);
    migrate("up");
    const auto ticks = open_store(store_config("ticks"));
    CHECK(ticks->sql()->query("SELECT count() FROM " + table, Deadline::after(Millis(20'000))).row(0).text(0) == "0");
    CHECK(migrate("up").find("nothing to apply") != std::string::npos);
    ticks->sql()->query("DROP TABLE " + table, Deadline::after(Millis(20'000)));
}
