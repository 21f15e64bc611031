#include "core/store/postgres/ways.h"

#include <doctest/doctest.h>

#include "core/base/text.h"

using namespace ysdb;
using namespace ysdb::postgres;

namespace {

// Each way as host/hostaddr:port, with what a session must be.
std::string ways(const std::string& url) {
    StoreConfig config;
    config.name = "main";
    config.url = url;
    std::vector<std::string> texts;
    for (const Way& way : ways_to(parse_target(config), Deadline::after(Millis(20'000)))) {
        const Target& to = way.target;
        texts.push_back(way.error ? "none" : to.value("host") + "/" + to.value("hostaddr") + ":" + to.value("port") + (to.has("target_session_attrs") ? " " + to.value("target_session_attrs") : ""));
    }
    return join(texts, " | ");
}

}  // namespace

TEST_CASE("each host of a url is a way, with its own port or the one for all") {
    CHECK(ways("postgres://u@127.0.0.1/db") == "127.0.0.1/127.0.0.1:");
    CHECK(ways("postgres://u@127.0.0.1:1,127.0.0.2:2/db") == "127.0.0.1/127.0.0.1:1 | 127.0.0.2/127.0.0.2:2");
    CHECK(ways("postgres://u@127.0.0.1,127.0.0.2/db?port=7") == "127.0.0.1/127.0.0.1:7 | 127.0.0.2/127.0.0.2:7");
    CHECK(ways("postgres://u@[::1]:5/db") == "::1/::1:5");
}

TEST_CASE("a name is not looked up when its address is given, nor is a socket, nor a service") {
    CHECK(ways("postgres://u@db.invalid:1/db?hostaddr=127.0.0.9") == "db.invalid/127.0.0.9:1");
    CHECK(ways("postgres:///db?host=/run/postgresql") == "/run/postgresql/:");
    CHECK(ways("postgres:///db?host=/run/postgresql,127.0.0.1") == "/run/postgresql/: | 127.0.0.1/127.0.0.1:");
    CHECK(ways("postgres:///db") == "/:");
    CHECK(ways("postgres:///db?service=x") == "/:");
    CHECK(ways("postgres://u@h1.invalid,h2.invalid/db?hostaddr=127.0.0.1") == "h1.invalid,h2.invalid/127.0.0.1:,");  // libpq says what is wrong
}

TEST_CASE("a name without an address is a failed way, not the end") { CHECK(ways("postgres://u@no-such-host.invalid:1,127.0.0.1:2/db") == "none | 127.0.0.1/127.0.0.1:2"); }

TEST_CASE("a standby is preferred by asking all for one first, then for any") {
    CHECK(ways("postgres://u@127.0.0.1:1,127.0.0.1:2/db?target_session_attrs=prefer-standby") ==
          "127.0.0.1/127.0.0.1:1 standby | 127.0.0.1/127.0.0.1:2 standby | 127.0.0.1/127.0.0.1:1 any | 127.0.0.1/127.0.0.1:2 any");
    CHECK(ways("postgres://u@127.0.0.1:1/db?target_session_attrs=primary") == "127.0.0.1/127.0.0.1:1 primary");
}

TEST_CASE("the errors of all ways are told once each") {
    StoreConfig config;
    config.name = "main";
    config.url = "postgres://u@h1,h2,h3/db";
    const Target target = parse_target(config);
    const auto error = [](const std::string& reason) { return Error(Code::connect, "store 'main': cannot connect to postgres://u@h1,h2,h3/db: " + reason, "a hint").with_retryable(); };
    const Error all = all_failed(target, {error("refused"), error("silent"), error("refused")});
    CHECK(all.message() == "store 'main': cannot connect to postgres://u@h1,h2,h3/db: refused; silent");
    CHECK(all.hint() == "a hint");
    CHECK(all.retryable());
}
