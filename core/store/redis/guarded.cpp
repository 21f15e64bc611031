#include "core/store/redis/guarded.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "core/base/error.h"
#include "core/base/time.h"
#include "core/value/version_text.h"

namespace ysdb::redis {

namespace {

constexpr std::size_t largest_group = 128;
constexpr std::size_t page = 500;                   // keys looked at by one SCAN
constexpr std::size_t version_size = 32;
constexpr std::string_view document_head = "{\"_version\":\"";

// A version that a reply holds, or nothing: whoever wrote that key, it was not us.
std::string version_in(std::string_view text) { return parse_version(text) ? std::string(text) : std::string(); }

std::string version_in_document(std::string_view head) {
    if (!head.starts_with(document_head)) return {};
    return version_in(head.substr(document_head.size(), version_size));
}

void ask_version(CommandBytes& ask, bool json, const std::string& key) {
    static const std::string last = std::to_string(document_head.size() + version_size - 1);
    if (json) ask.add("GETRANGE", key, "0", last);
    else ask.add("HGET", key, version_field);
}

std::string version_of(bool json, const Reply& reply) {
    if (reply.kind != Reply::Kind::string) return {};
    return json ? version_in_document(reply.text) : version_in(reply.text);
}

std::string tags_key(const std::string& key) { return "ysdb:tags:" + key; }

bool wrong_type(const Reply& reply) { return reply.is_error() && reply.text.starts_with("WRONGTYPE"); }

// A row as it lies there, as far as its key needs it.
struct StoredRow {
    std::string version;
    std::vector<std::string> values;  // plain, in the order of the template's names; empty when one is missing
};

StoredRow from_hash(const Reply& reply) {
    StoredRow row;
    if (reply.elements.empty()) return row;
    row.version = version_in(reply.elements.front().text);
    for (std::size_t i = 1; i < reply.elements.size(); ++i) {
        if (reply.elements[i].is_nil()) return {row.version, {}};
        row.values.push_back(reply.elements[i].text);
    }
    return row;
}

StoredRow from_document(const Reply& reply, std::span<const std::string> names) {
    StoredRow row;
    if (reply.kind != Reply::Kind::string) return row;
    row.version = version_in_document(std::string_view(reply.text).substr(0, document_head.size() + version_size));
    if (row.version.empty()) return row;
    const auto document = nlohmann::json::parse(reply.text, nullptr, false);
    for (const std::string& name : names) {
        if (!document.is_object() || !document.contains(name)) return {row.version, {}};
        const auto& value = document[name];
        row.values.push_back(value.is_string() ? value.get<std::string>() : value.dump());
    }
    return row;
}

// Full, unable to save, short of replicas: nothing is wrong with the change.
bool mends(const std::string& code) { return code == "OOM" || code == "MISCONF" || code == "NOREPLICAS"; }

}  // namespace

template <class Work>
auto GuardedWriter::with_session(Deadline deadline, const Work& work) {
    try {
        if (!session_) session_ = store_.open_session(deadline);
        return work(*session_);
    } catch (const Error& error) {
        session_.reset();  // it may be watching, or within a transaction, or with a server that is the master no longer
        if (error.code() == Code::rejected && (error.retryable() || mends(error.server_code()))) {
            throw Error(error.server_code() == "READONLY" ? Code::connect : Code::rejected, error.message(), error.hint()).with_server_code(error.server_code()).with_retryable();
        }
        throw;
    } catch (...) {
        session_.reset();
        throw;
    }
}

namespace {

// What a transaction answered: false when a watched key had changed. Throws when one of its commands was refused.
bool executed(const Session& session, const std::vector<Reply>& replies, const std::string& doing) {
    for (std::size_t i = 0; i + 1 < replies.size(); ++i) session.check(doing, replies[i]);
    session.check(doing, replies.back());
    if (replies.back().is_nil()) return false;
    for (const Reply& reply : replies.back().elements) session.check(doing, reply);
    return true;
}

}  // namespace

void GuardedWriter::until_undisturbed(const std::string& what, Deadline deadline, const std::function<bool()>& attempt) {
    for (Millis pause{1}; !attempt(); pause = std::min(pause * 2, Millis(50))) {
        if (deadline.left() <= pause) {
            throw Error(Code::connect, "store '" + store_.name() + "': " + what + ": other writers kept changing the same keys", "does another sync write them, too?").with_retryable();
        }
        std::this_thread::sleep_for(pause);
    }
}

void GuardedWriter::write(const Layout& layout, std::span<const GuardedChange> changes, Deadline deadline) {
    with_session(deadline, [&](Session& session) {
        while (!changes.empty()) {
            until_undisturbed("write rows", deadline, [&] {
                const auto group = changes.first(std::min(group_, changes.size()));
                if (!try_write(layout, group, session, deadline)) {
                    group_ = std::max<std::size_t>(1, group_ / 2);
                    return false;
                }
                changes = changes.subspan(group.size());
                group_ = std::min(largest_group, group_ * 2);
                return true;
            });
        }
    });
}

bool GuardedWriter::try_write(const Layout& layout, std::span<const GuardedChange> changes, Session& session, Deadline deadline) {
    CommandBytes ask;
    std::vector<std::string> keys;
    for (const GuardedChange& change : changes) {
        if (!change.key.empty()) keys.push_back(change.key);
    }
    ask.add("UNWATCH");
    ask.begin(2 + changes.size());
    ask.word("WATCH");
    ask.word(layout.floor_key());
    for (const GuardedChange& change : changes) ask.word(change.guard);
    ask.add("HGET", layout.floor_key(), "floor");
    ask.begin(1 + changes.size());
    ask.word("MGET");
    for (const GuardedChange& change : changes) ask.word(change.guard);
    const std::size_t head = ask.count();
    if (!keys.empty()) {
        ask.begin(1 + keys.size());
        ask.word("WATCH");
        for (const std::string& key : keys) ask.word(key);
    }
    const std::size_t before_rows = ask.count();
    for (const std::string& key : keys) ask_version(ask, layout.json, key);
    const auto replies = session.pipeline(ask, "read versions", deadline);
    for (std::size_t i = 0; i < before_rows; ++i) session.check("read versions", replies[i]);
    const std::string floor = version_in(replies[head - 2].text);
    const std::vector<Reply>& guards = replies[head - 1].elements;
    if (guards.size() != changes.size()) throw Error(Code::connect, "store '" + store_.name() + "': MGET answered something else than it was asked").with_retryable();

    Versions rows;
    std::vector<std::string> elsewhere;  // keys that another format, or a pointer, leads to
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const Reply& reply = replies[before_rows + i];
        if (wrong_type(reply)) elsewhere.push_back(keys[i]);
        else session.check("read versions", reply);
        rows[keys[i]] = version_of(layout.json, reply);
    }
    const auto pointed_to = [&](std::size_t i) { return guards[i].text.size() > version_size + 1 ? guards[i].text.substr(version_size + 1) : std::string(); };
    if (layout.pointers) {
        for (std::size_t i = 0; i < changes.size(); ++i) {
            const std::string key = pointed_to(i);
            if (!key.empty() && !rows.contains(key)) elsewhere.push_back(key);
        }
    }
    if (!elsewhere.empty()) watch_versions(layout, elsewhere, rows, session, deadline);

    CommandBytes tell, tell_tags;
    std::unordered_map<std::string, std::string> tags;
    if (!layout.tags.empty()) {
        std::vector<std::string> tagged;
        for (const auto& [key, _] : rows) tagged.push_back(key);
        const std::vector<std::string> found = tags_of(layout, tagged, session, deadline);
        for (std::size_t i = 0; i < tagged.size(); ++i) tags[tagged[i]] = found[i];
    }
    const auto move_tags = [&](const std::string& key, std::span<const std::string> now) {
        if (layout.tags.empty()) return;
        retag(layout, key, tags[key], now, tell_tags);
        tags[key].clear();
        for (const std::string& tag : now) tags[key] += tag + "\n";
    };

    static const std::string tombstone_ms = std::to_string(tombstone_life.count());
    const std::string pointer_ms = layout.ttl ? std::to_string((*layout.ttl + tombstone_life).count()) : std::string();
    tell.add("MULTI");
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const GuardedChange& change = changes[i];
        const std::string guarded = version_in(std::string_view(guards[i].text).substr(0, version_size));
        if (change.version < floor || guarded >= change.version) continue;
        if (!layout.pointers) {
            std::string& row = rows[change.key];
            if (row >= change.version) continue;
            row = change.removal ? std::string() : change.version;
            move_tags(change.key, change.tags);
            if (change.removal) {
                tell.add("DEL", change.key);
                tell.add("SET", change.guard, change.version, "PX", tombstone_ms);
            } else {
                tell.append(change.row);
                if (!guards[i].is_nil()) tell.add("DEL", change.guard);
            }
        } else {
            const std::string before = pointed_to(i);
            // Another row may lie there by now: it is this one's only as long as it has the version that this one was written with.
            if (!before.empty() && before != change.key && rows[before] == guarded) {
                tell.add("DEL", before);
                rows[before].clear();
                move_tags(before, {});
            }
            if (change.removal) {
                tell.add("SET", change.guard, change.version, "PX", tombstone_ms);
            } else {
                std::string& row = rows[change.key];
                if (row < change.version) {
                    tell.append(change.row);
                    row = change.version;
                    move_tags(change.key, change.tags);
                }
                const std::string pointer = change.version + " " + change.key;
                if (layout.ttl) tell.add("SET", change.guard, pointer, "PX", pointer_ms);
                else tell.add("SET", change.guard, pointer);
            }
        }
        tell.append(change.notice);
    }
    tell.append(tell_tags);
    if (tell.count() == 1) return true;  // all is there already; what is watched is let go of with the next group
    tell.add("EXEC");
    return executed(session, session.pipeline(tell, "write rows", deadline), "write rows");
}

std::vector<std::string> GuardedWriter::tags_of(const Layout& layout, std::span<const std::string> keys, Session& session, Deadline deadline) {
    std::vector<std::string> found(keys.size());
    if (layout.tags.empty() || keys.empty()) return found;
    CommandBytes ask;
    ask.begin(1 + keys.size());
    ask.word("MGET");
    for (const std::string& key : keys) ask.word(tags_key(key));
    const auto replies = session.pipeline(ask, "read tags", deadline);
    session.check("read tags", replies[0]);
    for (std::size_t i = 0; i < keys.size() && i < replies[0].elements.size(); ++i) found[i] = replies[0].elements[i].text;
    return found;
}

// Members carry the moment at which their rows expire: whoever is past it is taken out with the next row, and a tag goes with its last row.
void GuardedWriter::retag(const Layout& layout, const std::string& key, const std::string& before, std::span<const std::string> tags, CommandBytes& tell) {
    for (std::size_t at = 0; at < before.size();) {
        const std::size_t end = std::min(before.find('\n', at), before.size());
        const std::string tag = before.substr(at, end - at);
        if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tell.add("ZREM", tag, key);
        at = end + 1;
    }
    if (tags.empty()) {
        if (!before.empty()) tell.add("DEL", tags_key(key));
        return;
    }
    const std::int64_t now_ms = unix_micros_now() / 1000;
    std::string all;
    for (const std::string& tag : tags) {
        all += tag + "\n";
        if (layout.ttl) {
            tell.add("ZREMRANGEBYSCORE", tag, "-inf", std::to_string(now_ms));
            tell.add("ZADD", tag, std::to_string(now_ms + layout.ttl->count()), key);
            tell.add("PEXPIRE", tag, std::to_string(layout.ttl->count()));
        } else {
            tell.add("ZADD", tag, "+inf", key);
        }
    }
    if (layout.ttl) tell.add("SET", tags_key(key), all, "PX", std::to_string(layout.ttl->count()));
    else tell.add("SET", tags_key(key), all);
}

void GuardedWriter::watch_versions(const Layout& layout, const std::vector<std::string>& keys, Versions& versions, Session& session, Deadline deadline) {
    CommandBytes ask;
    ask.begin(1 + keys.size());
    ask.word("WATCH");
    for (const std::string& key : keys) ask.word(key);
    for (const std::string& key : keys) {
        ask_version(ask, layout.json, key);
        ask_version(ask, !layout.json, key);
    }
    const auto replies = session.pipeline(ask, "read versions", deadline);
    session.check("read versions", replies[0]);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const Reply& own = replies[1 + 2 * i];
        const Reply& other = replies[2 + 2 * i];
        if (!wrong_type(own)) session.check("read versions", own);
        versions[keys[i]] = wrong_type(own) ? version_of(!layout.json, other) : version_of(layout.json, own);
    }
}

void GuardedWriter::raise_floor(const Layout& layout, const std::string& version, Deadline deadline) {
    with_session(deadline, [&](Session& session) {
        until_undisturbed("raise the floor", deadline, [&] {
            CommandBytes ask;
            ask.add("UNWATCH");
            ask.add("WATCH", layout.floor_key());
            ask.add("HGET", layout.floor_key(), "floor");
            const auto replies = session.pipeline(ask, "read the floor", deadline);
            for (const Reply& reply : replies) session.check("read the floor", reply);
            if (version_in(replies.back().text) >= version) return true;
            CommandBytes tell;
            tell.add("MULTI");
            tell.add("HSET", layout.floor_key(), "floor", version);
            tell.add("EXEC");
            return executed(session, session.pipeline(tell, "raise the floor", deadline), "raise the floor");
        });
    });
}

void GuardedWriter::raise_number(const std::string& key, const std::string& field, std::uint64_t number, Deadline deadline) {
    with_session(deadline, [&](Session& session) {
        until_undisturbed("set " + key, deadline, [&] {
            CommandBytes ask;
            ask.add("UNWATCH");
            ask.add("WATCH", key);
            ask.add("HGET", key, field);
            const auto replies = session.pipeline(ask, "read " + key, deadline);
            for (const Reply& reply : replies) session.check("read " + key, reply);
            if (!replies.back().is_nil() && std::strtoull(replies.back().text.c_str(), nullptr, 10) >= number) return true;
            CommandBytes tell;
            tell.add("MULTI");
            tell.add("HSET", key, field, std::to_string(number));
            tell.add("EXEC");
            return executed(session, session.pipeline(tell, "set " + key, deadline), "set " + key);
        });
    });
}

void GuardedWriter::run(const CommandBytes& commands, const std::string& doing, Deadline deadline) {
    with_session(deadline, [&](Session& session) {
        for (const Reply& reply : session.pipeline(commands, doing, deadline)) session.check(doing, reply);
    });
}

void GuardedWriter::settle(Deadline deadline) {
    if (!session_ || store_.config().url.find("+sentinel://") == std::string::npos) return;
    with_session(deadline, [&](Session& session) {
        const Reply role = session.command({"ROLE"}, deadline);
        if (role.elements.size() < 3 || role.elements[2].elements.empty()) return;
        // Less than what is left, so that its answer comes in time.
        const Millis wait = std::max(Millis(1), deadline.left() * 3 / 4);
        if (session.command({"WAIT", "1", std::to_string(wait.count())}, deadline).integer > 0) return;
        throw Error(Code::connect, "store '" + store_.name() + "': no replica took the rows in time", "are the master's replicas running and in reach?").with_retryable();
    });
}

void GuardedWriter::remove_older(const Layout& layout, const std::string& version, Deadline deadline) {
    const Millis each = deadline.left();
    const auto scan = [&](Session& session, const std::string& pattern, const auto& remove) {
        std::string cursor = "0";
        do {
            const Deadline page_deadline = Deadline::after(each);
            const Reply reply = session.command({"SCAN", cursor, "MATCH", pattern, "COUNT", std::to_string(page)}, page_deadline);
            if (reply.elements.size() != 2) throw Error(Code::connect, "store '" + store_.name() + "': SCAN answered something else than a cursor and keys").with_retryable();
            std::set<std::string> keys;
            for (const Reply& key : reply.elements[1].elements) keys.insert(key.text);
            const std::vector<std::string> found(keys.begin(), keys.end());
            if (!found.empty()) until_undisturbed("remove rows", page_deadline, [&] { return remove(found, page_deadline); });
            cursor = reply.elements[0].text;
        } while (cursor != "0");
    };
    with_session(deadline, [&](Session& session) {
        scan(session, layout.key.pattern(), [&](const std::vector<std::string>& keys, Deadline page_deadline) { return remove_rows(layout, keys, version, session, page_deadline); });
        if (!layout.pointers) return;
        scan(session, escape_glob(layout.pointer_prefix()) + "*", [&](const std::vector<std::string>& keys, Deadline page_deadline) { return remove_pointers(keys, version, session, page_deadline); });
    });
}

// Another landing's keys can look like ours ("user:*" and "user:{id}:{coin}"): a row is ours when its columns make its key.
bool GuardedWriter::remove_rows(const Layout& layout, const std::vector<std::string>& keys, const std::string& version, Session& session, Deadline deadline) {
    const std::vector<std::string>& names = layout.key.names();
    CommandBytes ask;
    ask.add("UNWATCH");
    ask.begin(1 + keys.size());
    ask.word("WATCH");
    for (const std::string& key : keys) ask.word(key);
    for (const std::string& key : keys) {
        ask.begin(3 + names.size());
        for (const std::string_view word : {std::string_view("HMGET"), std::string_view(key), version_field}) ask.word(word);
        for (const std::string& name : names) ask.word(name);
        ask.add("GET", key);
    }
    const auto replies = session.pipeline(ask, "read rows", deadline);
    session.check("read rows", replies[1]);
    const std::vector<std::string> tags = tags_of(layout, keys, session, deadline);
    CommandBytes tell;
    tell.add("MULTI");
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const Reply& hash = replies[2 + 2 * i];
        const Reply& document = replies[3 + 2 * i];
        const StoredRow row = hash.is_error() ? from_document(document, names) : from_hash(hash);
        const bool ours = !row.version.empty() && row.values.size() == names.size() && layout.key.fill_in(row.values) == keys[i];
        if (!ours || row.version >= version) continue;
        tell.add("DEL", keys[i]);
        retag(layout, keys[i], tags[i], {}, tell);
    }
    if (tell.count() == 1) return true;
    tell.add("EXEC");
    return executed(session, session.pipeline(tell, "remove rows", deadline), "remove rows");
}

bool GuardedWriter::remove_pointers(const std::vector<std::string>& keys, const std::string& version, Session& session, Deadline deadline) {
    CommandBytes ask;
    ask.add("UNWATCH");
    ask.begin(1 + keys.size());
    ask.word("WATCH");
    for (const std::string& key : keys) ask.word(key);
    ask.begin(1 + keys.size());
    ask.word("MGET");
    for (const std::string& key : keys) ask.word(key);
    const auto replies = session.pipeline(ask, "read pointers", deadline);
    for (const Reply& reply : replies) session.check("read pointers", reply);
    CommandBytes tell;
    tell.add("MULTI");
    for (std::size_t i = 0; i < keys.size() && i < replies.back().elements.size(); ++i) {
        const std::string found = version_in(std::string_view(replies.back().elements[i].text).substr(0, version_size));
        if (!found.empty() && found < version) tell.add("DEL", keys[i]);
    }
    if (tell.count() == 1) return true;
    tell.add("EXEC");
    return executed(session, session.pipeline(tell, "remove pointers", deadline), "remove pointers");
}

}  // namespace ysdb::redis
