#include "core/migrate/workspace.h"

#include <map>

namespace ysdb::migrate {

namespace {

SqlStore& sql_of(Context& context, const std::string& name) {
    Store& store = context.stores.get(name);
    if (SqlStore* sql = store.sql()) return *sql;
    throw Error(Code::config, "store '" + name + "' takes no SQL: migrations cannot run there", "name a PostgreSQL or ClickHouse store");
}

}  // namespace

MigrationDirectory directory_of(const Context& context) {
    const std::string& dir = context.config.migrate.dir;
    const std::filesystem::path path = std::filesystem::path(dir).is_absolute() ? std::filesystem::path(dir) : std::filesystem::path(context.config.directory) / dir;
    return {path, dir};
}

std::vector<Migration> read_files(Context& context) {
    std::map<std::string, Dialect> dialects;
    return read_migrations(directory_of(context), context.config.migrate.store, [&](const std::string& store) {
        const auto found = dialects.find(store);
        return found != dialects.end() ? found->second : dialects.emplace(store, sql_of(context, store).dialect()).first->second;
    });
}

Workspace::Workspace(Context& context) : Workspace(context, sql_of(context, context.config.migrate.store)) {}

Workspace::Workspace(Context& ctx, SqlStore& sql)
    : context(ctx),
      home(ctx.config.migrate.store),
      store(&sql),
      files(read_files(ctx)),
      session(sql.open_session("ysdb migrate " + ctx.run_id, ctx.deadline())),
      journal(*session, sql.dialect(), "migrate") {}

void Workspace::read() {
    history = read_history(*session, store->dialect(), context.deadline());
    unfinished = journal.unfinished(context.deadline());
    standings = compare(files, history, unfinished);
}

void Workspace::install() {
    plan::install_table(*session, store->dialect(), "journal", context.deadline());
    plan::install_table(*session, store->dialect(), "migrations", context.deadline());
}

}  // namespace ysdb::migrate
