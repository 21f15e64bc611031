// What the configuration says, after all layers are resolved. Plain values; the layers themselves live in layers.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/base/time.h"

namespace ysdb {

// A value that must never be printed: nothing streams or formats it. reveal() is for drivers alone.
class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    const std::string& reveal() const { return value_; }
    bool empty() const { return value_.empty(); }

private:
    std::string value_;
};

struct PoolConfig {
    int min = 5;
    int max = 20;
    Millis idle{600'000};            // an idle connection is closed after this, down to `min`
    Millis connect_timeout{3'000};
};

struct StoreConfig {
    std::string name;                // "main"
    std::string url;                 // as configured, password removed (it is in `password`)
    Secret password;                 // from password_file, the URL, or the environment
    std::string password_file;       // where it was read; empty: elsewhere
    PoolConfig pool;
    std::map<std::string, std::string> options;  // keys of the driver's own ("sslrootcert", "tls_ca", "compression")
};

struct MigrateConfig {
    std::string dir = "migrations";
    std::string store = "main";
    std::vector<std::string> lint_ignore;   // rules of `migrate lint` that say nothing
    std::string environment;         // "dev": files tagged for others are skipped
    std::string guard = "warn";      // off, warn, refuse
    std::map<std::string, Secret> variables;  // what ${name} in files stands for, by name in lower case
};

struct PartitionConfig {
    std::string table;               // "store.schema.table" or "store.table"
    std::string by;                  // column; empty for stores that know it
    std::string every;               // "month", "7 days", "1000000"
    int ahead = 0;
    std::string keep;
    std::string archive;
};

struct SyncTarget {
    std::string store;
    std::string table;               // one source table, or empty = all of the set
    std::string into;                // PostgreSQL: the table there; empty: the source's name
    std::string key;
    std::optional<Millis> ttl;
    std::string topic;
    std::string format;              // Redis: hash, json; Kafka: json, debezium; empty: the store's default
    std::string channel;
    std::vector<std::string> tags;   // Redis: sets that the row's key is in
    int partitions = 0;              // 0: the broker's default
    std::optional<Millis> retention;
    bool transactional = false;
};

// How one table of a set is read.
struct SyncTable {
    std::string name;                // as in `tables`
    std::vector<std::string> key;    // poll: what tells its rows apart; empty: the table's own key
    std::string cursor;              // poll: column that grows; empty: the whole table is read each time
    std::vector<std::string> columns;  // these only; empty: all
    std::vector<std::string> except;   // all but these
    std::string overlap;             // poll: how far behind the cursor is read again: "1m", or "1000" for integers; empty: a minute, or nothing
};

struct SyncConfig {
    std::string name;
    std::string from = "main";
    std::string capture = "wal";     // wal, trigger, poll
    std::vector<std::string> tables; // "schema.table"
    std::uint64_t spill = 1ull << 30;                // bytes on disk, for each store
    std::string when_full = "block";                 // block, shed, stop
    std::string when_halted = "stay";                // stay, copy
    std::optional<std::uint64_t> max_slot_wal;       // bytes
    Millis every{5'000};             // poll: between the beginnings of two reads
    std::string state = "main";      // poll: the PostgreSQL store that remembers what was told
    std::vector<SyncTable> table;    // of those that need more said
    std::vector<SyncTarget> to;
};

struct RunConfig {
    Millis timeout{30'000};          // of each store call, connecting included
    bool log_json = false;
};

// One setting and where its value comes from; secrets are already hidden.
struct ConfigValue {
    std::string name;                // "stores.main.pool.max"
    std::string value;               // as typed
    std::string layer;               // "built-in", "ysdb.toml:7", "YSDB_MIGRATE_DIR", "--timeout"
};

struct ConfigProblem {
    std::string message;             // one lowercase line: where and what
    std::string hint;
};

// Thread-safety: immutable once loaded.
struct Config {
    RunConfig run;
    std::map<std::string, StoreConfig> stores;
    MigrateConfig migrate;
    std::vector<PartitionConfig> partitions;
    std::vector<SyncConfig> syncs;
    std::string directory;           // relative paths in the configuration are relative to this
    std::vector<std::string> files;           // that were read, least important first
    std::vector<ConfigValue> values;          // every setting in force, sorted by name
    std::vector<std::string> warnings;
    std::vector<ConfigProblem> problems;      // empty for every command but those that read a bad configuration on purpose
};

}  // namespace ysdb
