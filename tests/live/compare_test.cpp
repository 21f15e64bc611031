// needs: main
// The comparison itself, between two PostgreSQL databases: what it must find does not depend on the kind of store.
#include <doctest/doctest.h>

#include "core/reconcile/validate.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(30'000)); }

class Pair {
public:
    explicit Pair(const std::string& sql)
        : context_({named(left_.config(), "main"), named(right_.config(), "copy")}, [](Config& config) {
              SyncConfig sync;
              sync.name = "pair";
              sync.tables = {"public.t"};
              sync.to.push_back({"copy"});
              config.syncs.push_back(sync);
          }) {
        run("main", sql);
        run("copy", sql);
    }
    void run(const std::string& store, const std::string& sql) { context_->stores.get(store).sql()->open_session("test", soon())->query(sql, soon()); }
    Report validate(reconcile::ValidateOptions options = {}) { return reconcile::validate(*context_, options); }

private:
    static StoreConfig named(StoreConfig config, const std::string& name) {
        config.name = name;
        return config;
    }
    TestDatabase left_, right_;
    TestContext context_;
};

const Table& table(const Report& report, const std::string& name) {
    for (const Table& one : report.tables) {
        if (one.name == name) return one;
    }
    static const Table none;
    return none;
}

std::string cell(const Table& table, std::size_t row, const std::string& column) {
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        if (table.columns[c].name != column) continue;
        const Value& value = table.rows.at(row).at(c);
        if (const auto* text = std::get_if<std::string>(&value)) return *text;
        if (const auto* number = std::get_if<std::int64_t>(&value)) return std::to_string(*number);
    }
    return "(none)";
}

constexpr const char* five_thousand =
    "CREATE TABLE t (id int, part text, amount numeric(20,6), note text, at timestamptz, PRIMARY KEY (id, part));"
    "INSERT INTO t SELECT g, 'p' || g % 3, g * 1.5, CASE WHEN g % 7 = 0 THEN NULL ELSE 'n' || g END, timestamptz '2026-01-01+00' + g * interval '1 minute' FROM generate_series(1, 5000) g";

}  // namespace

TEST_CASE("equal tables are equal whatever order their rows lie in") {
    Pair pair(five_thousand);
    pair.run("copy", "DELETE FROM t WHERE id % 2 = 0; INSERT INTO t SELECT g, 'p' || g % 3, g * 1.5, CASE WHEN g % 7 = 0 THEN NULL ELSE 'n' || g END,"
                     " timestamptz '2026-01-01+00' + g * interval '1 minute' FROM generate_series(5000, 1, -1) g WHERE g % 2 = 0");
    const Report report = pair.validate();
    CHECK(report.code == Code::ok);
    CHECK(cell(table(report, "tables"), 0, "verdict") == "equal");
    CHECK(cell(table(report, "tables"), 0, "rows_source") == "5000");
}

TEST_CASE("one changed value in one column is found and named") {
    Pair pair(five_thousand);
    pair.run("copy", "UPDATE t SET amount = amount + 0.000001 WHERE id = 4242");
    const Report report = pair.validate();
    CHECK(report.code == Code::differences);
    REQUIRE(table(report, "differences").rows.size() == 1);
    CHECK(cell(table(report, "differences"), 0, "key") == "id=4242, part=p0");
    CHECK(cell(table(report, "differences"), 0, "verdict") == "different");
    CHECK(cell(table(report, "differences"), 0, "columns") == "amount");
}

TEST_CASE("NULL is not the empty text, and text that moves between columns is seen") {
    Pair pair("CREATE TABLE t (id int PRIMARY KEY, a text, b text); INSERT INTO t VALUES (1, NULL, 'x'), (2, 'ab', 'c'), (3, '', ''), (4, 'same', NULL)");
    pair.run("copy", "UPDATE t SET a = '' WHERE id = 1; UPDATE t SET a = 'a', b = 'bc' WHERE id = 2; UPDATE t SET a = NULL WHERE id = 3");
    const Report report = pair.validate();
    CHECK(table(report, "differences").rows.size() == 3);
    CHECK(cell(table(report, "differences"), 1, "columns") == "a, b");
}

TEST_CASE("missing, extra and different rows are counted apart") {
    Pair pair(five_thousand);
    pair.run("copy", "DELETE FROM t WHERE id IN (10, 20, 30); INSERT INTO t VALUES (9001, 'new', 1, NULL, now()), (9002, 'new', 1, NULL, now()); UPDATE t SET note = 'changed' WHERE id = 40");
    const Report report = pair.validate();
    CHECK(cell(table(report, "tables"), 0, "missing") == "3");
    CHECK(cell(table(report, "tables"), 0, "extra") == "2");
    CHECK(cell(table(report, "tables"), 0, "different") == "1");
    CHECK(table(report, "differences").rows.size() == 6);
}

TEST_CASE("tables that differ everywhere end early with lower bounds, not with all memory") {
    Pair pair("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 400000) g");
    pair.run("copy", "UPDATE t SET v = 'other'");
    reconcile::ValidateOptions options;
    options.limit = 10;
    const Report report = pair.validate(options);
    CHECK(report.code == Code::differences);
    CHECK(table(report, "differences").rows.size() == 10);
    CHECK(cell(table(report, "tables"), 0, "verdict") == "different (counts are lower bounds)");
}

TEST_CASE("a table without a key is compared as a bag of rows") {
    Pair pair("CREATE TABLE t (v text); INSERT INTO t VALUES ('a'), ('a'), ('b')");
    CHECK(pair.validate().code == Code::ok);
    pair.run("copy", "DELETE FROM t; INSERT INTO t VALUES ('a'), ('b'), ('b')");
    const Report report = pair.validate();
    CHECK(cell(table(report, "tables"), 0, "missing") == "1");
    CHECK(cell(table(report, "tables"), 0, "extra") == "1");
}

TEST_CASE("a column the sink lacks is a difference of structure") {
    Pair pair("CREATE TABLE t (id int PRIMARY KEY, v text)");
    pair.run("copy", "ALTER TABLE t DROP COLUMN v");
    const Report report = pair.validate();
    CHECK(report.code == Code::differences);
    CHECK(cell(table(report, "differences"), 0, "columns") == "v");
}

TEST_CASE("counts within the tolerance agree and beyond it differ") {
    Pair pair(five_thousand);
    pair.run("copy", "DELETE FROM t WHERE id <= 40");
    reconcile::ValidateOptions options;
    options.mode = reconcile::ValidateMode::tolerance;
    CHECK(pair.validate(options).code == Code::ok);
    options.tolerance = 0.001;
    CHECK(pair.validate(options).code == Code::differences);
    options.mode = reconcile::ValidateMode::count;
    CHECK(pair.validate(options).code == Code::differences);
}

TEST_CASE("a table nobody syncs is refused with the nearest name") {
    Pair pair("CREATE TABLE t (id int PRIMARY KEY)");
    reconcile::ValidateOptions options;
    options.filter.tables = {"public.tt"};
    try {
        pair.validate(options);
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.code() == Code::usage);
        CHECK(error.message().find("did you mean 'public.t'") != std::string::npos);
    }
}
