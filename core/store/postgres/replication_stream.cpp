#include "core/store/postgres/replication_stream.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "core/store/postgres/pgoutput.h"

namespace ysdb::postgres {

namespace {

constexpr Millis feedback_every{1'000};       // when there is something new to tell
constexpr Millis feedback_at_least{10'000};   // wal_sender_timeout is 60 s; more often where it is shorter
constexpr Millis feedback_within{30'000};     // it is some bytes: who takes none of them in that time is gone

}  // namespace

ReplicationStream::ReplicationStream(std::unique_ptr<Connection> connection, const std::string& command, std::uint64_t start, Millis patience, Millis answer_within, Deadline deadline)
    : connection_(std::move(connection)), answer_within_(answer_within), feedback_pause_(patience > Millis(0) ? std::clamp(patience / 4, Millis(100), feedback_at_least) : feedback_at_least), acknowledged_(start) {
    connection_->start_copy_both(command, deadline);
    fed_back_ = SteadyClock::now();
}

std::optional<ReplicationStream::Message> ReplicationStream::next(Millis wait, std::stop_token stop) {
    const auto bytes = connection_->poll_copy(wait, std::move(stop));
    std::optional<Message> told;
    if (bytes) {
        asked_.reset();
        MessageReader message(*bytes);
        const char kind = message.byte();
        if (kind == 'k') {
            const auto end = message.integer<std::uint64_t>();
            message.integer<std::int64_t>();
            received_ = std::max(received_, end);
            if (message.byte() != 0) send_feedback(false);
            told = Message{{}, end};
        } else if (kind == 'w') {
            received_ = std::max(received_, message.integer<std::uint64_t>());
            message.integer<std::uint64_t>();
            message.integer<std::int64_t>();
            told = Message{message.rest()};
        }
    }
    if (SteadyClock::now() - fed_back_ > feedback_pause_) send_feedback(!bytes);
    return told;
}

void ReplicationStream::acknowledge(std::uint64_t position, bool at_once) {
    acknowledged_ = std::max(acknowledged_, position);
    const bool news = acknowledged_ > fed_back_position_;
    const auto since = SteadyClock::now() - fed_back_;
    if (news && (at_once || since > feedback_every)) send_feedback(false);
    else if (since > feedback_pause_) send_feedback(true);
}

void ReplicationStream::keep_alive() {
    if (SteadyClock::now() - fed_back_ > feedback_pause_) send_feedback(false);
}

void ReplicationStream::check() const {
    if (!asked_ || SteadyClock::now() - *asked_ <= answer_within_) return;
    throw Error(Code::connect, fmt::format("the source has answered nothing for {} s: the stream is given up", answer_within_.count() / 1000)).with_retryable();
}

void ReplicationStream::send_feedback(bool want_answer) {
    std::string message = "r";
    append_big(message, std::max(received_, acknowledged_));
    append_big(message, acknowledged_);
    append_big(message, acknowledged_);
    append_big(message, unix_micros_now() - epoch_micros);
    message += want_answer ? '\1' : '\0';
    connection_->write_copy(message.data(), message.size(), std::min(answer_within_, feedback_within));
    fed_back_ = SteadyClock::now();
    fed_back_position_ = acknowledged_;
    if (want_answer && !asked_) asked_ = fed_back_;
}

}  // namespace ysdb::postgres
