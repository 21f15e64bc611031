#include "core/store/clickhouse/engine.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "core/base/file.h"

namespace ysdb::clickhouse {

// The functions of libchdb's C interface that are used, declared here: the package brings no header.
struct EngineCalls {
    void** (*connect)(int, char**);
    void (*close)(void**);
    void* (*query)(void*, const char*, std::size_t, const char*, std::size_t, const char* const*, const std::size_t*, const char* const*, const std::size_t*,
                   std::size_t);
    void* (*stream)(void*, const char*, std::size_t, const char*, std::size_t, const char* const*, const std::size_t*, const char* const*, const std::size_t*,
                    std::size_t);
    void* (*fetch)(void*, void*);
    void (*cancel)(void*, void*);
    void (*destroy)(void*);
    const char* (*error)(void*);
    char* (*buffer)(void*);
    std::size_t (*length)(void*);
    std::uint64_t (*rows_read)(void*);
    std::uint64_t (*storage_rows_read)(void*);
    std::uint64_t (*rows_written)(void*);
    void (*signal_handlers)(int);
};

namespace {

template <class Function>
void bind(void* library, const char* name, Function& function, const std::string& path) {
    void* address = dlsym(library, name);
    if (address == nullptr) throw Error(Code::config, path + " is not a libchdb this program knows: it has no " + name);
    std::memcpy(&function, &address, sizeof address);
}

// The library stays loaded for the life of the process: it cannot be unloaded.
const EngineCalls& load(const std::string& path) {
    static std::mutex mutex;
    static EngineCalls calls;
    static std::string loaded;
    const std::lock_guard lock(mutex);
    if (!loaded.empty()) return calls;
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        const char* reason = dlerror();
        throw Error(Code::config, "cannot load the ClickHouse engine: " + std::string(reason == nullptr ? path : reason),
                    "fetch it: ysdb lab fetch; or name it in the store's option library");
    }
    bind(library, "chdb_connect", calls.connect, path);
    bind(library, "chdb_close_conn", calls.close, path);
    bind(library, "chdb_query_with_params_n", calls.query, path);
    bind(library, "chdb_stream_query_with_params_n", calls.stream, path);
    bind(library, "chdb_stream_fetch_result", calls.fetch, path);
    bind(library, "chdb_stream_cancel_query", calls.cancel, path);
    bind(library, "chdb_destroy_query_result", calls.destroy, path);
    bind(library, "chdb_result_error", calls.error, path);
    bind(library, "chdb_result_buffer", calls.buffer, path);
    bind(library, "chdb_result_length", calls.length, path);
    bind(library, "chdb_result_rows_read", calls.rows_read, path);
    bind(library, "chdb_result_storage_rows_read", calls.storage_rows_read, path);
    bind(library, "chdb_result_rows_written", calls.rows_written, path);
    bind(library, "chdb_set_signal_handlers_enabled", calls.signal_handlers, path);
    loaded = path;
    calls.signal_handlers(0);
    return calls;
}

void leave_at_once(int status, void*) {
    std::fflush(nullptr);
    _exit(status);
}

void prepare_process() {
    static std::once_flag done;
    std::call_once(done, [] {
        on_exit(leave_at_once, nullptr);
        const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0) return;
        dup2(null, STDIN_FILENO);
        ::close(null);
    });
}

}  // namespace

struct Engine::Impl {
    const EngineCalls& calls;
    std::string directory;
    std::vector<std::string> arguments;
    FileLock lock;
    std::mutex opening;
    void** keeper = nullptr;  // the engine shuts down with its last connection

    void** connect() {
        const std::lock_guard guard(opening);
        std::vector<char*> argv;
        for (std::string& argument : arguments) argv.push_back(argument.data());
        return calls.connect(static_cast<int>(argv.size()), argv.data());
    }
    void close(void** connection) {
        const std::lock_guard guard(opening);
        calls.close(connection);
    }
};

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() { impl_->close(impl_->keeper); }

const std::string& Engine::directory() const { return impl_->directory; }

std::shared_ptr<Engine> Engine::open(const EngineOptions& options) {
    static std::mutex mutex;
    static std::weak_ptr<Engine> current;  // mirrors what the library allows: one a process
    const std::lock_guard guard(mutex);
    const std::string directory = std::filesystem::absolute(options.directory).lexically_normal().string();
    if (auto open = current.lock()) {
        if (open->directory() == directory) return open;
        throw Error(Code::refused, "the embedded ClickHouse engine is already open on " + open->directory() + " in this process", "use one chdb:// directory a command");
    }
    const EngineCalls& calls = load(options.library);
    std::error_code failed;
    // Without metadata/ in place before connecting, DROP TABLE ... SYNC hangs on a fresh directory (26.5).
    std::filesystem::create_directories(std::filesystem::path(directory) / "metadata", failed);
    if (failed) throw Error(Code::config, "cannot create " + directory + ": " + failed.message());
    auto lock = FileLock::try_acquire(std::filesystem::path(directory) / "ysdb.lock");
    if (!lock) throw Error(Code::locked, "another process has the ClickHouse directory " + directory + " open", "stop it, or reach it through its gateway: clickhouse://");
    prepare_process();
    auto impl = std::unique_ptr<Impl>(new Impl{calls, directory, {"clickhouse", "--path=" + directory, "--log-level=warning"}, std::move(*lock), {}, nullptr});
    if (options.max_memory_bytes > 0) impl->arguments.push_back("--max_server_memory_usage=" + std::to_string(options.max_memory_bytes));
    if (!options.config_file.empty()) impl->arguments.push_back("--config-file=" + options.config_file);
    impl->keeper = impl->connect();
    if (impl->keeper == nullptr) throw Error(Code::config, "the ClickHouse engine does not start on " + directory, "is it a directory of ClickHouse's, and writable?");
    auto engine = std::shared_ptr<Engine>(new Engine(std::move(impl)));
    current = engine;
    return engine;
}

std::unique_ptr<EngineSession> Engine::session() {
    void** connection = impl_->connect();
    if (connection == nullptr) throw Error(Code::connect, "the embedded ClickHouse engine gives no connection").with_retryable();
    return std::unique_ptr<EngineSession>(new EngineSession(connection, *this));
}

EngineSession::~EngineSession() { engine_.impl_->close(connection_); }

namespace {
struct ParamArrays {
    std::vector<const char*> names, values;
    std::vector<std::size_t> name_sizes, value_sizes;
    explicit ParamArrays(const EngineParams& params) {
        for (const auto& [name, value] : params) {
            names.push_back(name.data());
            name_sizes.push_back(name.size());
            values.push_back(value.data());
            value_sizes.push_back(value.size());
        }
    }
};
}  // namespace

EngineResult EngineSession::execute(std::string_view sql, std::string_view format, const EngineParams& params) {
    const EngineCalls& calls = engine_.impl_->calls;
    const ParamArrays p(params);
    return {calls.query(*connection_, sql.data(), sql.size(), format.data(), format.size(), p.names.data(), p.name_sizes.data(), p.values.data(),
                        p.value_sizes.data(), params.size()),
            &calls};
}

EngineResult EngineSession::start(std::string_view sql, std::string_view format, const EngineParams& params) {
    const EngineCalls& calls = engine_.impl_->calls;
    const ParamArrays p(params);
    return {calls.stream(*connection_, sql.data(), sql.size(), format.data(), format.size(), p.names.data(), p.name_sizes.data(), p.values.data(),
                         p.value_sizes.data(), params.size()),
            &calls};
}

EngineResult EngineSession::next(EngineResult& stream) { return {engine_.impl_->calls.fetch(*connection_, stream.result_), &engine_.impl_->calls}; }

void EngineSession::cancel(EngineResult& stream) { engine_.impl_->calls.cancel(*connection_, stream.result_); }

EngineResult::~EngineResult() {
    if (result_ != nullptr) calls_->destroy(result_);
}

std::optional<std::string> EngineResult::error() const {
    if (result_ == nullptr) return "the engine gave no result";
    const char* text = calls_->error(result_);
    return text == nullptr ? std::nullopt : std::optional<std::string>(text);
}

std::string_view EngineResult::data() const {
    const char* buffer = calls_->buffer(result_);
    return buffer == nullptr ? std::string_view() : std::string_view(buffer, calls_->length(result_));
}
std::uint64_t EngineResult::rows() const { return calls_->rows_read(result_); }
std::uint64_t EngineResult::rows_read() const { return calls_->storage_rows_read(result_); }
std::uint64_t EngineResult::rows_written() const { return calls_->rows_written(result_); }

PayloadFile::PayloadFile() : fd_(memfd_create("insert", MFD_CLOEXEC)) {
    if (fd_ < 0) throw Error(Code::internal, fmt::format("no memory file for the payload: {}", std::strerror(errno)));
}

PayloadFile::~PayloadFile() { ::close(fd_); }

void PayloadFile::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) throw Error(Code::internal, fmt::format("cannot keep the payload in memory: {}", std::strerror(errno)));
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

std::string PayloadFile::path() const { return "/proc/self/fd/" + std::to_string(fd_); }

}  // namespace ysdb::clickhouse
