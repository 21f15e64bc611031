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
// another writer was faster. In a cluster (names and floors there: guarded_rows.h) the rows of each slot are a group, and many are under way at
// once, over several connections to each master (lanes.h).
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/store/redis/command_bytes.h"
#include "core/store/redis/guarded_rows.h"
#include "core/store/redis/redis.h"

namespace ysdb::redis {

class Lanes;

// One connection of its own (in a cluster several), opened when needed, given up after an error. Not thread-safe. Errors: redis.h; what passes
// by itself or once somebody mends the server (it is full, cannot save, lacks replicas) is retryable.
class GuardedWriter {
public:
    explicit GuardedWriter(RedisStore& store);
    GuardedWriter(GuardedWriter&&) noexcept;
    ~GuardedWriter();

    // Applies changes, each of another row, where they are newer than what is there.
    void write(const Layout& layout, std::span<const GuardedChange> changes, Deadline deadline);
    // From here on changes older than `version` are ignored.
    void raise_floor(const Layout& layout, const std::string& version, Deadline deadline);
    // Removes the rows of the layout with older versions than `version`, and their pointers. The deadline is that of each page of keys: how
    // long all of them take depends on how many there are.
    void remove_older(const Layout& layout, const std::string& version, Deadline deadline);
    void run(const CommandBytes& commands, const std::string& doing, Deadline deadline);
    // Behind Sentinel and in a cluster, and while a master has replicas: returns when one of them has all that was written here, so that a
    // failover loses none of it.
    void settle(Deadline deadline);
    // Sets a number in a hash unless it is as high already.
    void raise_number(const std::string& key, const std::string& field, std::uint64_t number, Deadline deadline);

private:
    template <class Work>
    auto with_session(Deadline deadline, const Work& work);
    // With the one server, over and over until no other writer came in between.
    void converse(const std::string& what, Deadline deadline, const std::function<Conversation()>& begin);
    void until_undisturbed(const std::string& what, Deadline deadline, const std::function<bool()>& attempt);
    void remove_older_from_all(const Layout& layout, const std::string& version, Millis each);
    void remove_page(const Layout& layout, bool pointers, std::span<const std::string> keys, const std::string& version, Deadline deadline);

    RedisStore& store_;
    std::optional<Session> session_;
    std::unique_ptr<Lanes> lanes_;   // in a cluster, instead
    std::size_t group_ = 128;        // rows at once: watching a key takes as long as there are keys watched already
};

}  // namespace ysdb::redis
