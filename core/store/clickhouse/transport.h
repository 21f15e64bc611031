// How statements reach ClickHouse: HTTP to a server, or the engine inside this process. Vendor-free; the drivers of libcurl and
// libchdb are http_transport.cpp and engine.cpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/base/time.h"
#include "core/store/clickhouse/target.h"

namespace ysdb::clickhouse {

using Settings = std::vector<std::pair<std::string, std::string>>;

// One statement on its way. Borrowed parts must outlive the call.
struct Request {
    std::string sql;                                // with a payload: an INSERT that ends in FORMAT <name>
    std::optional<std::span<const std::string_view>> payload;  // what the INSERT inserts, in pieces; sent without copying
    std::string format = "TabSeparated";            // of a result whose statement names none
    bool whole = false;                             // small results: the server finishes before it answers, so that no error comes late
    std::string query_id;                           // what the server shows; empty: its own choice
    bool once = false;                              // not a read: when the connection is lost nobody sends it a second time
    Settings settings;
    std::vector<std::pair<std::string, std::optional<std::string>>> params;  // {name:Type}; values as they are, not escaped
};

// When a call ends by itself.
struct Limits {
    Deadline deadline;              // the whole call, connecting included
    std::optional<Millis> idle;     // longest wait for the next bytes; its end is an Error(connect, retryable) like the deadline's
    std::stop_token stop;           // requested: Error(interrupted) within about a second
};

// What the server said about a finished statement; zero where it said nothing.
struct Summary {
    std::uint64_t read_rows = 0;
    std::uint64_t written_rows = 0;
    std::uint64_t result_rows = 0;
};

// Takes the result's bytes as they come. What it throws ends the call and leaves it.
using OnData = std::function<void(std::string_view)>;

// Thread-safe.
class Transport {
public:
    virtual ~Transport() = default;
    // Sends one statement and streams its result. Throws Error naming the store: connect (no answer, not logged in, not a ClickHouse),
    // rejected with the server's code, also when the server fails in the middle of the result.
    virtual Summary run(const Request& request, const Limits& limits, const OnData& on_data) = 0;
    // Asks the server to stop the statement with this id; does not wait for it. Uses a connection of its own.
    virtual void kill(const std::string& query_id, Deadline deadline) = 0;
};

std::unique_ptr<Transport> open_http(const Target& target);
std::unique_ptr<Transport> open_embedded(const Target& target);

}  // namespace ysdb::clickhouse
