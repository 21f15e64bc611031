// Every way of not getting through to Redis ends in time with exit 4, the store's name, a next step and no secret.
#include <doctest/doctest.h>

#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

void check_refused(const StoreConfig& config, const std::string& expected) {
    const Failure failure = failure_of([&] { open_store(config)->probe(Deadline::after(Millis(1500))); });
    CAPTURE(failure.error.message());
    CHECK(failure.seconds < 3);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.message().find("store 'cache'") == 0);
    CHECK(failure.error.message().find(expected) != std::string::npos);
    CHECK(!failure.error.hint().empty());
    CHECK((failure.error.message() + failure.error.hint()).find("hunter2") == std::string::npos);
}

std::string url_of(const StrangeServer& server) { return "redis://app:hunter2@127.0.0.1:" + std::to_string(server.port()) + "/0"; }

}  // namespace

TEST_CASE("nobody listens on the port") { check_refused(store_at("cache", "redis://app@127.0.0.1:1/0", "hunter2"), "connection refused"); }

TEST_CASE("the host has no address") { check_refused(store_at("cache", "redis://no-such-host.invalid/0", "hunter2"), "no-such-host.invalid"); }

TEST_CASE("the server accepts and never answers") {
    StrangeServer silent;
    check_refused(store_at("cache", url_of(silent)), "no answer in time");
    check_refused(store_at("cache", "rediss" + url_of(silent).substr(5)), "no answer in time to the TLS handshake");
}

TEST_CASE("another kind of server lives there") {
    StrangeServer web("HTTP/1.1 400 Bad Request\r\n\r\n");
    check_refused(store_at("cache", url_of(web)), "not Redis's protocol");
    StrangeServer postgres(std::string("E\0\0\0\x10", 5));
    check_refused(store_at("cache", url_of(postgres)), "not Redis's protocol");
    check_refused(store_at("cache", "rediss" + url_of(web).substr(5)), "tls error");
}

TEST_CASE("the server hangs up at the first word") {
    // What a PostgreSQL, a Kafka broker or a TLS port does with a command it cannot parse.
    StrangeServer shy("\r");
    check_refused(store_at("cache", url_of(shy)), "store 'cache'");
}

TEST_CASE("the server quotes the password in its refusal") {
    StrangeServer gossip("-ERR unknown command 'AUTH', with args beginning with: 'app' 'hunter2'\r\n+OK\r\n");
    check_refused(store_at("cache", url_of(gossip)), "refused the login");
}

TEST_CASE("no sentinel answers, or what answers is none") {
    check_refused(store_at("cache", "redis+sentinel://127.0.0.1:1,127.0.0.1:2/mymaster/0", "hunter2"), "connection refused");
    StrangeServer web("HTTP/1.1 400 Bad Request\r\n\r\n");
    StrangeServer silent;
    const std::string hosts = "127.0.0.1:" + std::to_string(silent.port()) + ",127.0.0.1:" + std::to_string(web.port());
    check_refused(store_at("cache", "redis+sentinel://" + hosts + "/mymaster/0", "hunter2"), "not Redis's protocol");
}


TEST_CASE("a url that means nothing is a configuration error") {
    for (const auto& [url, expected] : std::vector<std::pair<std::string, std::string>>{
             {"redis://h1,h2/0", "several servers"},
             {"redis://h/one", "is not a number"},
             {"redis+sentinel://h1:26379", "names no master"},
             {"redis+cluster://h1,h2/1", "has none but 0"},
             {"redis+cluster://h/?tls_ca=x", "not encrypted"},
             {"redis+clustre://h", "did you mean 'redis+cluster'"},
             {"redis://h/0?tls_ca=x", "not encrypted"},
             {"rediss://h/0?tlsca=x", "did you mean 'tls_ca'"},
         }) {
        CAPTURE(url);
        const Error error = failure_of([&] { open_store(store_at("cache", url)); }).error;
        CHECK(error.code() == Code::config);
        CHECK((error.message() + error.hint()).find(expected) != std::string::npos);
    }
}
