// needs: main analytics
// What a running sync tells of itself: a page for Prometheus, the service manager, a live view.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/http.h"
#include "core/lab/ports.h"
#include "tests/live/servers.h"
#include "tests/live/sync_site.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// Stands where systemd stands: a socket that is told states.
class Manager {
public:
    explicit Manager(const std::string& path) : path_(path), socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    ~Manager() { close(socket_); }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;
    const std::string& path() const { return path_; }
    // Whether it was told so, from the beginning on.
    bool told(const std::string& what) {
        char text[4096];
        for (ssize_t n; (n = recv(socket_, text, sizeof text, 0)) > 0;) heard_.append(text, static_cast<std::size_t>(n)).append("\n");
        return heard_.find(what) != std::string::npos;
    }

private:
    std::string path_, heard_;
    int socket_;
};

}  // namespace

TEST_CASE("metrics are served over HTTP, and say what is true") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)");
    const int port = lab::choose_port();
    const std::string page = "http://127.0.0.1:" + std::to_string(port);
    Running run(site, {"sync", "run", "--metrics-listen", "127.0.0.1:" + std::to_string(port)});
    CHECK(wait_until([&] { return site.state("public.t") == "following"; }));
    site.source("INSERT INTO t SELECT generate_series(101, 150)");
    const auto metrics = [&] {
        try {
            return http_get(page + "/metrics", SyncSite::soon()).body;
        } catch (const Error&) {
            return std::string();
        }
    };
    const std::string labels = "{set=\"" + site.set() + "\",sink=\"analytics\"} ";
    CHECK(wait_until([&] { return metrics().find("ysdb_sync_changes_total" + labels + "50\n") != std::string::npos; }));
    CHECK(metrics().find("ysdb_sync_sink_up" + labels + "1\n") != std::string::npos);
    CHECK(metrics().find("# TYPE ysdb_sync_spilled_bytes gauge\nysdb_sync_spilled_bytes" + labels + "0\n") != std::string::npos);
    CHECK(http_get(page + "/other", SyncSite::soon()).status == 404);
    CHECK(http_post(page + "/metrics", "x", SyncSite::soon()).status == 405);
    run.signal(SIGTERM);
    CHECK(run.wait() == 143);
}

TEST_CASE("an address that is taken is a clear error before anything is done") {
    SyncSite site;
    const StrangeServer taken;
    const CommandResult result = site.ysdb({"sync", "run", "--metrics-listen", "127.0.0.1:" + std::to_string(taken.port())});
    CHECK(result.exit_code == 3);
    CHECK(result.err.find("cannot listen on 127.0.0.1:") != std::string::npos);
}

TEST_CASE("the service manager is told when changes are followed, that it lives, and that it ends") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100)");
    Manager manager(site.directory() + "/notify");
    Running run(site, {"sync", "run"}, {{"NOTIFY_SOCKET", manager.path()}, {"WATCHDOG_USEC", "600000"}});
    CHECK(wait_until([&] { return manager.told("READY=1"); }));
    CHECK(wait_until([&] { return manager.told("WATCHDOG=1\nWATCHDOG=1") || manager.told("WATCHDOG=1\nSTATUS"); }));
    CHECK(wait_until([&] { return manager.told("STATUS=analytics "); }));
    CHECK(!manager.told("STOPPING=1"));
    run.signal(SIGTERM);
    CHECK(run.wait() == 143);
    CHECK(manager.told("STOPPING=1"));
}

TEST_CASE("sync status shows a rate and the time that is left, again and again with --watch") {
    SyncSite site;
    site.source("CREATE TABLE t (id int PRIMARY KEY)");
    Running run(site, {"sync", "run"});
    CHECK(wait_until([&] { return site.state("public.t") == "following"; }));
    int written = 0;
    CHECK(wait_until([&] {
        site.source("INSERT INTO t SELECT generate_series(" + std::to_string(written + 1) + ", " + std::to_string(written + 100) + ")");
        written += 100;
        const auto sinks = nlohmann::json::parse(site.ysdb({"sync", "status", "--output", "json"}).out)["sinks"];
        return !sinks.empty() && sinks[0]["rate"].get<double>() > 0;
    }));
    Running watch(site, {"sync", "status", "--watch", "200ms"});
    CHECK(wait_until([&] {
        const std::string out = watch.output();
        std::size_t times = 0;
        for (std::size_t at = 0; (at = out.find(site.slot().substr(5), at)) != std::string::npos; ++at) ++times;
        return times >= 9;   // three times in each look
    }));
    watch.signal(SIGINT);
    CHECK(watch.wait() == 130);
    run.signal(SIGTERM);
    CHECK(run.wait() == 143);
}
