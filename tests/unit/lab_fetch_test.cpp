// Fetching, with a stand-in for npm: what a user sees when the registry, the disk or the download is not as it should be.
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/process.h"
#include "core/base/text.h"
#include "core/lab/fetch.h"
#include "core/lab/state.h"

using namespace ysdb;
using namespace ysdb::lab;
namespace fs = std::filesystem;

namespace {

// A cache, and a PATH whose npm "downloads" a small package and writes a line for each call.
class Registry {
public:
    explicit Registry(const std::string& npm_script = R"(echo call >> "$CALLS"; cp "$PACKAGE" "$4/")") : old_path_(getenv("PATH")) {
        fs::create_directories(root_ / "bin");
        fs::create_directories(root_ / "package");
        write_file_atomically(root_ / "package" / "data.json", "{\"tokens\": []}\n");
        SpawnOptions tar;
        tar.argv = {"tar", "-czf", package().string(), "-C", root_.string(), "package"};
        REQUIRE(run_command(tar, Deadline::after(Millis(10'000))).exit_code == 0);
        write_file_atomically(root_ / "bin" / "npm", "#!/bin/sh\n" + npm_script + "\n", 0755);
        setenv("PACKAGE", package().c_str(), 1);
        setenv("CALLS", (root_ / "calls").c_str(), 1);
        setenv("PATH", ((root_ / "bin").string() + ":" + old_path_).c_str(), 1);
    }
    ~Registry() {
        setenv("PATH", old_path_.c_str(), 1);
        fs::remove_all(root_);
    }
    fs::path package() const { return root_ / "package.tgz"; }
    fs::path cache() const { return root_ / "cache"; }
    long calls() const { return fs::exists(root_ / "calls") ? static_cast<long>(split(trim(read_file(root_ / "calls")), '\n').size()) : 0; }

    Pin pin() const {
        Pin pin;
        pin.name = "tokens";
        pin.title = "Tokens";
        pin.client = "npm";
        pin.package = "@some/tokens";
        pin.version = "1.2.3";
        pin.checksum = sha256_file_hex(package().string());
        pin.bytes = 100;
        pin.unpacked = 100;
        return pin;
    }
    Error failure(const Pin& pin) {
        try {
            fetch(pin, cache(), progress_, {});
        } catch (const Error& error) {
            return error;
        }
        FAIL("the fetch succeeded");
        return Error(Code::internal, "");
    }
    FetchResult get(const Pin& pin) { return fetch(pin, cache(), progress_, {}); }

private:
    fs::path root_ = fs::temp_directory_path() / ("ysdb_fetch_" + random_hex(6));
    std::string old_path_;
    NoProgress progress_;
};

}  // namespace

TEST_CASE("what was fetched is unpacked in the cache, and is not fetched again") {
    Registry registry;
    const FetchResult first = registry.get(registry.pin());
    CHECK(first.downloaded);
    CHECK(read_file(first.place / "data.json") == "{\"tokens\": []}\n");
    const FetchResult second = registry.get(registry.pin());
    CHECK_FALSE(second.downloaded);
    CHECK(second.place == first.place);
    CHECK(registry.calls() == 1);
}

TEST_CASE("two fetches at once download once") {
    Registry registry(R"(echo call >> "$CALLS"; sleep 0.3; cp "$PACKAGE" "$4/")");
    const Pin pin = registry.pin();
    int downloads = 0;
    {
        std::jthread other([&] { downloads += registry.get(pin).downloaded ? 1 : 0; });
        downloads += registry.get(pin).downloaded ? 1 : 0;
    }
    CHECK(downloads == 1);
    CHECK(registry.calls() == 1);
}

TEST_CASE("a download that is not what was pinned is thrown away") {
    Registry registry;
    Pin pin = registry.pin();
    pin.checksum = std::string(64, '0');
    const Error error = registry.failure(pin);
    CHECK(error.code() == Code::refused);
    CHECK(error.message().find("the checksum of @some/tokens 1.2.3 is") == 0);
    CHECK_FALSE(fs::exists(place_of(pin, registry.cache())));
    for (const auto& entry : fs::directory_iterator(registry.cache())) CHECK_FALSE(entry.path().filename().string().starts_with("draft-"));
}

TEST_CASE("a registry that cannot be reached is reported with the client's own words and the next step") {
    Registry registry(R"(echo "npm error network request to the registry failed, reason: no such host" >&2; exit 1)");
    const Error error = registry.failure(registry.pin());
    CHECK(error.code() == Code::connect);
    CHECK(error.retryable());
    CHECK(error.message() == "cannot fetch tokens: npm error network request to the registry failed, reason: no such host");
    CHECK(error.hint() == "check the network and the settings of npm (mirror, proxy), then run the command again");
}

TEST_CASE("a missing client is named with the package that brings it") {
    Registry registry;
    Pin pin = registry.pin();
    pin.client = "maven";
    setenv("PATH", "/nonexistent", 1);
    const Error error = registry.failure(pin);
    CHECK(error.code() == Code::refused);
    CHECK(error.message() == "cannot fetch tokens: 'mvn' is not installed");
    CHECK(error.hint() == "apt-get install maven");
}

TEST_CASE("a download that does not fit on the disk, or is not for this machine, is refused before it begins") {
    Registry registry;
    Pin pin = registry.pin();
    pin.unpacked = 1ULL << 60;
    CHECK(registry.failure(pin).message().find("tokens needs") == 0);
    pin = registry.pin();
    pin.architecture = "vax";
    CHECK(registry.failure(pin).message().find("tokens is pinned for vax only; this machine is ") == 0);
    CHECK(registry.calls() == 0);
}

TEST_CASE("what a killed fetch left behind is removed by the next one") {
    Registry registry;
    fs::create_directories(registry.cache() / "draft-dead" / "raw");
    registry.get(registry.pin());
    CHECK_FALSE(fs::exists(registry.cache() / "draft-dead"));
}

TEST_CASE("an interrupted fetch ends its client") {
    Registry registry("exec sleep 600");
    const Pin pin = registry.pin();
    NoProgress progress;
    std::stop_source stop;
    std::jthread interrupt([&] {
        while (!fs::exists(registry.cache() / "fetch.lock")) std::this_thread::yield();
        std::this_thread::sleep_for(Millis(50));  // into the download; ending it before it began is fine too
        stop.request_stop();
    });
    try {
        fetch(pin, registry.cache(), progress, stop.get_token());
        FAIL("the fetch succeeded");
    } catch (const Error& error) {
        CHECK(error.code() == Code::interrupted);
    }
}

TEST_CASE("a set of jars has one checksum over their names and contents") {
    Registry registry;
    Pin pin = registry.pin();
    pin.dependencies = {"a:b:1"};
    const fs::path jars = registry.cache() / "jars";
    fs::create_directories(jars);
    write_file_atomically(jars / "b.jar", "b");
    write_file_atomically(jars / "a.jar", "a");
    const std::string sum = checksum_of(pin, jars);
    fs::rename(jars / "b.jar", jars / "c.jar");
    CHECK(checksum_of(pin, jars) != sum);
    fs::rename(jars / "c.jar", jars / "b.jar");
    CHECK(checksum_of(pin, jars) == sum);
}
