#include <sys/stat.h>

#include <fmt/core.h>
#include <algorithm>
#include <charconv>
#include <filesystem>

#include "core/base/embedded.h"
#include "core/base/time.h"
#include "core/health/targets.h"

namespace ysdb {

namespace {

namespace fs = std::filesystem;

// --- configuration and files ------------------------------------------------------------

void check_configuration(const Config& config, Findings& findings) {
    for (const ConfigProblem& problem : config.problems) findings.fail("configuration", problem.message, problem.hint);
    if (!config.problems.empty()) return;
    if (config.files.empty()) findings.ok("configuration", "no file; defaults and the environment");
    for (const std::string& file : config.files) findings.ok("configuration", file);
}

bool others_may_read(const fs::path& path) {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 && (info.st_mode & S_IROTH) != 0;
}

void check_secrets(const Config& config, Findings& findings) {
    for (const auto& [name, store] : config.stores) {
        if (store.password_file.empty()) continue;
        const std::string check = "stores." + name + ".password_file";
        if (others_may_read(store.password_file))
            findings.warn(check, store.password_file + " is readable by everyone", "chmod o-r " + store.password_file);
        else
            findings.ok(check, store.password_file);
    }
    for (const ConfigValue& value : config.values) {
        // A value's layer is "file:line" when a file says it.
        const fs::path file = fs::path(config.directory) / value.layer.substr(0, value.layer.rfind(':'));
        const bool holds_secret = value.value == "***" || value.value.find(":***@") != std::string::npos;
        if (holds_secret && others_may_read(file)) {
            findings.warn(value.name, "a password stands in " + value.layer + ", which everyone may read",
                          "move it to a password_file, or chmod o-r " + file.string());
        }
    }
}

void check_migrations_directory(const Config& config, Findings& findings) {
    const fs::path directory = fs::path(config.directory) / config.migrate.dir;
    std::error_code error;
    const auto files = fs::directory_iterator(directory, error);
    if (error) {
        findings.warn("migrate.dir", directory.string() + ": " + error.message(), "ysdb migrate new NAME begins one");
        return;
    }
    const auto count = std::count_if(begin(files), end(files),
                                     [](const fs::directory_entry& entry) { return entry.path().extension() == ".sql"; });
    findings.ok("migrate.dir", fmt::format("{}, {} files", directory.string(), count));
}

// --- stores ------------------------------------------------------------

// "15.18" -> 15; 0 when it is no number.
int major_of(const std::string& version) {
    int major = 0;
    std::from_chars(version.data(), version.data() + version.size(), major);
    return major;
}

struct Oldest {
    const char* product;
    int major;
};
constexpr Oldest oldest_supported[] = {{"PostgreSQL", 13}, {"ClickHouse", 23}, {"Redis", 6}};

// Without the advice to run this very command.
std::string hint_here(std::string hint) {
    for (const char* advice : {" try: ysdb doctor", " see: ysdb doctor"}) {
        if (hint.ends_with(advice)) hint.erase(hint.size() - std::string_view(advice).size());
    }
    return hint;
}

void check_stores(const Healths& stores, Findings& findings) {
    for (const auto& [name, health] : stores) {
        const std::string check = "stores." + name;
        if (!health.probe) {
            findings.fail(check, health.error->message(), hint_here(health.error->hint()));
            continue;
        }
        const ProbeResult& probe = *health.probe;
        const std::string detail = probe.product + " " + probe.version + (probe.role.empty() ? "" : ", " + probe.role);
        const auto* limit = std::find_if(std::begin(oldest_supported), std::end(oldest_supported),
                                         [&](const Oldest& o) { return probe.product == o.product; });
        if (limit != std::end(oldest_supported) && major_of(probe.version) < limit->major) {
            findings.warn(check, detail, fmt::format("ysdb is tested with {} {} and later", limit->product, limit->major));
        } else {
            findings.ok(check, detail);
        }
    }
}

SqlStore* postgres(Context& context, const std::string& name) {
    SqlStore* sql = context.stores.get(name).sql();
    return sql != nullptr && sql->dialect() == Dialect::postgres ? sql : nullptr;
}

void check_migrate(Context& context, const Healths& stores, Findings& findings) {
    const std::string& name = context.config.migrate.store;
    if (!context.config.stores.contains(name)) {
        findings.warn("migrate.store", "no store named '" + name + "' is configured",
                      "set migrate.store to the store that keeps the history");
        return;
    }
    if (!answers(stores, name)) return findings.skip("migrate.store", name + " does not answer");
    examine("migrate.store", findings, [&] {
        SqlStore* sql = postgres(context, name);
        if (sql == nullptr) return findings.ok("migrate.store", name);
        const SqlResult result = sql->query(
            "SELECT has_database_privilege(current_database(), 'CREATE'), current_user, current_database()", context.deadline());
        const SqlRow row = result.row(0);
        if (row.truth(0))
            findings.ok("migrate.store", name + ": " + row.text(1) + " may create schemas in " + row.text(2));
        else
            findings.fail("migrate.store", name + ": " + row.text(1) + " may not create schemas in " + row.text(2),
                          "as its owner: GRANT CREATE ON DATABASE \"" + row.text(2) + "\" TO \"" + row.text(1) + "\"");
    });
}

void check_wal_capture(Context& context, const SyncConfig& sync, SqlStore& sql, Findings& findings) {
    const std::string check = "sync." + sync.name;
    const SqlResult result = sql.query(
        "SELECT current_setting('wal_level'), current_setting('max_replication_slots')::int - (SELECT count(*) FROM "
        "pg_replication_slots), "
        "rolreplication OR rolsuper, rolname FROM pg_roles WHERE rolname = current_user",
        context.deadline());
    const SqlRow row = result.row(0);
    if (row.text(0) == "logical")
        findings.ok(check + ".wal_level", "logical");
    else
        findings.fail(check + ".wal_level", "wal_level is " + row.text(0) + "; capture = \"wal\" needs logical",
                      "ALTER SYSTEM SET wal_level = logical, restart PostgreSQL; or capture = \"trigger\"");
    if (row.integer(1) > 0)
        findings.ok(check + ".slots", fmt::format("{} replication slots free", row.integer(1)));
    else
        findings.warn(check + ".slots", "no replication slot is free",
                      "raise max_replication_slots, or drop a slot that nobody reads");
    if (row.truth(2))
        findings.ok(check + ".role", row.text(3) + " may replicate");
    else
        findings.fail(check + ".role", row.text(3) + " may not replicate", "ALTER ROLE \"" + row.text(3) + "\" REPLICATION");
}

// One that was prepared and forgotten keeps the log, whatever database it is of; a new slot waits for it.
void check_prepared(Context& context, const SyncConfig& sync, SqlStore& sql, Findings& findings) {
    constexpr std::int64_t old_s = 15;
    const std::string check = "sync." + sync.name + ".prepared";
    const SqlResult open = sql.query(embedded_file("sql/ysdb/postgres/open_transactions.sql"), context.deadline());
    bool any = false;
    for (std::size_t i = 0; i < open.rows(); ++i) {
        const SqlRow row = open.row(i);
        if (!row.truth(0) || row.integer(4) < old_s) continue;
        findings.warn(check, row.text(2) + " has been open for " + human_duration(static_cast<double>(row.integer(4))) + ": what is behind it is kept until it ends", row.text(3));
        any = true;
    }
    if (!any) findings.ok(check, "no prepared transaction was left open");
}

void check_sync_tables(Context& context, const SyncConfig& sync, SqlStore& sql, Findings& findings) {
    for (const std::string& table : sync.tables) {
        const std::string check = "sync." + sync.name + "." + table;
        const std::optional<std::string> parameter[] = {table};
        const SqlResult result = sql.query(
            "SELECT t, has_table_privilege(t, 'SELECT'), EXISTS (SELECT FROM pg_index WHERE indrelid = t AND indisprimary) FROM "
            "to_regclass($1) t",
            parameter, context.deadline());
        const SqlRow row = result.row(0);
        if (row.null(0))
            findings.warn(check, "the table does not exist yet", "ysdb migrate up");
        else if (!row.truth(1))
            findings.fail(check, "the table may not be read", "GRANT SELECT ON " + table + " TO the role of ysdb");
        else if (!row.truth(2))
            findings.fail(check, "the table has no primary key",
                          "changes of its rows cannot be told apart: ALTER TABLE ... ADD PRIMARY KEY");
        else
            findings.ok(check, "readable, has a primary key");
    }
}

void check_syncs(Context& context, const Healths& stores, Findings& findings) {
    for (const SyncConfig& sync : context.config.syncs) {
        const std::string check = "sync." + sync.name;
        if (!answers(stores, sync.from)) {
            findings.skip(check, "'" + sync.from + "' does not answer");
            continue;
        }
        examine(check, findings, [&] {
            SqlStore* sql = postgres(context, sync.from);
            if (sql == nullptr && sync.capture != "poll") {
                return findings.fail(check, "capture = \"" + sync.capture + "\" needs PostgreSQL",
                                     "capture = \"poll\" reads a ClickHouse table or view");
            }
            if (sql == nullptr) return findings.ok(check, "polls " + sync.from);
            if (sync.capture == "wal") check_wal_capture(context, sync, *sql, findings);
            check_prepared(context, sync, *sql, findings);
            check_sync_tables(context, sync, *sql, findings);
        });
    }
}

}  // namespace

Report doctor_report(Context& context) {
    Findings findings;
    check_configuration(context.config, findings);
    check_secrets(context.config, findings);
    check_migrations_directory(context.config, findings);
    Healths stores;
    if (context.config.stores.empty()) {
        findings.fail("stores", "no store is configured", "write a configuration with: ysdb init; or set YSDB_STORES_MAIN_URL");
    } else {
        stores = probe_stores(context);
        check_stores(stores, findings);
        check_migrate(context, stores, findings);
        check_syncs(context, stores, findings);
        check_sync_targets(context, stores, findings);
        check_partitions(context, stores, findings);
    }
    Report report;
    report.checks = std::move(findings.checks);
    const bool nobody_there = !stores.empty() && std::all_of(stores.begin(), stores.end(), [](const auto& store) { return store.second.error && store.second.error->code() == Code::connect; });
    const auto failed = std::count_if(report.checks.begin(), report.checks.end(),
                                      [](const Check& check) { return check.state == CheckState::fail; });
    report.code = failed > 0 ? Code::differences : Code::ok;
    if (failed == 0) report.next = "ysdb migrate status";
    else if (nobody_there) report.next = "ysdb lab up   (servers on this machine to try things on)";
    return report;
}

}  // namespace ysdb
