// needs: analytics
#include <doctest/doctest.h>

#include "core/value/show.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(30'000)); }

Type type(TypeKind kind, bool nullable, std::string native, int precision = 0, int scale = 0) {
    Type made;
    made.kind = kind;
    made.nullable = nullable;
    made.native = std::move(native);
    made.precision = static_cast<std::uint8_t>(precision);
    made.scale = static_cast<std::uint8_t>(scale);
    return made;
}

// A table as PostgreSQL describes it.
TableInfo transfers() {
    Type tags = type(TypeKind::array, false, "text[]");
    tags.element = std::make_shared<const Type>(type(TypeKind::text, true, "text"));
    TableInfo table;
    table.ref = {"public", "transfers"};
    table.columns = {{"id", type(TypeKind::int64, false, "bigint")},
                     {"kind", type(TypeKind::enumeration, false, "transfer_kind")},
                     {"amount", type(TypeKind::decimal, true, "numeric(36,18)", 36, 18)},
                     {"at", type(TypeKind::timestamptz, false, "timestamp with time zone", 0, 6)},
                     {"note", type(TypeKind::text, true, "text"), false, "the user's own words"},
                     {"tags", tags}};
    table.key = {0};
    return table;
}

struct Rows {
    TableInfo table = transfers();
    ChangeBatch changes;

    Rows() { changes.rows = Batch(&table); }

    Rows& add(std::int64_t id, const std::string& kind, std::int64_t amount, std::int64_t at, const std::optional<std::string>& note) {
        changes.rows.add(&id, 8);
        changes.rows.add(kind.data(), kind.size());
        const Int128 wide = amount;
        changes.rows.add(&wide, sizeof wide);
        changes.rows.add(&at, 8);
        if (note) changes.rows.add(note->data(), note->size());
        else changes.rows.add_null();
        const std::string tags("\1\0\0\0\2\0\0\0ab", 10);
        changes.rows.add(tags.data(), tags.size());
        return *this;
    }
};

// Every row as text, sorted by the server's own order of keys.
std::vector<std::string> read_all(Store& store, TableInfo table, const std::string& name) {
    table.ref = {"", name};
    std::vector<std::string> rows;
    const auto snapshot = store.rows()->open_snapshot({}, soon());
    for (const ReadRange& range : store.rows()->ranges(table, *snapshot, 1000, soon())) {
        store.rows()->read(table, range, *snapshot, 1 << 20, Millis(20'000), {}, [&](Batch& batch) {
            for (std::size_t row = 0; row < batch.rows(); ++row) {
                std::string text;
                for (std::size_t c = 0; c < batch.columns(); ++c) text += (c == 0 ? "" : "|") + (batch.cell(row, c).is_null() ? "NULL" : show_cell(batch.value(row, c), table.columns[c].type));
                rows.push_back(text);
            }
        }, [](RejectedRow row) { FAIL(row.reason); });
    }
    std::sort(rows.begin(), rows.end());
    return rows;
}

void copy(Store& store, Rows& rows, const std::string& run, const std::string& token = "t") {
    const auto writer = store.sink()->begin_replace(rows.table, {"", "transfers"}, run, soon());
    rows.changes.versions = {Version{1, 100, 0}};
    writer->apply(rows.changes, run + token, soon(), [](RejectedRow row) { FAIL(row.reason); });
    writer->flush(soon());
    store.sink()->finish_replace(rows.table, {"", "transfers"}, run, soon());
}

std::string one(Store& store, const std::string& sql) { return store.sql()->query(sql, soon()).row(0).text_or(0, "NULL"); }

}  // namespace

TEST_CASE("a copy arrives as it was, and a second one takes its place whole") {
    TestClickHouse database;
    const auto store = open_store(database.config());
    copy(*store, Rows().add(1, "swap", 15, 1'700'000'000'000'001, std::nullopt).add(2, "stake", -7, -1, "it's; a\nnote"), "r1");
    const std::vector<std::string> first{"1|swap|0.000000000000000015|2023-11-14 22:13:20.000001|NULL|{ab}", "2|stake|-0.000000000000000007|1969-12-31 23:59:59.999999|it's; a\nnote|{ab}"};
    CHECK(read_all(*store, transfers(), "transfers") == first);

    copy(*store, Rows().add(3, "swap", 0, 0, ""), "r2");
    CHECK(read_all(*store, transfers(), "transfers") == std::vector<std::string>{"3|swap|0.000000000000000000|1970-01-01 00:00:00||{ab}"});
    CHECK(one(*store, "SELECT count() FROM transfers_current") == "1");
    CHECK(one(*store, "SELECT groupArray(name) FROM (SELECT name FROM system.tables WHERE database = currentDatabase() ORDER BY name)") == "['transfers','transfers_current']");
    CHECK(one(*store, "SELECT comment FROM system.columns WHERE database = currentDatabase() AND table = 'transfers' AND name = 'note'") == "the user's own words");
}

TEST_CASE("the live table is untouched until the copy is finished") {
    TestClickHouse database;
    const auto store = open_store(database.config());
    copy(*store, Rows().add(1, "swap", 1, 0, ""), "r1");
    Rows next;
    next.add(2, "swap", 1, 0, "");
    const auto writer = store->sink()->begin_replace(next.table, {"", "transfers"}, "r2", soon());
    writer->apply(next.changes, "r2", soon(), {});
    CHECK(one(*store, "SELECT groupArray(id) FROM transfers_current") == "[1]");

    SUBCASE("a run that was left behind is cleared away by the next") {
        copy(*store, Rows().add(3, "swap", 1, 0, ""), "r3");
        CHECK(one(*store, "SELECT groupArray(id) FROM transfers_current") == "[3]");
        CHECK(one(*store, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name LIKE '%staging%'") == "0");
    }
}

TEST_CASE("the same token twice is applied once, another run's token again") {
    TestClickHouse database;
    const auto store = open_store(database.config());
    Rows rows;
    rows.add(1, "swap", 1, 0, "");
    const auto writer = store->sink()->begin_replace(rows.table, {"", "transfers"}, "r1", soon());
    for (int i = 0; i < 3; ++i) writer->apply(rows.changes, "r1/0", soon(), {});
    writer->apply(rows.changes, "r1/1", soon(), {});
    store->sink()->finish_replace(rows.table, {"", "transfers"}, "r1", soon());
    CHECK(one(*store, "SELECT count() FROM transfers") == "2");
    CHECK(one(*store, "SELECT count() FROM transfers FINAL") == "1");
}

TEST_CASE("the last version counts, a removal hides its row, and both are read so") {
    TestClickHouse database;
    const auto store = open_store(database.config());
    Rows rows;
    rows.add(1, "swap", 1, 0, "old").add(1, "swap", 1, 0, "new").add(2, "swap", 1, 0, "gone").add(2, "swap", 1, 0, "").add(3, "swap", 1, 0, "back").add(3, "swap", 1, 0, "");
    rows.changes.versions = {{1, 5, 1}, {1, 6, 0}, {1, 5, 2}, {1, 5, 3}, {2, 1, 0}, {1, 9, 9}};
    rows.changes.ops = {Op::upsert, Op::upsert, Op::upsert, Op::remove, Op::upsert, Op::remove};
    const auto writer = store->sink()->begin_replace(rows.table, {"", "transfers"}, "r1", soon());
    writer->apply(rows.changes, "r1/0", soon(), [](RejectedRow row) { FAIL(row.reason); });
    store->sink()->finish_replace(rows.table, {"", "transfers"}, "r1", soon());
    TableInfo wanted = transfers();
    wanted.columns = {wanted.columns[0], wanted.columns[4], {"_version", type(TypeKind::uint128, false, "UInt128")}};
    const auto shown = [](const Version& version) {
        const UInt128 packed = version.packed();
        return show_decimal({reinterpret_cast<const std::uint8_t*>(&packed), 16}, 0);
    };
    CHECK(read_all(*store, wanted, "transfers") == std::vector<std::string>{"1|new|" + shown({1, 6, 0}), "3|back|" + shown({2, 1, 0})});
}

TEST_CASE("rows that do not fit are left out, the others arrive") {
    TestClickHouse database;
    const auto store = open_store(database.config());
    Rows rows;
    rows.add(1, "swap", 1, INT64_MAX, "").add(2, "swap", 1, 0, "").add(3, "swap", 1, 20'000'000'000'000'000, "");
    const auto writer = store->sink()->begin_replace(rows.table, {"", "transfers"}, "r1", soon());
    std::vector<std::string> rejected;
    writer->apply(rows.changes, "r1/0", soon(), [&](RejectedRow row) { rejected.push_back(row.key + " " + row.column); });
    store->sink()->finish_replace(rows.table, {"", "transfers"}, "r1", soon());
    CHECK(rejected == std::vector<std::string>{"id=1 at", "id=3 at"});
    CHECK(one(*store, "SELECT groupArray(id) FROM transfers_current") == "[2]");
}

TEST_CASE("a table that a person made keeps its structure") {
    TestClickHouse database;
    const auto store = open_store(database.config());
    const std::string columns = "id UInt64, kind Enum8('swap' = 1, 'stake' = 2), amount Decimal(76, 20), at DateTime64(3, 'UTC'), note LowCardinality(Nullable(String)), tags Array(String), extra UInt8 DEFAULT 9";
    const std::string keys = ", _version UInt128, _is_deleted UInt8";
    const std::string engine = ") ENGINE = ReplacingMergeTree(_version, _is_deleted) ORDER BY id";
    Rows rows;
    rows.add(1, "stake", 15, 1'000, "n");

    SUBCASE("when it can follow changes") {
        store->sql()->query("CREATE TABLE transfers (" + columns + keys + engine, soon());
        copy(*store, rows, "r1");
        CHECK(read_all(*store, transfers(), "transfers") == std::vector<std::string>{"1|stake|0.000000000000000015|1970-01-01 00:00:00.001000|n|{ab}"});
        CHECK(one(*store, "SELECT type FROM system.columns WHERE database = currentDatabase() AND table = 'transfers' AND name = 'kind'") == "Enum8('swap' = 1, 'stake' = 2)");
        CHECK(one(*store, "SELECT extra FROM transfers") == "9");
    }
    const auto refused = [&](const std::string& words) {
        CAPTURE(words);
        CHECK_THROWS_WITH_AS(copy(*store, rows, "r1"), doctest::Contains(words.c_str()), Error);
        CHECK(one(*store, "SELECT count() FROM system.tables WHERE database = currentDatabase()") == "1");
    };
    SUBCASE("and is refused without a column of the source") {
        store->sql()->query("CREATE TABLE transfers (id Int64" + keys + engine, soon());
        refused("no column kind");
    }
    SUBCASE("and is refused without versions") {
        store->sql()->query("CREATE TABLE transfers (" + columns + ") ENGINE = ReplacingMergeTree ORDER BY id", soon());
        refused("no column _version");
    }
    SUBCASE("and is refused when it keeps every row") {
        store->sql()->query("CREATE TABLE transfers (" + columns + keys + ") ENGINE = MergeTree ORDER BY id", soon());
        refused("engine MergeTree");
    }
    SUBCASE("and is refused when sorted by a column that may change") {
        store->sql()->query("CREATE TABLE transfers (" + columns + keys + ") ENGINE = ReplacingMergeTree(_version, _is_deleted) ORDER BY (id, at)", soon());
        refused("sorted or partitioned by at");
    }
    SUBCASE("and is refused when partitioned by a column that may change") {
        store->sql()->query("CREATE TABLE transfers (" + columns + keys + ") ENGINE = ReplacingMergeTree(_version, _is_deleted) PARTITION BY toYYYYMM(at) ORDER BY id", soon());
        refused("partitioned by at");
    }
}

TEST_CASE("a loader appends batch after batch, equal ones too") {
    TestClickHouse database;
    const auto store = open_store(database.config());
    store->sql()->query("CREATE TABLE t (id UInt32, s LowCardinality(String), left_out UInt8 DEFAULT 7) ENGINE = MergeTree ORDER BY id SETTINGS non_replicated_deduplication_window = 100", soon());
    TableInfo table;
    table.ref = {"", "t"};
    table.columns = {{"id", type(TypeKind::int64, false, "bigint")}, {"s", type(TypeKind::text, false, "text")}};
    int left = 3;
    const auto rows = store->loader()->load(table, [&](Batch& batch) {
        if (left-- == 0) return false;
        for (std::int64_t id = 0; id < 1000; ++id) {
            batch.add(&id, 8);
            batch.add("x", 1);
        }
        return true;
    }, Millis(20'000), {});
    CHECK(rows == 3000);
    CHECK(one(*store, "SELECT (count(), sum(left_out)) FROM t") == "(3000,21000)");
    bool first = true;
    CHECK_THROWS_WITH_AS(store->loader()->load(table, [&](Batch& batch) {
        const std::int64_t id = -1;
        batch.add(&id, 8);
        batch.add("x", 1);
        return std::exchange(first, false);
    }, Millis(20'000), {}), doctest::Contains("id"), Error);
}

TEST_CASE("every type of ClickHouse can be read, unknown ones as text") {
    TestClickHouse database;
    const auto store = open_store(database.config());
    store->sql()->query("CREATE TABLE t (id Int32, m Map(String, UInt8), e Enum16('x' = 5), ip IPv4, lc LowCardinality(Nullable(String)), d32 Decimal32(3), a Array(Nullable(UInt16)), big Int256)"
                        " ENGINE = MergeTree ORDER BY id", soon());
    store->sql()->query("INSERT INTO t SELECT number, map('k', 1), 'x', '1.2.3.4', if(number = 0, NULL, 'v'), -1.5, [1, NULL], -5 FROM numbers(2)", soon());
    const TableInfo table = store->rows()->describe({"", "t"}, soon());
    CHECK(table.key == std::vector<std::uint32_t>{0});
    CHECK(table.estimated_rows == 2);
    CHECK(read_all(*store, table, "t") == std::vector<std::string>{"0|{'k':1}|x|1.2.3.4|NULL|-1.500|{1,NULL}|-5", "1|{'k':1}|x|1.2.3.4|v|-1.500|{1,NULL}|-5"});
}

namespace {

// Rows of one insert each, with keys that go on from the last one's.
void insert_small(RowWriter& writer, int inserts, int rows, const std::string& run, int& next) {
    for (int i = 0; i < inserts; ++i) {
        Rows batch;
        for (int row = 0; row < rows; ++row) batch.add(next + row, "swap", 1, 0, "");
        batch.changes.versions = {Version{1, 100, 0}};
        writer.apply(batch.changes, run + "/" + std::to_string(next), soon(), [](RejectedRow row) { FAIL(row.reason); });
        next += rows;
    }
}

const std::string staged_parts = "SELECT count() FROM system.parts WHERE active AND database = currentDatabase() AND table LIKE '%staging%'";

}  // namespace

TEST_CASE("small inserts are not merged while a copy is small, and are before the server slows inserts down") {
    TestClickHouse database;
    const auto store = open_store(database.config());
    const Rows rows;
    const auto writer = store->sink()->begin_replace(rows.table, {"", "transfers"}, "r1", soon());
    int next = 1;
    insert_small(*writer, 200, 1, "r1", next);
    CHECK(one(*store, staged_parts) == "200");
    insert_small(*writer, 200, 1, "r1", next);
    CHECK(wait_until([&] { return std::stoi(one(*store, staged_parts)) < 300; }));
    store->sink()->finish_replace(rows.table, {"", "transfers"}, "r1", soon());
    CHECK(one(*store, "SELECT count() FROM transfers FINAL") == "400");
}

TEST_CASE("a table that takes few parts, or gets many by each insert, is merged sooner") {
    TestClickHouse database;
    const auto store = open_store(database.config());
    const std::string columns = "(id Int64, kind LowCardinality(String), amount Nullable(Decimal(36, 18)), at DateTime64(6, 'UTC'), note Nullable(String), tags Array(Nullable(String)),"
                                " _version UInt128, _is_deleted UInt8) ENGINE = ReplacingMergeTree(_version, _is_deleted) ORDER BY id ";
    int next = 1;
    SUBCASE("its own settings allow few") {
        store->sql()->query("CREATE TABLE transfers " + columns + "SETTINGS parts_to_delay_insert = 40, parts_to_throw_insert = 60", soon());
        const Rows rows;
        const auto writer = store->sink()->begin_replace(rows.table, {"", "transfers"}, "r1", soon());
        insert_small(*writer, 150, 1, "r1", next);  // without merges the 60th is refused
        store->sink()->finish_replace(rows.table, {"", "transfers"}, "r1", soon());
        CHECK(one(*store, "SELECT count() FROM transfers FINAL") == "150");
    }
    SUBCASE("an insert makes a part in each of many partitions") {
        store->sql()->query("CREATE TABLE transfers " + columns.substr(0, columns.find("ORDER BY")) + "PARTITION BY id % 400 ORDER BY id", soon());
        const Rows rows;
        const auto writer = store->sink()->begin_replace(rows.table, {"", "transfers"}, "r1", soon());
        insert_small(*writer, 4, 400, "r1", next);
        CHECK(one(*store, staged_parts) == "1600");
        insert_small(*writer, 4, 400, "r1", next);
        CHECK(wait_until([&] { return std::stoi(one(*store, staged_parts)) < 3'200; }));  // few of a partition: it takes its time, but goes on
        store->sink()->finish_replace(rows.table, {"", "transfers"}, "r1", soon());
        CHECK(one(*store, "SELECT count() FROM transfers FINAL") == "3200");
    }
}
