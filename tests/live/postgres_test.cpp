// needs: main
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "core/value/show.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(20'000)); }

// A port that accepts connections and never says a word.
class SilentServer {
public:
    SilentServer() : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        bind(fd_, reinterpret_cast<sockaddr*>(&address), size);
        listen(fd_, 16);
        getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
    }
    ~SilentServer() { close(fd_); }
    int port() const { return port_; }

private:
    int fd_;
    int port_ = 0;
};

StoreConfig at_url(const std::string& url, const std::string& password = {}) {
    StoreConfig config;
    config.name = "main";
    config.url = url;
    config.password = Secret(password);
    return config;
}

Error failure(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    return Error(Code::ok, "nothing failed");
}

std::string all_rows(Store& store, const TableRef& table) {
    const TableInfo info = store.rows()->describe(table, soon());
    const std::vector<TableRef> tables{table};
    auto snapshot = store.rows()->open_snapshot(tables, soon());
    std::string text;
    for (const ReadRange& range : store.rows()->ranges(info, *snapshot, 1000, soon())) {
        store.rows()->read(info, range, *snapshot, 1 << 16, Millis(20'000), {}, [&](Batch& batch) {
            for (std::size_t row = 0; row < batch.rows(); ++row) {
                for (std::size_t c = 0; c < batch.columns(); ++c) {
                    text += batch.cell(row, c).is_null() ? "NULL" : show_cell(batch.value(row, c), info.columns[c].type);
                    text += c + 1 < batch.columns() ? "|" : "\n";
                }
            }
        }, [&](RejectedRow rejected) { text += "rejected " + rejected.key + ": " + rejected.column + ": " + rejected.reason + "\n"; });
    }
    return text;
}

}  // namespace

TEST_CASE("fifty concurrent queries over a pool of twenty all succeed") {
    StoreConfig config = store_config("main");
    config.pool.max = 20;
    const auto store = open_store(config);
    std::atomic<int> good = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 50; ++i) {
            threads.emplace_back([&, i] {
                const std::vector<std::optional<std::string>> params{std::to_string(i)};
                if (store->sql()->query("SELECT $1::int + 1 FROM pg_sleep(0.05)", params, soon()).row(0).integer(0) == i + 1) ++good;
            });
        }
    }
    CHECK(good == 50);
}

TEST_CASE("a query waits for a free connection no longer than its deadline and says which pool is full") {
    StoreConfig config = store_config("main");
    config.pool.max = 1;
    const auto store = open_store(config);
    std::jthread busy([&] { store->sql()->query("SELECT pg_sleep(1)", soon()); });
    REQUIRE(wait_until([&] {
        return store_config("main").name == "main" && open_store(store_config("main"))->sql()->query("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(1)' AND state = 'active'", soon()).row(0).integer(0) > 0;
    }));
    const Error error = failure([&] { store->sql()->query("SELECT 1", Deadline::after(Millis(100))); });
    CHECK(error.code() == Code::connect);
    CHECK(error.message().find("'main'") != std::string::npos);
    CHECK(error.message().find("pool") != std::string::npos);
}

TEST_CASE("every way of not connecting ends in time with exit 4, the store's name and no secret") {
    SilentServer silent;
    const StoreConfig server = store_config("main");
    const std::string silent_url = "postgres://u@127.0.0.1:" + std::to_string(silent.port()) + "/db";
    struct Case {
        std::string what;
        StoreConfig config;
    };
    std::vector<Case> cases{{"a dead host", at_url("postgres://u@127.0.0.1:1/db", "hunter2")}, {"a host that never answers", at_url(silent_url, "hunter2")}};
    StoreConfig no_such_user = at_url(server.url.substr(0, server.url.find("://") + 3) + "nobody_here@" + server.url.substr(server.url.find('@') + 1), "hunter2");
    cases.push_back({"a wrong password", no_such_user});
    cases.push_back({"TLS demanded of a server without it", at_url(server.url + (server.url.find('?') == std::string::npos ? "?" : "&") + "sslmode=require", "hunter2")});
    for (const Case& one : cases) {
        CAPTURE(one.what);
        for (const bool pooled : {true, false}) {
            const auto start = SteadyClock::now();
            const Error error = failure([&] {
                const auto store = open_store(one.config);
                if (pooled) store->sql()->query("SELECT 1", Deadline::after(Millis(2500)));
                else store->sql()->open_session("test", Deadline::after(Millis(2500)));
            });
            CHECK(std::chrono::duration<double>(SteadyClock::now() - start).count() < 4);
            CHECK(error.code() == Code::connect);
            CHECK(error.message().find("store 'main'") != std::string::npos);
            CHECK(!error.hint().empty());
            CHECK((error.message() + error.hint()).find("hunter2") == std::string::npos);
        }
    }
}

TEST_CASE("of several hosts the first that answers as wanted is taken, and a silent one leaves time for the others") {
    SilentServer silent;
    const StoreConfig server = store_config("main");
    const auto before_hosts = server.url.rfind('@') + 1;
    const std::string login = server.url.substr(0, before_hosts), rest = server.url.substr(before_hosts);
    const std::string dead = "127.0.0.1:1,", mute = "127.0.0.1:" + std::to_string(silent.port()) + ",";
    for (const std::string& hosts : {dead + rest, mute + rest, mute + dead + rest, "no-such-host.invalid:1," + rest + "?sslmode=prefer", mute + rest + "?target_session_attrs=read-write", dead + rest + "?target_session_attrs=prefer-standby"}) {
        CAPTURE(hosts);
        for (const bool pooled : {true, false}) {
            StoreConfig config = at_url(login + hosts);
            config.pool.connect_timeout = Millis(4000);
            const auto start = SteadyClock::now();
            const auto store = open_store(config);
            if (pooled) CHECK(store->sql()->query("SELECT 1", Deadline::after(Millis(4000))).row(0).integer(0) == 1);
            else CHECK(store->sql()->open_session("test", Deadline::after(Millis(4000)))->query("SELECT 1", soon()).row(0).integer(0) == 1);
            CHECK(std::chrono::duration<double>(SteadyClock::now() - start).count() < 4);
        }
    }
    const Error error = failure([&] { open_store(at_url(login + dead + "no-such-host.invalid:1/db"))->sql()->open_session("test", Deadline::after(Millis(3000))); });
    CHECK(error.code() == Code::connect);
    CHECK(error.message().find("onnection refused") != std::string::npos);
    CHECK(error.message().find("cannot find the host no-such-host.invalid") != std::string::npos);
    CHECK(failure([&] { open_store(at_url(login + rest + "?target_session_attrs=standby"))->sql()->query("SELECT 1", soon()); }).message().find("not in hot standby mode") != std::string::npos);
}

TEST_CASE("a statement that overstays its deadline ends there, and the store goes on working") {
    const auto store = open_store(store_config("main"));
    const auto start = SteadyClock::now();
    CHECK(failure([&] { store->sql()->query("SELECT pg_sleep(30)", Deadline::after(Millis(300))); }).code() == Code::connect);
    const auto session = store->sql()->open_session("test", soon());
    CHECK(failure([&] { session->query("SELECT pg_sleep(30)", Deadline::after(Millis(300))); }).code() == Code::connect);
    CHECK(std::chrono::duration<double>(SteadyClock::now() - start).count() < 5);
    CHECK(store->sql()->query("SELECT 1", soon()).row(0).integer(0) == 1);
}

TEST_CASE("a refused statement carries the server's code and message") {
    const auto store = open_store(store_config("main"));
    const Error error = failure([&] { store->sql()->query("SELECT * FROM no_such_table", soon()); });
    CHECK(error.code() == Code::rejected);
    CHECK(error.server_code() == "42P01");
    CHECK(error.message().find("no_such_table") != std::string::npos);
    const auto session = store->sql()->open_session("test", soon());
    CHECK(failure([&] { session->query("SELECT 1/0", soon()); }).server_code() == "22012");
    CHECK(session->query("SELECT 1", soon()).row(0).integer(0) == 1);
}

TEST_CASE("every type is read in its canonical form, extremes included") {
    TestDatabase database;
    const auto store = open_store(database.config());
    const auto session = store->sql()->open_session("test", soon());
    session->query(
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN price AS numeric(12,4);"
        "CREATE TABLE t (id int PRIMARY KEY, b bool, i2 int2, i8 int8, f4 float4, f8 float8, n numeric(20,6), big numeric(76,10), free numeric, p price,"
        " t text, v varchar(9), by bytea, u uuid, d date, tm time, ts timestamp, tz timestamptz, iv interval, j json, jb jsonb, m mood, a int[], ta text[], net inet, moods mood[])",
        soon());
    session->query(
        "INSERT INTO t VALUES (1, true, -32768, 9223372036854775807, 1.5, -0.1, -123.456789, 1234567890123456789012345678901234567890.0123456789, 1.50, 7.25,"
        " 'h\u00e9 \U0001F600', 'x', '\\x00ff', '00112233-4455-6677-8899-aabbccddeeff', '1969-12-31', '23:59:59.5', '1900-01-01', '2026-03-01 12:00:00.123456+00', '1 mon 2 days 3 us',"
        " '{\"a\" : 1}', '{\"b\":2}', 'happy', '{1,NULL,3}', '{}', '10.0.0.1', '{sad}'),"
        " (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),"
        " (3, false, 0, -9223372036854775808, 'NaN', 'Infinity', 'NaN', -0.0000000001, '-Infinity', -0.0001, '', '', '', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'infinity', '00:00',"
        " '-infinity', '0001-01-01 00:00:00+00 BC', '0', 'null', 'null', 'sad', '{}', '{a,\"b,c\"}', '::1/64', '{}')",
        soon());
    CHECK(all_rows(*store, {"public", "t"}) ==
          "1|true|-32768|9223372036854775807|1.5|-0.1|-123.456789|1234567890123456789012345678901234567890.0123456789|1.50|7.2500|"
          "h\u00e9 \U0001F600|x|\\x00ff|00112233-4455-6677-8899-aabbccddeeff|1969-12-31|23:59:59.500000|1900-01-01 00:00:00|2026-03-01 12:00:00.123456|1 months 2 days 3 us|"
          "{\"a\" : 1}|{\"b\": 2}|happy|{1,NULL,3}|{}|10.0.0.1|{sad}\n"
          "2|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL\n"
          "3|false|0|-9223372036854775808|nan|inf|NaN|-0.0000000001|-Infinity|-0.0001|||\\x|ffffffff-ffff-ffff-ffff-ffffffffffff|infinity|00:00:00|-infinity|"
          "0001-01-01 00:00:00 BC|0 months 0 days 0 us|null|null|sad|{}|{a,b,c}|::1/64|{}\n");
}

TEST_CASE("loading by COPY brings back what was read") {
    TestDatabase database;
    const auto store = open_store(database.config());
    const auto session = store->sql()->open_session("test", soon());
    session->query(
        "CREATE TABLE a (id int PRIMARY KEY, i2 int2, n numeric(20,6), w numeric(60,10), free numeric, t text, u uuid, d date, ts timestamptz, jb jsonb, arr int[], f float8, ok bool, iv interval);"
        "INSERT INTO a SELECT g, g % 100, (g * 1.234567)::numeric(20,6) * (CASE WHEN g % 2 = 0 THEN -1 ELSE 1 END), g * 12345678901234567890::numeric, g / 7.0, repeat('x', g % 50), gen_random_uuid(),"
        " date '2000-01-01' + g, timestamptz '1970-01-01+00' + g * interval '1 hour 1 us', jsonb_build_object('g', g), ARRAY[g, NULL], g / 3.0, g % 2 = 0, g * interval '1 day 1 us' FROM generate_series(1, 5000) g;"
        "INSERT INTO a VALUES (0, 0, 0, 0, 0, '', gen_random_uuid(), 'infinity', '-infinity', '[]', '{}', 'NaN', true, '0'),"
        " (-1, NULL, 'NaN', NULL, 'Infinity', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (-2, 1, 99999999999999.999999, 0.0000000001, 10000, 'y', NULL, NULL, NULL, 'null', '{1,2}', 0, false, NULL);"
        "CREATE TABLE b (LIKE a)",
        soon());
    const TableInfo source = store->rows()->describe({"public", "a"}, soon());
    TableInfo target = source;
    target.ref.table = "b";
    std::vector<Batch> batches;
    const std::vector<TableRef> tables{source.ref};
    auto snapshot = store->rows()->open_snapshot(tables, soon());
    for (const ReadRange& range : store->rows()->ranges(source, *snapshot, 100, soon())) {
        store->rows()->read(source, range, *snapshot, 1 << 14, Millis(20'000), {}, [&](Batch& batch) { batches.push_back(std::move(batch)); }, [](RejectedRow row) { FAIL(row.reason); });
    }
    CHECK(batches.size() > 5);
    std::size_t next = 0;
    const std::uint64_t loaded = store->loader()->load(target, [&](Batch& batch) {
        if (next == batches.size()) return false;
        batch = std::move(batches[next++]);
        return true;
    }, Millis(20'000), {});
    CHECK(loaded == 5003);
    CHECK(session->query("SELECT count(*) FROM (SELECT a::text FROM a EXCEPT ALL SELECT b::text FROM b) d", soon()).row(0).integer(0) == 0);
}

TEST_CASE("ranges of a partitioned table cover every row once while others write") {
    TestDatabase database;
    const auto store = open_store(database.config());
    const auto session = store->sql()->open_session("test", soon());
    session->query(
        "CREATE TABLE p (id int, day date, v text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); CREATE TABLE p2 PARTITION OF p FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');"
        "CREATE TABLE pd PARTITION OF p DEFAULT; INSERT INTO p SELECT g, date '2026-01-01' + g % 90, repeat('v', 100) FROM generate_series(1, 20000) g; ANALYZE p",
        soon());
    const TableInfo info = store->rows()->describe({"public", "p"}, soon());
    CHECK(info.partitioned);
    CHECK(info.estimated_rows == 20000);
    CHECK(info.key.size() == 2);
    const std::vector<TableRef> tables{info.ref};
    auto snapshot = store->rows()->open_snapshot(tables, soon());
    session->query("UPDATE p SET v = 'changed'; DELETE FROM p WHERE id % 3 = 0; INSERT INTO p SELECT -g, '2026-01-05', 'new' FROM generate_series(1, 5000) g", soon());
    const auto ranges = store->rows()->ranges(info, *snapshot, 1000, soon());
    CHECK(ranges.size() > 10);
    std::vector<int> seen(20001, 0);
    for (const ReadRange& range : ranges) {
        store->rows()->read(info, range, *snapshot, 1 << 16, Millis(20'000), {}, [&](Batch& batch) {
            for (std::size_t row = 0; row < batch.rows(); ++row) {
                std::int64_t id = 0;
                std::memcpy(&id, batch.value(row, 0).data(), 8);
                REQUIRE(id > 0);
                ++seen[static_cast<std::size_t>(id)];
                REQUIRE(batch.text(row, 2).size() == 100);
            }
        }, [](RejectedRow) {});
    }
    CHECK(std::count(seen.begin() + 1, seen.end(), 1) == 20000);
}

TEST_CASE("a row whose value has no canonical form is told with its key and the rest is read") {
    TestDatabase database;
    const auto store = open_store(database.config());
    store->sql()->open_session("test", soon())->query("CREATE TABLE t (id int PRIMARY KEY, a int[]); INSERT INTO t VALUES (1, '{1}'), (2, '{{1,2},{3,4}}'), (3, NULL)", soon());
    CHECK(all_rows(*store, {"public", "t"}) == "rejected id=2: a: arrays of more than one dimension are not supported\n1|{1}\n3|NULL\n");
}

TEST_CASE("a probe says what the server is") {
    const ProbeResult result = open_store(store_config("main"))->probe(soon());
    CHECK(result.product == "PostgreSQL");
    CHECK(result.role == "primary");
    CHECK(result.latency_s > 0);
    CHECK(std::stoi(result.version) >= 13);
}
