// The transactions of guarded.h, each a conversation: what it watches, reads, and then writes if nobody came in between.
//
// In a cluster one transaction may touch one slot only, so what lies beside a row is named so that it lies in the row's slot: ysdb:gone:{tag}...
// instead of ysdb:gone:..., with the tag of slots.h. Then there is a floor in each slot, a sorted set: its last member is the floor, and it is
// raised without a transaction, whoever else raises it.
//
// Of a slot that is on its way to another server some keys are here and some there, and the one that gets it says of a key that it has not got
// that there is none. Only of a command with several keys does it say TRYAGAIN unless it has got all of them. So what a decision is made of is
// named in one command, together with a key that there is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/store/redis/command_bytes.h"
#include "core/store/redis/conversation.h"
#include "core/store/redis/key_template.h"
#include "core/store/redis/redis.h"

namespace ysdb::redis {

// Where one table's rows go, and how they look.
struct Layout {
    KeyTemplate key;
    bool json = false;          // a string, else a hash
    bool pointers = false;      // guards are pointers, else tombstones
    bool cluster = false;
    std::optional<Millis> ttl;
    std::vector<KeyTemplate> tags;
    // Names of ours; the slot is of no matter but in a cluster.
    std::string beside(std::string_view kind, std::uint16_t slot) const;
    std::string floor_key(std::uint16_t slot) const { return beside("landing", slot) + key.text(); }
    std::string pointer_prefix(std::uint16_t slot) const { return beside("row", slot) + key.text() + "|"; }
    std::string tombstone_prefix(std::uint16_t slot) const { return beside("gone", slot); }
    std::string tags_key(const std::string& row_key) const;
    std::uint16_t slot_of(const std::string& row_key) const;
    // A glob pattern that all pointers match; others may, too.
    std::string pointer_pattern() const;
};

inline constexpr std::string_view version_field = "_version";

// The last change of one row.
struct GuardedChange {
    std::string guard;
    std::string key;            // where the row lies; empty: where the pointer says
    std::string version;        // version_text
    bool removal = false;
    std::uint16_t slot = 0;     // in a cluster: of guard, key and tags
    std::vector<std::string> tags;   // sorted sets that the row's key belongs to; none for a removal
    CommandBytes row;           // writes the row, whatever was there; nothing for a removal
    CommandBytes notice;        // what goes with it when it is applied
};

// How long a removal is remembered: longer than any replay.
inline constexpr Millis tombstone_life{24 * 3600 * 1000};

// Where there are slots, all changes and all keys of one conversation are in one.
Conversation write_rows(const RedisStore& store, const Layout& layout, std::span<const GuardedChange* const> changes);
// Rows of the layout at these keys that are older.
Conversation remove_rows(const RedisStore& store, const Layout& layout, std::span<const std::string> keys, const std::string& version);
// These keys, if they are pointers of the layout, and older.
Conversation remove_pointers(const RedisStore& store, const Layout& layout, std::span<const std::string> keys, const std::string& version);
// The floor of a server that has one, in a hash.
Conversation raise_floor(const RedisStore& store, const Layout& layout, const std::string& version);
// The floor of one slot. Any number of them may be under way.
Conversation raise_slot_floor(const RedisStore& store, const Layout& layout, std::uint16_t slot, const std::string& version);
Conversation raise_number(const RedisStore& store, const std::string& key, const std::string& field, std::uint64_t number);

}  // namespace ysdb::redis
