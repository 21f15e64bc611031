// needs: main analytics events
// takes: 50
// A member that was stopped while others took its partitions over, and then goes on as if nothing had happened.
#include "core/base/file.h"
#include "tests/live/at_once.h"
#include "tests/live/bus_site.h"
#include "tests/live/servers.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

int port_of(const std::string& url) { return std::stoi(url.substr(url.rfind(':', url.rfind('/')) + 1)); }

// A member whose ways to PostgreSQL and ClickHouse can be cut, in a directory of its own.
class CutOff {
public:
    explicit CutOff(const BusSite& site, const std::string& broker_settings = {})
        : source_port_(port_of(site.source_url())), sink_port_(port_of(store_config("analytics").url)), source_(source_port_), sink_(sink_port_), directory_(site.directory() + "/" + unique_name()) {
        std::filesystem::create_directories(directory_);
        std::string config = read_file(site.directory() + "/ysdb.toml");
        const auto replace = [&](const std::string& what, const std::string& by) {
            const auto at = config.find(what);
            REQUIRE(at != std::string::npos);
            config.replace(at, what.size(), by);
        };
        replace(":" + std::to_string(source_port_) + "/", ":" + std::to_string(source_.port()) + "/");
        replace(":" + std::to_string(sink_port_) + "/", ":" + std::to_string(sink_.port()) + "/");
        replace(store_config("events").url, store_config("events").url + broker_settings);
        write_file_atomically(directory_ + "/ysdb.toml", config);
    }
    Relay& to_source() { return source_; }
    Relay& to_sink() { return sink_; }
    std::unique_ptr<Running> run(std::vector<std::string> more = {}) const {
        auto arguments = BusSite::from();
        arguments.insert(arguments.end(), more.begin(), more.end());
        return std::make_unique<Running>(directory_, arguments);
    }

private:
    int source_port_, sink_port_;
    Relay source_, sink_;
    std::string directory_;
};

bool says(const Running& run, const std::string& what, Millis limit = Millis(60'000)) {
    return wait_until([&] { return run.log().find(what) != std::string::npos; }, limit);
}

// A member with rows in hand sleeps through changes of columns, and wakes.
void sleep_through_changes() {
    BusSite site("\"public.t\", \"public.u\"");
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text, n int DEFAULT 0); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 300) g;"
                "CREATE TABLE u (id int PRIMARY KEY, v text); INSERT INTO u SELECT g, 'v' || g FROM generate_series(1, 300) g");
    site.tell();
    CutOff member(site, "?session.timeout.ms=10000&max.poll.interval.ms=10000");
    const auto asleep = member.run({"--tries", "1"});
    REQUIRE_MESSAGE(site.arrives("u_current", 300), asleep->log());
    REQUIRE_MESSAGE(site.arrives("t_current", 300), asleep->log());
    member.to_sink().cut();
    site.source("UPDATE t SET v = 'before', n = 1000 + id WHERE id <= 200; UPDATE u SET v = 'before' WHERE id <= 200");
    site.tell();
    REQUIRE_MESSAGE(says(*asleep, "sync.retry"), asleep->log());   // it has them, and cannot write them
    asleep->signal(SIGSTOP);

    const auto other = site.member();   // gets the partitions once the broker has given the first one up
    REQUIRE_MESSAGE(site.arrives("t_current WHERE v = 'before'", 200), other->log());
    REQUIRE_MESSAGE(site.arrives("u_current WHERE v = 'before'", 200), other->log());
    site.source("ALTER TABLE t ADD extra int DEFAULT 7, DROP n, ADD n int DEFAULT 5");   // the same name, another column
    site.source("ALTER TABLE u RENAME v TO w");
    site.source("UPDATE t SET v = 'after' WHERE id <= 10; UPDATE u SET w = 'after' WHERE id <= 10");
    site.tell();
    REQUIRE_MESSAGE(site.arrives("t_current WHERE v = 'after' AND extra = 7 AND n = 5", 10), other->log());
    REQUIRE_MESSAGE(site.arrives("u_current WHERE w = 'after'", 10), other->log());

    member.to_sink().pass();
    asleep->signal(SIGCONT);
    CHECK_MESSAGE(says(*asleep, "sync.source"), asleep->log());   // it knows, and begins anew
    site.source("UPDATE t SET v = 'both' WHERE id > 250; UPDATE u SET w = 'both' WHERE id > 250");
    site.tell();
    CHECK_MESSAGE(site.arrives("t_current WHERE v = 'both'", 50), asleep->log());
    CHECK_MESSAGE(site.arrives("u_current WHERE w = 'both'", 50), asleep->log());
    other->signal(SIGTERM);
    CHECK(other->wait() == 143);
    site.source("UPDATE t SET v = 'it alone' WHERE id = 300");
    site.tell();
    CHECK_MESSAGE(site.arrives("t_current WHERE v = 'it alone'", 1), asleep->log());   // whole again
    asleep->signal(SIGTERM);
    CHECK_MESSAGE(asleep->wait() == 143, asleep->log());
    INFO(asleep->log());
    CHECK(site.apply()["dead_letters"] == 0);
    CHECK(site.state("public.t") == "following");
    CHECK(site.state("public.u") == "following");
    CHECK(site.equal());
    CHECK(site.target_count("t_current WHERE n <> 5") == 0);
}

// A member does not ask for changes for longer than the group allows.
void be_held_up() {
    BusSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'v' || g FROM generate_series(1, 100) g");
    site.tell();
    CutOff member(site, "?session.timeout.ms=10000&max.poll.interval.ms=10000");
    const auto held_up = member.run({"--timeout", "60s"});
    REQUIRE_MESSAGE(site.arrives("t_current", 100), held_up->log());
    member.to_source().stall();
    site.source("ALTER TABLE t ADD n int DEFAULT 7; UPDATE t SET v = 'other'");   // of columns it asks there
    site.tell();
    const auto other = site.member();
    CHECK_MESSAGE(site.arrives("t_current WHERE v = 'other' AND n = 7", 100), other->log());   // the partitions went there
    member.to_source().pass();
    CHECK_MESSAGE(wait_until([&] { return held_up->ended() || held_up->log().find("sync.source") != std::string::npos; }), held_up->log());
    other->signal(SIGKILL);
    site.source("UPDATE t SET v = 'it alone'");
    site.tell();
    CHECK_MESSAGE(site.arrives("t_current WHERE v = 'it alone'", 100), held_up->log());
    CHECK_MESSAGE(!held_up->ended(), held_up->log());
    held_up->signal(SIGTERM);
    CHECK(held_up->wait() == 143);
    CHECK(site.equal());
}

}  // namespace

TEST_CASE("what a member still had to write when it wakes after others have changed columns changes nothing, and nothing is halted; one that was held up for longer than the group allows joins it anew") {
    at_once(std::vector<void (*)()>{sleep_through_changes, be_held_up}, [](const auto& work) { work(); });
}
