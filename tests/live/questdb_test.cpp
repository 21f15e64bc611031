// needs: ticks
#include <doctest/doctest.h>

#include <limits>

#include "core/store/store.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(20'000)); }

// A table of the test's own, gone at the end.
class TestTable {
public:
    explicit TestTable(const std::string& columns) : store_(open_store(store_config("ticks"))), name_(unique_name()) {
        query("CREATE TABLE " + name_ + " (ts TIMESTAMP, " + columns + ") TIMESTAMP(ts) PARTITION BY DAY WAL");
    }
    ~TestTable() { query("DROP TABLE " + name_); }
    Store* operator->() { return store_.get(); }
    SqlResult query(const std::string& sql) { return store_->sql()->query(sql, soon()); }
    const std::string& name() const { return name_; }

    // The first column is always ts.
    TableInfo info(const std::vector<std::pair<std::string, TypeKind>>& columns) const {
        TableInfo table;
        table.ref.table = name_;
        table.columns.push_back({"ts", {TypeKind::timestamptz}, false, {}});
        for (const auto& [name, kind] : columns) table.columns.push_back({name, {kind}, false, {}});
        table.key = {0};
        return table;
    }
    std::uint64_t load(const TableInfo& table, const std::function<void(Batch&)>& rows) {
        bool first = true;
        return store_->loader()->load(
            table,
            [&](Batch& batch) {
                if (!std::exchange(first, false)) return false;
                rows(batch);
                return true;
            },
            Millis(20'000), {});
    }

private:
    std::unique_ptr<Store> store_;
    std::string name_;
};

template <class Value>
void add(Batch& batch, Value value) {
    batch.add(&value, sizeof value);
}
void add_text(Batch& batch, std::string_view text) { batch.add(text.data(), text.size()); }
void add_decimal(Batch& batch, std::int64_t unscaled) {
    const Int128 value = unscaled;
    batch.add(&value, sizeof value);
}
constexpr std::int64_t first_tick = 1'700'000'000'000'001;

}  // namespace

TEST_CASE("a probe tells the product, its version and how long a round trip takes") {
    const ProbeResult result = open_store(store_config("ticks"))->probe(soon());
    CHECK(result.product == "QuestDB");
    CHECK(result.version.find('.') != std::string::npos);
    CHECK(result.role == "standalone");
    CHECK(result.latency_s > 0);
    CHECK(result.latency_s < 1);
}

TEST_CASE("every type is loaded as it was, and is there to be read when the load returns") {
    TestTable table("s SYMBOL, str STRING, v VARCHAR, d DOUBLE, p DECIMAL(18,4), l LONG, i INT, b BOOLEAN, u UUID, t TIMESTAMP, day DATE");
    TableInfo info = table.info({{"s", TypeKind::text},
                                 {"str", TypeKind::text},
                                 {"v", TypeKind::json},
                                 {"d", TypeKind::float64},
                                 {"p", TypeKind::decimal},
                                 {"l", TypeKind::int64},
                                 {"i", TypeKind::int32},
                                 {"b", TypeKind::boolean},
                                 {"u", TypeKind::uuid},
                                 {"t", TypeKind::timestamptz},
                                 {"day", TypeKind::date}});
    info.columns[5].type.precision = 18;
    info.columns[5].type.scale = 4;
    const std::string odd = "a b,c=d\\e\"f\né";
    CHECK(table.load(info, [&](Batch& batch) {
        add(batch, first_tick);
        add_text(batch, odd);
        add_text(batch, odd);
        add_text(batch, "{\"a\": \"b\\n\"}");
        add(batch, 0.1);
        add_decimal(batch, -1234567);
        add(batch, std::numeric_limits<std::int64_t>::max());
        add(batch, std::int64_t{-2147483647});
        add(batch, true);
        std::vector<std::uint8_t> uuid(16);
        for (std::uint8_t n = 0; n < 16; ++n) uuid[n] = static_cast<std::uint8_t>(n * 17);
        batch.add(uuid.data(), uuid.size());
        add(batch, std::int64_t{-1});
        add(batch, std::int32_t{19'000});
        add(batch, first_tick + 1);  // and a row with everything NULL that may be
        for (int n = 0; n < 7; ++n) batch.add_null();
        add(batch, false);
        for (int n = 0; n < 3; ++n) batch.add_null();
    }) == 2);
    const SqlResult result = table.query("SELECT * FROM " + table.name());
    REQUIRE(result.rows() == 2);
    const SqlRow row = result.row(0);
    CHECK(row.text(0) == "2023-11-14 22:13:20.000001");
    CHECK(row.text(1) == odd);
    CHECK(row.text(2) == odd);
    CHECK(row.text(3) == "{\"a\": \"b\\n\"}");
    CHECK(row.text(4) == "0.1");
    CHECK(row.text(5) == "-123.4567");
    CHECK(row.text(6) == "9223372036854775807");
    CHECK(row.text(7) == "-2147483647");
    CHECK(row.truth(8));
    CHECK(row.text(9) == "00112233-4455-6677-8899-aabbccddeeff");
    CHECK(row.text(10) == "1969-12-31 23:59:59.999999");
    CHECK(row.text(11).starts_with("2022-01-08"));
    for (std::size_t column = 1; column < 12; ++column) {
        CAPTURE(column);
        if (column != 8) CHECK(result.row(1).null(column));
    }
}

TEST_CASE("a large load is whole when it returns") {
    TestTable table("n LONG, price DOUBLE");
    const TableInfo info = table.info({{"n", TypeKind::int64}, {"price", TypeKind::float64}});
    std::int64_t next = 0;
    const std::uint64_t rows = table->loader()->load(
        info,
        [&](Batch& batch) {
            for (int n = 0; n < 10'000; ++n, ++next) {
                add(batch, first_tick + next);
                add(batch, next);
                add(batch, static_cast<double>(next) / 3);
            }
            return next <= 300'000;
        },
        Millis(20'000), {});
    CHECK(rows == 300'000);
    const SqlResult result = table.query("SELECT count(), sum(n) FROM " + table.name());
    CHECK(result.row(0).integer(0) == 300'000);
    CHECK(result.row(0).integer(1) == 299'999LL * 300'000 / 2);
}

TEST_CASE("what QuestDB would store as something else is refused with the row's key, nothing of that batch is kept") {
    TestTable table("i INT, b BOOLEAN, d DOUBLE");
    const TableInfo info = table.info({{"i", TypeKind::int64}, {"b", TypeKind::boolean}, {"d", TypeKind::float64}});
    const auto load = [&](std::int64_t i, std::optional<bool> b, double d) {
        return failure_of([&] {
                   table.load(info, [&](Batch& batch) {
                       add(batch, first_tick);
                       add(batch, i);
                       if (b) add(batch, *b);
                       else batch.add_null();
                       add(batch, d);
                   });
               }).error;
    };
    for (const Error& error : {load(1, {}, 1), load(std::numeric_limits<std::int32_t>::min(), true, 1), load(1, true, std::numeric_limits<double>::quiet_NaN())}) {
        CHECK(error.code() == Code::rejected);
        CHECK(error.message().find("NULL") != std::string::npos);
        CHECK(error.message().find("ts=2023-11-14") != std::string::npos);
    }
    const Error too_large = load(5'000'000'000, true, 1);
    CHECK(too_large.code() == Code::rejected);
    CHECK(too_large.message().find("column: i") != std::string::npos);
    CHECK(table.query("SELECT count() FROM " + table.name()).row(0).integer(0) == 0);
}

TEST_CASE("a missing table or column is refused, not created") {
    TestTable table("n LONG");
    const Error column = failure_of([&] { table.load(table.info({{"m", TypeKind::int64}}), [](Batch&) {}); }).error;
    CHECK(column.code() == Code::refused);
    CHECK(column.message().find("no column m") != std::string::npos);
    TableInfo other = table.info({{"n", TypeKind::int64}});
    other.ref.table = unique_name();
    const Error missing = failure_of([&] { table.load(other, [](Batch&) {}); }).error;
    CHECK(missing.code() == Code::refused);
    CHECK(missing.message().find(other.ref.table) != std::string::npos);
    CHECK(table.query("SELECT count() FROM tables() WHERE table_name = '" + other.ref.table + "'").row(0).integer(0) == 0);
}

TEST_CASE("every way of not getting through ends in time with exit 4, the store's name and no secret") {
    StrangeServer silent;
    StrangeServer web("HTTP/1.1 400 Bad Request\r\n\r\n");
    const std::string url = store_config("ticks").url;
    StoreConfig wrong_password = store_config("ticks");
    wrong_password.password = Secret("hunter2");
    for (const StoreConfig& config :
         {store_at("ticks", "questdb://127.0.0.1:1", "hunter2"), store_at("ticks", "questdb://127.0.0.1:" + std::to_string(silent.port()), "hunter2"),
          store_at("ticks", "questdb://127.0.0.1:" + std::to_string(web.port()), "hunter2"), wrong_password}) {
        CAPTURE(config.url);
        const Failure failure = failure_of([&] { open_store(config)->probe(Deadline::after(Millis(2000))); });
        CHECK(failure.seconds < 3.5);
        CHECK(failure.error.code() == Code::connect);
        CHECK(failure.error.message().find("store 'ticks'") == 0);
        CHECK(!failure.error.hint().empty());
        CHECK((failure.error.message() + failure.error.hint()).find("hunter2") == std::string::npos);
    }
    TestTable table("n LONG");
    StoreConfig no_http = store_config("ticks");
    no_http.options["http_port"] = std::to_string(silent.port());
    const Failure failure = failure_of([&] {
        const auto store = open_store(no_http);
        int calls = 0;
        store->loader()->load(
            table.info({{"n", TypeKind::int64}}),
            [&](Batch& batch) {
                add(batch, first_tick);
                add(batch, std::int64_t{1});
                return ++calls == 1;
            },
            Millis(1000), {});
    });
    CHECK(failure.seconds < 3);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.hint().find("http_port") != std::string::npos);
}
