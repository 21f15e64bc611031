// Every way of not getting through to ClickHouse ends in time with exit 4, the store's name, a next step and no secret.
#include <doctest/doctest.h>

#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Error refusal(const StoreConfig& config) {
    const Failure failure = failure_of([&] { open_store(config)->probe(Deadline::after(Millis(1500))); });
    CAPTURE(failure.error.message());
    CHECK(failure.seconds < 3);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.message().find("store 'analytics'") == 0);
    CHECK(!failure.error.hint().empty());
    CHECK((failure.error.message() + failure.error.hint()).find("hunter2") == std::string::npos);
    return failure.error;
}

bool says(const Error& error, const std::string& words) {
    const bool said = (error.message() + "; " + error.hint()).find(words) != std::string::npos;
    if (!said) MESSAGE(error.message() << "; " << error.hint());
    return said;
}

StoreConfig at(const std::string& scheme, int port) { return store_at("analytics", scheme + "://app@127.0.0.1:" + std::to_string(port) + "/db", "hunter2"); }

// An answer as ClickHouse gives it.
std::string answer(const std::string& status, const std::string& headers, const std::string& body) {
    return "HTTP/1.1 " + status + "\r\nX-ClickHouse-Server-Display-Name: ch\r\nConnection: close\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("nobody listens on the port") {
    CHECK(says(refusal(at("clickhouse", 1)), "cannot reach http://127.0.0.1:1"));
    CHECK(says(refusal(at("clickhouses", 1)), "cannot reach https://127.0.0.1:1"));
}

TEST_CASE("the host has no address") { CHECK(says(refusal(store_at("analytics", "clickhouse://app@no-such-host.invalid/db", "hunter2")), "no-such-host.invalid")); }

TEST_CASE("the server accepts and never answers") {
    StrangeServer silent;
    CHECK(says(refusal(at("clickhouse", silent.port())), "within the timeout"));
    CHECK(says(refusal(at("clickhouses", silent.port())), "within the timeout"));
    CHECK(refusal(at("clickhouse", silent.port())).retryable());
}

TEST_CASE("the program itself gives up on a silent server by --timeout with exit code 4") {
    StrangeServer silent;
    const auto start = SteadyClock::now();
    const CommandResult result = run_ysdb({"status", "--timeout", "500ms", "--output", "json"},
                                          {{"YSDB_STORES_ANALYTICS_URL", "clickhouse://app:hunter2@127.0.0.1:" + std::to_string(silent.port()) + "/db"}}, "/");
    CHECK(std::chrono::duration<double>(SteadyClock::now() - start).count() < 3);
    CHECK(result.exit_code == 4);
    CHECK((result.out + result.err).find("hunter2") == std::string::npos);
}

TEST_CASE("another kind of server lives there") {
    StrangeServer web("HTTP/1.1 404 Not Found\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n");
    CHECK(says(refusal(at("clickhouse", web.port())), "answers HTTP 404 but is not ClickHouse"));
    StrangeServer friendly("HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 4\r\n\r\n1\n1\n");
    CHECK(says(refusal(at("clickhouse", friendly.port())), "is not ClickHouse"));
    StrangeServer proxy(answer("200 OK", "", ""));
    CHECK(says(refusal(at("clickhouse", proxy.port())), "not as a ClickHouse does"));
    StrangeServer native("HTTP/1.0 400 Bad Request\r\n\r\nPort 9000 is for clickhouse-client program\r\nYou must use port 8123 for HTTP.\r\n");
    CHECK(says(refusal(at("clickhouse", native.port())), "8123"));
    StrangeServer redis("-ERR wrong number of arguments for 'post' command\r\n");
    CHECK(says(refusal(at("clickhouse", redis.port())), "does not speak HTTP"));
    StrangeServer postgres(std::string("E\0\0\0\x10", 5));
    CHECK(says(refusal(at("clickhouse", postgres.port())), "does not speak HTTP"));
}

TEST_CASE("the server hangs up, at once or in the middle of its answer") {
    const auto shy = StrangeServer::that_hangs_up();
    CHECK(says(refusal(at("clickhouse", shy.port())), "is it ClickHouse's HTTP port"));
    StrangeServer dying("HTTP/1.1 200 OK\r\nX-ClickHouse-Format: TabSeparatedWithNames\r\nContent-Length: 100\r\n\r\nversion()\n26.");
    const Error error = refusal(at("clickhouse", dying.port()));
    CHECK(says(error, "closed the connection"));
    CHECK(error.retryable());
    StrangeServer chunked("HTTP/1.1 200 OK\r\nX-ClickHouse-Format: TabSeparatedWithNames\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nversion()\n26.");
    CHECK(says(refusal(at("clickhouse", chunked.port())), "closed the connection"));
}

TEST_CASE("a wrong password is not worth a retry, and neither it nor the server's words about it are shown") {
    const std::string words = "Code: 516. DB::Exception: app: Authentication failed: password 'hunter2' is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)\n";
    StrangeServer guarded(answer("403 Forbidden", "X-ClickHouse-Exception-Code: 516\r\n", words));
    const Error error = refusal(at("clickhouse", guarded.port()));
    CHECK(says(error, "did not accept user or password"));
    CHECK(says(error, "password_file"));
    CHECK(error.server_code() == "516");
    CHECK_FALSE(error.retryable());
}

TEST_CASE("TLS where there is none, and none where there is TLS") {
    StrangeServer web("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    CHECK(says(refusal(at("clickhouses", web.port())), "without TLS the url begins with clickhouse://"));
    const auto shy = StrangeServer::that_hangs_up();
    CHECK(says(refusal(at("clickhouses", shy.port())), "without TLS the url begins with clickhouse://"));

    TemporaryDirectory directory;
    const Authority authority(directory.path(), "authority");
    TlsFront encrypted(authority.issue("server", "IP:127.0.0.1"), web.port());
    CHECK(says(refusal(at("clickhouse", encrypted.port())), "clickhouses://"));
}

TEST_CASE("a url that means nothing is a configuration error") {
    for (const auto& [url, expected] : std::vector<std::pair<std::string, std::string>>{
             {"clickhouse://h1,h2/db", "one host"},
             {"clickhouse://h:port/db", "store 'analytics'"},
             {"clickhouse://h/db?tlsca=x", "did you mean 'tls_ca'"},
             {"clickhouse://h/db?compression=lz5", "zstd, none"},
             {"chdb://relative", "absolute"},
         }) {
        CAPTURE(url);
        const Error error = failure_of([&] { open_store(store_at("analytics", url)); }).error;
        CHECK(error.code() == Code::config);
        CHECK((error.message() + error.hint()).find(expected) != std::string::npos);
    }
}
