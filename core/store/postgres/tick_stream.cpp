#include "core/store/postgres/tick_stream.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/fault.h"
#include "core/store/postgres/row_lookup.h"
#include "core/store/postgres/sql_build.h"
#include "core/store/postgres/wire.h"

namespace ysdb::postgres {

namespace {

using Params = std::vector<std::optional<std::string>>;

constexpr Millis sorting{600'000};        // of a large tick, before its first change comes

// The fields of one row of COPY BINARY.
class CopiedRow {
public:
    explicit CopiedRow(std::string_view message) : at_(message.data()), end_(at_ + message.size()) {
        if (end_ - at_ < 2) too_short();
        count_ = load_big<std::int16_t>(reinterpret_cast<const std::uint8_t*>(at_));
        at_ += 2;
    }
    bool trailer() const { return count_ < 0; }
    std::optional<std::string_view> field() {
        if (end_ - at_ < 4) too_short();
        const auto size = load_big<std::int32_t>(reinterpret_cast<const std::uint8_t*>(at_));
        at_ += 4;
        if (size < 0) return std::nullopt;
        if (end_ - at_ < size) too_short();
        const std::string_view bytes(at_, static_cast<std::size_t>(size));
        at_ += size;
        return bytes;
    }
    std::int64_t number() {
        const auto bytes = field();
        if (!bytes || bytes->size() != 8) too_short();
        return load_big<std::int64_t>(reinterpret_cast<const std::uint8_t*>(bytes->data()));
    }

private:
    [[noreturn]] static void too_short() { throw Error(Code::internal, "a row of cdc.change_log is too short"); }
    const char* at_;
    const char* end_;
    std::int16_t count_ = 0;
};

}  // namespace

TickStream::TickStream(const Target& target, const std::string& set, std::uint64_t start, Millis timeout, Deadline deadline)
    : timeout_(timeout), session_(Connection::open(target, "ysdb sync " + set + " log", deadline)), changes_(Connection::open(target, "ysdb sync " + set + " changes", deadline)), told_(start) {
    const Deadline asking = Deadline::after(timeout_);
    for (Connection* each : {session_.get(), changes_.get()}) {
        use_text_settings(*each, asking);
        each->query("SET enable_seqscan = off; SET idle_session_timeout = 0", asking);   // a log that grows fast has no statistics
    }
    if (session_->query("SELECT 1 FROM cdc.ticks WHERE id = $1", Params{std::to_string(told_)}, asking).rows() == 0) {
        throw Error(Code::refused, fmt::format("sync {}: tick {}, where it goes on, is gone from cdc.ticks", set, told_), "ysdb sync reset   (copies every table anew)");
    }
}

bool TickStream::begin() {
    const Deadline deadline = Deadline::after(timeout_);
    SqlResult next = after_told(deadline);
    if (next.rows() == 0) {
        const SqlResult looked = session_->query("SELECT CASE WHEN is_called THEN last_value ELSE 0 END, pg_snapshot_xmin(pg_current_snapshot()) FROM cdc.change_sequence", deadline);
        const SqlRow now = looked.row(0);
        if (now.text(0) == sequence_ && settled_) return false;
        // Whoever drew a number up to there has a lower transaction id than one given out now. While one of those is under way it can commit
        // without the sequence moving; a snapshot's upper bound does not tell of it, should it be the newest.
        if (now.text(0) != sequence_) drawn_before_ = std::stoull(session_->query("SELECT pg_current_xact_id()", deadline).row(0).text(0));
        settled_ = now.text(0) == sequence_ && std::stoull(now.text(1)) >= drawn_before_;
        sequence_ = now.text(0);
        fault::point("sync.trigger.tick.before");
        session_->query("SELECT cdc.tick(false) WHERE cdc.news()", deadline);
        fault::point("sync.trigger.tick.after");
        next = after_told(deadline);
        if (next.rows() == 0) return false;
    }
    read_from(next.row(0), deadline);
    return true;
}

SqlResult TickStream::after_told(Deadline deadline) { return session_->query("SELECT id, snapshot FROM cdc.ticks WHERE id > $1 ORDER BY id LIMIT 1", Params{std::to_string(told_)}, deadline); }

void TickStream::read_from(const SqlRow& next, Deadline deadline) {
    if (snapshot_.empty()) snapshot_ = session_->query("SELECT snapshot FROM cdc.ticks WHERE id = $1", Params{std::to_string(told_)}, deadline).row(0).text(0);
    next_snapshot_ = next.text(1);
    const SqlResult earlier = session_->query("SELECT pg_snapshot_xmax(s), (SELECT string_agg(x::text, ',') FROM pg_snapshot_xip(s) x) FROM CAST($1 AS pg_snapshot) s", Params{snapshot_}, deadline);
    // The transactions that this tick sees and the one before did not: those begun since, and those then under way, one by one.
    const std::string select = "SELECT relation::bigint, left(operation, 1) AS what, shape, old_text, new_text, timestamp, sequence FROM cdc.change_log WHERE relation = ANY ('{" + relations_ + "}'::oid[])"
                               " AND pg_visible_in_snapshot(xid, " + literal(next_snapshot_) + ") AND xid ";
    std::string sql = select + ">= " + literal(earlier.row(0).text(0)) + "::xid8";
    if (!earlier.row(0).null(1)) sql += " UNION ALL " + select + "= ANY ('{" + earlier.row(0).text(1) + "}'::xid8[])";
    changes_->start_copy_out("COPY (SELECT relation, what, shape, old_text, new_text, timestamp FROM (" + sql + ") changes ORDER BY sequence) TO STDOUT (FORMAT binary)", deadline);
    header_ = true;
    sorted_ = false;
    tick_ = static_cast<std::uint64_t>(next.integer(0));
}

std::optional<LoggedChange> TickStream::next(std::stop_token stop) {
    while (true) {
        std::string_view message = changes_->read_copy(sorted_ ? timeout_ : sorting, stop);
        if (message.empty()) break;
        if (std::exchange(header_, false)) {
            message.remove_prefix(std::min<std::size_t>(19, message.size()));
            if (message.empty()) continue;
        }
        CopiedRow row(message);
        if (row.trailer()) continue;
        sorted_ = true;
        LoggedChange change;
        change.relation = static_cast<std::uint32_t>(row.number());
        if (const auto operation = row.field(); operation && !operation->empty()) change.operation = operation->front();
        change.shape = row.number();
        change.before = row.field();
        change.now = row.field();
        change.changed = row.number() + epoch_micros;
        return change;
    }
    told_ = std::exchange(tick_, 0);
    snapshot_ = next_snapshot_;
    return std::nullopt;
}

}  // namespace ysdb::postgres
