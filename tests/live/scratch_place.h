// Where a test lets ysdb make its scratch servers.
#pragma once

#include <filesystem>

#include "tests/live/own_lab.h"

namespace ysdb::test {

// Scratch labs of this test are made below a TMPDIR of its own.
struct Scratch {
    OwnLab place;  // names a directory that servers can reach; nothing is started in it
    Scratch() { std::filesystem::create_directories(place.base()); }
    ~Scratch() {
        for (const auto& entry : std::filesystem::directory_iterator(place.base())) {
            for (const auto& lab : std::filesystem::directory_iterator(entry.path())) {
                NoProgress silent;
                ysdb::lab::Lab({lab.path(), place.api().dir(), YSDB_BINARY}).down(true, silent);
            }
        }
    }
    bool empty() const { return std::filesystem::is_empty(place.base()); }
};

}  // namespace ysdb::test
