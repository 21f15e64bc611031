// needs: main analytics
// takes: 90
// `sync run` with capture = "poll": a ClickHouse table or view read again and again; every change is told, nothing is told twice.
#include "tests/live/sync_site.h"

#include <sstream>

using namespace ysdb;
using namespace ysdb::test;

namespace {

// A ClickHouse database that is read, the PostgreSQL that remembers, another ClickHouse database that takes copies, and lines on stdout.
class PollSite {
public:
    explicit PollSite(std::string table = "", std::string names = "\"v\"") : table_(std::move(table)), names_(std::move(names)), directory_("/tmp/ysdb_" + unique_name()) {
        std::filesystem::create_directories(directory_);
        write_config();
    }
    ~PollSite() { std::filesystem::remove_all(directory_); }
    // What a new site would be, in the databases of this one.
    void begin_anew() {
        home_.empty();
        source_.empty();
        target_.empty();
        set_ = unique_name();
        write_config();
    }
    void set_table(const std::string& table) {
        table_ = table;
        write_config();
    }
    void write_config(const std::string& every = "1h") const {
        write_file_atomically(directory_ + "/ysdb.toml", "[stores.main]\nurl = \"" + home_.config().url + "\"\n[stores.raw]\nurl = \"" + source_.config().url + "\"\n[stores.copy]\nurl = \"" + target_.config().url +
                                                             "\"\n[stores.out]\nurl = \"stdout://\"\n[[sync]]\nname = \"" + set_ + "\"\nfrom = \"raw\"\ncapture = \"poll\"\nevery = \"" + every + "\"\ntables = [" + names_ +
                                                             "]\n" + table_ + "\n[[sync.to]]\nstore = \"copy\"\n[[sync.to]]\nstore = \"out\"\n");
    }
    static Deadline soon() { return Deadline::after(Millis(60'000)); }
    SqlResult source(const std::string& sql) { return open_store(source_.config())->sql()->query(sql, soon()); }
    SqlResult target(const std::string& sql) { return open_store(target_.config())->sql()->query(sql, soon()); }
    SqlResult home(const std::string& sql) { return open_store(home_.config())->sql()->query(sql, soon()); }
    CommandResult ysdb(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) const { return run_ysdb(std::move(arguments), std::move(environment), directory_); }
    // What one run told, a JSON each: it reads everything once, and again for copies.
    std::vector<nlohmann::json> catch_up(int exit_code = 0) const {
        const CommandResult result = ysdb({"sync", "run", "--until-caught-up"});
        CAPTURE(result.out);
        CAPTURE(result.err);
        REQUIRE(result.exit_code == exit_code);
        std::vector<nlohmann::json> told;
        std::istringstream lines(result.out);
        for (std::string line; std::getline(lines, line);) told.push_back(nlohmann::json::parse(line));
        return told;
    }
    // The rows of the copy and of the source, as one text each.
    std::string copied(const std::string& columns = "*") { return rows(target("SELECT " + columns + " FROM v_current ORDER BY ALL")); }
    // ReplacingMergeTree is read as ysdb reads it, others cannot be.
    std::string read(const std::string& columns = "*") {
        const bool replaces = source("SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'v'").row(0).text(0) == "ReplacingMergeTree";
        return rows(source("SELECT " + columns + " FROM v" + (replaces ? " FINAL" : "") + " ORDER BY ALL"));
    }
    std::string state(const std::string& sink = "copy") const {
        const auto report = nlohmann::json::parse(ysdb({"sync", "status", "--output", "json"}).out);
        for (const auto& row : report["tables"]) {
            if (row["sink"] == sink) return row["state"].get<std::string>() + (row["reason"].is_null() || row["reason"] == "" ? "" : ": " + row["reason"].get<std::string>());
        }
        return "";
    }
    const std::string& directory() const { return directory_; }
    const std::string& set() const { return set_; }

private:
    static std::string rows(const SqlResult& result) {
        std::string text;
        for (std::size_t i = 0; i < result.rows(); ++i) {
            for (std::size_t c = 0; c < result.columns.size(); ++c) {
                std::string cell = result.row(i).text_or(c, "NULL");
                // Whole seconds, however many digits the column has for less.
                if (const auto point = cell.rfind('.'); point != std::string::npos && cell.find(':') != std::string::npos && cell.find_first_not_of('0', point + 1) == std::string::npos) cell.resize(point);
                text += cell + " ";
            }
            text += "\n";
        }
        return text;
    }
    TestDatabase home_;
    TestClickHouse source_, target_;
    std::string set_ = unique_name(), table_, names_, directory_;
};

std::string keyed(const std::string& columns, const std::string& more = "") { return "[[sync.table]]\nname = \"v\"\nkey = [" + columns + "]\n" + more; }

// A raw table, and a view over it that people read.
constexpr const char* raw = "CREATE TABLE raw (symbol String, at DateTime64(3, 'UTC'), price Float64) ENGINE = MergeTree ORDER BY (symbol, at)";
constexpr const char* view = "CREATE VIEW v AS SELECT symbol, toStartOfHour(at) AS hour, max(price) AS high, argMax(price, at) AS close, count() AS trades FROM raw GROUP BY symbol, hour";

}  // namespace

TEST_CASE("a view is copied, then what changes in it is told once: new rows, changed rows, rows that are gone") {
    PollSite site(keyed("\"symbol\", \"hour\""));
    site.source(raw);
    site.source(view);
    site.source("INSERT INTO raw SELECT concat('S', toString(number % 20)), toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + number * 60, number FROM numbers(1000)");
    CHECK(site.catch_up().empty());   // lines take no copies: they get what changes from here on
    CHECK(site.copied() == site.read());
    CHECK(site.catch_up().empty());
    site.source("INSERT INTO raw VALUES ('S1', '2026-01-01 00:59:00', 5000), ('NEW', '2026-02-01 00:00:00', 1)");
    const auto told = site.catch_up();
    REQUIRE(told.size() == 2);
    for (const auto& line : told) CHECK(line["op"] == "upsert");
    CHECK(site.copied() == site.read());
    site.source("ALTER TABLE raw DELETE WHERE symbol = 'NEW' SETTINGS mutations_sync = 2");
    const auto gone = site.catch_up();
    REQUIRE(gone.size() == 1);
    CHECK(gone[0]["op"] == "delete");
    CHECK(gone[0]["key"]["symbol"] == "NEW");
    CHECK(gone[0]["version"] > told[0]["version"]);
    CHECK(site.copied() == site.read());
    CHECK(site.catch_up().empty());
    CHECK(site.home("SELECT count(*) FROM ysdb.poll_rows WHERE digest IS NULL").row(0).integer(0) == 0);   // forgotten once it is durable
}

TEST_CASE("after a kill a row that changed, was told, and changed back while nobody looked is told again, and so is one that stayed as it was noted") {
    PollSite site(keyed("\"id\""));
    for (const std::string point : {"sync.poll.note.before", "sync.poll.note.after", "sync.flush.after", "sync.confirm.before", "sync.poll.read.after"}) {
        CAPTURE(point);
        site.begin_anew();
        site.source("CREATE TABLE v (id Int64, n Int64) ENGINE = ReplacingMergeTree ORDER BY id");
        site.source("INSERT INTO v SELECT number, 0 FROM numbers(100)");
        site.catch_up();
        site.source("INSERT INTO v VALUES (1, 1), (2, 1), (1000, 1)");
        CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
        // As it had been: a comparison with what was confirmed would find nothing.
        site.source("INSERT INTO v VALUES (1, 0)");
        site.source("ALTER TABLE v DELETE WHERE id = 1000 SETTINGS mutations_sync = 2");
        site.catch_up();
        CHECK(site.copied() == site.read());
        CHECK(site.catch_up().empty());
    }
}

TEST_CASE("killed at every fault point of the first run, the same command completes the copy, and tells no row as new") {
    PollSite site(keyed("\"id\""));
    for (const std::string point : {"sync.install.before", "sync.install.after", "sync.epoch.before", "sync.epoch.after", "sync.poll.tick.after", "sync.poll.read.before", "sync.poll.note.before", "sync.poll.note.after",
                                    "sync.poll.read.after", "sync.copy.snapshot.before", "sync.copy.snapshot.after", "sync.copy.finish.before", "sync.copy.finish.after", "sync.copy.state.after", "sync.confirm.after"}) {
        CAPTURE(point);
        site.begin_anew();
        site.source("CREATE TABLE v (id Int64, n Int64) ENGINE = MergeTree ORDER BY id");
        site.source("INSERT INTO v SELECT number, 0 FROM numbers(12000)");
        CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
        site.source("INSERT INTO v VALUES (-1, 1)");
        CHECK(site.catch_up().size() <= 1);
        CHECK(site.copied() == site.read());
    }
}

TEST_CASE("with a cursor: rows with the boundary's very time are not lost, late ones within the overlap neither, and none is told twice") {
    PollSite site(keyed("\"id\"", "cursor = \"at\"\noverlap = \"10s\""));
    site.source("CREATE TABLE v (id Int64, at DateTime64(3, 'UTC'), n Int64) ENGINE = MergeTree ORDER BY id");
    site.source("INSERT INTO v SELECT number, '2026-01-01 00:00:00.000', 0 FROM numbers(10)");
    site.catch_up();
    CHECK(site.copied() == site.read());
    site.source("INSERT INTO v VALUES (100, '2026-01-01 00:00:00.000', 1)");          // of the same moment as the last that was seen
    site.source("INSERT INTO v VALUES (101, '2025-12-31 23:59:50.000', 1)");          // late by all of the overlap
    site.source("INSERT INTO v VALUES (102, '2025-12-31 23:59:49.999', 1)");          // later than that
    CHECK(site.catch_up().size() == 2);
    CHECK(site.catch_up().empty());
    site.source("INSERT INTO v VALUES (103, '2026-01-01 00:01:00.000', 1)");
    CHECK(site.catch_up().size() == 1);
    site.source("INSERT INTO v VALUES (104, '2026-01-01 00:00:55.000', 1), (105, '2026-01-01 00:00:30.000', 1)");
    CHECK(site.catch_up().size() == 1);
    CHECK(site.copied("id") == "0 \n1 \n2 \n3 \n4 \n5 \n6 \n7 \n8 \n9 \n100 \n101 \n103 \n104 \n");
    CHECK(site.home("SELECT count(*) FROM ysdb.poll_rows").row(0).integer(0) == 2);  // 103 and 104: what is behind the overlap is forgotten
    // A new copy has what the cursor passed by.
    CHECK(site.ysdb({"sync", "reset", "v", "--yes"}).exit_code == 0);
    site.catch_up();
    CHECK(site.copied("id") == site.read("id"));
}

TEST_CASE("with a cursor: a producer whose clock runs ahead hides nobody else's rows") {
    PollSite site(keyed("\"id\"", "cursor = \"at\"\noverlap = \"10s\""));
    site.source("CREATE TABLE v (id Int64, at DateTime('UTC'), n Int64) ENGINE = MergeTree ORDER BY id");
    site.source("INSERT INTO v SELECT number, now() - 5, 0 FROM numbers(10)");
    site.catch_up();
    site.source("INSERT INTO v VALUES (100, now() + 86400, 1)");
    CHECK(site.catch_up().size() == 1);
    site.source("INSERT INTO v VALUES (101, now(), 1)");
    const auto told = site.catch_up();
    REQUIRE(told.size() == 1);
    CHECK(told[0]["row"]["id"] == 101);
    CHECK(site.copied() == site.read());
    // It may have been ahead when the table was copied, too.
    site.begin_anew();
    site.source("CREATE TABLE v (id Int64, at DateTime('UTC'), n Int64) ENGINE = MergeTree ORDER BY id");
    site.source("INSERT INTO v SELECT number, now() - 5, 0 FROM numbers(10)");
    site.source("INSERT INTO v VALUES (100, now() + 86400, 1)");
    site.catch_up();
    site.source("INSERT INTO v VALUES (101, now(), 1)");
    CHECK(site.catch_up().size() == 1);
    CHECK(site.copied() == site.read());
}

TEST_CASE("with a cursor of integers and no overlap, the last number itself is read again, not told again") {
    PollSite site(keyed("\"id\"", "cursor = \"seq\""));
    site.source("CREATE TABLE v (id Int64, seq UInt64) ENGINE = MergeTree ORDER BY id");
    site.source("INSERT INTO v SELECT number, number FROM numbers(10)");
    site.catch_up();
    site.source("INSERT INTO v VALUES (100, 9), (101, 10), (102, 8)");
    CHECK(site.catch_up().size() == 2);
    CHECK(site.catch_up().empty());
}

TEST_CASE("with a cursor: killed at every moment, no row is lost") {
    PollSite site(keyed("\"id\"", "cursor = \"at\"\noverlap = \"1s\""));
    for (const std::string point : {"sync.poll.note.before", "sync.poll.note.after", "sync.poll.read.after", "sync.flush.before", "sync.flush.after", "sync.confirm.before"}) {
        CAPTURE(point);
        site.begin_anew();
        site.source("CREATE TABLE v (id Int64, at DateTime64(3, 'UTC')) ENGINE = MergeTree ORDER BY id");
        site.source("INSERT INTO v SELECT number, '2026-01-01 00:00:00' FROM numbers(10)");
        site.catch_up();
        site.source("INSERT INTO v VALUES (100, '2026-01-01 00:00:00'), (101, '2026-01-01 01:00:00')");
        CHECK(site.ysdb({"sync", "run", "--until-caught-up"}, {{"YSDB_FAULT", point}}).exit_code == 128 + SIGKILL);
        site.source("INSERT INTO v VALUES (102, '2026-01-01 02:00:00')");
        site.catch_up();
        CHECK(site.copied() == site.read());
    }
}

TEST_CASE("columns that come and go are followed: every row is told with them; with a cursor the table is halted") {
    PollSite site(keyed("\"id\""));
    site.source("CREATE TABLE v (id Int64, n Int64) ENGINE = MergeTree ORDER BY id");
    site.source("INSERT INTO v SELECT number, number FROM numbers(10)");
    site.catch_up();
    site.source("ALTER TABLE v ADD COLUMN extra String DEFAULT concat('x', toString(id)), DROP COLUMN n");
    CHECK(site.catch_up().size() == 10);
    CHECK(site.copied("id, extra") == site.read("id, extra"));
    CHECK(site.catch_up().empty());

    PollSite other(keyed("\"id\"", "cursor = \"id\""));
    other.source("CREATE TABLE v (id Int64) ENGINE = MergeTree ORDER BY id");
    other.source("INSERT INTO v SELECT number FROM numbers(10)");
    other.catch_up();
    other.source("ALTER TABLE v ADD COLUMN n Int64 DEFAULT 7");
    other.catch_up(8);
    CHECK(other.state().starts_with("halted: its columns changed"));
    CHECK(other.ysdb({"sync", "reset", "v", "--yes"}).exit_code == 0);
    other.catch_up();
    CHECK(other.copied() == other.read());
}

TEST_CASE("a key that does not tell rows apart, a table that is gone and a key that changed halt the table and say so") {
    PollSite site(keyed("\"id\""));
    site.source("CREATE TABLE v (id Int64, n Int64) ENGINE = MergeTree ORDER BY id");
    site.source("INSERT INTO v VALUES (1, 1), (2, 1), (2, 1)");   // twice the same is one row
    site.catch_up();
    CHECK(site.copied() == "1 1 \n2 1 \n");
    site.source("INSERT INTO v VALUES (1, 2)");
    site.catch_up(8);
    CHECK(site.state().starts_with("halted: several rows of one read have the key id=1"));
    site.set_table(keyed("\"id\", \"n\""));
    CHECK(site.ysdb({"sync", "reset", "v", "--yes"}).exit_code == 0);
    site.target("DROP TABLE v SYNC");
    site.target("DROP VIEW v_current");
    site.catch_up();
    CHECK(site.copied() == "1 1 \n1 2 \n2 1 \n");
    site.set_table(keyed("\"n\", \"id\""));   // what was told of rows is known by the other key
    site.catch_up(8);
    CHECK(site.state().starts_with("halted: its key is another one"));
}

TEST_CASE("what cannot be polled is refused before anything is made: no key, an unknown column, a cursor that may be NULL, an overlap in another unit, an unfinished aggregate, no PostgreSQL to remember in") {
    PollSite site("");
    site.source(raw);
    site.source(view);
    const auto refusal = [&](int code) {
        const CommandResult result = site.ysdb({"sync", "run", "--until-caught-up"});
        CAPTURE(result.err);
        CHECK(result.exit_code == code);
        return result.err;
    };
    CHECK(refusal(7).find("v has no key") != std::string::npos);
    site.set_table(keyed("\"symbol\", \"houre\""));
    CHECK(refusal(7).find("did you mean 'hour'") != std::string::npos);
    site.set_table(keyed("\"symbol\", \"hour\"", "cursor = \"symbol\""));
    CHECK(refusal(7).find("cannot be a cursor") != std::string::npos);
    site.set_table(keyed("\"symbol\", \"hour\"", "cursor = \"hour\"\noverlap = \"1000\""));
    CHECK(refusal(7).find("overlap = \"1000\" is no distance of its cursor hour") != std::string::npos);
    site.set_table(keyed("\"symbol\", \"hour\"", "cursor = \"trades\"\noverlap = \"1m\""));
    CHECK(refusal(7).find("overlap = \"1m\" is no distance of its cursor trades") != std::string::npos);
    site.source("DROP VIEW v");
    site.source("CREATE TABLE v (id Int64, seen Nullable(DateTime)) ENGINE = MergeTree ORDER BY id");
    site.set_table(keyed("\"id\"", "cursor = \"seen\""));
    CHECK(refusal(7).find("nothing told of it afterwards") != std::string::npos);
    site.source("DROP TABLE v SYNC");
    site.source("CREATE TABLE v (id Int64, a AggregateFunction(sum, Int64)) ENGINE = AggregatingMergeTree ORDER BY id");
    site.set_table(keyed("\"id\""));
    CHECK(refusal(7).find("unfinished aggregate") != std::string::npos);
    const std::string path = site.directory() + "/ysdb.toml";
    std::string text = read_file(path);
    text.insert(text.find("capture ="), "state = \"raw\"\n");
    write_file_atomically(path, text);
    CHECK(refusal(3).find("is not a PostgreSQL store") != std::string::npos);
}

TEST_CASE("while it runs, changes arrive within the time between two reads, through kills of the run") {
    PollSite site(keyed("\"id\""));
    site.write_config("200ms");
    site.source("CREATE TABLE v (id Int64, n Int64) ENGINE = ReplacingMergeTree ORDER BY id");
    site.source("INSERT INTO v SELECT number, 0 FROM numbers(100)");
    auto running = std::make_unique<Running>(site.directory(), std::vector<std::string>{"sync", "run"});
    for (int round = 1; round <= 4; ++round) {
        site.source("INSERT INTO v SELECT number, " + std::to_string(round) + " FROM numbers(" + std::to_string(round) + ", 10)");
        site.source("ALTER TABLE v DELETE WHERE id = " + std::to_string(50 + round) + " SETTINGS mutations_sync = 2");
        CHECK(wait_until([&] {
            try {
                return site.copied() == site.read();
            } catch (const Error&) {
                return false;   // not copied yet
            }
        }));
        running->signal(round % 2 == 0 ? SIGKILL : SIGTERM);
        CHECK(running->wait() == (round % 2 == 0 ? 128 + SIGKILL : 143));
        if (round < 4) running = std::make_unique<Running>(site.directory(), std::vector<std::string>{"sync", "run"});
    }
}

TEST_CASE("a view whose key is not unique when it is copied first is halted with the reason, and the others are followed") {
    PollSite site("[[sync.table]]\nname = \"v\"\nkey = [\"k\"]", "\"v\", \"w\"");
    site.source("CREATE TABLE v (k Int32, n Int32) ENGINE = MergeTree ORDER BY k");
    site.source("INSERT INTO v VALUES (1, 1), (1, 2), (2, 1)");
    site.source("CREATE TABLE w (k Int32, n Int32) ENGINE = MergeTree PRIMARY KEY k ORDER BY k");
    site.source("INSERT INTO w VALUES (1, 1)");
    for (int i = 0; i < 2; ++i) {   // and again, when it is halted
        site.catch_up(8);
        CHECK(site.state().find("halted: ") == 0);
    }
    CHECK(site.target("SELECT count() FROM w_current").row(0).integer(0) == 1);
}

TEST_CASE("a row that cannot be read is a dead letter, and not taken for one that is gone") {
    PollSite site(keyed("\"id\""));
    site.source("CREATE TABLE raw (id Int64, seconds Int64) ENGINE = ReplacingMergeTree ORDER BY id");
    site.source("CREATE VIEW v AS SELECT id, reinterpret(seconds, 'DateTime64(0, \\'UTC\\')') AS at FROM raw FINAL");
    site.source("INSERT INTO raw SELECT number, 1767225600 + number FROM numbers(10)");
    site.catch_up();
    site.source("INSERT INTO raw VALUES (3, 9000000000000000000)");   // a time that microseconds cannot hold
    CHECK(site.catch_up(8).empty());
    CHECK(site.target("SELECT count() FROM v_current").row(0).integer(0) == 10);
    site.source("INSERT INTO raw VALUES (3, 1767225700)");
    const auto told = site.catch_up(8);   // the dead letter is somebody's to look at
    REQUIRE(told.size() == 1);
    CHECK(told[0]["op"] == "upsert");
    CHECK(site.copied() == site.read());
}
