#include "core/store/redis/guarded.h"

#include <algorithm>
#include <map>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/store/redis/cluster.h"
#include "core/store/redis/lanes.h"
#include "core/store/redis/slots.h"

namespace ysdb::redis {

namespace {

constexpr std::size_t largest_group = 128;
constexpr std::size_t page = 500;                   // keys looked at by one SCAN

// Full, unable to save, short of replicas: nothing is wrong with the change.
bool mends(const std::string& code) { return code == "OOM" || code == "MISCONF" || code == "NOREPLICAS"; }

// An error of the server, as this writer's callers take it.
[[noreturn]] void rethrow(const Error& error) {
    if (error.code() == Code::rejected && (error.retryable() || mends(error.server_code()))) {
        throw Error(error.server_code() == "READONLY" ? Code::connect : Code::rejected, error.message(), error.hint()).with_server_code(error.server_code()).with_retryable();
    }
    throw error;
}

// All keys of a pattern, a page at a time, each once a page.
void scan(const RedisStore& store, const std::function<Reply(const Command&, Deadline)>& ask, const std::string& pattern, Millis each,
          const std::function<void(std::span<const std::string>, Deadline)>& take) {
    std::string cursor = "0";
    do {
        const Deadline deadline = Deadline::after(each);
        const Reply reply = ask({"SCAN", cursor, "MATCH", pattern, "COUNT", std::to_string(page)}, deadline);
        if (reply.elements.size() != 2) throw Error(Code::connect, "store '" + store.name() + "': SCAN answered something else than a cursor and keys").with_retryable();
        std::set<std::string> keys;
        for (const Reply& key : reply.elements[1].elements) keys.insert(key.text);
        const std::vector<std::string> found(keys.begin(), keys.end());
        if (!found.empty()) take(found, deadline);
        cursor = reply.elements[0].text;
    } while (cursor != "0");
}

}  // namespace

GuardedWriter::GuardedWriter(RedisStore& store) : store_(store) {
    if (store.cluster() != nullptr) lanes_ = std::make_unique<Lanes>(store, *store.cluster());
}
GuardedWriter::GuardedWriter(GuardedWriter&&) noexcept = default;
GuardedWriter::~GuardedWriter() = default;

template <class Work>
auto GuardedWriter::with_session(Deadline deadline, const Work& work) {
    try {
        if (!session_ && !lanes_) session_ = store_.open_session(deadline);
        return work();
    } catch (const Error& error) {
        session_.reset();  // it may be watching, or within a transaction, or with a server that is the master no longer
        rethrow(error);
    } catch (...) {
        session_.reset();
        throw;
    }
}

void GuardedWriter::until_undisturbed(const std::string& what, Deadline deadline, const std::function<bool()>& attempt) {
    for (Millis pause{1}; !attempt(); pause = std::min(pause * 2, Millis(50))) {
        if (deadline.left() <= pause) {
            throw Error(Code::connect, "store '" + store_.name() + "': " + what + ": other writers kept changing the same keys", "does another sync write them, too?").with_retryable();
        }
        std::this_thread::sleep_for(pause);
    }
}

void GuardedWriter::converse(const std::string& what, Deadline deadline, const std::function<Conversation()>& begin) {
    until_undisturbed(what, deadline, [&] {
        Conversation talk = begin();
        while (!talk.over()) talk.answer(session_->pipeline(talk.commands(), std::string(talk.doing()), deadline));
        return talk.done();
    });
}

void GuardedWriter::write(const Layout& layout, std::span<const GuardedChange> changes, Deadline deadline) {
    std::vector<const GuardedChange*> all;
    all.reserve(changes.size());
    for (const GuardedChange& change : changes) all.push_back(&change);
    std::span<const GuardedChange* const> left = all;
    with_session(deadline, [&] {
        if (lanes_) {
            std::stable_sort(all.begin(), all.end(), [](const GuardedChange* a, const GuardedChange* b) { return a->slot < b->slot; });
            std::vector<Lanes::Task> tasks;
            while (!left.empty()) {
                const auto of_slot = std::find_if(left.begin(), left.end(), [&](const GuardedChange* change) { return change->slot != left.front()->slot; });
                const auto group = left.first(std::min(largest_group, static_cast<std::size_t>(of_slot - left.begin())));
                tasks.push_back({group.front()->slot, [&, group] { return write_rows(store_, layout, group); }});
                left = left.subspan(group.size());
            }
            return lanes_->run(tasks, "write rows", deadline);
        }
        while (!left.empty()) {
            until_undisturbed("write rows", deadline, [&] {
                const auto group = left.first(std::min(group_, left.size()));
                Conversation talk = write_rows(store_, layout, group);
                while (!talk.over()) talk.answer(session_->pipeline(talk.commands(), std::string(talk.doing()), deadline));
                if (!talk.done()) {
                    group_ = std::max<std::size_t>(1, group_ / 2);
                    return false;
                }
                left = left.subspan(group.size());
                group_ = std::min(largest_group, group_ * 2);
                return true;
            });
        }
    });
}

void GuardedWriter::raise_floor(const Layout& layout, const std::string& version, Deadline deadline) {
    with_session(deadline, [&] {
        if (!lanes_) return converse("raise the floor", deadline, [&] { return redis::raise_floor(store_, layout, version); });
        std::vector<Lanes::Task> tasks;
        for (std::size_t i = 0; i < slot_count; ++i) {
            const auto slot = static_cast<std::uint16_t>(i);
            tasks.push_back({slot, [&, slot] { return raise_slot_floor(store_, layout, slot, version); }});
        }
        lanes_->run(tasks, "raise the floor", deadline);
    });
}

void GuardedWriter::raise_number(const std::string& key, const std::string& field, std::uint64_t number, Deadline deadline) {
    with_session(deadline, [&] {
        const auto begin = [&] { return redis::raise_number(store_, key, field, number); };
        if (!lanes_) return converse("set " + key, deadline, begin);
        const Lanes::Task task{key_slot(key), begin};
        lanes_->run({&task, 1}, "set " + key, deadline);
    });
}

void GuardedWriter::run(const CommandBytes& commands, const std::string& doing, Deadline deadline) {
    with_session(deadline, [&] {
        if (lanes_) {
            const auto connection = store_.cluster()->connect_any(deadline);
            for (const Reply& reply : connection->exchange_bytes(commands.bytes(), commands.count(), doing, deadline)) store_.check(doing, reply);
            return;
        }
        for (const Reply& reply : session_->pipeline(commands, doing, deadline)) session_->check(doing, reply);
    });
}

void GuardedWriter::settle(Deadline deadline) {
    if (lanes_) return with_session(deadline, [&] { lanes_->settle(deadline); });
    if (!session_ || store_.config().url.find("+sentinel://") == std::string::npos) return;
    with_session(deadline, [&] {
        const Reply role = session_->command({"ROLE"}, deadline);
        if (role.elements.size() < 3 || role.elements[2].elements.empty()) return;
        // Less than what is left, so that its answer comes in time.
        const Millis wait = std::max(Millis(1), deadline.left() * 3 / 4);
        if (session_->command({"WAIT", "1", std::to_string(wait.count())}, deadline).integer > 0) return;
        throw Error(Code::connect, "store '" + store_.name() + "': no replica took the rows in time", "are the master's replicas running and in reach?").with_retryable();
    });
}

// --- Removing what is older ---

void GuardedWriter::remove_older(const Layout& layout, const std::string& version, Deadline deadline) {
    const Millis each = deadline.left();
    with_session(deadline, [&] {
        if (lanes_) return remove_older_from_all(layout, version, each);
        const auto ask = [&](const Command& command, Deadline limit) { return session_->command(command, limit); };
        const auto remove = [&](bool pointers) {
            return [&, pointers](std::span<const std::string> keys, Deadline limit) { remove_page(layout, pointers, keys, version, limit); };
        };
        scan(store_, ask, layout.key.pattern(), each, remove(false));
        if (layout.pointers) scan(store_, ask, layout.pointer_pattern(), each, remove(true));
    });
}

// A key that moved from a master that was not looked through yet to one that was is in no page: then all is looked through again. Slots that
// are on their way are waited for.
void GuardedWriter::remove_older_from_all(const Layout& layout, const std::string& version, Millis each) {
    Cluster& cluster = *store_.cluster();
    std::optional<Deadline> calm_by;
    while (true) {
        const Cluster::Moves before = cluster.moves(Deadline::after(each));
        for (const auto& connection : cluster.connect_all(Deadline::after(each))) {
            const auto ask = [&](const Command& command, Deadline limit) { return connection->checked(command, connection->exchange_one(command, limit)); };
            for (const bool pointers : {false, true}) {
                if (pointers && !layout.pointers) continue;
                scan(store_, ask, pointers ? layout.pointer_pattern() : layout.key.pattern(), each,
                     [&](std::span<const std::string> keys, Deadline limit) { remove_page(layout, pointers, keys, version, limit); });
            }
        }
        const Cluster::Moves after = cluster.moves(Deadline::after(each));
        if (before == after && after.open.empty()) return;
        if (!calm_by) calm_by = Deadline::after(each);
        if (calm_by->left() <= Cluster::pause) {
            throw Error(Code::connect, "store '" + store_.name() + "': remove rows: slots kept moving" + (after.open.empty() ? "" : ", now " + std::to_string(after.open.front())),
                        "is a move of slots under way, or was one left half done? redis-cli --cluster check")
                .with_retryable();
        }
        std::this_thread::sleep_for(Cluster::pause);
    }
}

void GuardedWriter::remove_page(const Layout& layout, bool pointers, std::span<const std::string> keys, const std::string& version, Deadline deadline) {
    const auto removal = [&](std::span<const std::string> some) {
        return pointers ? remove_pointers(store_, layout, some, version) : remove_rows(store_, layout, some, version);
    };
    if (!lanes_) return converse("remove rows", deadline, [&] { return removal(keys); });
    std::map<std::uint16_t, std::vector<std::string>> by_slot;
    for (const std::string& key : keys) by_slot[key_slot(key)].push_back(key);
    std::vector<Lanes::Task> tasks;
    for (const auto& [slot, some] : by_slot) tasks.push_back({slot, [&removal, &some = some] { return removal(some); }});
    lanes_->run(tasks, "remove rows", deadline);
}

}  // namespace ysdb::redis
