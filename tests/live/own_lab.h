// A lab of the test's own, for tests that kill servers or count processes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/lab/lab.h"
#include "core/lab/processes.h"
#include "tests/live/support.h"

namespace ysdb::test {

// A directory for one lab. At the end nothing of it lives on, whatever the test did.
class OwnLab {
public:
    OwnLab();
    ~OwnLab();
    OwnLab(const OwnLab&) = delete;
    OwnLab& operator=(const OwnLab&) = delete;

    std::filesystem::path base() const { return base_; }        // the test's own files may go here
    std::filesystem::path dir() const { return base_ / "lab"; }
    lab::Lab api() const;
    std::string id() const;                                     // of a lab that was started
    std::vector<lab::MarkedProcess> marked() const;             // its living processes
    // `ysdb lab ARGUMENTS --dir DIR`
    CommandResult run(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) const;
    // State by server, as `ysdb lab status --output json` tells it.
    std::map<std::string, std::string> states() const;

private:
    std::filesystem::path base_;
};

// First cell of the first row, from the lab's PostgreSQL; "" without rows.
std::string ask_postgres(const lab::Lab& lab, const std::string& sql);

}  // namespace ysdb::test
