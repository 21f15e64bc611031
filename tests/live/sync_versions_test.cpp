// needs: main analytics
// fetched: postgres-17 postgres-18
// lock: own_lab
// takes: 50
// What each major of PostgreSQL does differently: protocol versions (3 on 15, 4 from 16 on), generated columns, what is told of partitions and
// truncations. The distribution's server is the fixture lab's; 17 and 18 are in labs of their own. `validate` is the judge.
#include "tests/live/own_lab.h"
#include "tests/live/servers.h"
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// A server of that major; none: the fixture lab's.
class Major {
public:
    explicit Major(const std::string& number) : number_(number) {
        if (number.empty()) return;
        lab_.emplace();
        const CommandResult up = lab_->run({"up", "--only", "postgres", "--postgres", number});
        REQUIRE_MESSAGE(up.exit_code == 0, up.out << up.err);
        config_ = store_at("main", nlohmann::json::parse(lab_->run({"env", "--output", "json"}).out)["stores"]["main"]["url"]);
    }
    std::unique_ptr<SyncSite> site(const std::string& tables, const std::string& capture = "wal") const { return std::make_unique<SyncSite>(tables, "", capture, config_); }
    bool at_least(int major) const { return !number_.empty() && std::stoi(number_) >= major; }

private:
    std::string number_;
    std::optional<OwnLab> lab_;
    std::optional<StoreConfig> config_;
};

std::string tables_of(std::initializer_list<std::string> names) {
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "\"public." : ", \"public.") + name + "\"";
    return list;
}

// Binary columns of every kind, generated ones, values stored apart, and a transaction that is told before its commit.
void follow_binary(const Major& server) {
    const auto site = server.site(tables_of({"t", "g", "b", "e"}));
    site->source(every_type_table());
    site->source("CREATE TABLE g (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, z text); INSERT INTO g (id, a, z) SELECT g, g, 'z' FROM generate_series(1, 20) g");
    if (server.at_least(18)) site->source("ALTER TABLE g ADD thrice int GENERATED ALWAYS AS (a * 3) VIRTUAL");
    site->source("CREATE TABLE b (id int PRIMARY KEY, n int, big text); ALTER TABLE b ALTER big SET STORAGE EXTERNAL; INSERT INTO b SELECT g, 0, repeat(md5(g::text), 300) FROM generate_series(1, 20) g");
    site->source("CREATE TABLE e (id int PRIMARY KEY, m mood, ms mood[] NOT NULL DEFAULT '{}'); INSERT INTO e VALUES (1, 'sad', '{happy}')");
    site->source(every_type_rows + " FROM generate_series(1001, 1100) g WHERE false");
    site->source("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET logical_decoding_work_mem = ''64kB''', current_database()); END $$");
    site->catch_up();
    site->source(every_type_rows + " FROM generate_series(1001, 1100) g");
    site->source("UPDATE t SET d = date '1999-01-01' + (id % 5000)::int; DELETE FROM t WHERE id % 7 = 0");
    site->source("UPDATE g SET a = a + 100 WHERE id <= 5; INSERT INTO g (id, a, z) VALUES (21, 21, NULL); DELETE FROM g WHERE id = 6; ALTER TABLE g ADD late int DEFAULT 5; ALTER TABLE g ADD four int GENERATED ALWAYS AS (a * 4) STORED");
    site->source("INSERT INTO g (id, a, z, late) VALUES (22, 22, 'y', NULL)");
    site->source("UPDATE b SET n = 1 WHERE id <= 10; UPDATE b SET id = id + 1000 WHERE id = 11");
    site->source("ALTER TYPE mood ADD VALUE 'calm' BEFORE 'happy'"); site->source("INSERT INTO e VALUES (2, 'calm', '{calm,sad}')");
    site->source("INSERT INTO e VALUES (3, 'sad', '{calm,happy}')");
    // Told while it is open, with a part that is rolled back.
    site->source("BEGIN; INSERT INTO b SELECT g, g, 'streamed' FROM generate_series(2001, 12000) g; SAVEPOINT s; INSERT INTO b SELECT g, g, 'undone' FROM generate_series(12001, 20000) g;"
                 " ROLLBACK TO s; UPDATE b SET n = -1 WHERE id % 100 = 0; COMMIT");
    site->source("BEGIN; INSERT INTO b SELECT g, g, 'never' FROM generate_series(20001, 30000) g; ROLLBACK");
    site->catch_up(8);   // dates before 1900 are dead letters
    CHECK(site->equal());
    CHECK(site->target_count("b_current WHERE big = 'streamed'") == 10'000);
    CHECK(site->target_count("b_current WHERE big IN ('undone', 'never')") == 0);
    CHECK(site->target_count("b_current WHERE length(big) = 9600") == 20);
    CHECK(site->target("SELECT groupArray(toString(m)) FROM (SELECT m FROM e_current ORDER BY id)").row(0).text(0) == "['sad','calm','sad']");
    CHECK(site->ask_source("SELECT stream_txns > 0 FROM pg_stat_replication_slots WHERE slot_name = '" + site->slot() + "'").row(0).truth(0));
    if (server.at_least(17)) CHECK(site->ask_source("SELECT failover FROM pg_replication_slots WHERE slot_name = '" + site->slot() + "'").row(0).truth(0));
    for (const std::string table : {"t", "g", "b", "e"}) CHECK(site->state("public." + table) == "following");
}

// Ranges, composites, addresses and domains over them: all of it comes as text. Partitions that come and go, of a table that is truncated.
void follow_text(const Major& server, const std::string& capture) {
    const auto site = server.site(tables_of({"t"}), capture);
    site->source(every_type_table(", net inet DEFAULT '10.0.0.1', span int4range DEFAULT '[1,5)', spans int8multirange DEFAULT '{[1,3),[7,9)}', pair pair DEFAULT '(1,\"a b\")', many pair[] NOT NULL DEFAULT '{}'"));
    site->source("CREATE DOMAIN pairs AS pair[]; ALTER TABLE t ADD ps pairs NOT NULL DEFAULT ARRAY[ROW(1, 'x')::pair]");
    site->catch_up();
    site->source(every_type_rows + " FROM generate_series(1, 200) g");
    site->source("UPDATE t SET d = date '1999-01-01' + (id % 5000)::int, span = int4range(id::int, NULL), spans = '{(,5),[100,200]}', pair = ROW(id, NULL), many = ARRAY[ROW(id, 'q\"')::pair], net = '10.0.0.0/8'");
    site->catch_up(8);
    CHECK(site->target_count("t_current") == 200);
    CHECK(site->equal());
    site->source("CREATE TABLE t3 PARTITION OF t FOR VALUES FROM ('2027-01-01+00') TO ('2027-02-01+00')");
    site->source("INSERT INTO t (id, day, ia, ta, na, ba) VALUES (9001, '2027-01-05+00', '{}', '{}', '{}', '{}'); UPDATE t SET day = '2026-01-02+00' WHERE id = 9001");  // into another partition
    site->catch_up(8);
    CHECK(site->target_count("t_current") == 201);
    CHECK(site->equal());
    site->source("TRUNCATE t3; INSERT INTO t (id, day, ia, ta, na, ba) VALUES (9003, '2027-01-06+00', '{}', '{}', '{}', '{}')");   // one that came later, alone
    const auto halted = site->catch_up(8);
    CHECK(site->state("public.t") == "halted");
    CHECK_MESSAGE(halted["tables"][0]["reason"].get<std::string>().find("truncated by itself") != std::string::npos, halted["tables"][0]["reason"].dump());
    REQUIRE(site->ysdb({"sync", "reset", "public.t"}).exit_code == 0);
    site->catch_up(8);
    CHECK(site->equal());
    site->source("TRUNCATE t; INSERT INTO t (id, day, ia, ta, na, ba) VALUES (9002, '2027-01-05+00', '{}', '{}', '{}', '{}')");
    site->catch_up(8);
    CHECK(site->target_count("t_current") == 1);
    CHECK(site->equal());
}

void follow(const std::string& number) {
    const Major server(number);
    follow_binary(server);
    follow_text(server, "wal");
    follow_text(server, "trigger");
}

}  // namespace

TEST_CASE("the distribution's PostgreSQL is followed: every kind of column, generated ones left out, what is stored apart, partitions, truncation") { follow(""); }

TEST_CASE("PostgreSQL 17 is followed alike, over protocol version 4, with a slot that may fail over") { follow("17"); }

TEST_CASE("PostgreSQL 18 is followed alike, with virtual generated columns") { follow("18"); }

TEST_CASE("on PostgreSQL 18 a publication that somebody had tell generated columns is set back, since no copy holds them") {
    const Major server("18");
    const auto site = server.site(tables_of({"t"}));
    site->source("CREATE TABLE t (id int PRIMARY KEY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED, z text); INSERT INTO t (id, a, z) SELECT g, g, 'z' FROM generate_series(1, 20) g");
    site->catch_up();
    site->source("ALTER PUBLICATION " + site->slot() + " SET (publish_generated_columns = stored)");
    site->source("INSERT INTO t (id, a) VALUES (21, 21)");
    CHECK(site->json({"sync", "run", "--dry-run"})["install"].size() == 1);
    site->catch_up();
    CHECK(site->state("public.t") == "following");
    CHECK(site->ask_source("SELECT pubgencols FROM pg_publication").row(0).text(0) == "n");
    site->source("INSERT INTO t (id, a) VALUES (22, 22); UPDATE t SET a = 7 WHERE id = 3");
    site->catch_up();
    CHECK(site->equal());
}

TEST_CASE("a primary key with a generated column is refused: changes are told without it") {
    for (const std::string capture : {"wal", "trigger"}) {
        SyncSite site("\"public.t\"", "", capture);
        site.source("CREATE TABLE t (a int, twice int GENERATED ALWAYS AS (a * 2) STORED, z text, PRIMARY KEY (a, twice))");
        const CommandResult refused = site.ysdb({"sync", "run", "--until-caught-up"});
        CHECK(refused.exit_code == 7);
        CHECK_MESSAGE(refused.err.find("generated column twice") != std::string::npos, refused.err);
    }
}
