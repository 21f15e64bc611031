#include "core/store/clickhouse/gateway.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <random>

#include "core/base/text.h"
#include "core/store/clickhouse/compress.h"
#include "core/store/clickhouse/engine_run.h"
#include "core/store/clickhouse/errors.h"

namespace ysdb::clickhouse {

namespace {

constexpr std::size_t connection_memory = 1u << 20;        // also the size of the pieces a body arrives in
constexpr std::size_t thread_stack = 1u << 20;
constexpr std::size_t longest_statement = 64u << 20;
constexpr std::size_t enough_to_split = 256u << 10;        // an INSERT's head is found within this
constexpr unsigned idle_connection_s = 30;

// URL parameters of the HTTP interface itself; every other one is a setting.
constexpr auto reserved = std::to_array<std::string_view>(
    {"query", "database", "query_id", "default_format", "user", "password", "session_id", "session_timeout", "session_check", "close_session", "compress",
     "decompress", "enable_http_compression", "wait_end_of_query", "buffer_size", "quota_key", "stacktrace", "role", "client_protocol_version"});

// Room for so many statements in the engine; held while the engine works, not while a client reads.
class Slots {
public:
    explicit Slots(int free) : free_(free) {}
    class Hold {
    public:
        Hold(Slots& slots, bool needed) : slots_(needed ? &slots : nullptr) {
            if (slots_ == nullptr) return;
            std::unique_lock lock(slots_->mutex_);
            slots_->freed_.wait(lock, [this] { return slots_->free_ > 0; });
            --slots_->free_;
        }
        ~Hold() {
            if (slots_ == nullptr) return;
            {
                const std::lock_guard lock(slots_->mutex_);
                ++slots_->free_;
            }
            slots_->freed_.notify_one();
        }
        Hold(const Hold&) = delete;
        Hold& operator=(const Hold&) = delete;

    private:
        Slots* slots_;
    };

private:
    std::mutex mutex_;
    std::condition_variable freed_;
    int free_;
};

std::string random_id() {
    thread_local std::mt19937_64 random{std::random_device{}()};
    return fmt::format("{:016x}{:016x}", random(), random());
}

// What one request asks for: its URL, its headers, and the body as it comes.
class Exchange {
public:
    Exchange(MHD_Connection* connection, std::string_view method) : get_(method != "POST") {
        MHD_get_connection_values_n(connection, MHD_GET_ARGUMENT_KIND, &Exchange::take_argument, this);
        const auto header = [&](const char* name) {
            const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
            return std::string(value == nullptr ? "" : value);
        };
        if (database_.empty()) database_ = header("X-ClickHouse-Database");
        if (format_.empty()) format_ = header("X-ClickHouse-Format");
        if (query_id_.empty()) query_id_ = random_id();
        encoding_ = header("Content-Encoding");
        zstd_answer = compression_allowed_ && header("Accept-Encoding").find("zstd") != std::string::npos;
        if (get_) settings_.emplace_back("readonly", "2");
        if (!text_.empty()) {
            text_ += '\n';
            url_size_ = text_.size();
            split();
        }
    }

    void take(std::string_view bytes) {
        if (payload_) return payload_->write(bytes);
        text_ += bytes;
        if (text_.size() > longest_statement) throw EngineFailure{"Code: 62. DB::Exception: the statement is longer than this gateway takes. (SYNTAX_ERROR)"};
        if (text_.size() < enough_to_split + bytes.size()) split();
    }

    // Called when the body is whole.
    void finish() {
        if (payload_) return;
        if (text_.size() > url_size_ && !encoding_.empty()) throw EngineFailure{"Code: 48. DB::Exception: a compressed body is only taken as the data of an INSERT in the URL. (NOT_IMPLEMENTED)"};
        statement = look_at(text_);
        if (statement.several) throw EngineFailure{"Code: 62. DB::Exception: Syntax error (Multi-statements are not allowed). (SYNTAX_ERROR)"};
        if (trim(statement.sql).empty()) throw EngineFailure{"Code: 62. DB::Exception: Syntax error: empty query. (SYNTAX_ERROR)"};
        if (statement.takes_payload) begin_payload();
    }

    std::string sql() const {
        if (!payload_) return engine_sql(statement);
        return infile_sql(statement, payload_->path(), format_.empty() ? "Values" : format_, encoding_);
    }
    std::string result_format() const {
        if (!statement.format.empty() && !statement.takes_payload) return statement.format;
        return format_.empty() ? "TabSeparated" : format_;
    }
    bool needs_slot() const { return statement.verb != Statement::Verb::kill && !statement.reads_processes; }
    const std::string& database() const { return database_; }
    const Settings& settings() const { return settings_; }
    const std::string& query_id() const { return query_id_; }
    const EngineParams& params() const { return params_; }

    Statement statement;
    bool zstd_answer = false;

    // What the answer is sent from; must outlive the response.
    std::unique_ptr<EngineSession> session;
    std::optional<EngineResult> result;
    std::string text_answer;

private:
    static MHD_Result take_argument(void* self, MHD_ValueKind, const char* key, std::size_t key_size, const char* value, std::size_t value_size) {
        static_cast<Exchange*>(self)->argument({key, key_size}, std::string(value == nullptr ? "" : value, value_size));
        return MHD_YES;
    }

    void argument(std::string_view key, std::string value) {
        if (key == "query") text_ = std::move(value);
        else if (key == "database") database_ = std::move(value);
        else if (key == "query_id") query_id_ = std::move(value);
        else if (key == "default_format") format_ = std::move(value);
        else if (key == "enable_http_compression") compression_allowed_ = value == "1";
        else if (key.starts_with("param_")) params_.emplace_back(key.substr(6), std::move(value));
        else if (std::find(reserved.begin(), reserved.end(), key) == reserved.end()) settings_.emplace_back(key, std::move(value));
    }

    // An INSERT whose head is complete: what follows goes to its own file as it comes, unread.
    void split() {
        statement = look_at(text_);
        const bool in_url = url_size_ == text_.size();
        const bool head_complete = statement.takes_payload && !statement.several && (!statement.format.empty() || (in_url && !format_.empty()));
        const bool name_may_go_on = !in_url && statement.payload.empty();  // "FORMAT Row" of "FORMAT RowBinary"
        if (head_complete && !name_may_go_on) begin_payload();
    }

    void begin_payload() {
        payload_.emplace();
        payload_->write(statement.payload);
        statement.payload = {};
        text_.clear();
    }

    bool get_;
    bool compression_allowed_ = false;
    std::string text_;              // URL's query and as much of the body as belongs to the statement
    std::size_t url_size_ = 0;
    std::string database_, format_, query_id_, encoding_;
    Settings settings_;
    EngineParams params_;
    std::optional<PayloadFile> payload_;
};

// A result sent while the engine makes it.
class StreamBody {
public:
    StreamBody(std::unique_ptr<EngineSession> session, EngineResult stream, EngineResult first, Slots& slots, bool needs_slot, bool zstd, std::string tag)
        : session_(std::move(session)), stream_(std::move(stream)), piece_(std::move(first)), slots_(slots), needs_slot_(needs_slot), tag_(std::move(tag)) {
        if (zstd) compressor_.emplace();
        offer(piece_.data());
    }
    ~StreamBody() {
        if (!ended_) session_->cancel(stream_);
    }
    StreamBody(const StreamBody&) = delete;
    StreamBody& operator=(const StreamBody&) = delete;

    ssize_t read(char* to, std::size_t room) {
        while (pending_.empty()) {
            if (failed_) return MHD_CONTENT_READER_END_WITH_ERROR;
            if (ended_) return MHD_CONTENT_READER_END_OF_STREAM;
            advance();
        }
        const std::size_t size = std::min(room, pending_.size());
        std::memcpy(to, pending_.data(), size);
        pending_.remove_prefix(size);
        return static_cast<ssize_t>(size);
    }

private:
    void advance() {
        {
            const Slots::Hold slot(slots_, needs_slot_);
            piece_ = session_->next(stream_);
        }
        if (const auto error = piece_.error()) {
            ended_ = failed_ = true;
            message_ = fmt::format("__exception__\r\n{0}\r\n{1}\n{2} {0}\r\n__exception__\r\n", tag_, *error, error->size());
            offer(message_);
            finish_compression();
        } else if (piece_.data().empty()) {
            ended_ = true;
            pending_ = {};
            finish_compression();
        } else {
            offer(piece_.data());
        }
    }

    void offer(std::string_view bytes) {
        pending_ = bytes;
        if (!compressor_) return;
        compressed_.clear();
        compressor_->add(bytes, compressed_);
        compressor_->flush(compressed_);
        pending_ = compressed_;
    }
    void finish_compression() {
        if (!compressor_) return;
        if (pending_.empty()) compressed_.clear();
        compressor_->finish(compressed_);
        pending_ = compressed_;
    }

    std::unique_ptr<EngineSession> session_;
    EngineResult stream_;
    EngineResult piece_;
    Slots& slots_;
    bool needs_slot_;
    std::string tag_;
    std::optional<ZstdCompressor> compressor_;
    std::string compressed_, message_;
    std::string_view pending_;
    bool ended_ = false, failed_ = false;
};

struct Destroy {
    void operator()(MHD_Response* response) const { MHD_destroy_response(response); }
};
using Response = std::unique_ptr<MHD_Response, Destroy>;

void add_header(const Response& response, const char* name, const std::string& value) { MHD_add_response_header(response.get(), name, value.c_str()); }

Response of_bytes(std::string_view bytes) {
    return Response(MHD_create_response_from_buffer(bytes.size(), const_cast<char*>(bytes.data()), MHD_RESPMEM_PERSISTENT));
}

unsigned http_status(int code) {
    switch (code) {
        case 60: case 81: return MHD_HTTP_NOT_FOUND;                             // UNKNOWN_TABLE, UNKNOWN_DATABASE
        case 62: case 115: case 36: case 47: return MHD_HTTP_BAD_REQUEST;        // SYNTAX_ERROR, UNKNOWN_SETTING, BAD_ARGUMENTS, UNKNOWN_IDENTIFIER
        case 48: return MHD_HTTP_NOT_IMPLEMENTED;
        default: return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

}  // namespace

struct Gateway::Impl {
    GatewayOptions options;
    std::shared_ptr<Engine> engine;
    Slots slots;
    std::string version;
    MHD_Daemon* daemon = nullptr;
    std::mutex mutex;
    std::condition_variable changed;
    int running = 0;  // requests begun and not answered

    void count(int change) {
        const std::lock_guard lock(mutex);
        running += change;
        changed.notify_all();
    }

    explicit Impl(const GatewayOptions& o) : options(o), engine(Engine::open({o.library, o.directory, o.max_memory_bytes, o.config_file})), slots(o.engine_slots) {
        version = trim(engine->session()->execute("SELECT version()", "TabSeparated", {}).data());
    }

    static MHD_Result on_request(void* self, MHD_Connection* connection, const char* url, const char* method, const char*, const char* upload,
                                 std::size_t* upload_size, void** state) {
        return static_cast<Impl*>(self)->request(connection, url, method, upload, upload_size, state);
    }

    static void on_completed(void* self, MHD_Connection*, void** state, MHD_RequestTerminationCode) {
        if (*state == nullptr) return;
        delete static_cast<Exchange*>(*state);
        *state = nullptr;
        static_cast<Impl*>(self)->count(-1);
    }

    MHD_Result request(MHD_Connection* connection, std::string_view url, std::string_view method, const char* upload, std::size_t* upload_size, void** state) {
        auto* exchange = static_cast<Exchange*>(*state);
        try {
            if (exchange == nullptr) {
                *state = new Exchange(connection, method);
                count(+1);
                return MHD_YES;
            }
            if (*upload_size > 0) {
                exchange->take({upload, *upload_size});
                *upload_size = 0;
                return MHD_YES;
            }
            if (url == "/ping" || (url == "/" && method == "GET" && MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "query") == nullptr)) {
                return send(connection, *exchange, MHD_HTTP_OK, of_bytes("Ok.\n"));
            }
            if (url != "/") return send(connection, *exchange, MHD_HTTP_NOT_FOUND, of_bytes("There is no such page.\n"));
            exchange->finish();
            return answer(connection, *exchange);
        } catch (const EngineFailure& failure) {
            return exchange == nullptr ? MHD_NO : fail(connection, *exchange, failure.message);
        } catch (const std::exception& error) {
            return exchange == nullptr ? MHD_NO : fail(connection, *exchange, std::string("Code: 1001. DB::Exception: ") + error.what());
        }
    }

    MHD_Result send(MHD_Connection* connection, const Exchange& exchange, unsigned status, const Response& response) {
        if (!response) return MHD_NO;
        add_header(response, "X-ClickHouse-Server-Display-Name", "ysdb lab");
        add_header(response, "X-ClickHouse-Query-Id", exchange.query_id());
        return MHD_queue_response(connection, status, response.get());
    }

    MHD_Result fail(MHD_Connection* connection, Exchange& exchange, const std::string& message) {
        const int code = error_number(message);
        exchange.text_answer = message + " (version " + version + ")\n";
        const Response response = of_bytes(exchange.text_answer);
        add_header(response, "X-ClickHouse-Exception-Code", std::to_string(code));
        add_header(response, "Content-Type", "text/plain; charset=UTF-8");
        return send(connection, exchange, http_status(code), response);
    }

    MHD_Result answer(MHD_Connection* connection, Exchange& exchange) {
        const std::string format = exchange.result_format();
        const std::string sql = exchange.sql();
        exchange.session = prepared_session(*engine, exchange.database(), exchange.settings(), exchange.query_id());
        if (exchange.statement.verb == Statement::Verb::select && streams(format)) return answer_stream(connection, exchange, sql, format);
        {
            const Slots::Hold slot(slots, exchange.needs_slot());
            exchange.result = exchange.session->execute(sql, format, exchange.params());
        }
        if (const auto failed = exchange.result->error()) throw EngineFailure{*failed};
        return answer_whole(connection, exchange, format);
    }

    MHD_Result answer_whole(MHD_Connection* connection, Exchange& exchange, const std::string& format) {
        std::string_view bytes = exchange.result->data();
        const bool zstd = exchange.zstd_answer && !bytes.empty();
        if (zstd) {
            ZstdCompressor compressor;
            compressor.add(bytes, exchange.text_answer);
            compressor.finish(exchange.text_answer);
            bytes = exchange.text_answer;
        }
        const Response response = of_bytes(bytes);
        if (zstd) add_header(response, "Content-Encoding", "zstd");
        add_header(response, "X-ClickHouse-Format", format);
        add_header(response, "X-ClickHouse-Summary",
                   fmt::format(R"({{"read_rows":"{}","read_bytes":"0","written_rows":"{}","written_bytes":"0","total_rows_to_read":"0","result_rows":"{}","result_bytes":"{}"}})",
                               exchange.result->rows_read(), exchange.result->rows_written(), exchange.result->rows(), exchange.result->data().size()));
        return send(connection, exchange, MHD_HTTP_OK, response);
    }

    // The first piece is awaited before the status line: most errors come before it.
    MHD_Result answer_stream(MHD_Connection* connection, Exchange& exchange, const std::string& sql, const std::string& format) {
        std::optional<EngineResult> stream, first;
        {
            const Slots::Hold slot(slots, exchange.needs_slot());
            stream.emplace(exchange.session->start(sql, format, exchange.params()));
            if (const auto failed = stream->error()) throw EngineFailure{*failed};
            first.emplace(exchange.session->next(*stream));
            if (const auto failed = first->error()) throw EngineFailure{*failed};
        }
        if (first->data().empty()) {
            exchange.result = std::move(first);
            return answer_whole(connection, exchange, format);
        }
        const std::string tag = random_id().substr(0, 16);
        auto body = std::make_unique<StreamBody>(std::move(exchange.session), std::move(*stream), std::move(*first), slots, exchange.needs_slot(), exchange.zstd_answer, tag);
        const auto read = [](void* self, std::uint64_t, char* to, std::size_t room) { return static_cast<StreamBody*>(self)->read(to, room); };
        const auto free = [](void* self) { delete static_cast<StreamBody*>(self); };
        const Response response(MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, connection_memory / 2, read, body.get(), free));
        if (!response) return MHD_NO;
        body.release();
        if (exchange.zstd_answer) add_header(response, "Content-Encoding", "zstd");
        add_header(response, "X-ClickHouse-Format", format);
        add_header(response, "X-ClickHouse-Exception-Tag", tag);
        return send(connection, exchange, MHD_HTTP_OK, response);
    }

    void listen() {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(options.port));
        const std::string host = options.host == "localhost" ? "127.0.0.1" : options.host;
        if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1 || !host.starts_with("127.")) {
            throw Error(Code::config, "'" + options.host + "' is not a loopback address", "the gateway asks for no password: let it listen on 127.0.0.1");
        }
        daemon = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL | MHD_USE_ITC | MHD_USE_TURBO, 0, nullptr, nullptr,
                                  &Impl::on_request, this, MHD_OPTION_SOCK_ADDR, reinterpret_cast<sockaddr*>(&address), MHD_OPTION_NOTIFY_COMPLETED, &Impl::on_completed, this, MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_memory,
                                  MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(options.connections), MHD_OPTION_CONNECTION_TIMEOUT, idle_connection_s,
                                  MHD_OPTION_THREAD_STACK_SIZE, thread_stack, MHD_OPTION_END);
        if (daemon == nullptr) {
            throw Error(Code::connect, fmt::format("cannot listen on {}:{}: {}", host, options.port, std::strerror(errno)), "choose a free port, or 0");
        }
    }

    bool drained(Deadline deadline) {
        std::unique_lock lock(mutex);
        return changed.wait_until(lock, deadline.at(), [this] { return running == 0; });
    }
};

Gateway::Gateway(const GatewayOptions& options) : impl_(std::make_unique<Impl>(options)) { impl_->listen(); }

Gateway::~Gateway() { stop(Millis(0)); }

int Gateway::port() const { return MHD_get_daemon_info(impl_->daemon, MHD_DAEMON_INFO_BIND_PORT)->port; }

void Gateway::stop(Millis grace) {
    if (impl_->daemon == nullptr) return;
    if (const auto socket = MHD_quiesce_daemon(impl_->daemon); socket != MHD_INVALID_SOCKET) close(socket);
    if (!impl_->drained(Deadline::after(grace))) {
        impl_->engine->session()->prepare("KILL QUERY WHERE Settings['log_comment'] != '' ASYNC");
        impl_->drained(Deadline::after(Millis(5'000)));
    }
    MHD_stop_daemon(impl_->daemon);
    impl_->daemon = nullptr;
    impl_->engine.reset();
}

}  // namespace ysdb::clickhouse
