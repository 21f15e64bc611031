#include "core/migrate/replay.h"

#include <algorithm>

#include "core/migrate/migrate.h"

namespace ysdb::migrate {

namespace {

// role "app" does not exist
std::optional<std::string> missing_role(const Error& error) {
    constexpr std::string_view before = "role \"", after = "\" does not exist";
    if (error.server_code() != "42704") return std::nullopt;
    const auto begin = error.message().find(before);
    const auto end = error.message().find(after);
    if (begin == std::string::npos || end == std::string::npos || end < begin) return std::nullopt;
    return error.message().substr(begin + before.size(), end - begin - before.size());
}

}  // namespace

bool comparable(Context& context, const std::string& store) {
    const SqlStore* sql = context.stores.get(store).sql();
    return sql != nullptr && sql->dialect() != Dialect::questdb;
}

Replay applied_files(Workspace& work) {
    Replay applied;
    applied.stores.insert(work.home);
    for (const Standing& standing : work.standings) {
        if (standing.row == nullptr) {
            if (standing.state == State::partial || standing.state == State::unknown) applied.warnings.push_back("migration " + standing.file->title() + " is applied in part; what it did counts as a difference");
            continue;
        }
        if (standing.file == nullptr) {
            throw Error(Code::refused, "migration " + standing.row->title() + " was applied, and its file is gone: what the schema should be cannot be known", "bring it back from version control");
        }
        if (!standing.file->runs_in(work.environment)) {
            applied.warnings.push_back("migration " + standing.file->title() + " was applied, and is not for " + (work.environment.empty() ? std::string("a place without an environment") : "environment '" + work.environment + "'") + ": left out (--env says which this is)");
            continue;
        }
        if (!comparable(work.context, standing.file->store)) {
            applied.warnings.push_back("store '" + standing.file->store + "' is left out: neither PostgreSQL nor ClickHouse");
            continue;
        }
        if (standing.state == State::changed || (standing.repeatable() && standing.state != State::applied && !standing.file->runs_each_time())) applied.warnings.push_back("migration " + standing.file->title() + " was edited after it was applied: it counts as it is now");
        applied.versions.insert(standing.file->version);
        applied.stores.insert(standing.file->store);
    }
    std::sort(applied.warnings.begin(), applied.warnings.end());
    applied.warnings.erase(std::unique(applied.warnings.begin(), applied.warnings.end()), applied.warnings.end());
    return applied;
}

Config scratch_config(const Workspace& work, const std::set<std::string>& stores, const std::function<StoreConfig(Store& live)>& stand_in) {
    Config config = work.context.config;
    config.stores.clear();
    std::set<std::string> named{work.home};
    for (const Migration& file : work.files) named.insert(file.store);
    for (const std::string& name : named) {
        if (stores.contains(name)) {
            config.stores.emplace(name, stand_in(work.context.stores.get(name)));
            continue;
        }
        // Its files are read, and none is run.
        StoreConfig nowhere;
        nowhere.name = name;
        const std::string& url = work.context.stores.config(name).url;
        nowhere.url = url.substr(0, url.find("://")) + "://127.0.0.1:1/none";
        config.stores.emplace(name, nowhere);
    }
    return config;
}

void replay(Context& context, const std::set<std::string>& versions, const Scratch& scratch, const UpOptions& with, const ReplayPlace& place) {
    UpOptions options = with;
    options.only = versions;
    options.out_of_order = true;
    std::set<std::string> made;
    for (int round = 1;; ++round) {
        try {
            // Statements are told apart by the run's name.
            Context once{context.config, context.stores, context.log, context.progress, context.stop, context.timeout, context.run_id + "." + std::to_string(round), false};
            up(once, options);
            return;
        } catch (const Error& error) {
            if (error.code() == Code::interrupted) throw Error(Code::interrupted, "stopped while migrations were applied " + place.where, "nothing live was touched");
            const auto role = missing_role(error);
            if (!role || !made.insert(*role).second) {
                throw Error(error.code(), place.where + ": " + error.message(), role ? "make the role there, or let a lab be started: without --scratch" : place.hint)
                    .with_excerpt(error.excerpt())
                    .with_server_code(error.server_code());
            }
            bool here = false;
            for (const auto& [name, config] : context.config.stores) {
                SqlStore* sql = context.stores.get(name).sql();
                if (!scratch.own_server(name) || sql->dialect() != Dialect::postgres) continue;
                const std::vector<std::optional<std::string>> params{*role};
                if (sql->query("SELECT count(*) FROM pg_roles WHERE rolname = $1", params, context.deadline()).row(0).text(0) != "0") continue;
                sql->query("CREATE ROLE " + sql->quote_identifier(*role), context.deadline());
                here = true;
            }
            if (!here) throw;
        }
    }
}

}  // namespace ysdb::migrate
