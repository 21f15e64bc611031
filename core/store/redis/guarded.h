// Writes of rows that never let an older change overwrite a newer one (law 8), with WATCH and MULTI: EVAL is off in production.
//
// Which version lies where:
//   the row itself carries its own (field or first member `_version`)
//   a row's guard is a key of ours that readers of rows never meet, with a version of its own:
//     tombstones  "ysdb:gone:<key>" -> "<version>": the row was removed; gone a day later
//     pointers    "ysdb:row:<template>|[<primary key>]" -> "<version> <key>": where the row lies, when its key cannot be told from its
//                 primary key; "<version>" once it was removed, gone a day later
//   tags          "ysdb:tags:<key>" -> the tags of that row, a line each, for as long as the row is there: the sorted sets to take its key out of
//   the floor     "ysdb:landing:<template>", field floor: every change older than it is told by a truncation or a copy already
// A group of rows costs two round trips: one that watches and reads versions, one that writes in a transaction; it is repeated when
// another writer was faster.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/store/redis/command_bytes.h"
#include "core/store/redis/key_template.h"
#include "core/store/redis/redis.h"

namespace ysdb::redis {

// Where one table's rows go, and how they look.
struct Layout {
    KeyTemplate key;
    bool json = false;          // a string, else a hash
    bool pointers = false;      // guards are pointers, else tombstones
    std::optional<Millis> ttl;
    std::vector<KeyTemplate> tags;
    std::string floor_key() const { return "ysdb:landing:" + key.text(); }
    std::string pointer_prefix() const { return "ysdb:row:" + key.text() + "|"; }
};

inline constexpr std::string_view version_field = "_version";

// The last change of one row.
struct GuardedChange {
    std::string guard;
    std::string key;            // where the row lies; empty: where the pointer says
    std::string version;        // version_text
    bool removal = false;
    std::vector<std::string> tags;   // sorted sets that the row's key belongs to; none for a removal
    CommandBytes row;           // writes the row, whatever was there; nothing for a removal
    CommandBytes notice;        // what goes with it when it is applied
};

// How long a removal is remembered: longer than any replay.
inline constexpr Millis tombstone_life{24 * 3600 * 1000};

// One connection of its own, opened when needed, given up after an error. Not thread-safe. Errors: redis.h; what passes by itself or once
// somebody mends the server (it is full, cannot save, lacks replicas) is retryable.
class GuardedWriter {
public:
    explicit GuardedWriter(RedisStore& store) : store_(store) {}

    // Applies changes, each of another row, where they are newer than what is there.
    void write(const Layout& layout, std::span<const GuardedChange> changes, Deadline deadline);
    // From here on changes older than `version` are ignored.
    void raise_floor(const Layout& layout, const std::string& version, Deadline deadline);
    // Removes the rows of the layout with older versions than `version`, and their pointers. The deadline is that of each page of keys: how
    // long all of them take depends on how many there are.
    void remove_older(const Layout& layout, const std::string& version, Deadline deadline);
    void run(const CommandBytes& commands, const std::string& doing, Deadline deadline);
    // Behind Sentinel, and while the master has replicas: returns when one of them has all that was written here, so that a failover
    // loses none of it.
    void settle(Deadline deadline);
    // Sets a number in a hash unless it is as high already.
    void raise_number(const std::string& key, const std::string& field, std::uint64_t number, Deadline deadline);

private:
    using Versions = std::unordered_map<std::string, std::string>;

    template <class Work>
    auto with_session(Deadline deadline, const Work& work);
    bool try_write(const Layout& layout, std::span<const GuardedChange> changes, Session& session, Deadline deadline);
    // Adds the versions of the rows at `keys`; empty where there is no row of ours.
    void watch_versions(const Layout& layout, const std::vector<std::string>& keys, Versions& versions, Session& session, Deadline deadline);
    bool remove_rows(const Layout& layout, const std::vector<std::string>& keys, const std::string& version, Session& session, Deadline deadline);
    bool remove_pointers(const std::vector<std::string>& keys, const std::string& version, Session& session, Deadline deadline);
    // The tags of these keys, in their order, a line each.
    std::vector<std::string> tags_of(const Layout& layout, std::span<const std::string> keys, Session& session, Deadline deadline);
    // Takes a key out of the tags it has, and into others.
    static void retag(const Layout& layout, const std::string& key, const std::string& before, std::span<const std::string> tags, CommandBytes& tell);
    // Repeats `attempt` until no other writer came in between.
    void until_undisturbed(const std::string& what, Deadline deadline, const std::function<bool()>& attempt);

    RedisStore& store_;
    std::optional<Session> session_;
    std::size_t group_ = 128;   // rows at once: watching a key takes as long as there are keys watched already
};

}  // namespace ysdb::redis
