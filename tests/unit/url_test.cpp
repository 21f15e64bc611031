#include "core/base/url.h"

#include <doctest/doctest.h>

#include "core/base/error.h"

using namespace ysdb;

TEST_CASE("a url is taken apart, several hosts and encoded parts included") {
    const Url url = parse_url("Redis+Sentinel://app:p%40ss%2Fword@h1:26379,[::1],h3/my%20master/2?tls_ca=/etc/ca.pem&flag", "store 'cache'", 26379);
    CHECK(url.scheme == "redis+sentinel");
    CHECK(url.user == "app");
    CHECK(url.password == "p@ss/word");
    REQUIRE(url.hosts.size() == 3);
    CHECK(url.hosts[0].text() == "h1:26379");
    CHECK(url.hosts[1].text() == "[::1]:26379");
    CHECK(url.hosts[2].text() == "h3:26379");
    CHECK(url.path == "my master/2");
    CHECK(url.query.at("tls_ca") == "/etc/ca.pem");
    CHECK(url.query.count("flag") == 1);
}

TEST_CASE("an unescaped at sign in a password belongs to the password") {
    const Url url = parse_url("kafka://u:a@b@host", "store 'events'", 9092);
    CHECK(url.password == "a@b");
    CHECK(url.hosts[0] == Endpoint{"host", 9092});
}

TEST_CASE("the redacted url has no password and no secret parameter") {
    const Url url = parse_url("redis://app:hunter2@h:1/0?sentinel_password=hunter2&tls_ca=x", "store 'cache'", 1);
    CHECK(url.redacted() == "redis://app@h:1/0?sentinel_password=***&tls_ca=x");
}

TEST_CASE("an unreadable url is a configuration error that repeats nothing of the url") {
    for (const char* text : {"hunter2", "redis://", "redis://:hunter2@", "redis://h:hunter2/0", "redis://h:99999", "redis://[::1/hunter2", "redis://u:hun/ter2@h"}) {
        CAPTURE(text);
        try {
            parse_url(text, "store 'cache'", 6379);
            FAIL("it was accepted");
        } catch (const Error& error) {
            CHECK(error.code() == Code::config);
            CHECK(error.message().find("store 'cache'") == 0);
            CHECK((error.message() + error.hint()).find("hun") == std::string::npos);
        }
    }
}

TEST_CASE("percent encoding comes back as it was") {
    const std::string text = "a b/%:\xc3\xa9";
    CHECK(percent_encode(text) == "a%20b%2F%25%3A%C3%A9");
    CHECK(percent_decode(percent_encode(text)) == text);
}
