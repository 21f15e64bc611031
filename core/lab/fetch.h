// Downloads what servers.toml pins: through the registry's own client, checked, unpacked aside, moved in as the last step.
#pragma once

#include <filesystem>
#include <stop_token>

#include "core/lab/pins.h"
#include "core/report/progress.h"

namespace ysdb::lab {

struct FetchResult {
    std::filesystem::path place;
    bool downloaded = false;   // false: it was there
    double seconds = 0;
};

// Safe to repeat and to run at once in several processes: one downloads, the others wait for it. A killed run leaves only a draft,
// which the next one removes. Throws Error: refused (no client program, checksum, disk, architecture), connect (the client failed).
FetchResult fetch(const Pin& pin, const std::filesystem::path& cache, ProgressSink& progress, std::stop_token stop);

// The checksum of what a client brought, as servers.toml has it: of the one file, or of the list of files. Not for go.
std::string checksum_of(const Pin& pin, const std::filesystem::path& raw);

}  // namespace ysdb::lab
