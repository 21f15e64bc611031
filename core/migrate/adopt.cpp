#include "core/migrate/adopt.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "core/base/error.h"
#include "core/base/fault.h"
#include "core/base/file.h"
#include "core/base/retry.h"
#include "core/migrate/migrate.h"
#include "core/plan/executor.h"
#include "core/plan/runner_lock.h"

namespace ysdb::migrate {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view adopted_folder = "adopted";

// The other tool's own runner lock, for as long as its history is read and ours written. dbmate has none.
void lock_out(Workspace& work, const TheirHistory& history, Millis wait) {
    if (work.store->dialect() != Dialect::postgres) return;
    const auto ask = [&](const std::string& sql, const std::vector<std::optional<std::string>>& params) { return work.session->query(sql, params, work.context.deadline()); };
    std::vector<std::string> keys;
    std::string held_by_row;
    if (history.tool == "goose") {
        keys = {"4097083626"};
        // Where its runs are behind a pooler it keeps a row with a lease instead.
        if (ask("SELECT to_regclass('goose_lock') IS NOT NULL", {}).row(0).truth(0)) held_by_row = "SELECT EXISTS (SELECT FROM goose_lock WHERE locked AND lease_expires_at > now())";
    }
    if (history.tool == "sqitch") keys = {"75474063"};
    if (history.tool == "golang-migrate") {
        const SqlResult place = ask("SELECT n.nspname, current_database(), c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)", {history.table});
        // Told a URL, as its command is, it takes the path for the database's name; within a program it asks the server.
        for (const std::string& database : {"/" + place.row(0).text(1), place.row(0).text(1)}) keys.push_back(std::to_string(golang_migrate_lock(place.row(0).text(0), place.row(0).text(2), database)));
    }
    if (history.tool == "Flyway") {
        const SqlResult place = ask("SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass($1)", {history.table});
        keys = {std::to_string(flyway_lock(place.row(0).text(0), place.row(0).text(1)))};
    }
    const auto taken = [&](const std::string& key) { return ask("SELECT pg_try_advisory_lock($1)", {key}).row(0).truth(0); };
    const Deadline deadline = Deadline::after(wait);
    while (!std::all_of(keys.begin(), keys.end(), taken) || (!held_by_row.empty() && ask(held_by_row, {}).row(0).truth(0))) {
        if (deadline.passed()) throw Error(Code::locked, "a run of " + history.tool + " holds its lock", "wait for it, or give it more time with --lock-wait");
        if (!pause_for(Millis(200), work.context.stop)) throw Error(Code::interrupted, "interrupted while waiting for a run of " + history.tool, "nothing was changed");
    }
}

struct Taken {
    std::vector<std::pair<std::string, std::vector<plan::SqlText>>> rows;   // by when it was applied, as their table says; in the order of versions
    Table table{"migrations", "", {{"version"}, {"name"}, {"applied_at"}, {"state"}}, {}};
    std::int64_t count = 0;
};

void add_row(Taken& taken, const Workspace& work, const Migration& migration, const std::string& tool, const std::string& when) {
    plan::SqlText row = history_insert(migration, work.store->dialect(), work.context.run_id, Origin::baseline);
    row.params.at(6) = "ysdb " YSDB_VERSION " adopted from " + tool;
    auto& rows = taken.rows.emplace_back(when, std::vector<plan::SqlText>{}).second;
    rows.push_back(std::move(row));
    if (!when.empty() && work.store->dialect() == Dialect::postgres) {
        rows.push_back({"UPDATE ysdb.migrations SET applied_at = $1::timestamptz WHERE version = $2", {when, migration.version}});
    }
    ++taken.count;
}

Taken take_over(const Workspace& work, const TheirHistory& history) {
    Taken taken;
    std::string tool = history.tool;
    if (history.elsewhere) tool += std::string(whose_history_is) + history.table;
    for (const Standing& standing : work.standings) {
        if (standing.file == nullptr) continue;
        const Migration& file = *standing.file;
        const auto applied = history.applied.find(file.version);
        const bool known = standing.row != nullptr;
        const bool theirs = applied != history.applied.end();
        taken.table.rows.push_back({file.version, file.name, theirs && !applied->second.empty() ? Value(applied->second) : Value(), std::string(known ? "known" : theirs ? "adopted" : "pending")});
        if (theirs && !known) add_row(taken, work, file, tool, applied->second);
    }
    std::stable_sort(taken.rows.begin(), taken.rows.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const std::string& version : history.without_file) {
        const bool known = std::any_of(work.history.begin(), work.history.end(), [&](const HistoryRow& row) { return row.version == version; });
        taken.table.rows.push_back({version, "", Value(), std::string("missing")});
        if (known) continue;
        Migration gone;
        gone.version = version;
        gone.store = work.home;
        add_row(taken, work, gone, tool, "");
    }
    return taken;
}

// The text of a file in our layout: section lines, no BEGIN and COMMIT of the other tool's habit. Comments stay.
std::string in_our_words(const LaidOutText& read, const Migration& migration) {
    std::string text = read.source.text;
    std::vector<Migration::Control> controls = migration.controls;
    std::erase_if(controls, [&](const Migration::Control& control) { return !migration.transaction && control.paired; });  // they make blocks in ours, too
    std::sort(controls.begin(), controls.end(), [](const auto& a, const auto& b) { return a.begin > b.begin; });
    for (const Migration::Control& control : controls) text.erase(control.begin, std::min(text.find(';', control.end - 1), text.size() - 1) + 1 - control.begin);
    if (migration.up.empty()) text.insert(text.find("-- migrate:up") + 13, " empty:true");
    if (!migration.variables && text.find("${") != std::string::npos) text.insert(text.find("-- migrate:up") + 13, " variables:false");
    if (migration.dialect == Dialect::postgres && !migration.transaction) text.insert(text.find("-- migrate:up") + 13, " transaction:false");
    return text;
}

struct Conversion {
    std::string file, text;
    std::vector<std::string> old;
};

std::vector<Conversion> convert(Workspace& work) {
    const MigrationDirectory directory = directory_of(work.context);
    const DialectOf dialect_of = [&](const std::string&) { return work.store->dialect(); };
    std::vector<Conversion> conversions;
    for (const LaidOut& file : laid_out_files(work.context)) {
        if (file.layout == Layout::own || is_repeatable(file.version)) continue;
        const auto migration = std::find_if(work.files.begin(), work.files.end(), [&](const Migration& each) { return each.version == file.version; });
        std::string name = file.name;
        std::replace(name.begin(), name.end(), '/', '_');
        Conversion conversion{file.version + "_" + name + ".sql", in_our_words(read_laid_out(directory, file), *migration), {}};
        const Migration again = parse_migration(file.version, name, {conversion.file, conversion.text}, migration->store, dialect_of);
        if (again.checksum != migration->checksum) throw Error(Code::internal, directory.shown + "/" + file.up + ": its statements would not be the same in ysdb's layout");
        for (const std::string& old : {file.up, file.down, file.verify}) {
            if (!old.empty()) conversion.old.push_back(old);
        }
        conversions.push_back(std::move(conversion));
    }
    if (fs::exists(directory.path / "sqitch.plan") && !conversions.empty()) conversions.back().old.emplace_back("sqitch.plan");
    return conversions;
}

// All originals are kept before the first new file is written: what is killed in between is found there.
void write_conversions(const fs::path& directory, const std::vector<Conversion>& conversions) {
    for (const Conversion& conversion : conversions) {
        for (const std::string& old : conversion.old) {
            fs::create_directories((directory / adopted_folder / old).parent_path());
            fs::copy_file(directory / old, directory / adopted_folder / old, fs::copy_options::overwrite_existing);
        }
    }
    fault::point("adopt.convert.before");
    for (const Conversion& conversion : conversions) {
        for (const std::string& old : conversion.old) {
            if (old != "sqitch.plan" && old != conversion.file) fs::remove(directory / old);
        }
        write_file_atomically(directory / conversion.file, conversion.text);
    }
    if (!conversions.empty() && conversions.back().old.back() == "sqitch.plan") fs::remove(directory / "sqitch.plan");
}

}  // namespace

Report adopt(Context& context, const AdoptOptions& options) {
    Workspace work(context);
    const auto lock = plan::RunnerLock::acquire(context, *work.store, *work.session, "migrate", options.lock_wait);
    work.read();
    auto history = find_their_history(work, options.table);
    if (!history) {
        throw Error(Code::refused, "store '" + work.home + "' has no history of dbmate, goose, golang-migrate, Flyway or sqitch that fits the files", "a new project needs none: ysdb migrate up; a database that was migrated by hand: ysdb migrate baseline V");
    }
    lock_out(work, *history, options.lock_wait);
    history = read_their_history(work, options.table);
    Taken taken = take_over(work, *history);
    const std::vector<Conversion> conversions = options.convert ? convert(work) : std::vector<Conversion>{};

    Report report;
    report.tables.push_back(std::move(taken.table));
    report.add_figure("tool", history->tool);
    report.add_figure("history", history->table);
    report.add_figure("adopted", taken.count, Unit::count);
    if (options.convert) report.add_figure("converted", static_cast<std::int64_t>(conversions.size()), Unit::count);
    report.warnings = history->warnings;
    for (const std::string& version : history->without_file) report.warnings.push_back("version " + version + " was applied by " + history->tool + ", and its file is gone");
    report.title = context.dry_run ? "would be taken over, and nothing run" : "taken over, and nothing run";
    report.next = "ysdb migrate status";
    if (context.dry_run) return report;
    if (!options.confirm(report, fmt::format("take over {} migrations of {}?", taken.count, history->tool))) throw Error(Code::refused, "not confirmed", "nothing was changed");

    work.install();
    plan::Plan plan{"migrate", {}};
    if (!taken.rows.empty()) {
        plan::Unit unit;
        unit.key = "adopt";
        unit.what = "history of " + history->tool;
        unit.store = work.home;
        for (auto& [when, rows] : taken.rows) std::move(rows.begin(), rows.end(), std::back_inserter(unit.record));
        plan.units.push_back(std::move(unit));
    }
    plan::Executor executor(context, "migrate", work.home, *work.session, work.journal, lock, {});
    const auto progress = context.progress.begin("adopt", ProgressUnit::steps, plan.units.size());
    const plan::Applied applied = executor.apply(plan, *progress, [](const plan::Unit&, double) {});
    if (applied.failure) throw applied.failure->error;
    write_conversions(directory_of(context).path, conversions);
    return report;
}

}  // namespace ysdb::migrate
