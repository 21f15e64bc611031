// Every way of not getting through to Kafka ends in time with exit 4, the store's name, a next step and no secret.
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
    CHECK(failure.error.message().find("store 'events'") == 0);
    CHECK(failure.error.message().find(expected) != std::string::npos);
    CHECK(!failure.error.hint().empty());
    CHECK((failure.error.message() + failure.error.hint()).find("hunter2") == std::string::npos);
}

std::string url_of(const StrangeServer& server, const std::string& scheme = "kafka") {
    return scheme + "://app:hunter2@127.0.0.1:" + std::to_string(server.port());
}

}  // namespace

TEST_CASE("nobody listens on the port") { check_refused(store_at("events", "kafka://app@127.0.0.1:1,127.0.0.1:2", "hunter2"), "connection refused"); }

TEST_CASE("the host has no address") { check_refused(store_at("events", "kafka://no-such-host.invalid"), "no-such-host.invalid"); }

TEST_CASE("the server accepts and never answers") {
    StrangeServer silent;
    check_refused(store_at("events", url_of(silent)), "no answer in time");
    check_refused(store_at("events", url_of(silent, "kafkas")), "no answer in time to the TLS handshake");
}

TEST_CASE("another kind of server lives there") {
    StrangeServer web("HTTP/1.1 400 Bad Request\r\n\r\n");
    check_refused(store_at("events", url_of(web)), "not Kafka's protocol");
    check_refused(store_at("events", url_of(web, "kafkas")), "tls error");
    StrangeServer redis("-ERR unknown command\r\n");
    check_refused(store_at("events", url_of(redis)), "not Kafka's protocol");
    StrangeServer shy("\r");
    check_refused(store_at("events", url_of(shy)), "closed the connection");
}

TEST_CASE("a live broker after dead ones in the url is found, a dead list names the last") {
    StrangeServer web("HTTP/1.1 400 Bad Request\r\n\r\n");
    check_refused(store_at("events", "kafka://127.0.0.1:1,127.0.0.1:" + std::to_string(web.port())), std::to_string(web.port()));
}

TEST_CASE("a url or option that means nothing is a configuration error") {
    const auto error_of = [](const StoreConfig& config) { return failure_of([&] { open_store(config); }).error; };
    CHECK(error_of(store_at("events", "kafka://h:9092/topic")).message().find("no path") != std::string::npos);
    CHECK(error_of(store_at("events", "kafka://h", "hunter2")).message().find("names no user") != std::string::npos);
    StoreConfig config = store_at("events", "kafka://h");
    config.options = {{"tls_ca", "x"}};
    CHECK(error_of(config).hint().find("kafkas://") != std::string::npos);
    config.options = {{"sasl_mechanisms", "PLAIN"}};
    CHECK(error_of(config).message().find("did you mean 'sasl_mechanism'") != std::string::npos);
    config.options = {{"ssl.key.password", "hunter2"}};
    const Error secret = error_of(config);
    CHECK(secret.code() == Code::config);
    CHECK((secret.message() + secret.hint()).find("hunter2") == std::string::npos);
}
