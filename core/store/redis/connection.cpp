#include "core/store/redis/connection.h"

#include <hiredis/hiredis.h>

#include <array>

#include "core/base/text.h"
#include "core/store/redis/errors.h"

namespace ysdb::redis {

namespace {

struct FreeReply {
    void operator()(void* reply) const { freeReplyObject(reply); }
};

Reply to_reply(const redisReply& from) {
    Reply reply;
    switch (from.type) {
        case REDIS_REPLY_STRING: reply.kind = Reply::Kind::string; break;
        case REDIS_REPLY_STATUS: reply.kind = Reply::Kind::status; break;
        case REDIS_REPLY_ERROR: reply.kind = Reply::Kind::error; break;
        case REDIS_REPLY_INTEGER:
            reply.kind = Reply::Kind::integer;
            reply.integer = from.integer;
            break;
        case REDIS_REPLY_ARRAY:
            reply.kind = Reply::Kind::array;
            reply.elements.reserve(from.elements);
            for (std::size_t i = 0; i < from.elements; ++i) reply.elements.push_back(to_reply(*from.element[i]));
            break;
        default: break;
    }
    if (from.str != nullptr) reply.text.assign(from.str, from.len);
    return reply;
}

void append_formatted(std::string& out, const Command& command) {
    std::vector<const char*> arguments;
    std::vector<std::size_t> sizes;
    for (const std::string& argument : command) {
        arguments.push_back(argument.data());
        sizes.push_back(argument.size());
    }
    char* text = nullptr;
    const int size = redisFormatCommandArgv(&text, static_cast<int>(command.size()), arguments.data(), sizes.data());
    if (size < 0) throw std::bad_alloc();
    out.append(text, static_cast<std::size_t>(size));
    redisFreeCommand(text);
}

// Without a user, the one-argument form: servers before Redis 6 know no other.
Command auth(const Target& target) {
    if (target.user.empty()) return {"AUTH", target.password.reveal()};
    return {"AUTH", target.user, target.password.reveal()};
}

Stream connect(const Target& target, const Endpoint& endpoint, Deadline deadline) {
    try {
        Stream stream = Stream::connect(endpoint, deadline);
        if (target.tls) stream.start_tls(*target.tls, endpoint.host, deadline);
        return stream;
    } catch (const Error& error) {
        if (error.code() == Code::config) throw Error(Code::config, "store '" + target.store + "': " + error.message(), error.hint());
        throw connect_error(target, endpoint, error.message(), error.hint(), error.retryable());
    }
}

}  // namespace

Connection::Connection(const Target& target, Endpoint endpoint, Deadline deadline)
    : target_(target), endpoint_(std::move(endpoint)), stream_(connect(target, endpoint_, deadline)), reader_(redisReaderCreate(), redisReaderFree) {
    if (!reader_) throw std::bad_alloc();
}

Connection::~Connection() = default;

std::unique_ptr<Connection> Connection::open(const Target& target, const Endpoint& endpoint, Deadline deadline) {
    std::unique_ptr<Connection> connection(new Connection(target, endpoint, deadline));
    connection->log_in(deadline);
    connection->ready_ = true;
    return connection;
}

std::unique_ptr<Connection> Connection::open_sentinel(const Target& target, const Endpoint& endpoint, Deadline deadline) {
    std::unique_ptr<Connection> connection(new Connection(target, endpoint, deadline));
    Reply reply = connection->exchange_one({"PING"}, deadline);
    if (reply.text.starts_with("NOAUTH") && !target.password.empty()) {
        reply = connection->exchange_one(auth(target), deadline);
    }
    if (reply.is_error()) throw login_error(target, endpoint, reply.text);
    connection->ready_ = true;
    return connection;
}

void Connection::log_in(Deadline deadline) {
    std::vector<Command> commands;
    if (!target_.password.empty()) commands.push_back(auth(target_));
    if (target_.database != 0) commands.push_back({"SELECT", std::to_string(target_.database)});
    commands.push_back({"CLIENT", "SETNAME", "ysdb"});  // also the proof that somebody who speaks Redis is there
    for (const Reply& reply : exchange(commands, deadline)) {
        const bool name_not_allowed = reply.text.starts_with("NOPERM");  // logged in, only without a name
        if (reply.is_error() && !name_not_allowed) throw login_error(target_, endpoint_, reply.text);
    }
}

Reply Connection::exchange_one(const Command& command, Deadline deadline) { return std::move(exchange(std::span(&command, 1), deadline).front()); }

std::vector<Reply> Connection::exchange(std::span<const Command> commands, Deadline deadline) {
    std::string out;
    for (const Command& command : commands) append_formatted(out, command);
    return exchange_bytes(out, commands.size(), commands.front().front(), deadline);
}

std::vector<Reply> Connection::exchange_bytes(std::string_view out, std::size_t count, const std::string& doing, Deadline deadline) {
    return converse(out, 0, count, doing, deadline);
}

void Connection::start(const CommandBytes& commands, std::string_view doing) {
    started_ = commands.bytes();
    started_count_ = commands.count();
    started_doing_ = doing;
    try {
        started_sent_ = stream_.write_some(started_);
    } catch (const Error& error) {
        fail(error, doing);
    }
}

std::vector<Reply> Connection::finish(Deadline deadline) { return converse(started_, started_sent_, started_count_, started_doing_, deadline); }

std::vector<Reply> Connection::converse(std::string_view out, std::size_t sent, std::size_t count, std::string_view doing, Deadline deadline) {
    std::vector<Reply> replies;
    replies.reserve(count);
    std::array<char, 1 << 14> buffer;
    try {
        while (replies.size() < count) {
            // Reading while writing: a server that has answers to give need not take more commands first.
            const std::size_t taken = sent < out.size() ? stream_.write_some(out.substr(sent)) : 0;
            sent += taken;
            const auto got = stream_.read_some(buffer);
            if (got) {
                if (*got == 0) throw Error(Code::connect, "the server closed the connection").with_retryable();
                redisReaderFeed(reader_.get(), buffer.data(), *got);
                take_replies(replies, count);
            }
            if (replies.size() == count) break;
            if (!got && taken == 0) stream_.wait(sent < out.size(), deadline);
            else if (deadline.passed()) throw Error(Code::connect, "no complete answer in time").with_retryable();
        }
    } catch (const Error& error) {
        fail(error, doing);
    }
    return replies;
}

void Connection::fail(const Error& error, std::string_view doing) {
    broken_ = true;
    if (!ready_) {
        const std::string hint = error.hint().empty() ? "is that a Redis server, and does it want TLS (rediss://)? check host and port of the url" : error.hint();
        throw connect_error(target_, endpoint_, error.message(), hint, error.retryable());
    }
    throw Error(Code::connect, "store '" + target_.store + "': " + error.message() + " (" + std::string(doing) + " on " + endpoint_.text() + ")",
                "the command may or may not have run; raise --timeout if the server is only slow")
        .with_retryable(error.retryable());
}

void Connection::take_replies(std::vector<Reply>& replies, std::size_t wanted) {
    while (replies.size() < wanted) {
        void* reply = nullptr;
        if (redisReaderGetReply(reader_.get(), &reply) != REDIS_OK) {
            throw Error(Code::connect, "the answer is not Redis's protocol");
        }
        if (reply == nullptr) return;
        const std::unique_ptr<void, FreeReply> owned(reply);
        replies.push_back(to_reply(*static_cast<redisReply*>(reply)));
    }
}

Reply Connection::checked(const std::string& doing, Reply reply) const {
    if (reply.is_error()) throw command_error(target_, doing, reply.text);
    return reply;
}

}  // namespace ysdb::redis
