// What every verb starts from: the files, the store that keeps the history, and what is in it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "core/context.h"
#include "core/migrate/layout.h"
#include "core/migrate/standing.h"
#include "core/plan/journal.h"

namespace ysdb::migrate {

MigrationDirectory directory_of(const Context& context);
// `names`: what the directory holds.
std::vector<Migration> read_files(Context& context, const std::vector<std::string>& names, Keep keep);
// The same files by name, without what is in them; goose's are told by their text.
std::vector<LaidOut> laid_out_files(const Context& context);

// When history and journal are read: by read(), so that a lock can be taken before; or at once, by verbs that take none.
enum class Reading { later, at_once };

class Workspace {
public:
    // Opens one session on the history's store, while it reads the files. `environment`: instead of the configuration's. `keep`: what of the files; the
    // outlines of those that an unfinished run began, or that were edited since, are made whole by read(). Throws Error(config, connect).
    explicit Workspace(Context& context, const std::optional<std::string>& environment = {}, Reading reading = Reading::later, Keep keep = Keep::whole);

    // Makes outlines of these whole, and back. Throws as load_again() does.
    void load(const std::vector<const Standing*>& some);
    void unload(const std::vector<const Standing*>& some);

    // Reads history and journal, unless that was done; needs no lock and changes nothing.
    void read();
    // Throws Error(refused) when our history is empty and another tool's says that one of these was applied.
    void refuse_unadopted(const std::vector<const Standing*>& pending);
    // Throws Error(refused) when names without a schema in one of these files would stand for what is in our own schema.
    void refuse_own_schema(const std::vector<const Standing*>& pending);
    // Makes our tables where they are missing; under the lock.
    void install();

    Context& context;
    std::string home;                        // the store's name
    SqlStore* store;
    std::string environment;                 // where this is
    std::vector<Migration> files;
    std::vector<Migration> before_up, after_up;   // callbacks
    std::unique_ptr<SqlSession> session;
    plan::Journal journal;
    std::vector<HistoryRow> history;
    std::vector<plan::JournalEntry> unfinished;
    std::vector<Standing> standings;         // views into files and history

private:
    struct Begun;
    Workspace(Context& context, Begun begun, Keep keep);
    Migration* mine(const Migration* file);
    // What Flyway's own names stand for in the files that have such.
    void fill_built_in();

    Keep keep_;

    bool has_read_;
};

}  // namespace ysdb::migrate
