// What another tool's history says of the files at hand.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/migrate/layout.h"
#include "core/migrate/workspace.h"

namespace ysdb::migrate {

struct TheirHistory {
    std::string tool;                                // "goose", "dbmate"
    std::string table;                               // as SQL names it
    bool elsewhere = false;                          // that is not its name by default
    std::map<std::string, std::string> applied;      // version, as the file has it -> when, as the server reads it; empty: it does not say
    std::vector<std::string> without_file;           // versions that it knows and the directory does not
    std::vector<std::string> warnings;
};

// In the column `tool` of our history, between the other tool's name and a table that is not where it keeps its history by default.
constexpr std::string_view whose_history_is = ", whose history is ";

// Which tool's, and where; nothing of what is in it. nullopt when the store has no history that fits the layout of the files. `table`: where it is, when not where
// the tool keeps it by default. Throws Error(refused) when such a table is not there.
std::optional<TheirHistory> find_their_history(Workspace& work, const std::string& table = {});
// The same with what is in it. Throws Error(refused) for one that says that something is half done.
std::optional<TheirHistory> read_their_history(Workspace& work, const std::string& table = {});

// golang-migrate's advisory lock for a database, from its source's formula (knowledge of its users, not of ours).
std::uint32_t golang_migrate_lock(const std::string& schema, const std::string& table, const std::string& database);
// Flyway's advisory lock for the table in which it keeps its history, likewise: its name in six bytes, plus Java's hash of "schema"."table".
std::int64_t flyway_lock(const std::string& schema, const std::string& table);
// Flyway's checksum: CRC-32 over the lines without their ends, as a signed number.
std::int32_t flyway_checksum(std::string_view text);

}  // namespace ysdb::migrate
