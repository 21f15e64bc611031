// The directories of other tools, read as they are: which files make a migration, and their text in our words. Every line stays where it is.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/migrate/file.h"

namespace ysdb::migrate {

enum class Layout {
    own,              // and dbmate's: the same section lines
    goose,            // N_name.sql with -- +goose Up
    golang_migrate,   // N_name.up.sql, N_name.down.sql
    flyway,           // V1.2__name.sql, U1.2__name.sql, R__name.sql
    sqitch,           // sqitch.plan, deploy/, revert/, verify/
};
std::string_view layout_name(Layout layout);

// One migration of a directory; paths below it, empty where there is none.
struct LaidOut {
    Layout layout = Layout::own;
    std::string version;
    std::string name;
    std::string up, down, verify;
    std::optional<std::string> text;   // of `up`, where it had to be read to tell the layout
};

struct LaidOutText {
    Source source;
    Manner manner;
};

// `names`: what the directory holds. Files of none of the layouts are no migrations, nor is a way back of golang-migrate without a way there. Throws
// Error(refused) for a plan that cannot be followed.
// `with_texts`: what had to be read is kept for read_laid_out().
std::vector<LaidOut> lay_out(const MigrationDirectory& directory, const std::vector<std::string>& names, bool with_texts = true);
// Throws Error(config) when a file cannot be read, Error(refused) for what only the other tool can do (environment variables).
LaidOutText read_laid_out(const MigrationDirectory& directory, LaidOut file);

// Goose's section lines in our words; the same number of lines. Sets manner.transaction.
std::string from_goose(const Source& source, Manner& manner);
bool is_goose(std::string_view text);
// "V1_2__add_users.sql", in whatever folder -> kind 'V', "1.2", "add_users"; R has no version. nullopt when it is no such name.
struct FlywayName {
    char kind = 'V';
    std::string version, name;
};
std::optional<FlywayName> flyway_name(const std::string& file_name);
// Such a name, or a callback's.
bool is_flyways(const std::string& file_name);
// Flyway's callbacks at one moment of `up`, in its order: "afterMigrateApplied__grants.sql", "afterMigrate.sql". None in a directory that is not Flyway's.
// Throws Error(refused) for an event that ysdb has no moment for and that would change what the migrations do.
std::vector<std::string> flyway_callbacks(const MigrationDirectory& directory, const std::vector<std::string>& names, bool before);
LaidOutText read_flyway_callback(const MigrationDirectory& directory, const std::string& name);
// A change of sqitch.plan, in its order, and the files it may be in, the likeliest first: "users@v2", "users@v1" for one that was reworked after the
// tags @v1 and @v2; the first that exists is the one.
struct PlannedChange {
    std::string name;
    std::vector<std::string> files;
};
std::vector<PlannedChange> read_plan(const Source& plan);
// What sqitch.plan says of itself: "%project=shop".
std::string plan_project(const Source& plan);

}  // namespace ysdb::migrate
