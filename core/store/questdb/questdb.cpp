#include "core/store/questdb/questdb.h"

#include <nlohmann/json.hpp>

#include "core/base/http.h"
#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/base/url.h"
#include "core/store/postgres/postgres.h"
#include "core/store/questdb/line_protocol.h"

namespace ysdb::questdb {

namespace {

constexpr int sql_port = 8812;
constexpr const char* http_port = "9000";
constexpr std::size_t request_bytes = 4 << 20;

std::string quote(std::string_view name) {
    std::string quoted = "\"";
    for (const char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + "\"";
}

// "Build Information: QuestDB 9.3.4, JDK ..." -> "9.3.4"; empty when it is another's.
std::string version_in(const std::string& build) {
    const std::string mark = "QuestDB ";
    const auto at = build.find(mark);
    if (at == std::string::npos) return {};
    const auto from = at + mark.size();
    return build.substr(from, build.find_first_of(", ", from) - from);
}

std::string reason_in(const HttpResponse& response) {
    const auto answer = nlohmann::json::parse(response.body, nullptr, false);
    const std::string text = answer.is_object() && answer.contains("message") && answer["message"].is_string() ? answer["message"].get<std::string>()
                                                                                                                : "status " + std::to_string(response.status);
    std::string line;
    for (const std::string& part : split(text, '\n')) line += (line.empty() ? "" : " ") + std::string(trim(part));
    return line;
}

// A PostgreSQL session but for its label, which QuestDB takes at login only.
class Session final : public SqlSession {
public:
    explicit Session(std::unique_ptr<SqlSession> wire) : wire_(std::move(wire)) {}
    SqlResult query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) override { return wire_->query(sql, params, deadline); }
    void cancel() noexcept override { wire_->cancel(); }
    void set_label(const std::string&) override {}

private:
    std::unique_ptr<SqlSession> wire_;
};

class QuestDb final : public Store, SqlStore, RowLoader {
public:
    explicit QuestDb(const StoreConfig& config) : Store(config), url_(parse_url(config.url, "store '" + config.name + "'", sql_port)) {
        StoreConfig wire = config;
        if (url_.user.empty()) url_.user = "admin";  // QuestDB's own defaults
        if (wire.password.empty()) wire.password = Secret(url_.password.empty() ? "quest" : url_.password);
        if (url_.path.empty()) url_.path = "qdb";
        const auto take = [&](const std::string& key, std::string value) {
            if (const auto found = url_.query.find(key); found != url_.query.end()) value = found->second;
            if (const auto found = wire.options.find(key); found != wire.options.end()) value = found->second;
            wire.options.erase(key);
            return value;
        };
        const Endpoint http = parse_endpoint(url_.hosts.front().host + ":" + take("http_port", http_port), "store '" + config.name + "': http_port", 0);
        base_ = "http://" + http.text();
        authorization_ = Secret("Authorization: Basic " + base64(url_.user + ":" + wire.password.reveal()));
        Url sql = url_;
        sql.scheme = "postgres";
        sql.query.erase("http_port");
        wire.url = sql.redacted();
        wire_ = postgres::open(wire);
    }

    std::string redacted_url() const override { return url_.redacted(); }
    SqlStore* sql() override { return this; }
    RowLoader* loader() override { return this; }

    ProbeResult probe(Deadline deadline) override {
        ProbeResult result;
        result.product = "QuestDB";
        result.role = "standalone";
        try {
            result.version = version_in(query("SELECT build()", {}, deadline).row(0).text(0));
        } catch (const Error& error) {
            if (error.code() != Code::rejected) throw;
        }
        if (result.version.empty()) {
            throw Error(Code::connect, "store '" + name() + "': " + redacted_url() + " is not a QuestDB", "check host and port of the url: QuestDB's SQL port is 8812");
        }
        const auto start = SteadyClock::now();
        query("SELECT 1", {}, deadline);
        result.latency_s = std::chrono::duration<double>(SteadyClock::now() - start).count();
        const SqlResult tables = query("SELECT count(), sum(CASE WHEN table_suspended THEN 1 ELSE 0 END) FROM tables()", {}, deadline);
        const std::string count = tables.row(0).text(0);
        result.detail = count + (count == "1" ? " table" : " tables");
        if (const std::string suspended = tables.row(0).text_or(1, "0"); suspended != "0") result.detail += ", " + suspended + " suspended";
        return result;
    }

    // --- SqlStore ---
    Dialect dialect() const override { return Dialect::questdb; }
    bool transactional_ddl() const override { return false; }
    std::string quote_identifier(std::string_view identifier) const override { return quote(identifier); }
    std::unique_ptr<SqlSession> open_session(const std::string& label, Deadline deadline) override {
        return std::make_unique<Session>(wire_->sql()->open_session(label, deadline));
    }
    SqlResult query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) override {
        return wire_->sql()->query(sql, params, deadline);
    }

    // --- RowLoader ---
    // Each request is one transaction of the table; the whole load is not.
    std::uint64_t load(const TableInfo& table, const std::function<bool(Batch&)>& fill, Millis idle, std::stop_token stop) override {
        const LineEncoder encoder(name(), table, columns_of(table.ref.table, Deadline::after(idle)));
        std::string lines;
        std::uint64_t rows = 0;
        Batch batch(&table);
        while (fill(batch)) {
            if (stop.stop_requested()) throw Error(Code::interrupted, "interrupted while loading " + table.ref.text() + " after " + std::to_string(rows) + " rows");
            encoder.encode(batch, lines);
            rows += batch.rows();
            batch.clear();
            if (lines.size() >= request_bytes) send(table.ref.table, lines, idle);
        }
        if (!lines.empty()) send(table.ref.table, lines, idle);
        wait_until_applied(*this, name(), table.ref.table, idle, stop);
        return rows;
    }

private:
    // Asked first: the ingestion protocol would create what is missing.
    std::vector<TargetColumn> columns_of(const std::string& table, Deadline deadline) {
        std::vector<TargetColumn> columns;
        try {
            const SqlResult result = SqlStore::query("SELECT \"column\", type, designated FROM table_columns('" + literal(table) + "')", deadline);
            for (std::size_t i = 0; i < result.rows(); ++i) columns.push_back({result.row(i).text(0), result.row(i).text(1), result.row(i).truth(2)});
        } catch (const Error& error) {
            if (error.code() != Code::rejected) throw;
            throw Error(Code::refused, "store '" + name() + "': there is no table " + table, "create it first: ysdb migrate up");
        }
        return columns;
    }

    static std::string literal(const std::string& text) {
        std::string escaped;
        for (const char c : text) escaped += c == '\'' ? "''" : std::string(1, c);
        return escaped;
    }

    void send(const std::string& table, std::string& lines, Millis idle) {
        const HttpResponse response = post(lines, Deadline::after(idle));
        lines.clear();
        if (response.status >= 200 && response.status < 300) return;
        const std::string what = "store '" + name() + "': cannot load " + table + ": " + reason_in(response);
        if (response.status == 401 || response.status == 403) {
            throw Error(Code::connect, what, "check the user and password_file of [stores." + name() + "]");
        }
        throw Error(Code::rejected, what).with_retryable(response.status >= 500).with_server_code(std::to_string(response.status));
    }

    HttpResponse post(const std::string& lines, Deadline deadline) {
        try {
            return http_post(base_ + "/write?precision=u", lines, deadline, {authorization_.reveal()});
        } catch (const Error& error) {
            throw Error(error.code(), "store '" + name() + "': " + error.message(), "is http_port of [stores." + name() + "] QuestDB's HTTP port?").with_retryable(error.retryable());
        }
    }

    Url url_;
    std::string base_;
    Secret authorization_;
    std::unique_ptr<Store> wire_;
};

}  // namespace

std::unique_ptr<Store> open(const StoreConfig& config) { return std::make_unique<QuestDb>(config); }

void wait_until_applied(SqlStore& sql, const std::string& store, const std::string& table, Millis idle, std::stop_token stop) {
    std::optional<std::int64_t> wanted;
    std::int64_t applied = -1;
    Deadline deadline = Deadline::after(idle);
    const std::vector<std::optional<std::string>> params{table};
    while (true) {
        const SqlResult state = sql.query("SELECT writerTxn, sequencerTxn, suspended FROM wal_tables() WHERE name = $1", params, Deadline::after(idle));
        if (state.rows() == 0) return;
        const SqlRow row = state.row(0);
        if (!wanted) wanted = row.integer(1);
        if (row.integer(0) >= *wanted) return;
        if (row.truth(2)) {
            throw Error(Code::rejected, "store '" + store + "': table " + table + " is suspended: rows are kept but not applied",
                        "see its errorMessage in wal_tables(), then ALTER TABLE " + quote(table) + " RESUME WAL");
        }
        if (row.integer(0) > applied) deadline = Deadline::after(idle);
        applied = row.integer(0);
        if (deadline.passed()) {
            throw Error(Code::connect, "store '" + store + "': table " + table + " does not apply what was written to it", "is the server out of memory or disk? see its log").with_retryable();
        }
        if (!pause_for(Millis(20), stop)) throw Error(Code::interrupted, "interrupted while waiting for table " + table);
    }
}

}  // namespace ysdb::questdb
