// Small statements with whole results as text.
#pragma once

#include <atomic>
#include <mutex>
#include <span>
#include <string>

#include "core/store/clickhouse/transport.h"
#include "core/store/store.h"

namespace ysdb::clickhouse {

// "<label>-<random>-<n>": what a statement is called on the server, unlike any other of this or another process. Thread-safe.
class QueryIds {
public:
    QueryIds();
    std::string next(const std::string& label);
    const std::string& random() const { return random_; }   // the same in all of this process's

private:
    std::string random_;
    std::atomic<std::uint64_t> count_{0};
};

// One statement, {p1:Type} for the first parameter and so on. `id` may be empty.
SqlResult query(Transport& transport, std::string_view sql, std::span<const std::optional<std::string>> params, const Settings& settings, const std::string& id,
                Deadline deadline);

// Settings made by SET stay with the session; they are sent with each of its statements.
class Session final : public SqlSession {
public:
    Session(Transport& transport, QueryIds& ids, std::string label) : transport_(transport), ids_(ids), label_(std::move(label)) {}
    using SqlSession::query;
    SqlResult query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) override;
    void cancel() noexcept override;
    void set_label(const std::string& label) override { label_ = label; }

private:
    Transport& transport_;
    QueryIds& ids_;
    std::string label_;
    Settings settings_;
    std::mutex mutex_;
    std::string running_;  // id of the statement that runs now
};

}  // namespace ysdb::clickhouse
