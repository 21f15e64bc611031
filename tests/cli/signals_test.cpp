// Ctrl-C: the first one asks, the second one ends.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "core/base/file.h"
#include "tests/live/support.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// `ysdb status` that waits for a host which never answers.
class Waiting {
public:
    Waiting() : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(bind(socket_, reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(listen(socket_, 1) == 0);
        REQUIRE(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        SpawnOptions options;
        options.argv = {YSDB_BINARY, "status", "--timeout", "120s"};
        options.env = {{"XDG_CONFIG_HOME", directory_.string() + "/none"},
                       {"YSDB_STORES_MAIN_URL", "postgres://app@127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/x"}};
        options.cwd = directory_.string();
        options.output_file = directory_.string() + "/output";
        process_ = spawn(options);
        REQUIRE(accept(socket_, nullptr, nullptr) >= 0);  // it is at work now
    }
    ~Waiting() {
        send_signal(process_, SIGKILL);
        close(socket_);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    void signal(int number) { REQUIRE(send_signal(process_, number)); }
    std::string output() const { return read_file(directory_.path() / "output"); }
    int exit_code() {
        int status = 0;
        REQUIRE(waitpid(process_.pid, &status, 0) == process_.pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }

private:
    TempDir directory_;
    int socket_;
    ProcessId process_;
};

}  // namespace

TEST_CASE("the first signal says that the work in hand is finished first, the second ends ysdb at once") {
    for (const auto& [number, code] : {std::pair(SIGINT, 130), std::pair(SIGTERM, 143)}) {
        Waiting ysdb;
        ysdb.signal(number);
        REQUIRE(wait_until([&] { return ysdb.output().find("once more to abort") != std::string::npos; }));
        ysdb.signal(number);
        CHECK(ysdb.exit_code() == code);
    }
}

TEST_CASE("a reader that goes away does not kill ysdb") {
    SpawnOptions options;
    options.argv = {"bash", "-c", std::string("set -o pipefail; ") + YSDB_BINARY + " help --output json | head -c 1 >/dev/null"};
    CHECK(run_command(options, Deadline::after(Millis(30'000))).exit_code == 0);
}
