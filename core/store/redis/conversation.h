// What one transaction says to a server and makes of the answers, without knowing over which connection, or how many others are under way
// meanwhile: a coroutine that waits at each `co_await say(...)` for whoever carries it on.
#pragma once

#include <coroutine>
#include <exception>
#include <string_view>
#include <utility>
#include <vector>

#include "core/store/redis/command_bytes.h"
#include "core/store/redis/redis.h"

namespace ysdb::redis {

// Returns true when all was done, false when another writer came in between: then it is begun anew. Not thread-safe; movable.
// What a coroutine's reference parameters refer to must outlive it.
class Conversation {
public:
    struct promise_type {
        const CommandBytes* commands = nullptr;   // of the coroutine, which waits
        std::string_view doing;
        std::vector<Reply> replies;
        bool done = false;
        std::exception_ptr error;

        Conversation get_return_object() { return Conversation(std::coroutine_handle<promise_type>::from_promise(*this)); }
        std::suspend_never initial_suspend() noexcept { return {}; }   // as far as its first words
        std::suspend_always final_suspend() noexcept { return {}; }
        void return_value(bool all) { done = all; }
        void unhandled_exception() { error = std::current_exception(); }
    };

    Conversation(Conversation&& other) noexcept : handle_(std::exchange(other.handle_, {})) {}
    Conversation& operator=(Conversation&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~Conversation() {
        if (handle_) handle_.destroy();
    }

    // It has nothing more to say: see done().
    bool over() const { return handle_.done(); }
    const CommandBytes& commands() const { return *handle_.promise().commands; }
    std::string_view doing() const { return handle_.promise().doing; }
    // As many replies as there are commands(). Goes on to the next words, or the end.
    void answer(std::vector<Reply> replies) {
        handle_.promise().replies = std::move(replies);
        handle_.resume();
    }
    // Throws what it ended with.
    bool done() const {
        if (handle_.promise().error) std::rethrow_exception(handle_.promise().error);
        return handle_.promise().done;
    }

private:
    explicit Conversation(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
    std::coroutine_handle<promise_type> handle_;
};

// auto replies = co_await say(commands, "read versions"); both are kept by the coroutine, or for ever.
struct Say {
    const CommandBytes* commands;
    std::string_view doing;
    Conversation::promise_type* promise = nullptr;
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<Conversation::promise_type> handle) noexcept {
        promise = &handle.promise();
        promise->commands = commands;
        promise->doing = doing;
    }
    std::vector<Reply> await_resume() const { return std::move(promise->replies); }
};
inline Say say(const CommandBytes& commands, std::string_view doing) { return {&commands, doing}; }

}  // namespace ysdb::redis
