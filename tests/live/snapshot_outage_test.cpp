// needs: main analytics
// lock: own_lab
// takes: 50
// A copy whose servers fail in the middle. These tests kill, so they take a lab of their own; `needs` only says that both can be had here.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include "core/base/file.h"
#include "tests/live/outage_lab.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

const std::vector<std::string> slow_copy{"sync", "snapshot", "--batch", "64KiB", "--workers", "1", "--timeout", "4s"};

}  // namespace

TEST_CASE("ClickHouse killed in the middle of a copy: exit 8 in bounded time, and the same command completes it") {
    OutageLab lab;
    lab.up();
    lab.fill(200'000);
    auto copy = std::async(std::launch::async, [&] { return lab.ysdb(slow_copy); });
    REQUIRE(wait_until([&] { return lab.staged() > 5'000; }));
    REQUIRE(lab.ysdb({"lab", "kill", "clickhouse", "--dir", "lab"}).exit_code == 0);
    const CommandResult killed = copy.get();
    CAPTURE(killed.err);
    CHECK(killed.exit_code == 8);
    CHECK(killed.out.find("ysdb sync snapshot") != std::string::npos);
    REQUIRE(lab.ysdb({"lab", "start", "clickhouse", "--dir", "lab"}).exit_code == 0);
    CHECK(lab.ysdb({"sync", "snapshot"}).exit_code == 0);
    CHECK(lab.ysdb({"validate"}).exit_code == 0);
}

TEST_CASE("ClickHouse restarted in the middle of a copy: the copy goes on by itself") {
    OutageLab lab;
    lab.up();
    lab.fill(200'000);
    auto copy = std::async(std::launch::async, [&] { return lab.ysdb({"sync", "snapshot", "--batch", "64KiB", "--workers", "2"}); });
    REQUIRE(wait_until([&] { return lab.staged() > 5'000; }));
    REQUIRE(lab.ysdb({"lab", "kill", "clickhouse", "--dir", "lab"}).exit_code == 0);
    REQUIRE(lab.ysdb({"lab", "start", "clickhouse", "--dir", "lab"}).exit_code == 0);
    const CommandResult result = copy.get();
    CAPTURE(result.err);
    CHECK(result.exit_code == 0);
    CHECK(lab.ysdb({"validate"}).exit_code == 0);
    // Batches that were written but not acknowledged were told from new ones.
    CHECK(lab.store("analytics")->sql()->query("SELECT count() FROM t", OutageLab::soon()).row(0).integer(0) == 200'000);
}

TEST_CASE("PostgreSQL killed in the middle of a copy: exit 8, and the same command completes it") {
    OutageLab lab;
    lab.up();
    lab.fill(200'000);
    auto copy = std::async(std::launch::async, [&] { return lab.ysdb(slow_copy); });
    REQUIRE(wait_until([&] { return lab.staged() > 5'000; }));
    REQUIRE(lab.ysdb({"lab", "kill", "postgres", "--dir", "lab"}).exit_code == 0);
    CHECK(copy.get().exit_code == 8);
    REQUIRE(lab.ysdb({"lab", "start", "postgres", "--dir", "lab"}).exit_code == 0);
    CHECK(lab.ysdb({"sync", "snapshot"}).exit_code == 0);
    CHECK(lab.ysdb({"validate"}).exit_code == 0);
}

TEST_CASE("Ctrl-C drains, says where it stopped, and ends with 130") {
    OutageLab lab;
    lab.up();
    lab.fill(200'000);
    SpawnOptions options;
    options.argv = {YSDB_BINARY, "sync", "snapshot", "--batch", "64KiB", "--workers", "1"};
    options.cwd = lab.directory();
    options.output_file = lab.directory() + "/out";
    const ProcessId process = spawn(options);
    REQUIRE(wait_until([&] { return lab.staged() > 5'000; }));
    send_signal(process, SIGINT);
    int status = 0;
    REQUIRE(waitpid(process.pid, &status, 0) == process.pid);
    CHECK(WEXITSTATUS(status) == 130);
    const std::string out = read_file(lab.directory() + "/out");
    CHECK(out.find("public.t") != std::string::npos);
    CHECK(out.find("interrupted while copying public.t") != std::string::npos);
    CHECK(lab.ysdb({"sync", "snapshot"}).exit_code == 0);
    CHECK(lab.ysdb({"validate"}).exit_code == 0);
}

TEST_CASE("a full disk under ClickHouse: exit 8, and the same command completes it once there is room") {
    if (geteuid() != 0) {
        MESSAGE("SKIPPED: filling a disk needs root (a small tmpfs is mounted)");
        return;
    }
    OutageLab lab;
    const std::string disk = lab.directory() + "/lab/clickhouse";
    lab.up();
    REQUIRE(lab.ysdb({"lab", "down", "--dir", "lab", "--yes"}).exit_code == 0);
    REQUIRE(mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=24m,mode=0777") == 0);
    const struct Unmount {
        const std::string& disk;
        ~Unmount() { umount2(disk.c_str(), MNT_DETACH); }
    } unmount{disk};
    lab.up();
    lab.fill(500'000);
    const CommandResult full = lab.ysdb({"sync", "snapshot", "--batch", "1MiB", "--timeout", "4s"});
    CAPTURE(full.out);
    CAPTURE(full.err);
    CHECK(full.exit_code == 8);
    REQUIRE(mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=1g,mode=0777") == 0);
    const CommandResult again = lab.ysdb({"sync", "snapshot"});
    CAPTURE(again.err);
    CHECK(again.exit_code == 0);
    CHECK(lab.ysdb({"validate"}).exit_code == 0);
}
