#include "core/store/postgres/ordinary.h"

#include <sys/socket.h>

#include <condition_variable>
#include <map>
#include <mutex>
#include <pqxx/pqxx>
#include <set>
#include <thread>

#include "core/store/postgres/errors.h"
#include "core/store/postgres/ways.h"

namespace ysdb::postgres {

struct Watchdog::State {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::map<std::uint64_t, std::pair<SteadyClock::time_point, std::function<void()>>> watched;
    std::set<std::uint64_t> bitten;
    std::uint64_t next = 1;
    std::jthread thread;

    void run(std::stop_token stop) {
        std::unique_lock lock(mutex);
        while (!stop.stop_requested()) {
            auto first = SteadyClock::now() + std::chrono::hours(1);
            for (const auto& [id, entry] : watched) first = std::min(first, entry.first);
            changed.wait_until(lock, stop, first, [&] { return std::any_of(watched.begin(), watched.end(), [&](const auto& w) { return w.second.first < first; }); });
            const auto now = SteadyClock::now();
            for (auto it = watched.begin(); it != watched.end();) {
                if (it->second.first > now) {
                    ++it;
                    continue;
                }
                bitten.insert(it->first);
                it->second.second();  // under the lock: the guard cannot go away meanwhile
                it = watched.erase(it);
            }
        }
    }
};

Watchdog::Watchdog() : state_(std::make_unique<State>()) {}
Watchdog::~Watchdog() = default;

Watchdog::Guard::Guard(Watchdog& dog, Deadline deadline, std::function<void()> bite) : dog_(dog), id_(0) {
    State& state = *dog_.state_;
    if (deadline.is_never()) return;
    {
        const std::lock_guard lock(state.mutex);
        id_ = state.next++;
        state.watched.emplace(id_, std::pair(deadline.at(), std::move(bite)));
        if (!state.thread.joinable()) state.thread = std::jthread([&state](std::stop_token stop) { state.run(stop); });
    }
    state.changed.notify_one();
}

Watchdog::Guard::~Guard() {
    const std::lock_guard lock(dog_.state_->mutex);
    dog_.state_->watched.erase(id_);
    dog_.state_->bitten.erase(id_);
}

bool Watchdog::Guard::bitten() const {
    const std::lock_guard lock(dog_.state_->mutex);
    return dog_.state_->bitten.contains(id_);
}

namespace {

// libpq rounds to whole seconds and takes 2 as its least.
int connect_seconds(Deadline deadline) { return static_cast<int>(std::max<long long>(2, (deadline.left().count() + 999) / 1000)); }

#if !defined(PQXX_VERSION_MAJOR) || PQXX_VERSION_MAJOR < 7
void quiet(pqxx::connection& connection) { new pqxx::quiet_errorhandler(connection); }  // owned by the connection

pqxx::result execute(pqxx::nontransaction& work, const std::string& sql, std::span<const std::optional<std::string>> params) {
    if (params.empty()) return work.exec(sql);
    std::vector<const char*> values;
    for (const auto& param : params) values.push_back(param ? param->c_str() : nullptr);
    return work.exec_params(sql, pqxx::prepare::make_dynamic_params(values));
}
#else
void quiet(pqxx::connection& connection) {
#if PQXX_VERSION_MAJOR > 7 || PQXX_VERSION_MINOR >= 10
    connection.set_notice_handler([](pqxx::zview) noexcept {});
#else
    new pqxx::quiet_errorhandler(connection);  // owned by the connection
#endif
}

pqxx::result execute(pqxx::nontransaction& work, const std::string& sql, std::span<const std::optional<std::string>> params) {
    if (params.empty()) return work.exec(sql);
    pqxx::params values;
    for (const auto& param : params) {  // views: libpqxx's conversions are templates over what its build knew of C++20, which may be less than ours
        if (param) values.append(pqxx::zview(*param));
        else values.append();
    }
#if PQXX_VERSION_MAJOR > 7 || PQXX_VERSION_MINOR >= 9
    return work.exec(sql, values);
#else
    return work.exec_params(sql, values);
#endif
}
#endif

SqlResult text_result(const pqxx::result& from) {
    SqlResult to;
    const auto columns = static_cast<std::size_t>(from.columns());
    for (std::size_t c = 0; c < columns; ++c) to.columns.emplace_back(from.column_name(static_cast<int>(c)));
    to.cells.reserve(static_cast<std::size_t>(from.size()) * columns);
    for (const auto& row : from) {
        for (const auto& field : row) {
            if (field.is_null()) to.cells.emplace_back(std::nullopt);
            else to.cells.emplace_back(std::string(field.c_str(), field.size()));
        }
    }
    to.affected = static_cast<std::uint64_t>(from.affected_rows());
    return to;
}

// libpqxx 6 drops the SQLSTATE of the classes it has a type for.
std::string state_of(const pqxx::sql_error& error) {
    if (!error.sqlstate().empty()) return error.sqlstate();
    if (dynamic_cast<const pqxx::insufficient_privilege*>(&error) != nullptr) return "42501";
    if (dynamic_cast<const pqxx::disk_full*>(&error) != nullptr) return "53100";
    if (dynamic_cast<const pqxx::out_of_memory*>(&error) != nullptr) return "53200";
    if (dynamic_cast<const pqxx::insufficient_resources*>(&error) != nullptr) return "53000";
    if (dynamic_cast<const pqxx::plpgsql_raise*>(&error) != nullptr) return "P0001";
    if (dynamic_cast<const pqxx::plpgsql_error*>(&error) != nullptr) return "P0000";
    return {};
}

}  // namespace

struct OrdinaryConnection::Impl {
    Target target;
    Watchdog& dog;
    std::unique_ptr<pqxx::connection> connection;
    bool broken = false;
};

OrdinaryConnection::OrdinaryConnection(const Target& target, const std::string& label, Deadline deadline, Watchdog& dog)
    : impl_(new Impl{target, dog, nullptr, false}) {
    impl_->connection = open_any(target, deadline, [&](const Target& way, Deadline share) {
        try {
            return std::make_unique<pqxx::connection>(way.conninfo(label, connect_seconds(share)));
        } catch (const std::exception& error) {
            throw connect_error(way.store, way.redacted_url, error.what());
        }
    });
    quiet(*impl_->connection);
}

OrdinaryConnection::~OrdinaryConnection() = default;

bool OrdinaryConnection::usable() const { return !impl_->broken; }

SqlResult OrdinaryConnection::query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) {
    const int fd = impl_->connection->sock();
    // Half-closing the socket ends the wait inside libpq; the server notices the lost client by itself.
    const Watchdog::Guard guard(impl_->dog, deadline, [fd] { shutdown(fd, SHUT_RDWR); });
    try {
        pqxx::nontransaction work(*impl_->connection);
        return text_result(execute(work, std::string(sql), params));
    } catch (const pqxx::broken_connection& error) {
        impl_->broken = true;
        if (guard.bitten()) throw timeout_error(impl_->target.store, "waiting for a statement");
        throw statement_error(impl_->target.store, "", error.what());
    } catch (const pqxx::sql_error& error) {
        if (guard.bitten()) {
            impl_->broken = true;
            throw timeout_error(impl_->target.store, "waiting for a statement");
        }
        const std::string state = state_of(error);
        if (state.empty()) impl_->broken = true;
        std::string message = error.what();
        if (message.starts_with("ERROR:")) message.erase(0, 6);
        throw statement_error(impl_->target.store, state, message);
    } catch (const std::exception& error) {
        impl_->broken = true;
        if (guard.bitten()) throw timeout_error(impl_->target.store, "waiting for a statement");
        throw statement_error(impl_->target.store, "", error.what());
    }
}

}  // namespace ysdb::postgres
