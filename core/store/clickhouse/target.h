// Where a ClickHouse store is, read from its configuration.
#pragma once

#include <string>

#include "core/config/config.h"

namespace ysdb::clickhouse {

struct Target {
    std::string store;             // name in the configuration, for errors
    bool embedded = false;         // chdb:///dir
    bool tls = false;              // clickhouses://
    std::string host;
    int port = 8123;
    std::string user = "default";
    Secret password;
    std::string database = "default";
    std::string tls_ca;            // file with the certificates to trust; empty: the system's
    bool compress = false;         // both ways
    std::string directory;         // embedded: the engine's files
    std::string library;           // embedded: libchdb.so
    PoolConfig pool;

    std::string origin() const;        // "http://127.0.0.1:8123"
    std::string redacted_url() const;  // "clickhouse://default@127.0.0.1:8123/yield"
};

// clickhouse://user@host:port/database?option=value, clickhouses:// (TLS, verified), chdb:///directory?database=name. Options, here or
// in the store's section: compression (zstd, none; default: none on loopback, zstd elsewhere), tls_ca, database, library.
// Throws Error(config) naming the store, with the nearest option for an unknown one.
Target parse_target(const StoreConfig& config);

}  // namespace ysdb::clickhouse
