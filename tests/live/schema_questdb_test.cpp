// needs: ticks
// lock: questdb-tables
#include <doctest/doctest.h>

#include "tests/live/schemas.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(30'000)); }

// QuestDB has one database: the tables are there under their own names while the test runs.
class Ticks {
public:
    Ticks() : context_({store_config("ticks")}) {
        drop();
        apply_schema(*context_, "solana", "ticks");
    }
    ~Ticks() { drop(); }
    SqlResult query(const std::string& sql) { return context_->stores.get("ticks").sql()->query(sql, soon()); }
    void down() { apply_schema(*context_, "solana", "ticks", Direction::down); }
    // Rows are there to read once the write-ahead log has been applied.
    bool counts(const std::string& table, std::int64_t rows) {
        return wait_until([&] { return query("SELECT count() FROM " + table).row(0).integer(0) == rows; });
    }
    bool applied(const std::string& table) {
        return wait_until([&] {
            const SqlResult wal = query("SELECT writerTxn, sequencerTxn FROM wal_tables() WHERE name = '" + table + "'");
            return wal.rows() == 1 && wal.row(0).text(0) == wal.row(0).text(1);
        });
    }

private:
    void drop() {
        for (const char* table : {"trades", "positions", "metrics", "mev_events"}) query(std::string("DROP TABLE IF EXISTS ") + table);
    }

    TestContext context_;
};

}  // namespace

TEST_CASE("the four tables have their partitions, thirty days to live, and a write-ahead log") {
    Ticks ticks;
    const SqlResult tables = ticks.query(
        "SELECT table_name, partitionBy, ttlValue, ttlUnit, walEnabled, dedup FROM tables()"
        " WHERE table_name IN ('trades', 'positions', 'metrics', 'mev_events') ORDER BY table_name");
    REQUIRE(tables.rows() == 4);
    const auto line = [&](std::size_t i) {
        std::string text;
        for (std::size_t c = 0; c < 6; ++c) text += (c == 0 ? "" : " ") + tables.row(i).text_or(c, "");
        return text;
    };
    CHECK(line(0).starts_with("metrics DAY 30 DAY t"));
    CHECK(line(1).starts_with("mev_events DAY 30 DAY t"));
    CHECK(line(2).starts_with("positions HOUR 30 DAY t"));
    CHECK(line(3).starts_with("trades DAY 30 DAY t"));
    CHECK_FALSE(tables.row(1).truth(5));
    CHECK(tables.row(3).truth(5));
    ticks.down();
    CHECK(ticks.query("SELECT count() FROM tables() WHERE table_name IN ('trades', 'positions', 'metrics', 'mev_events')").row(0).integer(0) == 0);
    apply_schema(*TestContext({store_config("ticks")}), "solana", "ticks");
}

TEST_CASE("a trade that is sent twice is one trade; two fills in one moment stay two") {
    Ticks ticks;
    const auto trade = [&](const char* signature, double amount) {
        ticks.query("INSERT INTO trades VALUES (to_timestamp('2026-11-01T00:00:00', 'yyyy-MM-ddTHH:mm:ss'), 't1', 'live', 'buy', 'SOL', 'USDC', " + std::to_string(amount) +
                    ", 190.5, 0.1, 0.02, 5000, 0.0, '" + signature + "', 12, true)");
    };
    trade("sig", 1.5);
    trade("sig", 1.5);
    trade("other", 1.5);
    trade("", 1.5);
    trade("", 2.5);
    CHECK(ticks.counts("trades", 4));
    CHECK(ticks.applied("trades"));
    CHECK(ticks.query("SELECT count() FROM trades").row(0).integer(0) == 4);
}

TEST_CASE("the last state of a position wins") {
    Ticks ticks;
    for (const char* amount : {"1.0", "2.0"}) {
        ticks.query(std::string("INSERT INTO positions VALUES (to_timestamp('2026-11-01T00:00:00', 'yyyy-MM-ddTHH:mm:ss'), 't1', 'SOL', ") + amount + ", 190.0, 191.0, 1.0)");
    }
    CHECK(wait_until([&] {
        const SqlResult rows = ticks.query("SELECT amount FROM positions");
        return rows.rows() == 1 && rows.row(0).real(0) == 2.0;
    }));
}

TEST_CASE("a session keeps working when it is given another label") {
    TestContext context({store_config("ticks")});
    const auto session = context->stores.get("ticks").sql()->open_session("first", soon());
    session->set_label("second");
    CHECK(session->query("SELECT 1", soon()).row(0).integer(0) == 1);
}
