#include <mutex>

#include "core/store/clickhouse/engine_run.h"
#include "core/store/clickhouse/errors.h"
#include "core/store/clickhouse/transport.h"

namespace ysdb::clickhouse {

namespace {

constexpr int timeout_exceeded = 159;

class EmbeddedTransport final : public Transport {
public:
    explicit EmbeddedTransport(const Target& target) : target_(target) {}

    Summary run(const Request& request, const Limits& limits, const OnData& on_data) override {
        const auto engine = this->engine();
        try {
            return run_on(*engine, request, limits, on_data);
        } catch (const EngineFailure& failure) {
            if (error_number(failure.message) == timeout_exceeded) throw timeout();
            throw server_error(target_.store, failure.message);
        }
    }

    void kill(const std::string& query_id, Deadline) override {
        prepared_session(*engine(), "default", {}, "")->prepare("KILL QUERY WHERE Settings['log_comment'] = " + literal(query_id) + " ASYNC");
    }

private:
    std::shared_ptr<Engine> engine() {
        const std::lock_guard lock(mutex_);
        if (!engine_) {
            if (target_.library.empty()) {
                throw Error(Code::config, "store '" + target_.store + "': no library for chdb://", "fetch it: ysdb lab fetch; then set the store's option library to libchdb.so");
            }
            engine_ = Engine::open({target_.library, target_.directory, 0});
        }
        return engine_;
    }

    Error timeout() const { return Error(Code::connect, "store '" + target_.store + "': the statement did not end within the timeout", "raise --timeout").with_retryable(); }

    void check(const Limits& limits) const {
        if (limits.stop.stop_requested()) throw Error(Code::interrupted, "store '" + target_.store + "': interrupted");
        if (limits.deadline.passed()) throw timeout();
    }

    Summary run_on(Engine& engine, const Request& request, const Limits& limits, const OnData& on_data) {
        check(limits);
        const Statement statement = look_at(request.sql);
        if (statement.several) throw Error(Code::rejected, "store '" + target_.store + "': several statements in one call");
        Settings settings = request.settings;
        if (!limits.deadline.is_never()) settings.emplace_back("max_execution_time", std::to_string(static_cast<double>(limits.deadline.left().count()) / 1000));
        const auto session = prepared_session(engine, target_.database, settings, request.query_id);
        EngineParams params;
        for (const auto& [name, value] : request.params) params.emplace_back(name, escape_param(value));
        const std::string format = statement.format.empty() ? request.format : statement.format;

        if (statement.verb == Statement::Verb::select && streams(format)) return stream(*session, engine_sql(statement), format, params, limits, on_data);
        PayloadFile payload;
        std::string sql = engine_sql(statement);
        if (statement.takes_payload) {
            if (request.payload) for (const std::string_view piece : *request.payload) payload.write(piece);
            else payload.write(statement.payload);
            sql = infile_sql(statement, payload.path(), format, "");
        }
        const EngineResult result = session->execute(sql, format, params);
        if (const auto failed = result.error()) throw EngineFailure{*failed};
        if (!result.data().empty()) on_data(result.data());
        return {result.rows_read(), result.rows_written(), result.rows()};
    }

    Summary stream(EngineSession& session, const std::string& sql, const std::string& format, const EngineParams& params, const Limits& limits, const OnData& on_data) {
        EngineResult stream = session.start(sql, format, params);
        if (const auto failed = stream.error()) throw EngineFailure{*failed};
        Summary summary;
        try {
            while (true) {
                const EngineResult piece = session.next(stream);
                if (const auto failed = piece.error()) throw EngineFailure{*failed};
                if (piece.data().empty()) return summary;
                summary.result_rows += piece.rows();
                on_data(piece.data());
                check(limits);
            }
        } catch (const EngineFailure&) {
            throw;
        } catch (...) {
            session.cancel(stream);
            throw;
        }
    }

    Target target_;
    std::mutex mutex_;
    std::shared_ptr<Engine> engine_;
};

}  // namespace

std::unique_ptr<Transport> open_embedded(const Target& target) { return std::make_unique<EmbeddedTransport>(target); }

}  // namespace ysdb::clickhouse
