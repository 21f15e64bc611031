// ClickHouse's HTTP interface over the embedded engine, as far as our driver and curl need it: what the lab starts where no
// ClickHouse server is installed.
//   GET /ping · GET or POST / with query, database, query_id, default_format, param_<name> and settings in the URL; the statement or an
//   INSERT's data in the body · X-ClickHouse-Database, -Format · errors with X-ClickHouse-Exception-Code · X-ClickHouse-Summary ·
//   zstd both ways · no users: it listens on loopback only, since file() and url() reach whatever this process can.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/base/error.h"
#include "core/base/time.h"

namespace ysdb::clickhouse {

struct GatewayOptions {
    std::string library;                     // libchdb.so
    std::string directory;                   // the engine's files
    std::string host = "127.0.0.1";          // a loopback address; others are refused
    int port = 0;                            // 0: a free one
    int engine_slots = 8;                    // statements in the engine at once; KILL QUERY and system.processes pass them by
    int connections = 256;
    std::uint64_t max_memory_bytes = 0;
    std::string config_file = {};            // for the engine
};

// Serves from its construction to its end. Thread-safe.
class Gateway {
public:
    // Throws Error(config, locked or connect) when the engine or the port is not to be had.
    explicit Gateway(const GatewayOptions& options);
    ~Gateway();  // stop(Millis(0))
    Gateway(const Gateway&) = delete;
    Gateway& operator=(const Gateway&) = delete;

    int port() const;
    // Takes no new connections, lets running statements end, kills those that have not after `grace`, closes the engine.
    void stop(Millis grace);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ysdb::clickhouse
