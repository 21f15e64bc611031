// needs: main analytics
// Some of a table's columns (`columns`, `except` of [[sync.table]]): what is left out is nowhere, by the log, by triggers, and in copies.
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

std::string only(const std::string& what) { return "[[sync.table]]\nname = \"public.t\"\n" + what + "\n"; }

std::string columns_there(SyncSite& site) {
    return site.target("SELECT arrayStringConcat(groupArray(name), ' ') FROM (SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 't' AND name NOT LIKE '\\_%' ORDER BY position)").row(0).text(0);
}

constexpr const char* people = "CREATE TABLE t (id int PRIMARY KEY, email text, secret text DEFAULT md5(random()::text), born date); INSERT INTO t SELECT g, 'e' || g, 's' || g, '2000-01-01' FROM generate_series(1, 100) g";

// The line of the configuration that begins with `key` says this from now on.
void say(const SyncSite& site, const std::string& key, const std::string& what) {
    const std::string path = site.directory() + "/ysdb.toml";
    std::string text = read_file(path);
    const auto at = text.find("\n" + key + " =") + 1;
    text.replace(at, text.find('\n', at) - at, what);
    write_file_atomically(path, text);
}

}  // namespace

TEST_CASE("what is left out is told to no pipe, whichever way changes are captured") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        SyncSite site("\"public.t\"", "[stores.out]\nurl = \"stdout://\"\n[[sync.to]]\nstore = \"out\"\n" + only("except = [\"secret\"]"), capture);
        site.source("CREATE TABLE t (id int PRIMARY KEY, email text, secret text); INSERT INTO t SELECT g, 'e' || g, 'HIDDEN' || g FROM generate_series(1, 100) g; ALTER TABLE t REPLICA IDENTITY FULL");
        std::string told;
        const auto run = [&] {
            const CommandResult result = site.ysdb({"sync", "run", "--until-caught-up"});
            CHECK_MESSAGE(result.exit_code == 0, result.err);
            told += result.out;
        };
        run();
        site.source("UPDATE t SET secret = 'HIDDEN', email = 'new' WHERE id <= 5; INSERT INTO t VALUES (200, 'inserted', 'HIDDEN'); DELETE FROM t WHERE id = 50; UPDATE t SET id = 300 WHERE id = 6; UPDATE t SET secret = 'HIDDEN too' WHERE id = 9");
        run();
        for (const char* shown : {"\"new\"", "\"inserted\"", "\"id\":300"}) CHECK_MESSAGE(told.find(shown) != std::string::npos, shown << " in " << told);
        CHECK_MESSAGE(told.find("HIDDEN") == std::string::npos, told);
        CHECK_MESSAGE(told.find("secret") == std::string::npos, told);
    }
}

TEST_CASE("what is left out is neither copied nor told, whichever way changes are captured") {
    for (const std::string capture : {"wal", "trigger"}) {
        for (const std::string what : {"except = [\"secret\"]", "columns = [\"id\", \"email\", \"born\"]"}) {
            CAPTURE(capture);
            CAPTURE(what);
            SyncSite site("\"public.t\"", only(what), capture);
            site.source(people);
            site.catch_up();
            CHECK(site.equal());
            site.source("UPDATE t SET secret = 'other', email = 'new' WHERE id <= 5; INSERT INTO t VALUES (200, 'x', 'y', '2001-01-01'); DELETE FROM t WHERE id = 50; UPDATE t SET secret = 'only' WHERE id = 9");
            site.catch_up();
            CHECK(site.equal());
            CHECK(columns_there(site) == "id email born");
            site.source("ALTER TABLE t DROP COLUMN born; INSERT INTO t VALUES (201, 'z')");
            if (what.starts_with("columns")) {
                const CommandResult refused = site.ysdb({"sync", "run", "--until-caught-up"});
                CHECK(refused.exit_code == 7);
                CHECK_MESSAGE(refused.err.find("names the column 'born', which is not there") != std::string::npos, refused.err);
                say(site, "columns", "columns = [\"id\", \"email\"]");
            }
            site.catch_up();
            CHECK(site.equal());
            CHECK(columns_there(site) == "id email");
        }
    }
}

TEST_CASE("a value that cannot be read costs its row nothing where its column is left out, in copies and in changes, sent as bytes or as text") {
    for (const std::string capture : {"wal", "trigger"}) {
        for (const std::string seen : {"int", "int4range"}) {   // the latter has the log told as text
            CAPTURE(capture);
            CAPTURE(seen);
            SyncSite site("\"public.t\"", only("except = [\"price\", \"grid\"]"), capture);
            site.source("CREATE TABLE t (id int PRIMARY KEY, email text, price numeric(10,2) NOT NULL, grid int[], seen " + seen + ");"
                        "INSERT INTO t SELECT g, 'e' || g, 'NaN', '{{1,2},{3,4}}' FROM generate_series(1, 100) g");
            site.catch_up();
            CHECK(site.target_count("t_current") == 100);
            site.source("INSERT INTO t VALUES (200, 'x', 'NaN', '{{1},{2}}'); UPDATE t SET email = 'new', price = 1 WHERE id <= 5; UPDATE t SET id = 300 WHERE id = 6; DELETE FROM t WHERE id = 50;"
                        "ALTER TABLE t REPLICA IDENTITY FULL; UPDATE t SET email = 'newer' WHERE id = 7; UPDATE t SET price = 'NaN', id = 301 WHERE id = 5");
            site.catch_up();   // ends with 8 where there are dead letters
            CHECK(site.target_count("t_current") == 100);
            CHECK(columns_there(site) == "id email seen");
            CHECK(site.equal());
        }
    }
}

// A row that is gone when it is asked for is not told before its removal.
TEST_CASE("the source is not asked for a large value that an update did not send where its column is left out") {
    SyncSite site("\"public.t\"", "[stores.out]\nurl = \"stdout://\"\n[[sync.to]]\nstore = \"out\"\n" + only("except = [\"body\"]"));
    site.source("CREATE TABLE t (id int PRIMARY KEY, n int, body text, note text); ALTER TABLE t ALTER body SET STORAGE EXTERNAL, ALTER note SET STORAGE EXTERNAL;"
                "INSERT INTO t SELECT g, g, repeat('b' || g, 3000), CASE WHEN g = 3 THEN repeat('n', 3000) END FROM generate_series(1, 10) g");
    REQUIRE(site.ysdb({"sync", "run", "--until-caught-up"}).exit_code == 0);
    site.source("UPDATE t SET n = 1001 WHERE id = 1"); site.source("DELETE FROM t WHERE id = 1");
    site.source("UPDATE t SET n = 1003 WHERE id = 3"); site.source("DELETE FROM t WHERE id = 3");   // of this one, a value is wanted
    const CommandResult result = site.ysdb({"sync", "run", "--until-caught-up"});
    CHECK_MESSAGE(result.exit_code == 0, result.err);
    CHECK_MESSAGE(result.out.find("1001") != std::string::npos, result.out);
    CHECK_MESSAGE(result.out.find("1003") == std::string::npos, result.out);
    CHECK(site.equal());
}

TEST_CASE("what happens to a column that is left out halts nothing, whatever it does to the rows; the same with one that is told does") {
    for (const std::string capture : {"wal", "trigger"}) {
        CAPTURE(capture);
        SyncSite site("\"public.t\"", only("columns = [\"id\", \"email\"]"), capture);
        site.source(std::string("CREATE TYPE mood AS ENUM ('sad', 'happy');") + people + "; ALTER TABLE t ADD m mood DEFAULT 'sad'");
        site.catch_up();
        for (const char* statement : {"ALTER TABLE t ALTER secret DROP DEFAULT, ALTER secret TYPE int USING length(secret)", "ALTER TABLE t ALTER secret TYPE int USING secret + 1", "ALTER TABLE t ADD r float8 DEFAULT random()", "ALTER TABLE t ADD n serial",
                                      "ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'", "ALTER TABLE t RENAME secret TO hidden", "ALTER TABLE t DROP hidden", "ALTER TABLE t ADD five int DEFAULT 5, ALTER born TYPE timestamp"}) {
            CAPTURE(std::string(statement));
            site.source(statement);
            site.source("INSERT INTO t (id, email) SELECT max(id) + 1, 'after' FROM t; UPDATE t SET email = 'changed' WHERE id = 3");
            site.catch_up();
            CHECK(site.state("public.t") == "following");
            CHECK(site.equal());
        }
        site.source("ALTER TABLE t ALTER r TYPE int USING 1, ALTER email TYPE text USING upper(email)");
        site.catch_up(8);
        CHECK(site.state("public.t") == "halted");
    }
}

TEST_CASE("a column that leaves the choice is dropped there; one that joins it halts the table until it is copied anew") {
    SyncSite site("\"public.t\"", only("except = [\"secret\"]"));
    site.source(people);
    site.catch_up();
    say(site, "except", "except = [\"secret\", \"born\"]");
    site.source("INSERT INTO t (id, email) VALUES (300, 'more')");
    site.catch_up();
    CHECK(site.equal());
    CHECK(columns_there(site) == "id email");
    say(site, "except", "except = [\"secret\"]");
    site.source("INSERT INTO t (id, email) VALUES (301, 'more')");
    site.catch_up(8);
    CHECK(site.state("public.t") == "halted");
    CHECK(site.ysdb({"sync", "reset", "public.t", "--yes"}).exit_code == 0);
    site.catch_up();
    CHECK(site.equal());
    CHECK(columns_there(site).find("born") != std::string::npos);
}

TEST_CASE("columns that come while it runs are told unless they are named; a rename into the choice halts") {
    SyncSite site("\"public.t\"", only("except = [\"secret\", \"hidden\"]"));
    site.source(people);
    site.source("ALTER TABLE t ADD hidden int DEFAULT 4");
    site.catch_up();
    Running running(site, {"sync", "run"});
    REQUIRE(site.is_read());
    site.source("ALTER TABLE t ADD seen int DEFAULT 3; INSERT INTO t (id, seen) VALUES (400, 5)");
    CHECK(site.arrives("t_current WHERE seen = 3", 100, Millis(30'000)));
    CHECK(site.arrives("t_current WHERE seen = 5", 1, Millis(30'000)));
    CHECK(columns_there(site).find("hidden") == std::string::npos);
    site.source("ALTER TABLE t RENAME hidden TO shown; INSERT INTO t (id) VALUES (401)");
    CHECK(wait_until([&] { return site.state("public.t") == "halted"; }));
    running.signal(SIGTERM);
    running.wait();
}

TEST_CASE("a key that is renamed out of the choice halts the table: nothing would tell its rows apart") {
    SyncSite site("\"public.t\"", only("columns = [\"id\", \"email\"]"));
    site.source(people);
    site.catch_up();
    Running running(site, {"sync", "run"});
    REQUIRE(site.is_read());
    site.source("ALTER TABLE t RENAME id TO ident; INSERT INTO t (ident, email) VALUES (400, 'x')");
    CHECK(wait_until([&] { return site.ysdb({"sync", "status", "--output", "json"}).out.find("column ident, which is part of the key, is left out under that name") != std::string::npos; }));
    running.signal(SIGTERM);
    running.wait();
}

TEST_CASE("the key must be in, and what is named must be there") {
    for (const auto& [what, says] : std::vector<std::pair<std::string, std::string>>{{"except = [\"id\"]", "leaves out id, which is part of the key"}, {"columns = [\"id\", \"emial\"]", "did you mean 'email'"}}) {
        SyncSite site("\"public.t\"", only(what));
        site.source(people);
        const CommandResult result = site.ysdb({"sync", "run", "--until-caught-up"});
        CAPTURE(result.err);
        CHECK(result.exit_code == 7);
        CHECK(result.err.find(says) != std::string::npos);
    }
}
