#include <doctest/doctest.h>

#include "core/plan/cluster.h"

using namespace ysdb;
using namespace ysdb::plan;

namespace {

using Cells = std::vector<std::optional<std::string>>;

// As distributed_ddl_output_mode = never_throw answers; columns and codes were seen on a cluster of two hosts.
SqlResult answer(Cells cells) { return {{"host", "port", "status", "error", "num_hosts_remaining", "num_hosts_active"}, std::move(cells), 0}; }
SqlResult queue(Cells cells) { return {{"host", "port", "status", "exception_code", "exception_text"}, std::move(cells), 0}; }

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("when every host did it there is nothing to say") {
    const auto hosts = hosts_answered(answer({"ch1", "9000", "0", "", "1", "0", "ch2", "9000", "0", "", "0", "0"}));
    REQUIRE(hosts.size() == 2);
    CHECK(hosts[0].host == "ch1:9000");
    CHECK(all_answered(hosts));
    CHECK_FALSE(judge("c", hosts));
}

TEST_CASE("a host that failed is named with what it says, and those that did it are counted") {
    const auto hosts = hosts_answered(answer({"ch1", "9000", "0", "", "2", "0", "ch2", "9000", "57", "Code: 57. DB::Exception: Table d.t already exists.\nstack", "1", "0", "ch3", "9000", "0", "", "0", "0"}));
    const auto error = judge("c", hosts);
    REQUIRE(error);
    CHECK(error->code() == Code::rejected);
    CHECK(error->message() == "ON CLUSTER c: 2 of 3 hosts have done it; ch2:9000 failed: Code: 57. DB::Exception: Table d.t already exists.");
    CHECK(error->server_code().empty());
}

TEST_CASE("when all hosts failed alike nothing was done, and the code is theirs") {
    const auto error = judge("c", hosts_answered(answer({"ch1", "9000", "57", "exists", "1", "0", "ch2", "9000", "57", "exists", "0", "0"})));
    REQUIRE(error);
    CHECK(error->server_code() == "57");
    CHECK(has(error->message(), "0 of 2 hosts"));
}

TEST_CASE("a host that has not answered in time is told apart: at work, or not begun") {
    const auto hosts = hosts_answered(answer({"ch1", "9000", "0", "", "1", "1", "ch2", "9000", std::nullopt, std::nullopt, "1", "1"}));
    CHECK_FALSE(all_answered(hosts));
    const auto followed = hosts_queued(queue({"ch1", "9000", "Finished", "0", "", "ch2", "9000", "Active", "0", "", "ch3", "9000", "Inactive", std::nullopt, std::nullopt}));
    CHECK_FALSE(all_answered(followed));
    CHECK(describe(followed) == "1 of 3 hosts have done it; at work: ch2:9000; not begun: ch3:9000");
    const auto error = judge("c", followed);
    REQUIRE(error);
    CHECK(has(error->hint(), "are these hosts up?"));
}

TEST_CASE("the queue's rows say how it ended on each host") {
    const auto hosts = hosts_queued(queue({"ch1", "9000", "Finished", "0", "", "ch2", "9000", "Finished", "60", "Code: 60. no table"}));
    CHECK(all_answered(hosts));
    CHECK(has(judge("c", hosts)->message(), "ch2:9000 failed: Code: 60. no table"));
    CHECK(hosts_queued(queue({})).empty());
}

TEST_CASE("a database of engine Replicated names shards and replicas, and its states in words") {
    const SqlResult result{{"shard", "replica", "status", "num_hosts_remaining", "num_hosts_active"}, {"s1", "r1", "OK", "1", "0", "s1", "r2", "IN_PROGRESS", "1", "1"}, 0};
    const auto hosts = hosts_answered(result);
    REQUIRE(hosts.size() == 2);
    CHECK(hosts[0].host == "s1/r1");
    CHECK(hosts[0].done());
    CHECK(hosts[1].at_work);
}

TEST_CASE("an answer without hosts is none of a cluster") { CHECK(hosts_answered({{"result"}, {"1"}, 0}).empty()); }

TEST_CASE("the settings of a statement ON CLUSTER name it in the queue, and are taken back") {
    CHECK(has(cluster_settings("ysdb migrate 1_2/3"), "log_comment = 'ysdb migrate 1_2/3-cluster'"));
    CHECK(find_in_queue("ysdb migrate 1_2/3").params.at(0) == "ysdb migrate 1_2/3-cluster");
    CHECK(has(cluster_defaults, "log_comment = DEFAULT"));
}
