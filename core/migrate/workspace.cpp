#include "core/migrate/workspace.h"

#include <fmt/core.h>

#include <ctime>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>

#include "core/migrate/adopt.h"

namespace ysdb::migrate {

namespace {

SqlStore& sql_of(Context& context, const std::string& name) {
    Store& store = context.stores.get(name);
    if (SqlStore* sql = store.sql()) return *sql;
    throw Error(Code::config, "store '" + name + "' takes no SQL: migrations cannot run there", "name a PostgreSQL or ClickHouse store");
}

std::vector<Migration> callbacks(Context& context, const std::vector<std::string>& names, Moment moment, const std::string& environment) {
    std::vector<Migration> files = read_callbacks(directory_of(context), names, moment, context.config.migrate.store, [&](const std::string& store) { return sql_of(context, store).dialect(); });
    std::erase_if(files, [&](const Migration& file) { return !file.runs_in(environment); });
    return files;
}

}  // namespace

MigrationDirectory directory_of(const Context& context) {
    const std::string& dir = context.config.migrate.dir;
    const std::filesystem::path path = std::filesystem::path(dir).is_absolute() ? std::filesystem::path(dir) : std::filesystem::path(context.config.directory) / dir;
    return {path, dir};
}

std::vector<Migration> read_files(Context& context, const std::vector<std::string>& names, Keep keep) {
    std::map<std::string, Dialect> dialects;
    const auto dialect_of = [&](const std::string& store) {
        const auto found = dialects.find(store);
        return found != dialects.end() ? found->second : dialects.emplace(store, sql_of(context, store).dialect()).first->second;
    };
    return read_migrations(directory_of(context), names, context.config.migrate.store, dialect_of, keep);
}

namespace {

// What the store says.
struct Told {
    std::unique_ptr<SqlSession> session;
    std::optional<plan::Journal> journal;
    std::vector<HistoryRow> history;
    std::vector<plan::JournalEntry> unfinished;

    void read(Context& context, SqlStore& store) {
        history = read_history(*session, store.dialect(), context.deadline());
        unfinished = journal->unfinished(context.deadline());
    }
};

}  // namespace

struct Workspace::Begun {
    SqlStore* store;
    std::string environment;
    std::vector<Migration> files;
    std::vector<Migration> before_up, after_up;
    std::unique_ptr<Told> told;
    bool has_read;

    // Connecting takes its time, most of it the exchange of passwords: the files are read meanwhile. The store's library is loaded before, since
    // loading beside a thread at work makes both slower.
    Begun(Context& context, const std::optional<std::string>& where, Reading reading, Keep keep)
        : store(&sql_of(context, context.config.migrate.store)), environment(where.value_or(context.config.migrate.environment)), has_read(reading == Reading::at_once) {
        std::future<std::unique_ptr<Told>> telling = std::async(std::launch::async, [&context, this] {
            auto answer = std::make_unique<Told>();
            answer->session = store->open_session("ysdb migrate " + context.run_id, context.deadline());
            answer->journal.emplace(*answer->session, store->dialect(), "migrate");
            if (has_read) answer->read(context, *store);
            return answer;
        });
        const std::vector<std::string> names = names_in(directory_of(context));
        files = read_files(context, names, keep);
        before_up = callbacks(context, names, Moment::before_up, environment);
        after_up = callbacks(context, names, Moment::after_up, environment);
        told = telling.get();
    }
};

Workspace::Workspace(Context& context, const std::optional<std::string>& environment, Reading reading, Keep keep) : Workspace(context, Begun(context, environment, reading, keep), keep) {}

Workspace::Workspace(Context& ctx, Begun begun, Keep keep)
    : context(ctx),
      home(ctx.config.migrate.store),
      store(begun.store),
      environment(std::move(begun.environment)),
      files(std::move(begun.files)),
      before_up(std::move(begun.before_up)),
      after_up(std::move(begun.after_up)),
      session(std::move(begun.told->session)),
      journal(*begun.told->journal),
      history(std::move(begun.told->history)),
      unfinished(std::move(begun.told->unfinished)),
      keep_(keep),
      has_read_(begun.has_read) {}

// As Flyway asks the server; by store.
void Workspace::fill_built_in() {
    using Values = std::map<std::string, std::string>;
    std::map<std::string, std::shared_ptr<const Values>> stores;
    for (auto* list : {&files, &before_up, &after_up}) {
        for (Migration& file : *list) {
            if (!file.built_in_names || file.built_in) continue;
            std::shared_ptr<const Values>& values = stores[file.store];
            if (!values) {
                SqlStore& sql = sql_of(context, file.store);
                const SqlResult result = sql.query(sql.dialect() == Dialect::clickhouse ? "SELECT currentDatabase(), currentUser(), currentDatabase()" : "SELECT coalesce(current_schema(), 'public'), current_user, current_database()", context.deadline());
                const SqlRow row = result.row(0);
                const std::time_t moment = std::time(nullptr);
                std::tm local{};
                char now[32];
                std::strftime(now, sizeof now, "%Y-%m-%d %H:%M:%S", localtime_r(&moment, &local));  // this machine's clock and zone, as Java's
                values = std::make_shared<const Values>(Values{{"defaultSchema", row.text(0)}, {"user", row.text(1)}, {"database", row.text(2)}, {"timestamp", now},
                                                               {"workingDirectory", std::filesystem::current_path().string()}, {"table", "flyway_schema_history"}});
            }
            file.built_in = values;
        }
    }
}

// null: of no file of the directory (a callback, one that is gone), which is never an outline.
Migration* Workspace::mine(const Migration* file) {
    const std::less<const Migration*> before;
    const bool inside = file != nullptr && !files.empty() && !before(file, files.data()) && before(file, files.data() + files.size());
    return inside ? files.data() + (file - files.data()) : nullptr;
}

void Workspace::load(const std::vector<const Standing*>& some) {
    for (const Standing* standing : some) {
        if (Migration* file = mine(standing->file)) load_again(*file, directory_of(context), context.config.migrate.store, [&](const std::string& name) { return sql_of(context, name).dialect(); });
    }
}

void Workspace::unload(const std::vector<const Standing*>& some) {
    if (keep_ == Keep::whole) return;
    for (const Standing* standing : some) {
        if (Migration* file = mine(standing->file)) outline(*file);
    }
}

void Workspace::read() {
    if (!has_read_) {
        history = read_history(*session, store->dialect(), context.deadline());
        unfinished = journal.unfinished(context.deadline());
    }
    fill_built_in();
    has_read_ = false;  // a second time it is what came meanwhile
    std::set<std::string> begun;
    for (const plan::JournalEntry& entry : unfinished) begun.insert(entry.unit.substr(0, entry.unit.rfind('/')));
    for (Migration& file : files) {
        const Standing standing{.file = &file};
        if (file.outlined && begun.contains(file.version)) load({&standing});
    }
    standings = compare(files, history, unfinished, environment);
    for (const Standing& standing : standings) {
        if (standing.state == State::changed) load({&standing});
    }
}

std::vector<LaidOut> laid_out_files(const Context& context) {
    const MigrationDirectory directory = directory_of(context);
    return lay_out(directory, names_in(directory), false);
}

void Workspace::refuse_unadopted(const std::vector<const Standing*>& pending) {
    if (!history.empty() || !unfinished.empty() || store->dialect() == Dialect::questdb) return;
    std::optional<TheirHistory> theirs;
    try {
        theirs = read_their_history(*this);
    } catch (const Error& error) {
        if (error.code() != Code::rejected) throw;  // a table of that name, and of something else
    }
    if (!theirs) return;
    for (const Standing* standing : pending) {
        if (!theirs->applied.contains(standing->version())) continue;
        throw Error(Code::refused, standing->file->source.path + ": " + theirs->tool + " has applied it, as " + theirs->table + " says", "take its history over, which runs nothing: ysdb migrate adopt");
    }
}

void Workspace::refuse_own_schema(const std::vector<const Standing*>& pending) {
    refuse_unadopted(pending);
    std::set<std::string> stores;
    for (const Standing* standing : pending) stores.insert(standing->file->store);
    for (const std::string& name : stores) {
        SqlStore& sql = sql_of(context, name);
        if (sql.dialect() == Dialect::clickhouse) {
            const std::string database = sql.query("SELECT currentDatabase()", context.deadline()).row(0).text(0);
            if (database == "ysdb") {
                throw Error(Code::refused, "store '" + name + "' has the database ysdb, where ysdb keeps its own tables: those of migrations would land among them", "name another database in the store's URL");
            }
            continue;
        }
        if (sql.dialect() != Dialect::postgres) continue;  // knows no search_path
        // By the setting, since the schema may be made only by this run.
        const SqlResult result = sql.query(
            "SELECT current_user, current_setting('search_path'), coalesce(bool_or(name = 'ysdb' OR (name = '$user' AND current_user = 'ysdb')), false)"
            " FROM (SELECT CASE WHEN item LIKE '\"%' THEN btrim(item, '\"') ELSE lower(item) END AS name"
            " FROM (SELECT btrim(part) AS item FROM unnest(string_to_array(current_setting('search_path'), ',')) part) parts) names",
            context.deadline());
        const SqlRow row = result.row(0);
        if (!row.truth(2)) continue;
        const std::string role = row.text(0);
        throw Error(Code::refused, fmt::format("store '{}': role {} has search_path = {}, so that tables of migrations could land in ysdb's own schema", name, role, row.text(1)),
                    fmt::format("ALTER ROLE {} SET search_path = public; or, in the store's URL, another role or ?options=-csearch_path%3Dpublic", sql.quote_identifier(role)));
    }
}

void Workspace::install() {
    plan::install_table(*session, store->dialect(), "journal", context.deadline());
    plan::install_table(*session, store->dialect(), "migrations", context.deadline());
    if (store->dialect() == Dialect::postgres && !number_history(*session, context.deadline())) {
        context.log.warn("the history has no order but that of clocks", {{"store", home}, {"hint", "ysdb.migrations is another role's: let that role run ysdb migrate up once"}});
    }
}

}  // namespace ysdb::migrate
