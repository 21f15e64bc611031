// What of Patroni's REST API does not lead to a primary ends in time with exit 4, the store's name, a next step and no secret.
#include <doctest/doctest.h>

#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Failure check_refused(const StoreConfig& config, const std::string& words) {
    const Failure failure = failure_of([&] { open_store(config)->probe(Deadline::after(Millis(3000))); });
    CAPTURE(failure.error.message());
    CHECK(failure.seconds < 4);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.retryable());
    CHECK(failure.error.message().find("store 'main'") == 0);
    CHECK(failure.error.message().find(words) != std::string::npos);
    CHECK(!failure.error.hint().empty());
    CHECK((failure.error.message() + failure.error.hint()).find("swordfish") == std::string::npos);
    return failure;
}

std::string cluster_answer(const std::string& body) {
    return "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("a member that answers nonsense, nothing, or too late is passed over in time") {
    const auto member = [](const StrangeServer& server) { return "127.0.0.1:" + std::to_string(server.port()); };
    const auto at = [](const std::string& members) { return store_at("main", "postgres+patroni://lab@" + members + "/postgres", "swordfish"); };
    StrangeServer silent;
    StrangeServer leaderless(cluster_answer(R"({"members":[{"name":"x","role":"replica","host":"127.0.0.1","port":5432}]})"));
    check_refused(at("127.0.0.1:1"), "Patroni names no primary");
    CHECK(check_refused(at(member(silent) + "," + member(leaderless)), "knows no leader").seconds < 2);  // the silent one had its share, not all
    for (const char* body : {"", "not json", "[]", "{}", R"({"members":7})", R"({"members":[7,null,{"role":1},{"role":"leader"},{"role":"leader","host":5}]})"}) {
        CAPTURE(body);
        StrangeServer strange(cluster_answer(body));
        check_refused(at(member(strange)), "knows no leader");
    }
    // The last of three is right, and there is still time for PostgreSQL itself, which is not there.
    StrangeServer right(cluster_answer(R"({"members":[{"name":"x","role":"leader","host":"127.0.0.1","port":1}]})"));
    CHECK(check_refused(at(member(silent) + "," + member(leaderless) + "," + member(right)), "Connection refused").seconds < 2);
    CHECK(failure_of([&] { open_store(at("h:port")); }).error.code() == Code::config);
    CHECK(failure_of([&] { open_store(at("")); }).error.code() == Code::config);
}
