// The ClickHouse engine as a library in this process (libchdb.so, opened at run time). One directory a process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/error.h"

namespace ysdb::clickhouse {

struct EngineOptions {
    std::string library;                     // path of libchdb.so
    std::string directory;                   // the engine's files; made when missing, locked while open
    std::uint64_t max_memory_bytes = 0;      // 0: the engine's own limit
    std::string config_file = {};            // the server's own settings as XML (config.xml); empty: none
};

// One piece of a result. Move-only; its bytes die with it.
class EngineResult {
public:
    EngineResult(void* result, const struct EngineCalls* calls) : result_(result), calls_(calls) {}
    EngineResult(EngineResult&& other) noexcept : result_(std::exchange(other.result_, nullptr)), calls_(other.calls_) {}
    EngineResult& operator=(EngineResult&& other) noexcept {
        std::swap(result_, other.result_);
        std::swap(calls_, other.calls_);
        return *this;
    }
    ~EngineResult();
    // The engine's message, "Code: N. DB::Exception: ..."; everything else is garbage then.
    std::optional<std::string> error() const;
    std::string_view data() const;
    std::uint64_t rows() const;            // of the result
    std::uint64_t rows_read() const;       // from tables
    std::uint64_t rows_written() const;

private:
    friend class EngineSession;
    void* result_;
    const struct EngineCalls* calls_;
};

using EngineParams = std::vector<std::pair<std::string, std::string>>;  // values escaped as escape_param() does

// A connection of the engine, for one statement: after an error in the middle of a result the next statement on the same connection
// would return the failed one's rows. Opening one takes 0.1 ms. Not thread-safe.
class EngineSession {
public:
    ~EngineSession();
    EngineSession(const EngineSession&) = delete;
    EngineSession& operator=(const EngineSession&) = delete;

    // Settings and database for the statement to come. Throws nothing: the result carries the error.
    EngineResult prepare(std::string_view sql) { return execute(sql, "TabSeparated", {}); }
    // The whole result at once.
    EngineResult execute(std::string_view sql, std::string_view format, const EngineParams& params);
    // The result in pieces: next() until it is empty. Only for formats that repeat no header a piece.
    EngineResult start(std::string_view sql, std::string_view format, const EngineParams& params);
    EngineResult next(EngineResult& stream);
    void cancel(EngineResult& stream);

private:
    friend class Engine;
    EngineSession(void** connection, class Engine& engine) : connection_(connection), engine_(engine) {}
    void** connection_;
    Engine& engine_;
};

// Thread-safe. Leaving the process after the engine was opened goes through _exit (the engine's own exit handlers crash); opening
// arranges that. It also points standard input at /dev/null, which the engine would read as data.
class Engine {
public:
    // Throws Error(config) when the library is missing or is none, Error(locked) when another process has the directory, Error(refused)
    // when this process has the engine open on another one.
    static std::shared_ptr<Engine> open(const EngineOptions& options);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    std::unique_ptr<EngineSession> session();
    const std::string& directory() const;

private:
    friend class EngineSession;
    struct Impl;
    explicit Engine(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

// Bytes as a file that only this process and the engine see: binary data in the statement's own text would be cut at the first blank
// line and its rest executed.
class PayloadFile {
public:
    PayloadFile();                         // Error(internal) when the system gives none
    ~PayloadFile();
    PayloadFile(const PayloadFile&) = delete;
    PayloadFile& operator=(const PayloadFile&) = delete;
    void write(std::string_view bytes);
    std::string path() const;

private:
    int fd_;
};

}  // namespace ysdb::clickhouse
