// needs: main analytics
// when_halted = "copy": tables whose rows changed without being told are taken up anew by the run itself. What stays wrong stays halted, and is told once;
// what is halted again and again is copied ever more seldom. `validate` is the judge.
#include <algorithm>

#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr const char* copies = "when_halted = \"copy\"\n";

// What the source was never told to tell, a table each.
struct Silent {
    std::string table, make, change;
};
const std::vector<Silent> silent_changes = {
    {"used", "CREATE TABLE used (id int PRIMARY KEY, v text); INSERT INTO used SELECT g, 'v' FROM generate_series(1, 2000) g", "ALTER TABLE used ALTER v TYPE text USING v || '!'"},
    {"random", "CREATE TABLE random (id int PRIMARY KEY, v text); INSERT INTO random SELECT g, 'v' FROM generate_series(1, 2000) g", "ALTER TABLE random ADD r float8 DEFAULT random()"},
    {"moody", "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE moody (id int PRIMARY KEY, v text, m mood); INSERT INTO moody SELECT g, 'v', 'sad' FROM generate_series(1, 100) g",
     "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'"},
    {"cut", "CREATE TABLE cut (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE cut1 PARTITION OF cut FOR VALUES FROM (0) TO (50); CREATE TABLE cut2 PARTITION OF cut DEFAULT;"
            "INSERT INTO cut SELECT g, 'v' FROM generate_series(1, 100) g", "TRUNCATE cut1"},
    {"joined", "CREATE TABLE joined (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE joined1 PARTITION OF joined FOR VALUES FROM (0) TO (1000); CREATE TABLE later (LIKE joined INCLUDING ALL);"
               "INSERT INTO joined SELECT g, 'v' FROM generate_series(1, 100) g; INSERT INTO later VALUES (5000, 'silent')", "ALTER TABLE joined ATTACH PARTITION later FOR VALUES FROM (1000) TO (9000)"},
    {"anew", "CREATE TABLE anew (id int PRIMARY KEY, v text); INSERT INTO anew SELECT g, 'v' FROM generate_series(1, 100) g",
     "DROP TABLE anew; CREATE TABLE anew (id int PRIMARY KEY, v text, w int); INSERT INTO anew VALUES (5, 'another', 1), (7000, 'new', 2)"},
};

std::string all_tables() {
    std::string names = "\"public.other\"";
    for (const Silent& each : silent_changes) names += ", \"public." + each.table + "\"";
    return names;
}

nlohmann::json row_of(const SyncSite& site, const std::string& table) {
    const auto report = nlohmann::json::parse(site.ysdb({"sync", "status", "--output", "json"}).out);
    for (const auto& row : report["tables"]) {
        if (row["table"] == table) return row;
    }
    return nullptr;
}

std::size_t times(const std::string& text, const std::string& what) {
    std::size_t count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
    return count;
}

bool all_followed(const SyncSite& site) {
    return wait_until([&] {
        const auto report = nlohmann::json::parse(site.ysdb({"sync", "status", "--output", "json"}).out);
        return std::all_of(report["tables"].begin(), report["tables"].end(), [](const auto& row) { return row["state"] == "following"; });
    }, Millis(90'000));
}

constexpr const char* simple = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' FROM generate_series(1, 2000) g; CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)";

}  // namespace

TEST_CASE("a running set takes up by itself whatever its source has halted, and goes on with the rest meanwhile") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        SyncSite site(all_tables(), "", capture, {}, copies);
        site.source("CREATE TABLE other (id int PRIMARY KEY, v text)");
        for (const Silent& each : silent_changes) site.source(each.make);
        Running run(site, {"sync", "run"});
        REQUIRE_MESSAGE(all_followed(site), run.log() << site.ysdb({"sync", "status"}).out);
        site.source("INSERT INTO other VALUES (-1)");
        REQUIRE(wait_until([&] { return site.target_count("other_current") == 1; }));
        for (const Silent& each : silent_changes) {
            CAPTURE(each.table);
            site.source(each.change);
            CHECK_MESSAGE(wait_until([&] { return run.log().find("sync.renew") != std::string::npos && times(run.log(), "table=public." + each.table) > 0; }), run.log());
            site.source("INSERT INTO " + each.table + " (id, v) VALUES (8000, 'behind it'); UPDATE " + each.table + " SET v = 'changed' WHERE id = 7; INSERT INTO other VALUES ((SELECT count(*) FROM other))");
        }
        CHECK(all_followed(site));
        for (const Silent& each : silent_changes) CHECK_MESSAGE(row_of(site, "public." + each.table)["renewals"] == 1, each.table);
        run.signal(SIGTERM);
        CHECK(run.wait() == 143);
        CAPTURE(run.log());
        site.source("UPDATE used SET v = 'later' WHERE id < 100");
        site.catch_up();
        CHECK(site.equal());
    }
}

TEST_CASE("a run that ends by itself takes up what it finds halted, once the set says so") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        SyncSite site("\"public.t\", \"public.u\"", "", capture, {}, copies);
        site.source(simple);
        site.catch_up();
        site.source("ALTER TABLE t ALTER v TYPE text USING upper(v); DELETE FROM t WHERE id < 10");
        const auto report = site.catch_up();
        CHECK(report["tables"][0]["state"] == "following");
        CHECK(report["tables"][0]["copied"] == 1991);
        CHECK(site.equal());
    }
    SyncSite site("\"public.t\", \"public.u\"");
    site.source(simple);
    site.catch_up();
    site.source("ALTER TABLE t ALTER v TYPE text USING upper(v)");
    CHECK(site.catch_up(8)["next"].get<std::string>().find("ysdb sync reset public.t") == 0);
    CHECK(site.catch_up(8)["tables"][0]["state"] == "halted");   // it stays so, without a word
    std::string config = read_file(site.directory() + "/ysdb.toml");
    config.insert(config.find("[[sync.to]]"), copies);
    write_file_atomically(site.directory() + "/ysdb.toml", config);
    CHECK(site.catch_up()["tables"][0]["state"] == "following");
    CHECK(site.equal());
}

TEST_CASE("a table that cannot be copied as it is stays halted, which is told once, holds up nobody, and is taken up when it was mended") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        SyncSite site("\"public.t\", \"public.u\", \"public.gone\"", "", capture, {}, copies);
        site.source(simple);
        site.source("CREATE TABLE gone (id int PRIMARY KEY)");
        Running run(site, {"sync", "run"});
        REQUIRE(all_followed(site));
        site.source("DROP TABLE gone; BEGIN; ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD r float8 DEFAULT random(); COMMIT");
        if (capture == "wal") site.source("ALTER TABLE t REPLICA IDENTITY FULL");
        site.source("INSERT INTO t (id, v) VALUES (1, 'twice')");
        const auto put_off = [&](const std::string& table) {
            const auto row = row_of(site, table);
            return row["state"] == "halted" && !row["renew_s"].is_null() && row["reason"].get<std::string>().find("no new copy: ") != std::string::npos;
        };
        REQUIRE_MESSAGE(wait_until([&] { return put_off("public.t") && put_off("public.gone"); }), run.log());
        REQUIRE_MESSAGE(wait_until([&] { return row_of(site, "public.gone")["renewals"] >= 2; }, Millis(40'000)), run.log());   // tried again in vain
        site.source("INSERT INTO u VALUES (2)");
        CHECK(wait_until([&] { return site.target_count("u_current") == 2; }));
        CAPTURE(run.log());
        CHECK(times(run.log(), "sync.halted table=public.gone") <= 1);
        CHECK(times(run.log(), "sync.renew table=public.gone") <= 1);
        CHECK(times(run.log(), "sync.halted table=public.t") <= 1);
        CHECK(site.state("public.u") == "following");
        // Mended, they are taken up when their pause is over.
        site.source("DELETE FROM t WHERE v = 'twice'; ALTER TABLE t ADD PRIMARY KEY (id); ALTER TABLE t REPLICA IDENTITY DEFAULT; CREATE TABLE gone (id int PRIMARY KEY); INSERT INTO gone VALUES (3)");
        CHECK(all_followed(site));
        run.signal(SIGTERM);
        CHECK(run.wait() == 143);
        site.catch_up();
        CHECK(site.equal());
    }
}

TEST_CASE("a table that is halted again soon after waits, also through another run, and sync reset waits for nothing") {
    SyncSite site("\"public.t\", \"public.u\"", "", "wal", {}, copies);
    site.source(simple);
    site.catch_up();
    site.source("ALTER TABLE t ALTER v TYPE text USING upper(v)");
    site.catch_up();
    CHECK(row_of(site, "public.t")["renewals"] == 1);
    site.source("ALTER TABLE t ALTER v TYPE text USING lower(v)");
    const auto report = site.catch_up(8);
    CHECK(report["next"].get<std::string>().find("ysdb sync run") == 0);
    auto row = row_of(site, "public.t");
    CHECK(row["state"] == "halted");
    CHECK(row["renew_s"].get<double>() > 0);
    CHECK(row["renew_s"].get<double>() <= 10);
    // As if it had been taken up many times: the pause is not forgotten by whoever runs next, and has an end.
    site.source("UPDATE ysdb.sync_tables SET renewals = 50, renew_at = NULL WHERE table_name = 'public.t'");
    site.catch_up(8);
    row = row_of(site, "public.t");
    CHECK(row["renew_s"].get<double>() > 3500);
    CHECK(row["renew_s"].get<double>() <= 3600);
    site.catch_up(8);
    CHECK(row_of(site, "public.t")["state"] == "halted");
    REQUIRE(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
    site.catch_up();
    CHECK(row_of(site, "public.t")["renewals"].is_null());
    CHECK(site.equal());
    // An hour without: it counts no more.
    site.source("UPDATE ysdb.sync_tables SET renewals = 50, renewed_at = clock_timestamp() - interval '61 minutes' WHERE table_name = 'public.t'; ALTER TABLE t ALTER v TYPE text USING upper(v)");
    site.catch_up();
    CHECK(row_of(site, "public.t")["renewals"] == 1);
    CHECK(site.equal());
}

TEST_CASE("killed at every fault point of taking a table up anew, the same command completes it") {
    for (const std::string point : {"sync.renew.before", "sync.renew.after", "sync.install.before", "sync.copy.begin.before", "sync.copy.begin.after", "sync.copy.snapshot.after", "sync.copy.finish.before",
                                    "sync.copy.finish.after", "sync.copy.state.after", "sync.confirm.before:2"}) {
        CAPTURE(point);
        SyncSite site("\"public.t\", \"public.u\"", "", "wal", {}, copies);
        site.source(simple);
        site.catch_up();
        const bool anew = point == "sync.install.before";   // only then there is something to install
        if (anew) {
            Running run(site, {"sync", "run"}, {{"YSDB_FAULT", point}});
            site.source("INSERT INTO u VALUES (77)");
            REQUIRE(wait_until([&] { return site.target_count("u_current WHERE id = 77") == 1; }));
            site.source("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'another')");
            CHECK(run.wait() == 128 + SIGKILL);
        } else {
            site.source("ALTER TABLE t ALTER v TYPE text USING upper(v)");
            const int ended = site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", point}}).exit_code;
            CHECK(ended == 128 + SIGKILL);
        }
        site.source("UPDATE t SET v = 'w' WHERE id <= 10; INSERT INTO t VALUES (3000, 'n'); INSERT INTO u VALUES (5)");
        site.catch_up();
        CHECK(site.state("public.t") == "following");
        CHECK(site.equal());
        CHECK(site.target_count("system.tables WHERE database = currentDatabase() AND name LIKE '%staging%'") == 0);
    }
}

TEST_CASE("a table that is dropped and made anew in the middle of its copy is copied again by the same run, whatever the set says of halted ones") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        SyncSite site("\"public.t\", \"public.u\"", "", capture);
        site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, repeat('x', 100) || g FROM generate_series(1, 60000) g; ANALYZE t; CREATE TABLE u (id int PRIMARY KEY)");
        Running run(site, {"sync", "run", "--workers", "1", "--range-rows", "3000", "--view-age", "1ms"});
        REQUIRE(wait_until([&] { return site.state("public.t") == "copying" && site.ask_source("SELECT count(*) FROM ysdb.sync_copied_ranges").row(0).integer(0) > 1; }, Millis(60'000)));
        // Large enough that its copy is still on its way when the source is found not to tell it; one that is whole by then is halted like any other.
        site.source("DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'another' FROM generate_series(1, 120000) g; ANALYZE t");
        CHECK_MESSAGE(all_followed(site), run.log());
        site.source("INSERT INTO t VALUES (0, 'later')");
        CHECK(wait_until([&] { return site.target_count("t FINAL WHERE v = 'later'") == 1; }));
        run.signal(SIGTERM);
        CHECK(run.wait() == 143);
        CAPTURE(run.log());
        CHECK(times(run.log(), "sync.halted table=public.t") <= 2);
        site.catch_up();
        CHECK(site.equal());
    }
}

TEST_CASE("a polled set, where a new copy mends nothing, refuses when_halted = \"copy\"") {
    const SyncSite site;
    write_file_atomically(site.directory() + "/ysdb.toml", "[stores.main]\nurl = \"" + site.source_url() + "\"\n[stores.analytics]\nurl = \"clickhouse://127.0.0.1:1/none\"\n[[sync]]\nname = \"polled\"\nfrom = \"analytics\"\n"
                                                               "capture = \"poll\"\ntables = [\"none.t\"]\n" + std::string(copies) + "[[sync.to]]\nstore = \"main\"\ninto = \"public.t\"\n");
    const CommandResult refused = site.ysdb({"sync", "run", "--until-caught-up"});
    CHECK(refused.exit_code == 3);
    CHECK_MESSAGE(refused.err.find("when_halted = \"copy\" is for sources that tell their changes") != std::string::npos, refused.err);
}
