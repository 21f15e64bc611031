#include <fmt/format.h>

#include <algorithm>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/migrate/adopt.h"

namespace ysdb::migrate {

namespace {

using Params = std::vector<std::optional<std::string>>;

std::uint32_t crc32(std::string_view bytes, std::uint32_t before = 0) {
    std::uint32_t sum = ~before;
    for (const char c : bytes) {
        sum ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1) != 0 ? 0xedb88320u : 0u);
    }
    return ~sum;
}

class Reader {
public:
    Reader(Workspace& work, const std::vector<LaidOut>& files) : work_(work), files_(files), clickhouse_(work.store->dialect() == Dialect::clickhouse) {
        for (const LaidOut& file : files_) by_version_.emplace(file.version, &file);
    }

    // The table as SQL names it, `qualified` with its schema; nullopt when it is not there.
    std::optional<std::string> named(const std::string& table, bool qualified) {
        const Params params{table};
        const SqlResult found = ask(clickhouse_ ? "SELECT name FROM system.tables WHERE database = currentDatabase() AND name = {p1:String}"
                                          : qualified  ? "SELECT format('%I.%I', relnamespace::regnamespace::text, relname) FROM pg_class WHERE oid = to_regclass($1)"
                                                       : "SELECT to_regclass($1)::text",
                                    params);
        if (found.rows() == 0 || found.row(0).null(0)) return std::nullopt;
        return clickhouse_ ? work_.store->quote_identifier(table) : found.row(0).text(0);
    }
    SqlResult ask(const std::string& sql, const Params& params = {}) { return work_.session->query(sql, params, work_.context.deadline()); }

    void take(TheirHistory& history, const std::string& version, const std::string& when) {
        if (const auto file = by_version_.find(version); file != by_version_.end()) history.applied.emplace(file->first, when);
        else history.without_file.push_back(version);
    }

    void dbmate(TheirHistory& history) {
        const SqlResult rows = ask(clickhouse_ ? "SELECT version FROM " + history.table + " FINAL WHERE applied" : "SELECT version::text FROM " + history.table);
        for (std::size_t i = 0; i < rows.rows(); ++i) take(history, rows.row(i).text(0), "");
    }

    void golang_migrate(TheirHistory& history) {
        const SqlResult rows = ask(clickhouse_ ? "SELECT toString(version), dirty FROM " + history.table + " ORDER BY sequence DESC LIMIT 1" : "SELECT version::text, dirty FROM " + history.table);
        if (rows.rows() == 0 || rows.row(0).text(0) == "-1") return;
        const std::string version = rows.row(0).text(0);
        if (rows.row(0).truth(1)) {
            throw Error(Code::refused, "golang-migrate says that version " + version + " is dirty: it failed in the middle", "look what it did, then tell golang-migrate: migrate force VERSION");
        }
        const std::vector<std::string> names = names_in(directory_of(work_.context));    // it counts a way back alone, too
        if (std::none_of(names.begin(), names.end(), [&](const std::string& name) { return split_file_name(name) && same_version(split_file_name(name)->first, version); })) {
            throw Error(Code::refused, "golang-migrate is at version " + version + ", of which there is no file", "bring the file back: what is behind it is not known otherwise");
        }
        for (const LaidOut& file : files_) {
            if (!version_less(version, file.version)) history.applied.emplace(file.version, "");
        }
    }

    void goose(TheirHistory& history) {
        const SqlResult rows = ask(clickhouse_ ? "SELECT toString(version_id), argMax(is_applied, tstamp), toString(max(tstamp)) FROM " + history.table + " WHERE version_id > 0 GROUP BY version_id ORDER BY version_id"
                                               : "SELECT DISTINCT ON (version_id) version_id::text, is_applied, tstamp::timestamptz::text FROM " + history.table + " WHERE version_id > 0 ORDER BY version_id, id DESC");
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            if (rows.row(i).truth(1)) take(history, rows.row(i).text(0), rows.row(i).text_or(2, ""));
        }
    }

    void flyway(TheirHistory& history) {
        const SqlResult rows = ask("SELECT version, description, type, checksum, installed_on::timestamptz::text, success FROM " + history.table + " WHERE version IS DISTINCT FROM '0' OR type <> 'SCHEMA' ORDER BY installed_rank");
        std::map<std::string, std::string> by_version;
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            const SqlRow row = rows.row(i);
            const std::string version = row.null(0) ? "R__" + row.text_or(1, "") : row.text(0), type = row.text(2);
            if (!row.truth(5)) throw Error(Code::refused, "Flyway says that " + version + " failed", "look what it did, then: flyway repair");
            if (type == "SCHEMA") continue;
            if (type.starts_with("UNDO") || type == "DELETE") {
                by_version.erase(version);
                continue;
            }
            if (type == "BASELINE") {
                for (const LaidOut& file : files_) {
                    if (!is_repeatable(file.version) && !version_less(version, file.version)) history.applied.emplace(file.version, row.text(4));
                }
                continue;
            }
            if (row.null(0)) {
                take_repeatable(history, row);
                continue;
            }
            by_version[version] = row.text(4);
            check(history, version, row);
        }
        for (const auto& [version, when] : by_version) take(history, version, when);
    }

    void sqitch(TheirHistory& history) {
        const MigrationDirectory directory = directory_of(work_.context);
        const std::string project = plan_project({directory.shown, read_file(directory.path / "sqitch.plan")});
        const SqlResult rows = ask("SELECT change, committed_at::text FROM " + history.table + " WHERE project = $1 ORDER BY committed_at, change_id", Params{project});
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            // A reworked change is in the plan twice: the first that is not yet taken.
            const auto file = std::find_if(files_.begin(), files_.end(), [&](const LaidOut& each) { return each.name == rows.row(i).text(0) && !history.applied.contains(each.version); });
            if (file == files_.end()) throw Error(Code::refused, "sqitch deployed change '" + rows.row(i).text(0) + "', which is not in its plan", "bring the plan back to what was deployed");
            history.applied.emplace(file->version, rows.row(i).text(1));
        }
    }

private:
    // Flyway writes the description for the name: "add_users" is "add users".
    void take_repeatable(TheirHistory& history, const SqlRow& row) {
        for (const LaidOut& file : files_) {
            std::string words = file.name;
            std::replace(words.begin(), words.end(), '_', ' ');
            if (!is_repeatable(file.version) || words != row.text_or(1, "")) continue;
            history.applied.erase(file.version);
            if (row.null(3) || row.integer(3) == flyway_checksum(read_file(directory_of(work_.context).path / file.up))) history.applied.emplace(file.version, row.text(4));
        }
    }

    void check(TheirHistory& history, const std::string& version, const SqlRow& row) {
        if (row.null(3)) return;
        const auto found = by_version_.find(version);
        if (found == by_version_.end() || row.integer(3) == flyway_checksum(read_file(directory_of(work_.context).path / found->second->up))) return;
        history.warnings.push_back(found->second->up + " was edited after Flyway applied it; what it says now counts as applied");
    }

    struct Less {
        bool operator()(const std::string& a, const std::string& b) const { return version_less(a, b); }
    };

    Workspace& work_;
    const std::vector<LaidOut>& files_;
    std::map<std::string, const LaidOut*, Less> by_version_;
    bool clickhouse_;
};

}  // namespace

std::uint32_t golang_migrate_lock(const std::string& schema, const std::string& table, const std::string& database) {
    return crc32(schema + '\0' + table + '\0' + database) * 1486364155u;
}

std::int64_t flyway_lock(const std::string& schema, const std::string& table) {
    std::uint32_t hash = 0;    // of UTF-16 code units
    const std::string text = "\"" + schema + "\".\"" + table + "\"";
    for (std::size_t at = 0; at < text.size();) {
        const auto lead = static_cast<unsigned char>(text[at]);
        const std::size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        std::uint32_t point = bytes == 1 ? lead : lead & (0xffu >> (bytes + 1));
        for (std::size_t i = 1; i < bytes && at + i < text.size(); ++i) point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3fu);
        if (point < 0x10000) hash = hash * 31 + point;
        else hash = (hash * 31 + (0xd7c0 + (point >> 10))) * 31 + (0xdc00 + (point & 0x3ff));
        at += bytes;
    }
    return 0x466c79776179 + static_cast<std::int64_t>(static_cast<std::int32_t>(hash));
}

std::int32_t flyway_checksum(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    std::uint32_t sum = 0;
    while (!text.empty()) {
        const auto end = std::min(text.find_first_of("\r\n"), text.size());
        sum = crc32(text.substr(0, end), sum);
        text.remove_prefix(end);
        if (text.starts_with("\r\n")) text.remove_prefix(2);
        else if (!text.empty()) text.remove_prefix(1);
    }
    return static_cast<std::int32_t>(sum);
}

std::optional<TheirHistory> find_their_history(Workspace& work, const std::string& table) {
    const std::vector<LaidOut> files = laid_out_files(work.context);
    Reader reader(work, files);
    const auto any = [&](Layout layout) { return std::any_of(files.begin(), files.end(), [&](const LaidOut& file) { return file.layout == layout; }); };
    const bool postgres = work.store->dialect() == Dialect::postgres;
    const auto of = [&](const char* tool, const std::string& by_default, bool has_it) -> std::optional<TheirHistory> {
        if (!has_it) return std::nullopt;
        const std::optional<std::string> found = reader.named(table.empty() ? by_default : table, !table.empty());
        if (!found && !table.empty()) throw Error(Code::refused, "store '" + work.home + "' has no table " + table + " for the history of " + tool, "name it as SQL does, with its schema where that is not in the search path");
        return found ? std::optional(TheirHistory{tool, *found, !table.empty() && table != by_default, {}, {}, {}}) : std::nullopt;
    };
    if (any(Layout::sqitch)) return of("sqitch", "sqitch.changes", postgres);
    if (any(Layout::flyway)) return of("Flyway", "flyway_schema_history", postgres);
    if (any(Layout::golang_migrate)) return of("golang-migrate", "schema_migrations", true);
    if (any(Layout::goose)) return of("goose", "goose_db_version", true);
    return of("dbmate", "schema_migrations", true);
}

std::optional<TheirHistory> read_their_history(Workspace& work, const std::string& table) {
    std::optional<TheirHistory> history = find_their_history(work, table);
    if (!history) return history;
    const std::vector<LaidOut> files = laid_out_files(work.context);
    Reader reader(work, files);
    if (history->tool == "sqitch") reader.sqitch(*history);
    else if (history->tool == "Flyway") reader.flyway(*history);
    else if (history->tool == "golang-migrate") reader.golang_migrate(*history);
    else if (history->tool == "goose") reader.goose(*history);
    else reader.dbmate(*history);
    return history;
}

}  // namespace ysdb::migrate
