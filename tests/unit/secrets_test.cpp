#include "core/config/secrets.h"

#include <doctest/doctest.h>

#include "core/base/error.h"

using namespace ysdb;

TEST_CASE("a password is taken out of a URL and decoded") {
    const UrlParts parts = split_password("postgres://app:p%40ss%3Aw@h1:5432,h2:5433/db?sslmode=require");
    CHECK(parts.url == "postgres://app@h1:5432,h2:5433/db?sslmode=require");
    CHECK(parts.password.reveal() == "p@ss:w");
    CHECK(split_password("redis://:pw@h/0").url == "redis://h/0");
    CHECK(split_password("redis://:pw@h/0").password.reveal() == "pw");
    CHECK(split_password("postgres://h/db?password=a%26b&x=1").url == "postgres://h/db?x=1");
    CHECK(split_password("postgres://h/db?password=a%26b&x=1").password.reveal() == "a&b");
}

TEST_CASE("URLs without a password stay as they are") {
    for (const char* url : {"postgres://app@h:5432/db", "chdb:///var/lib/ysdb/ch", "kafka://a:1,b:2",
                            "redis+sentinel://h1:1,h2:2/m/0", "postgres://h:5432/db@x", "postgres:///db?host=/tmp"}) {
        CHECK(split_password(url).url == url);
        CHECK(split_password(url).password.empty());
        CHECK(redact_url(url) == url);
    }
}

TEST_CASE("a password that breaks the URL is refused without being quoted") {
    try {
        split_password("postgres://app:hun/ter2@h/db");
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK((error.message() + error.hint()).find("ter2") == std::string::npos);
    }
}

TEST_CASE("redaction hides every password, and rather too much than too little") {
    CHECK(redact_url("postgres://app:hunter2@h/db") == "postgres://app:***@h/db");
    CHECK(redact_url("postgres://app:hun@ter2@h/db") == "postgres://app:***@h/db");
    CHECK(redact_url("postgres://app:hun/ter2@h/db") == "postgres://app:***@h/db");
    CHECK(redact_url("postgres://app:hun?ter2@h/db") == "postgres://app:***@h/db");
    CHECK(redact_url("weaviate://h/?api_key=hunter2&x=1") == "weaviate://h/?api_key=***&x=1");
    CHECK(redact_url("postgres://h/d?sslPassword=hunter2") == "postgres://h/d?sslPassword=***");
    CHECK(redact_url("postgres://h/d?pass%77ord=hunter2") == "postgres://h/d?pass%77ord=***");
    CHECK(redact_url("no url at all") == "no url at all");
    CHECK(redact_url("") == "");
}
