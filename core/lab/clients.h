// The registries' own clients: npm, Maven, pip, go. They bring their configuration (mirrors, proxies, credentials) with them.
#pragma once

#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/lab/pins.h"

namespace ysdb::lab {

struct ClientJob {
    const Pin& pin;
    std::filesystem::path cache;   // clients keep their own things in cache/clients
    std::filesystem::path raw;     // where the downloaded files go; exists, empty
    std::filesystem::path draft;   // room for anything else; removed afterwards
    std::filesystem::path npm;     // the fetched npm; empty: the one on PATH
    std::stop_token stop;
};

// Throws Error(refused) with the package to install when the client is missing, Error(connect) when it fails, Error(interrupted).
void run_client(const ClientJob& job);

// Unpacks a downloaded wheel with pip, which keeps what is executable.
void install_wheel(const std::filesystem::path& wheel, const std::filesystem::path& place, const std::filesystem::path& cache, std::stop_token stop);

// Runs a helper program to its end and returns what it printed; `what` names the work in errors. Throws Error(refused) when it is not
// installed (`package` says how to get it), Error(`failure`) when it fails, Error(interrupted).
std::string run_tool(const std::string& what, const std::string& package, std::vector<std::string> argv, std::map<std::string, std::string> env,
              Code failure, std::stop_token stop);

}  // namespace ysdb::lab
