// A logical replication connection: what the server sends, and what it is told back (protocol: "Streaming Replication Protocol").
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "core/store/postgres/connection.h"

namespace ysdb::postgres {

// Not thread-safe. Every call may throw Error(connect, retryable): open another one.
class ReplicationStream {
public:
    // `command`: START_REPLICATION; reading goes on at `start`, which was acknowledged. A server that was asked for a sign of life and gives none
    // within `answer_within` is taken for gone. `patience`: the server's wal_sender_timeout, 0: none.
    ReplicationStream(std::unique_ptr<Connection> connection, const std::string& command, std::uint64_t start, Millis patience, Millis answer_within, Deadline deadline);

    struct Message {
        std::string_view change;       // of the output plugin; valid until the next call. Empty: a sign of life, and
        std::uint64_t end = 0;         // the server has nothing below
    };
    // None: nothing came within `wait`.
    std::optional<Message> next(Millis wait, std::stop_token stop);
    // Everything below is durable wherever it goes. Told about once a second, or `at_once`.
    void acknowledge(std::uint64_t position, bool at_once);
    // Call it while nothing is read: the server takes silence for death.
    void keep_alive();
    // Throws when the server has not answered in time. A connection that a firewall forgot looks like a quiet database.
    void check() const;

private:
    void send_feedback(bool want_answer);

    std::unique_ptr<Connection> connection_;
    Millis answer_within_, feedback_pause_;
    std::uint64_t received_ = 0, acknowledged_ = 0, fed_back_position_ = 0;
    SteadyClock::time_point fed_back_ = SteadyClock::now();
    std::optional<SteadyClock::time_point> asked_;   // for a sign of life; nothing came since
};

}  // namespace ysdb::postgres
