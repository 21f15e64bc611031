// The ticks of cdc.change_log, and what the log has between two of them. A transaction is told with the first tick whose snapshot sees it; in between
// the log's own order holds. Ticks are made when nothing else makes them: a tick that follows what happened last is what the reader waits for.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/store/postgres/connection.h"

namespace ysdb::postgres {

// One row of cdc.change_log. What it views is valid until the next is read.
struct LoggedChange {
    std::uint32_t relation = 0;                    // oid
    char operation = '?';                          // the first letter of the log's: I(nsert), U(pdate), D(elete), T(runcate), P(artition), A(ttach), R(ewrite)
    std::int64_t shape = 0;                        // 0: the transaction could not say
    std::optional<std::string_view> before, now;   // rows as the server prints them
    std::int64_t changed = 0;                      // microseconds since 1970: a little before the commit, which the log does not know
};

// Two connections: one for what is asked, one that a tick's changes come over. Not thread-safe. Throws the server's errors, and Error(internal) for a row
// that is none of the log's.
class TickStream {
public:
    // Goes on behind the tick `start`; `timeout`: limit of each question, `deadline` that of connecting. Throws Error(refused) where that is gone.
    TickStream(const Target& target, const std::string& set, std::uint64_t start, Millis timeout, Deadline deadline);
    Connection& session() { return *session_; }
    // Whose changes are read: their oids, with commas between. Before the first tick.
    void follow(std::string relations) { relations_ = std::move(relations); }

    // Begins the next tick; false: nothing happened.
    bool begin();
    // Its next change; none: it was told to its end.
    std::optional<LoggedChange> next(std::stop_token stop);
    std::uint64_t tick() const { return tick_; }     // the one being told; 0: none
    std::uint64_t told() const { return told_; }     // those up to here were told
    // What happens from here on has a tick of its own, whatever the log's numbers say.
    void look_again() { sequence_.clear(); }

private:
    SqlResult after_told(Deadline deadline);
    void read_from(const SqlRow& next, Deadline deadline);

    Millis timeout_;
    std::unique_ptr<Connection> session_, changes_;
    std::string relations_;
    std::uint64_t told_ = 0, tick_ = 0;
    std::string snapshot_, next_snapshot_;    // of told_, of tick_
    std::string sequence_;                    // the log's last number when a tick was asked for last
    std::uint64_t drawn_before_ = 0;          // every transaction that drew a number up to there has a lower id
    bool settled_ = false;                    // and all of those have ended
    bool header_ = false;                     // of the COPY, still to come
    bool sorted_ = false;                     // its first row has come
};

}  // namespace ysdb::postgres
