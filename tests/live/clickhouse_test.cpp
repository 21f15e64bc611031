// needs: analytics
// The ClickHouse driver beside a server that works: many callers at once, deadlines, refusals, TLS.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "core/base/url.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(30'000)); }

int port_of(const StoreConfig& config) { return parse_url(config.url, "the test's store", 8123).hosts[0].port; }

// How many statements of this store the server is working at.
std::int64_t running(Store& store, const std::string& words) {
    const std::vector<std::optional<std::string>> params{words};
    return store.sql()->query("SELECT count() FROM system.processes WHERE position(query, {p1:String}) > 0 AND position(query, 'system.processes') = 0", params, soon()).row(0).integer(0);
}

// Goes on for hours unless somebody ends it. `name` tells it from others.
std::string endless(const std::string& name) { return "SELECT max(sipHash64(number)) AS " + name + " FROM numbers(1000000000000)"; }

}  // namespace

TEST_CASE("fifty concurrent queries over a pool of twenty all succeed, each with its own answer") {
    StoreConfig config = store_config("analytics");
    config.pool.max = 20;
    const auto store = open_store(config);
    std::atomic<int> good = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 50; ++i) {
            threads.emplace_back([&, i] {
                const std::vector<std::optional<std::string>> params{std::to_string(i)};
                if (store->sql()->query("SELECT {p1:Int32} + 1 WHERE sleep(0.05) = 0", params, soon()).row(0).integer(0) == i + 1) ++good;
            });
        }
    }
    CHECK(good == 50);
}

TEST_CASE("a query waits for a free connection no longer than its deadline and says which pool is full") {
    StoreConfig config = store_config("analytics");
    config.pool.max = 1;
    const auto store = open_store(config);
    const auto observer = open_store(store_config("analytics"));
    const std::string name = unique_name();
    std::jthread busy([&] { failure_of([&] { store->sql()->query(endless(name), Deadline::after(Millis(4000))); }); });
    REQUIRE(wait_until([&] { return running(*observer, name) == 1; }));
    const Failure failure = failure_of([&] { store->sql()->query("SELECT 1", Deadline::after(Millis(100))); });
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.seconds < 2);
    CHECK(failure.error.message().find("'analytics'") != std::string::npos);
    CHECK(failure.error.message().find("pool") != std::string::npos);
}

TEST_CASE("a statement that overstays its deadline ends there, on the server too, and the store goes on working") {
    const auto store = open_store(store_config("analytics"));
    const std::string name = unique_name();
    const Failure pooled = failure_of([&] { store->sql()->query(endless(name + "_pooled"), Deadline::after(Millis(500))); });
    const auto session = store->sql()->open_session("test", soon());
    const Failure alone = failure_of([&] { session->query(endless(name + "_alone"), Deadline::after(Millis(500))); });
    for (const Failure& failure : {pooled, alone}) {
        CHECK(failure.error.code() == Code::connect);
        CHECK(failure.error.retryable());
        CHECK(failure.seconds < 2);
    }
    CHECK(store->sql()->query("SELECT 1", soon()).row(0).integer(0) == 1);
    CHECK(session->query("SELECT 2", soon()).row(0).integer(0) == 2);
    CHECK(wait_until([&] { return running(*store, name) == 0; }));
}

TEST_CASE("a session can be cancelled from another thread") {
    const auto store = open_store(store_config("analytics"));
    const auto session = store->sql()->open_session("test", soon());
    const std::string name = unique_name();
    Failure failure;
    {
        std::jthread caller([&] { failure = failure_of([&] { session->query(endless(name), soon()); }); });
        CHECK(wait_until([&] { return running(*store, name) == 1; }));
        session->cancel();
    }
    CHECK(failure.error.code() == Code::rejected);
    CHECK(failure.error.server_code() == "394");  // QUERY_WAS_CANCELLED
    CHECK(failure.seconds < 20);
    CHECK(session->query("SELECT 1", soon()).row(0).integer(0) == 1);
}

TEST_CASE("a refused statement carries the server's code and message") {
    const auto store = open_store(store_config("analytics"));
    const Error error = failure_of([&] { store->sql()->query("SELECT * FROM no_such_table", soon()); }).error;
    CHECK(error.code() == Code::rejected);
    CHECK(error.server_code() == "60");
    CHECK(error.message().find("store 'analytics'") == 0);
    CHECK(error.message().find("no_such_table") != std::string::npos);
    CHECK_FALSE(error.retryable());
    const auto session = store->sql()->open_session("test", soon());
    CHECK(failure_of([&] { session->query("SELECT intDiv(1, 0)", soon()); }).error.server_code() == "153");
    CHECK(failure_of([&] { session->query("SELEC 1", soon()); }).error.server_code() == "62");
    CHECK(session->query("SELECT 1", soon()).row(0).integer(0) == 1);
}

TEST_CASE("a database that does not exist is told as such") {
    StoreConfig config = store_config("analytics");
    config.url = "clickhouse://127.0.0.1:" + std::to_string(port_of(config)) + "/no_such_database";
    const Error error = failure_of([&] { open_store(config)->sql()->query("SELECT 1", soon()); }).error;
    CHECK(error.server_code() == "81");
    CHECK(error.message().find("no_such_database") != std::string::npos);
    CHECK(!error.hint().empty());
}

TEST_CASE("values travel apart from the statement, whatever is in them") {
    const auto store = open_store(store_config("analytics"));
    for (const std::string& value : {std::string("it's"), std::string("a\\b\tc\nd"), std::string("{p1:String}"), std::string("\\N"), std::string("\xf0\x9f\x98\x80 &=%+?#"), std::string()}) {
        CAPTURE(value);
        const std::vector<std::optional<std::string>> params{value};
        CHECK(store->sql()->query("SELECT {p1:String}", params, soon()).row(0).text(0) == value);
    }
    const std::vector<std::optional<std::string>> nothing{std::nullopt};
    CHECK(store->sql()->query("SELECT {p1:Nullable(String)}", nothing, soon()).row(0).null(0));
}

TEST_CASE("what a session sets stays with it") {
    const auto store = open_store(store_config("analytics"));
    const auto session = store->sql()->open_session("test", soon());
    session->query("SET max_block_size = 123", soon());
    CHECK(session->query("SELECT getSetting('max_block_size')", soon()).row(0).integer(0) == 123);
    CHECK(store->sql()->query("SELECT getSetting('max_block_size')", soon()).row(0).integer(0) != 123);
}

TEST_CASE("over TLS the server's certificate must be signed by the named authority, carry the host's name and be valid") {
    TemporaryDirectory directory;
    const Authority authority(directory.path(), "authority");
    const Authority stranger(directory.path(), "stranger");
    const int plain = port_of(store_config("analytics"));
    TlsFront server(authority.issue("server", "IP:127.0.0.1"), plain);
    TlsFront misnamed(authority.issue("misnamed", "DNS:ch.example"), plain);
    TlsFront expired(authority.issue("expired", "IP:127.0.0.1", -1), plain);
    const auto at = [](const TlsFront& front, const std::string& ca) {
        StoreConfig config = store_at("analytics", "clickhouses://app@127.0.0.1:" + std::to_string(front.port()), "hunter2");
        if (!ca.empty()) config.options["tls_ca"] = ca;
        return config;
    };

    const auto store = open_store(at(server, authority.file()));
    CHECK(store->probe(soon()).product == "ClickHouse");
    CHECK(store->sql()->query("SELECT repeat('x', 1000000)", soon()).row(0).text(0).size() == 1'000'000);
    CHECK(store->redacted_url().starts_with("clickhouses://"));

    const auto refused = [](const StoreConfig& config) {
        const Failure failure = failure_of([&] { open_store(config)->probe(Deadline::after(Millis(2000))); });
        CAPTURE(failure.error.message());
        CHECK(failure.seconds < 3);
        CHECK(failure.error.code() == Code::connect);
        CHECK_FALSE(failure.error.retryable());
        CHECK(failure.error.message().find("store 'analytics': the certificate of https://127.0.0.1:") == 0);
        CHECK(failure.error.hint().find("tls_ca") != std::string::npos);
        CHECK((failure.error.message() + failure.error.hint()).find("hunter2") == std::string::npos);
        return failure.error.message();
    };
    refused(at(server, stranger.file()));
    refused(at(server, ""));  // the system's roots do not know it
    refused(at(misnamed, authority.file()));
    CHECK(refused(at(expired, authority.file())).find("expired") != std::string::npos);

    const Error no_such_file = failure_of([&] { open_store(at(server, (directory.path() / "none.pem").string()))->probe(soon()); }).error;
    CHECK(no_such_file.code() == Code::config);
    CHECK(no_such_file.message().find("none.pem") != std::string::npos);
}

TEST_CASE("a url without TLS at an encrypted port, and with TLS at a plain one, is told to change its scheme") {
    TemporaryDirectory directory;
    const Authority authority(directory.path(), "authority");
    const int plain = port_of(store_config("analytics"));
    TlsFront encrypted(authority.issue("server", "IP:127.0.0.1"), plain);
    const auto hint = [](const std::string& scheme, int port) {
        const Failure failure = failure_of([&] { open_store(store_at("analytics", scheme + "://127.0.0.1:" + std::to_string(port)))->probe(Deadline::after(Millis(2000))); });
        CHECK(failure.error.code() == Code::connect);
        CHECK(failure.seconds < 3);
        return failure.error.hint();
    };
    CHECK(hint("clickhouse", encrypted.port()).find("clickhouses://") != std::string::npos);
    CHECK(hint("clickhouses", plain).find("clickhouse://") != std::string::npos);
}
