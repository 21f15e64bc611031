#include "core/store/redis/guarded_rows.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/base/error.h"
#include "core/base/time.h"
#include "core/store/redis/slots.h"
#include "core/value/version_text.h"

namespace ysdb::redis {

namespace {

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

template <class Keys>
void add_watch(CommandBytes& ask, const Keys& keys) {
    ask.begin(1 + std::size(keys));
    ask.word("WATCH");
    for (const std::string& key : keys) ask.word(key);
}

template <class Keys>
void add_read(CommandBytes& ask, const Keys& keys) {
    ask.begin(1 + std::size(keys));
    ask.word("MGET");
    for (const std::string& key : keys) ask.word(key);
}

// Of no row there, or one that is not ours, empty.
using Versions = std::unordered_map<std::string, std::string>;

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

// WATCH, and versions of whatever kind of row lies at `keys`.
void ask_versions_of_any_kind(CommandBytes& ask, const Layout& layout, const std::vector<std::string>& keys, const std::string& floor_key) {
    std::vector<std::string> watched = keys;
    if (layout.cluster) watched.push_back(floor_key);
    add_watch(ask, watched);
    for (const std::string& key : keys) {
        ask_version(ask, layout.json, key);
        ask_version(ask, !layout.json, key);
    }
}

// The tags of rows, each a line a tag, in the order of `keys`: the first ones of what is answered. `beside` is a key that there is.
void ask_tags_of(CommandBytes& ask, const Layout& layout, const std::vector<std::string>& keys, const std::string& beside) {
    std::vector<std::string> names;
    for (const std::string& key : keys) names.push_back(layout.tags_key(key));
    if (layout.cluster) names.push_back(beside);
    add_read(ask, names);
}

// What a transaction answered: false when a watched key had changed. Throws when one of its commands was refused.
bool executed(const RedisStore& store, const std::vector<Reply>& replies, const std::string& doing) {
    for (std::size_t i = 0; i + 1 < replies.size(); ++i) store.check(doing, replies[i]);
    store.check(doing, replies.back());
    if (replies.back().is_nil()) return false;
    for (const Reply& reply : replies.back().elements) store.check(doing, reply);
    return true;
}

// Takes a key out of the tags it has, a line each in `before`, and puts it into others. Members carry the moment at which
// their rows expire: whoever is past it is taken out with the next row, and a tag goes with its last row.
void retag(const Layout& layout, const std::string& key, const std::string& before, std::span<const std::string> tags, CommandBytes& tell) {
    for (std::size_t at = 0; at < before.size();) {
        const std::size_t end = std::min(before.find('\n', at), before.size());
        const std::string tag = before.substr(at, end - at);
        if (std::find(tags.begin(), tags.end(), tag) == tags.end()) tell.add("ZREM", tag, key);
        at = end + 1;
    }
    if (tags.empty()) {
        if (!before.empty()) tell.add("DEL", layout.tags_key(key));
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
    if (layout.ttl) tell.add("SET", layout.tags_key(key), all, "PX", std::to_string(layout.ttl->count()));
    else tell.add("SET", layout.tags_key(key), all);
}

}  // namespace

// --- Names ---

std::string Layout::beside(std::string_view kind, std::uint16_t slot) const {
    std::string name = "ysdb:";
    name += kind;
    name += ':';
    return cluster ? name + "{" + slot_tag(slot) + "}" : name;
}

std::string Layout::tags_key(const std::string& row_key) const { return beside("tags", slot_of(row_key)) + row_key; }

std::uint16_t Layout::slot_of(const std::string& row_key) const { return cluster ? key_slot(row_key) : std::uint16_t{0}; }

std::string Layout::pointer_pattern() const { return (cluster ? "ysdb:row:{*}" + escape_glob(key.text() + "|") : escape_glob(pointer_prefix(0))) + "*"; }

// --- Rows ---

Conversation write_rows(const RedisStore& store, const Layout& layout, std::span<const GuardedChange* const> changes) {
    const std::string floor_key = layout.floor_key(changes.front()->slot);
    CommandBytes ask;
    std::vector<std::string> keys;
    for (const GuardedChange* change : changes) {
        if (!change->key.empty()) keys.push_back(change->key);
    }
    ask.add("UNWATCH");
    ask.begin(2 + changes.size() + (layout.cluster ? keys.size() : 0));
    ask.word("WATCH");
    ask.word(floor_key);
    for (const GuardedChange* change : changes) ask.word(change->guard);
    if (layout.cluster) {  // together: see guarded_rows.h
        for (const std::string& key : keys) ask.word(key);
    }
    if (layout.cluster) ask.add("ZRANGE", floor_key, "-1", "-1");
    else ask.add("HGET", floor_key, "floor");
    ask.begin(1 + changes.size());
    ask.word("MGET");
    for (const GuardedChange* change : changes) ask.word(change->guard);
    const std::size_t head = ask.count();
    if (!keys.empty() && !layout.cluster) add_watch(ask, keys);
    const std::size_t before_rows = ask.count();
    for (const std::string& key : keys) ask_version(ask, layout.json, key);
    const auto replies = co_await say(ask, "read versions");
    for (std::size_t i = 0; i < before_rows; ++i) store.check("read versions", replies[i]);
    const Reply& floor_reply = replies[head - 2];
    const std::string floor = version_in(layout.cluster && !floor_reply.elements.empty() ? floor_reply.elements.front().text : floor_reply.text);
    const std::vector<Reply>& guards = replies[head - 1].elements;
    if (guards.size() != changes.size()) throw Error(Code::connect, "store '" + store.name() + "': MGET answered something else than it was asked").with_retryable();

    Versions rows;
    std::vector<std::string> elsewhere;  // keys that another format, or a pointer, leads to
    for (std::size_t i = 0; i < keys.size(); ++i) {
        const Reply& reply = replies[before_rows + i];
        if (wrong_type(reply)) elsewhere.push_back(keys[i]);
        else store.check("read versions", reply);
        rows[keys[i]] = version_of(layout.json, reply);
    }
    const auto pointed_to = [&](std::size_t i) { return guards[i].text.size() > version_size + 1 ? guards[i].text.substr(version_size + 1) : std::string(); };
    if (layout.pointers) {
        for (std::size_t i = 0; i < changes.size(); ++i) {
            const std::string key = pointed_to(i);
            if (!key.empty() && !rows.contains(key)) elsewhere.push_back(key);
        }
    }
    if (!elsewhere.empty()) {
        CommandBytes ask_again;
        ask_versions_of_any_kind(ask_again, layout, elsewhere, floor_key);
        const auto found = co_await say(ask_again, "read versions");
        store.check("read versions", found[0]);
        for (std::size_t i = 0; i < elsewhere.size(); ++i) {
            const Reply& own = found[1 + 2 * i];
            const Reply& other = found[2 + 2 * i];
            if (!wrong_type(own)) store.check("read versions", own);
            rows[elsewhere[i]] = wrong_type(own) ? version_of(!layout.json, other) : version_of(layout.json, own);
        }
    }

    CommandBytes tell, tell_tags;
    std::unordered_map<std::string, std::string> tags;
    if (!layout.tags.empty() && !rows.empty()) {
        std::vector<std::string> tagged;
        for (const auto& [key, _] : rows) tagged.push_back(key);
        CommandBytes ask_tags;
        ask_tags_of(ask_tags, layout, tagged, floor_key);
        const auto found = co_await say(ask_tags, "read tags");
        store.check("read tags", found[0]);
        for (std::size_t i = 0; i < tagged.size() && i < found[0].elements.size(); ++i) tags[tagged[i]] = found[0].elements[i].text;
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
        const GuardedChange& change = *changes[i];
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
    if (tell.count() == 1) co_return true;  // all is there already; what is watched is let go of with the next group
    tell.add("EXEC");
    const auto written = co_await say(tell, "write rows");
    co_return executed(store, written, "write rows");
}

// Another landing's keys can look like ours ("user:*" and "user:{id}:{coin}"): a row is ours when its columns make its key.
Conversation remove_rows(const RedisStore& store, const Layout& layout, std::span<const std::string> keys, const std::string& version) {
    const std::vector<std::string>& names = layout.key.names();
    CommandBytes ask;
    ask.add("UNWATCH");
    add_watch(ask, keys);
    for (const std::string& key : keys) {
        ask.begin(3 + names.size());
        for (const std::string_view word : {std::string_view("HMGET"), std::string_view(key), version_field}) ask.word(word);
        for (const std::string& name : names) ask.word(name);
        ask.add("GET", key);
    }
    const auto replies = co_await say(ask, "read rows");
    store.check("read rows", replies[1]);
    std::vector<std::string> tags(keys.size());
    if (!layout.tags.empty()) {
        CommandBytes ask_tags;
        ask_tags_of(ask_tags, layout, {keys.begin(), keys.end()}, keys.front());
        const auto found = co_await say(ask_tags, "read tags");
        store.check("read tags", found[0]);
        for (std::size_t i = 0; i < keys.size() && i < found[0].elements.size(); ++i) tags[i] = found[0].elements[i].text;
    }
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
    if (tell.count() == 1) co_return true;
    tell.add("EXEC");
    const auto removed = co_await say(tell, "remove rows");
    co_return executed(store, removed, "remove rows");
}

Conversation remove_pointers(const RedisStore& store, const Layout& layout, std::span<const std::string> keys, const std::string& version) {
    CommandBytes ask;
    ask.add("UNWATCH");
    add_watch(ask, keys);
    add_read(ask, keys);
    const auto replies = co_await say(ask, "read pointers");
    for (const Reply& reply : replies) store.check("read pointers", reply);
    CommandBytes tell;
    tell.add("MULTI");
    for (std::size_t i = 0; i < keys.size() && i < replies.back().elements.size(); ++i) {
        const std::string found = version_in(std::string_view(replies.back().elements[i].text).substr(0, version_size));
        // In a cluster another landing's may look alike: see pointer_pattern().
        if (!found.empty() && found < version && keys[i].starts_with(layout.pointer_prefix(layout.slot_of(keys[i])))) tell.add("DEL", keys[i]);
    }
    if (tell.count() == 1) co_return true;
    tell.add("EXEC");
    const auto removed = co_await say(tell, "remove pointers");
    co_return executed(store, removed, "remove pointers");
}

// --- The floor ---

Conversation raise_floor(const RedisStore& store, const Layout& layout, const std::string& version) {
    const std::string floor_key = layout.floor_key(0);
    CommandBytes ask;
    ask.add("UNWATCH");
    ask.add("WATCH", floor_key);
    ask.add("HGET", floor_key, "floor");
    const auto replies = co_await say(ask, "read the floor");
    for (const Reply& reply : replies) store.check("read the floor", reply);
    if (version_in(replies.back().text) >= version) co_return true;
    CommandBytes tell;
    tell.add("MULTI");
    tell.add("HSET", floor_key, "floor", version);
    tell.add("EXEC");
    const auto raised = co_await say(tell, "raise the floor");
    co_return executed(store, raised, "raise the floor");
}

// Members of one score lie in the order of their bytes, as versions do: whoever comes last leaves the highest.
Conversation raise_slot_floor(const RedisStore& store, const Layout& layout, std::uint16_t slot, const std::string& version) {
    const std::string floor_key = layout.floor_key(slot);
    CommandBytes tell;
    tell.add("ZADD", floor_key, "0", version);
    tell.add("ZREMRANGEBYRANK", floor_key, "0", "-2");
    const auto replies = co_await say(tell, "raise the floor");
    for (const Reply& reply : replies) store.check("raise the floor", reply);
    co_return true;
}

Conversation raise_number(const RedisStore& store, const std::string& key, const std::string& field, std::uint64_t number) {
    CommandBytes ask;
    ask.add("UNWATCH");
    ask.add("WATCH", key);
    ask.add("HGET", key, field);
    const auto replies = co_await say(ask, "read a note");
    for (const Reply& reply : replies) store.check("read " + key, reply);
    if (!replies.back().is_nil() && std::strtoull(replies.back().text.c_str(), nullptr, 10) >= number) co_return true;
    CommandBytes tell;
    tell.add("MULTI");
    tell.add("HSET", key, field, std::to_string(number));
    tell.add("EXEC");
    const auto raised = co_await say(tell, "set a note");
    co_return executed(store, raised, "set " + key);
}

}  // namespace ysdb::redis
