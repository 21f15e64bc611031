// Servers to try migrations on that are not the live ones (law 19): labs of our own, or databases of our own on a server that somebody named.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/context.h"

namespace ysdb::migrate {

struct ScratchOptions {
    std::vector<std::string> places;         // names of stores, or URLs; a store whose product none of them is gets a lab
    std::filesystem::path temporary;
    std::filesystem::path cache;
    std::string program;
};

// What it makes goes at its end; what a killed process left goes when the next one is made. Not thread-safe.
class Scratch {
public:
    Scratch(Context& context, ScratchOptions options);
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    // An empty database in the live store's stead, of the same name where the server is ours. Throws Error(refused) when the place is the live server.
    StoreConfig stand_in(Store& live);
    // Whether that database's server is a lab of our own, where roles may be made at will.
    bool own_server(const std::string& store) const;

private:
    struct Place;
    StoreConfig in_lab(Store& live, Dialect dialect);
    StoreConfig in_place(Store& live, const Place& place);
    void remove_leftovers() const;
    void remove_leftovers_of(const Place& place) const;

    Context& context_;
    ScratchOptions options_;
    std::string mark_;                       // names what this process made
    std::vector<Place> places_;
    std::vector<std::pair<const Place*, std::string>> databases_;   // made there
    std::vector<const Place*> without_ours_;   // ClickHouse servers that had no database `ysdb` before
    std::vector<std::string> labs_;          // by the store they stand in for
};

// The store that a flag names: one that is configured, or a URL without a password. Throws Error(usage, config), Error(refused) for neither PostgreSQL nor ClickHouse.
StoreConfig named_place(Context& context, const std::string& place, const std::string& flag);

// What tells one server from another, whatever its address: PostgreSQL's system identifier and moment of start, ClickHouse's UUID.
std::string server_identity(SqlStore& store, Deadline deadline);

}  // namespace ysdb::migrate
