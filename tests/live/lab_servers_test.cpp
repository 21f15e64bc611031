// The fetched servers: each starts, is killed, and starts again where it was.
// fetched: chdb kafka questdb milvus
// programs: java
// lock: memory
#include <doctest/doctest.h>
#include <signal.h>

#include "tests/live/own_lab.h"

using namespace ysdb;
using ysdb::test::wait_until;
using ysdb::test::OwnLab;

TEST_CASE("the fetched servers start together, survive a kill -9 each, and go without a trace") {
    const OwnLab own;
    const std::vector<std::string> names{"clickhouse", "kafka", "questdb", "milvus"};
    lab::Lab lab = own.api();
    NoProgress progress;
    for (const lab::ServerStatus& each : lab.up({names, 0}, progress)) {
        CHECK_MESSAGE(each.state == lab::ServerState::started, each.name << ": " << each.detail);
    }
    const auto before = lab.stores();
    CHECK(before.size() == names.size());
    for (const std::string& name : names) lab.kill(name, SIGKILL);
    CHECK(wait_until([&] { return lab.stores().empty(); }));
    for (const lab::ServerStatus& each : lab.up({names, 0}, progress)) {
        CHECK_MESSAGE(each.state == lab::ServerState::started, each.name << ": " << each.detail);
    }
    for (std::size_t i = 0; i < names.size(); ++i) CHECK(lab.stores().at(i).url == before[i].url);

    const std::string id = own.id();
    lab.down(true, progress);
    CHECK_FALSE(std::filesystem::exists(own.dir()));
    CHECK(lab::marked_processes(id).empty());
}
