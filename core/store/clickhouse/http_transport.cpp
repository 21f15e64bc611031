#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "core/base/text.h"
#include "core/base/url.h"
#include "core/store/clickhouse/compress.h"
#include "core/store/clickhouse/errors.h"
#include "core/store/clickhouse/statement.h"
#include "core/store/clickhouse/transport.h"
#include "core/store/pool.h"

namespace ysdb::clickhouse {

namespace {

constexpr std::size_t tail_size = 16u << 10;      // an error at the end of a result is found within this
constexpr std::size_t longest_error = 64u << 10;
constexpr long buffer_size = 512l << 10;
constexpr Millis kill_patience{500};              // a program that ends after a timeout is kept no longer than this
constexpr long longest_idle_s = 8;                // servers close kept connections after 10 s and more

struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

std::string url_of(const Target& target, const Request& request, bool sql_in_url) {
    std::string url = target.origin() + "/?database=" + percent_encode(target.database) + "&default_format=" + percent_encode(request.format);
    const auto add = [&](std::string_view key, std::string_view value) { url += "&" + std::string(key) + "=" + percent_encode(value); };
    if (!request.query_id.empty()) add("query_id", request.query_id);
    if (target.compress) add("enable_http_compression", "1");
    if (request.whole) add("wait_end_of_query", "1");
    for (const auto& [name, value] : request.settings) add(name, value);
    for (const auto& [name, value] : request.params) add("param_" + name, escape_param(value));
    if (sql_in_url) add("query", request.sql);
    return url;
}

std::uint64_t summary_number(std::string_view json, std::string_view key) {
    const auto at = json.find("\"" + std::string(key) + "\":\"");
    std::uint64_t number = 0;
    if (at != std::string_view::npos) std::from_chars(json.data() + at + key.size() + 4, json.data() + json.size(), number);
    return number;
}

// One kept connection. Used by one thread at a time.
class HttpConnection {
public:
    explicit HttpConnection(const Target& target) : target_(target), handle_(curl_easy_init()) {
        if (handle_ == nullptr) throw Error(Code::internal, "cannot start an HTTP connection");
    }
    ~HttpConnection() { curl_easy_cleanup(handle_); }
    HttpConnection(const HttpConnection&) = delete;
    HttpConnection& operator=(const HttpConnection&) = delete;

    Summary run(const Request& request, const Limits& limits, const OnData& on_data) {
        answer_ = {};
        answer_.on_data = &on_data;
        limits_ = &limits;
        last_bytes_ = SteadyClock::now();
        prepare(request);
        code_ = curl_easy_perform(handle_);
        return judge(code_);
    }

    // True when the last statement reached the server and nobody waited for its end.
    bool gave_up() const {
        long sent = 0;
        curl_easy_getinfo(handle_, CURLINFO_REQUEST_SIZE, &sent);
        return sent > 0 && (code_ == CURLE_OPERATION_TIMEDOUT || code_ == CURLE_ABORTED_BY_CALLBACK);
    }

private:
    struct Answer {
        const OnData* on_data = nullptr;
        std::map<std::string, std::string> headers;   // lower-case names
        std::string error_text;                       // the body of an answer that is an error
        std::string tail;                             // the last bytes of one that is not
        std::exception_ptr thrown;                    // by on_data
        bool stopped = false, idle_too_long = false;
    };

    template <class Value>
    void set(CURLoption option, Value value) {
        curl_easy_setopt(handle_, option, value);
    }

    void prepare(const Request& request) {
        curl_easy_reset(handle_);  // keeps the connection
        reason_[0] = '\0';
        set(CURLOPT_URL, url_of(target_, request, request.payload.has_value()).c_str());
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_PROXY, "");
        set(CURLOPT_ERRORBUFFER, reason_);
        set(CURLOPT_BUFFERSIZE, buffer_size);
        set(CURLOPT_UPLOAD_BUFFERSIZE, 2l << 20);
        set(CURLOPT_MAXAGE_CONN, longest_idle_s);
        // On a kept connection that is lost before the first byte of an answer curl sends again by itself, whatever the server has done by then.
        if (request.once) set(CURLOPT_FRESH_CONNECT, 1L);
        set(CURLOPT_TCP_KEEPALIVE, 1L);
        const auto left = std::max<long long>(1, limits_->deadline.left().count());
        if (!limits_->deadline.is_never()) set(CURLOPT_TIMEOUT_MS, static_cast<long>(left));
        set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::max<long long>(1, std::min<long long>(left, target_.pool.connect_timeout.count()))));
        if (!target_.tls_ca.empty()) set(CURLOPT_CAINFO, target_.tls_ca.c_str());
        if (target_.compress) set(CURLOPT_ACCEPT_ENCODING, "zstd");
        set(CURLOPT_NOPROGRESS, 0L);
        set(CURLOPT_XFERINFOFUNCTION, &HttpConnection::on_progress);
        set(CURLOPT_XFERINFODATA, this);
        set(CURLOPT_HEADERFUNCTION, &HttpConnection::on_header);
        set(CURLOPT_HEADERDATA, this);
        set(CURLOPT_WRITEFUNCTION, &HttpConnection::on_bytes);
        set(CURLOPT_WRITEDATA, this);
        set_headers(request.payload && target_.compress);
        set(CURLOPT_POST, 1L);
        if (request.payload) set_payload(*request.payload);
        else set_text(request.sql);
    }

    void set_headers(bool compressed) {
        headers_.reset();
        const auto add = [&](const std::string& line) { headers_.reset(curl_slist_append(headers_.release(), line.c_str())); };
        add("X-ClickHouse-User: " + target_.user);
        if (!target_.password.empty()) add("X-ClickHouse-Key: " + target_.password.reveal());
        add("Content-Type: application/octet-stream");
        add("Expect:");
        if (compressed) add("Content-Encoding: zstd");
        set(CURLOPT_HTTPHEADER, headers_.get());
    }

    void set_text(const std::string& sql) {
        set(CURLOPT_POSTFIELDS, sql.data());
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(sql.size()));
    }

    void set_payload(std::span<const std::string_view> pieces) {
        if (target_.compress) {
            compressed_.clear();
            ZstdCompressor compressor;
            for (const std::string_view piece : pieces) compressor.add(piece, compressed_);
            compressor.finish(compressed_);
            compressed_piece_ = compressed_;
            pieces = {&compressed_piece_, 1};
        }
        payload_ = pieces;
        rewind();
        std::size_t size = 0;
        for (const std::string_view piece : pieces) size += piece.size();
        set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
        set(CURLOPT_READFUNCTION, &HttpConnection::on_send);
        set(CURLOPT_READDATA, this);
        set(CURLOPT_SEEKFUNCTION, &HttpConnection::on_seek);
        set(CURLOPT_SEEKDATA, this);
    }

    void rewind() { payload_at_ = piece_at_ = 0; }

    static std::size_t on_send(char* to, std::size_t size, std::size_t count, void* self) {
        return static_cast<HttpConnection*>(self)->send(to, size * count);
    }
    std::size_t send(char* to, std::size_t room) {
        std::size_t sent = 0;
        while (sent < room && payload_at_ < payload_.size()) {
            const std::string_view rest = payload_[payload_at_].substr(piece_at_);
            const std::size_t size = std::min(room - sent, rest.size());
            std::memcpy(to + sent, rest.data(), size);
            sent += size;
            piece_at_ += size;
            if (size == rest.size()) {
                ++payload_at_;
                piece_at_ = 0;
            }
        }
        last_bytes_ = SteadyClock::now();
        return sent;
    }

    // A kept connection turned out closed: curl sends the payload again from its start.
    static int on_seek(void* self, curl_off_t offset, int origin) {
        if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
        static_cast<HttpConnection*>(self)->rewind();
        return CURL_SEEKFUNC_OK;
    }

    static int on_progress(void* self, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
        auto& connection = *static_cast<HttpConnection*>(self);
        connection.answer_.stopped = connection.limits_->stop.stop_requested();
        const auto idle = connection.limits_->idle;
        connection.answer_.idle_too_long = idle && SteadyClock::now() - connection.last_bytes_ > *idle;
        return connection.answer_.stopped || connection.answer_.idle_too_long ? 1 : 0;
    }

    static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* self) {
        const std::string_view line(data, size * count);
        auto& headers = static_cast<HttpConnection*>(self)->answer_.headers;
        if (line.starts_with("HTTP/")) headers.clear();
        if (const auto colon = line.find(':'); colon != std::string_view::npos) headers[lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
        return size * count;
    }

    static std::size_t on_bytes(char* data, std::size_t size, std::size_t count, void* self) {
        return static_cast<HttpConnection*>(self)->receive({data, size * count}) ? size * count : 0;
    }
    bool receive(std::string_view bytes) {
        Answer& answer = answer_;
        if (is_error()) {
            answer.error_text += bytes.substr(0, longest_error - std::min(longest_error, answer.error_text.size()));
            return true;
        }
        if (bytes.size() >= tail_size) answer.tail.clear();
        answer.tail += bytes.substr(bytes.size() - std::min(bytes.size(), tail_size));
        if (answer.tail.size() > tail_size) answer.tail.erase(0, answer.tail.size() - tail_size);
        try {
            (*answer.on_data)(bytes);
        } catch (...) {
            answer.thrown = std::current_exception();
            return false;
        }
        last_bytes_ = SteadyClock::now();  // the consumer's own time does not count
        return true;
    }

    bool has(const std::string& header) const { return answer_.headers.contains(header); }
    std::string header(const std::string& name) const {
        const auto found = answer_.headers.find(name);
        return found == answer_.headers.end() ? "" : found->second;
    }
    bool is_clickhouse() const {
        return std::any_of(answer_.headers.begin(), answer_.headers.end(), [](const auto& header) { return header.first.starts_with("x-clickhouse-"); });
    }
    long status() const {
        long status = 0;
        curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
        return status;
    }
    bool is_error() const { return status() != 200 || has("x-clickhouse-exception-code") || !is_clickhouse(); }

    Summary judge(CURLcode code) {
        const auto trailing = code == CURLE_OK && !has("x-clickhouse-exception-tag") ? std::nullopt : trailing_exception(answer_.tail, header("x-clickhouse-exception-tag"));
        if (!answer_.headers.empty() && !is_error() && trailing) throw server_error(target_.store, *trailing);
        if (answer_.thrown) std::rethrow_exception(answer_.thrown);
        if (code != CURLE_OK) throw transfer_error(code);
        if (!is_clickhouse()) throw not_a_clickhouse("answers HTTP " + std::to_string(status()) + " but is not ClickHouse");
        if (is_error()) {
            int number = 0;
            const std::string given = header("x-clickhouse-exception-code");
            std::from_chars(given.data(), given.data() + given.size(), number);
            throw server_error(target_.store, answer_.error_text, number);
        }
        const std::string summary = header("x-clickhouse-summary");
        return {summary_number(summary, "read_rows"), summary_number(summary, "written_rows"), summary_number(summary, "result_rows")};
    }

    std::string who() const { return "store '" + target_.store + "': "; }

    Error not_a_clickhouse(const std::string& what) const {
        return Error(Code::connect, who() + "what listens at " + target_.origin() + " " + what, "is the url right? ClickHouse's HTTP port is 8123, with TLS 8443");
    }

    // The system's word for it: libcurl's differs from release to release.
    std::string why_no_connection(const std::string& else_this) const {
        long number = 0;
        curl_easy_getinfo(handle_, CURLINFO_OS_ERRNO, &number);
        return number == 0 ? else_this : std::system_category().message(static_cast<int>(number));
    }

    Error transfer_error(CURLcode code) const {
        if (answer_.stopped) return Error(Code::interrupted, who() + "interrupted");
        const std::string reason = reason_[0] != '\0' ? reason_ : curl_easy_strerror(code);
        switch (code) {
            case CURLE_ABORTED_BY_CALLBACK:
            case CURLE_OPERATION_TIMEDOUT:
                return Error(Code::connect, who() + "no answer from " + target_.origin() + " within the timeout", "is the server overloaded or the host unreachable? else raise --timeout")
                    .with_retryable();
            case CURLE_SSL_CACERT_BADFILE:
                return Error(Code::config, who() + "cannot read the certificates in " + target_.tls_ca, "check the store's option tls_ca");
            case CURLE_PEER_FAILED_VERIFICATION:
                return Error(Code::connect, who() + "the certificate of " + target_.origin() + " is not trusted: " + reason, "name the authority that signed it in the store's option tls_ca");
            case CURLE_SSL_CONNECT_ERROR:
                return Error(Code::connect, who() + "no TLS with " + target_.origin() + ": " + reason, "without TLS the url begins with clickhouse://");
            case CURLE_UNSUPPORTED_PROTOCOL:
            case CURLE_WEIRD_SERVER_REPLY:
                return not_a_clickhouse("does not speak HTTP");
            case CURLE_GOT_NOTHING:
            case CURLE_RECV_ERROR:
            case CURLE_SEND_ERROR:
            case CURLE_PARTIAL_FILE:
                // Before the first word of an answer it may as well be another kind of server, or one that waits for TLS.
                return Error(Code::connect, who() + target_.origin() + " closed the connection: " + reason,
                             answer_.headers.empty() && !target_.tls ? "is it ClickHouse's HTTP port (8123)? one with TLS (8443) is written clickhouses://"
                                                                     : "did the server stop? its log says why")
                    .with_retryable();
            default:
                return Error(Code::connect, who() + "cannot reach " + target_.origin() + ": " + (code == CURLE_COULDNT_CONNECT ? why_no_connection(reason) : reason), "is the server up? see: ysdb doctor").with_retryable();
        }
    }

    const Target& target_;
    CURL* handle_;
    HeaderList headers_;
    CURLcode code_ = CURLE_OK;
    char reason_[CURL_ERROR_SIZE] = "";
    Answer answer_;
    const Limits* limits_ = nullptr;
    SteadyClock::time_point last_bytes_;
    std::span<const std::string_view> payload_;
    std::size_t payload_at_ = 0, piece_at_ = 0;
    std::string compressed_;
    std::string_view compressed_piece_;
};

// Ends statements that nobody waits for any more, which would go on in the server for as long as they like. By a thread of its own: the
// callers' time is up.
class Abandoned {
public:
    using Kill = std::function<void(const std::string&)>;
    explicit Abandoned(Kill kill) : kill_(std::move(kill)) {}

    void add(std::string query_id) {
        const std::lock_guard lock(mutex_);
        ids_.push_back(std::move(query_id));
        if (!thread_.joinable()) thread_ = std::jthread([this](std::stop_token stop) { work(stop); });
        added_.notify_one();
    }

private:
    // What was asked for before the end is still done, unless the server answers nobody.
    void work(std::stop_token stop) {
        std::unique_lock lock(mutex_);
        while (added_.wait(lock, stop, [this] { return !ids_.empty(); })) {
            const std::string id = std::move(ids_.front());
            ids_.pop_front();
            lock.unlock();
            bool answered = true;
            try {
                kill_(id);
            } catch (const std::exception&) {  // the statement's caller was told already
                answered = false;
            }
            lock.lock();
            if (!answered && stop.stop_requested()) return;
        }
    }

    Kill kill_;
    std::mutex mutex_;
    std::condition_variable_any added_;
    std::deque<std::string> ids_;
    std::jthread thread_;
};

class HttpTransport final : public Transport {
public:
    explicit HttpTransport(const Target& target)
        : target_(target),
          pool_("store '" + target.store + "'", target.pool, [this](Deadline) { return std::make_unique<HttpConnection>(target_); }),
          abandoned_([this](const std::string& query_id) { kill(query_id, Deadline::after(kill_patience)); }) {
        static std::once_flag started;
        std::call_once(started, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    }

    Summary run(const Request& request, const Limits& limits, const OnData& on_data) override {
        auto connection = pool_.acquire(limits.idle ? Deadline::after(*limits.idle) : limits.deadline);
        try {
            return connection->run(request, limits, on_data);
        } catch (...) {
            if (!request.query_id.empty() && connection->gave_up()) abandoned_.add(request.query_id);
            throw;
        }
    }

    void kill(const std::string& query_id, Deadline deadline) override {
        Request request;
        request.sql = "KILL QUERY WHERE query_id = {id:String} ASYNC";
        request.params = {{"id", query_id}};
        HttpConnection(target_).run(request, {deadline, {}, {}}, [](std::string_view) {});
    }

private:
    Target target_;
    Pool<HttpConnection> pool_;
    Abandoned abandoned_;
};

}  // namespace

std::unique_ptr<Transport> open_http(const Target& target) { return std::make_unique<HttpTransport>(target); }

}  // namespace ysdb::clickhouse
