// What `ysdb lab fetch` can download, from templates/lab/servers.toml, and where it lies once fetched.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ysdb::lab {

struct Pin {
    std::string name;            // "chdb"
    std::string title;
    std::string client;          // npm, maven, pypi, go
    std::string package;
    std::string version;
    std::string checksum;        // what it is taken over: servers.toml
    std::uint64_t bytes = 0;     // to download
    std::uint64_t unpacked = 0;  // in place
    std::string architecture;    // as uname -m; empty: any
    std::string inner;           // the archive inside the archive; empty: none
    std::string artifact;        // maven: packaging and classifier, "tar.gz:plugin"; empty: the jar. An archive is unpacked without its first folder
    bool basic = false;
    std::string module;          // go: the module that the package is in
    std::vector<std::string> dependencies;  // maven: collect the package with these and all that they need
};

// In the order of the file. Throws Error(internal) when the file is wrong.
std::vector<Pin> parse_pins(std::string_view toml);
// The shipped ones, parsed once.
const std::vector<Pin>& pins();
// Throws Error(usage) with the nearest name.
const Pin& pin(const std::string& name);

// Where it lies when it has been fetched; nullopt when it has not. What is there is complete: it is moved in as the last step.
std::filesystem::path place_of(const Pin& pin, const std::filesystem::path& cache);
std::optional<std::filesystem::path> find_fetched(const std::string& name, const std::filesystem::path& cache);
// The same, throwing Error(refused) with the command to type.
std::filesystem::path fetched(const std::string& name, const std::filesystem::path& cache);

}  // namespace ysdb::lab
