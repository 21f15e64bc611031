#include "core/migrate/file.h"

#include <dirent.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <system_error>

#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/migrate/batch.h"
#include "core/migrate/classify.h"
#include "core/migrate/layout.h"
#include "core/migrate/variables.h"

namespace ysdb::migrate {

namespace {

const auto section_words = std::to_array<std::string>({"up", "down", "verify", "probe", "batch"});
const auto option_words = std::to_array<std::string>({"transaction", "store", "lock-timeout", "env", "variables", "empty"});
constexpr std::string_view repeatable_mark = "R__";

std::string_view without_zeros(std::string_view digits) {
    const auto first = digits.find_first_not_of('0');
    return first == std::string_view::npos ? digits.substr(digits.empty() ? 0 : digits.size() - 1) : digits.substr(first);
}

void read_option(Migration& migration, const std::string& option, std::size_t offset) {
    const Source& source = migration.source;
    const auto refuse = [&](const std::string& message, const std::string& hint = {}) { return source.fault(Code::refused, offset, option.size(), message, hint); };
    const auto colon = option.find(':');
    const std::string key = option.substr(0, colon);
    const std::string value = colon == std::string::npos ? "" : option.substr(colon + 1);
    if (key == "transaction") {
        if (value != "true" && value != "false") throw refuse("transaction is true or false, not '" + value + "'");
        migration.transaction = value == "true";
    } else if (key == "store") {
        if (value.empty()) throw refuse("store: names no store");
        migration.store = value;
    } else if (key == "variables") {
        if (value != "true" && value != "false") throw refuse("variables is true or false, not '" + value + "'");
        migration.variables = value == "true";
    } else if (key == "empty") {
        if (value != "true" && value != "false") throw refuse("empty is true or false, not '" + value + "'");
        migration.may_be_empty = value == "true";
    } else if (key == "env") {
        migration.environments = split(value, ',');
        if (value.empty() || std::count(migration.environments.begin(), migration.environments.end(), "") > 0) throw refuse("env: names no environment", "write it like env:dev,test");
    } else if (key == "lock-timeout") {
        try {
            migration.lock_timeout = parse_duration(value, "lock-timeout");
        } catch (const Error& error) {
            throw refuse(error.message(), error.hint());
        }
    } else {
        throw refuse("unknown option '" + key + "'" + did_you_mean(key, option_words), "options: transaction:false, store:NAME, lock-timeout:5s, env:dev,test, variables:false, empty:true");
    }
}

// Options stand on the first section line, with only comments before it; they say which dialect the rest is.
void read_header(Migration& migration) {
    Scanner scanner(migration.source, Dialect::postgres);
    for (Token token = scanner.next(); token.kind == TokenKind::comment; token = scanner.next()) {
        const Directive directive = read_directive(migration.source, token);
        if (directive.word.empty() || directive.word == "probe" || directive.word == "batch") continue;  // of the first statement of a file without section lines
        for (std::size_t at = token.begin; const std::string& option : split(directive.rest, ' ')) {
            if (trim(option).empty()) continue;
            at = migration.source.text.find(option, at);
            read_option(migration, std::string(trim(option)), at);
        }
        return;
    }
}

std::vector<Statement>& section_of(Migration& migration, const Directive& directive, std::size_t offset) {
    if (directive.word == "up") return migration.up;
    if (directive.word == "down") return migration.down;
    if (directive.word == "verify") return migration.verify;
    if (directive.word == "probe" || directive.word == "batch") {
        throw migration.source.fault(Code::refused, offset, 11 + directive.word.size(), "migrate:" + directive.word + " stands before a statement, not inside one");
    }
    throw migration.source.fault(Code::refused, offset, 11 + directive.word.size(), "unknown section '" + directive.word + "'" + did_you_mean(directive.word, section_words));
}

void read_sections(Migration& migration) {
    Splitter splitter(migration.source, migration.dialect);
    std::vector<Statement>* section = &migration.up;
    bool first = true;
    for (Splitter::Item item = splitter.next(); item.kind != Splitter::Item::Kind::end; item = splitter.next()) {
        if (item.kind == Splitter::Item::Kind::statement) {
            section->push_back(std::move(item.statement));
            continue;
        }
        if (first && !migration.up.empty()) {
            throw migration.source.fault(Code::refused, migration.up.front().begin, word_length(migration.up.front().text(migration.source)),
                                         "a statement stands before the first section line", "move it below '-- migrate:up'");
        }
        if (!first && !item.directive.rest.empty()) {
            throw migration.source.fault(Code::refused, item.begin, 11 + item.directive.word.size(), "options stand on the first section line");
        }
        section = &section_of(migration, item.directive, item.begin);
        if (!section->empty()) throw migration.source.fault(Code::refused, item.begin, 11 + item.directive.word.size(), "a second section '" + item.directive.word + "'");
        first = false;
    }
}

enum class Control { none, begin, commit, rollback };

Control control_of(const Migration& migration, const Statement& statement) {
    const std::string_view sql = statement.text(migration.source);
    const std::string word = lower(sql.substr(0, word_length(sql)));
    const Control control = word == "begin" || word == "start" ? Control::begin : word == "commit" || word == "end" ? Control::commit : word == "rollback" || word == "abort" ? Control::rollback : Control::none;
    return control != Control::none && classify(sql, migration.dialect).controls_transaction ? control : Control::none;
}

// A check that takes its own doings back: BEGIN ... ROLLBACK is how sqitch's are written.
void drop_rollback_around(Migration& migration, std::vector<Statement>& section) {
    if (section.size() < 2 || control_of(migration, section.front()) != Control::begin || control_of(migration, section.back()) != Control::rollback) return;
    for (const Statement* statement : {&section.front(), &section.back()}) migration.controls.push_back({statement->begin, statement->end, true});
    section.erase(section.begin());
    section.pop_back();
}

// Takes BEGIN and COMMIT out of a section and numbers what stands between them. A COMMIT that nothing began, and a BEGIN within a transaction, do
// nothing on the server but warn: they are left out only where the file is another tool's. True when a COMMIT stands before other statements.
bool take_blocks(Migration& migration, std::vector<Statement>& section, bool theirs) {
    std::vector<Statement> kept;
    std::vector<Migration::Control> found;
    Migration::Control* open = nullptr;
    found.reserve(section.size());
    int blocks = 0;
    std::size_t committed = 0;          // statements before the first COMMIT that has one
    for (const Statement& statement : section) {
        const Control control = control_of(migration, statement);
        const bool begins = control == Control::begin, commits = control == Control::commit;
        if ((!begins && !commits) || (!theirs && begins == (open != nullptr))) {
            kept.push_back(statement);
            kept.back().block = open != nullptr ? blocks : 0;
            continue;
        }
        found.push_back({statement.begin, statement.end, commits && open != nullptr});
        if (commits) {
            if (open != nullptr) open->paired = true;
            open = nullptr;
            if (committed == 0) committed = kept.size();
        } else if (open == nullptr) {
            open = &found.back();
            ++blocks;
        }
    }
    if (open != nullptr) {
        if (!theirs) return false;      // the planner refuses it at its place
        for (Statement& statement : kept) statement.block = statement.block == blocks ? 0 : statement.block;
    }
    if (found.empty()) return false;
    section = std::move(kept);
    migration.controls.insert(migration.controls.end(), found.begin(), found.end());
    return committed > 0 && committed < section.size();
}

void mind(Migration& migration, const Manner& manner) {
    if (!manner.variables) migration.variables = false;
    migration.built_in_names = manner.built_in_names && migration.variables && migration.source.text.find("${flyway:") != std::string::npos;
    migration.moment_in_it = migration.built_in_names && migration.source.text.find("${flyway:timestamp}") != std::string::npos;
    if (migration.dialect != Dialect::postgres) return;
    if (!manner.transaction) migration.transaction = false;
    const auto any_up = [&](const auto& is) { return std::any_of(migration.up.begin(), migration.up.end(), [&](const Statement& statement) { return is(classify(statement.text(migration.source), migration.dialect)); }); };
    if (manner.own_transaction) {
        drop_rollback_around(migration, migration.verify);
        const bool commits_between = take_blocks(migration, migration.up, true);
        for (auto* section : {&migration.down, &migration.verify}) take_blocks(migration, *section, true);
        // A new label of an enum is of use only once it is committed.
        if (commits_between && any_up([](const StatementFacts& facts) { return facts.adds_label; })) migration.transaction = false;
    } else if (!migration.transaction) {
        for (auto* section : {&migration.up, &migration.down}) take_blocks(migration, *section, false);
    }
    if (manner.finds_out && any_up([](const StatementFacts& facts) { return facts.outside_transaction; })) migration.transaction = false;
}

// Before anything is run: what is wrong with a batch is wrong in every verb.
void check_batches(const Migration& migration) {
    for (const auto* section : {&migration.up, &migration.down, &migration.verify}) {
        for (const Statement& statement : *section) {
            if (!statement.batch) continue;
            const auto refuse = [&](const std::string& message, const std::string& hint) { return migration.source.fault(Code::refused, statement.batch_at, 16, message, hint); };
            if (section == &migration.verify) throw refuse("a statement of migrate:verify is run once, not in batches", "take migrate:batch out");
            if (migration.dialect != Dialect::postgres) throw refuse("migrate:batch is for PostgreSQL", "take it out: ClickHouse works by parts, not by rows");
            if (migration.transaction) throw refuse("batches are transactions of their own, and this file is one transaction", "write '-- migrate:up transaction:false'");
            if (statement.block != 0) throw refuse("batches are transactions of their own, and this statement stands between BEGIN and COMMIT", "put it behind the COMMIT");
            try {
                in_batches(masked(migration, statement.begin, statement.end), *statement.batch);
            } catch (const Error& error) {
                throw migration.source.fault(Code::refused, error.code() == Code::usage ? statement.batch_at : statement.begin, error.code() == Code::usage ? 16 : word_length(statement.text(migration.source)),
                                             error.message(), error.hint());
            }
        }
    }
}

// A file of goose that its reader did not take: as one "up", its way back would be run too.
void refuse_foreign(const Migration& migration) {
    const auto mark = migration.source.text.find("-- +goose ");
    if (mark == std::string::npos || (mark > 0 && migration.source.text[mark - 1] != '\n')) return;
    throw migration.source.fault(Code::refused, mark, 9, "this is a file of goose", "it has no '-- +goose Up'; or write '-- migrate:up' and '-- migrate:down' for its sections");
}

void check_text(Source& source) {
    if (source.text.starts_with("\xef\xbb\xbf")) source.text.erase(0, 3);
    if (const auto nul = source.text.find('\0'); nul != std::string::npos) throw Error(Code::refused, source.where(nul) + ": a NUL byte", "is it UTF-16? save it as UTF-8");
    if (valid_utf8(source.text)) return;
    std::size_t good = 0;  // the first line that is not
    while (good < source.text.size()) {
        const auto end = std::min(source.text.find('\n', good), source.text.size());
        if (!valid_utf8(std::string_view(source.text).substr(good, end - good))) break;
        good = end + 1;
    }
    throw Error(Code::refused, source.path + ":" + std::to_string(source.place(good).line) + ": not valid UTF-8", "save the file as UTF-8");
}

}  // namespace

bool is_repeatable(std::string_view version) { return version.starts_with(repeatable_mark); }

bool Migration::runs_in(std::string_view environment) const {
    return environments.empty() || std::find(environments.begin(), environments.end(), environment) != environments.end();
}

bool version_less(std::string_view a, std::string_view b) {
    if (is_repeatable(a) || is_repeatable(b)) return is_repeatable(a) == is_repeatable(b) ? a < b : is_repeatable(b);
    while (!a.empty() || !b.empty()) {
        const std::string_view x = without_zeros(a.substr(0, a.find('.'))), y = without_zeros(b.substr(0, b.find('.')));
        const std::string_view left = x.empty() ? "0" : x, right = y.empty() ? "0" : y;  // 1 is 1.0
        if (left != right) return left.size() != right.size() ? left.size() < right.size() : left < right;
        a.remove_prefix(std::min(a.find('.') == std::string_view::npos ? a.size() : a.find('.') + 1, a.size()));
        b.remove_prefix(std::min(b.find('.') == std::string_view::npos ? b.size() : b.find('.') + 1, b.size()));
    }
    return false;
}

bool same_version(std::string_view a, std::string_view b) { return !version_less(a, b) && !version_less(b, a); }

std::optional<std::pair<std::string, std::string>> split_file_name(const std::string& file_name) {
    if (!file_name.ends_with(".sql") || file_name.find('/') != std::string::npos) return std::nullopt;
    const std::string stem = file_name.substr(0, file_name.size() - 4);
    if (stem.starts_with(repeatable_mark) && stem.size() > repeatable_mark.size()) return std::pair(stem, stem.substr(repeatable_mark.size()));
    const auto digits = std::min(stem.find_first_not_of("0123456789."), stem.size());
    if (digits == 0 || stem[0] == '.' || stem[digits - 1] == '.' || digits + 1 >= stem.size() || stem[digits] != '_') return std::nullopt;
    return std::pair(stem.substr(0, digits), stem.substr(digits + 1));
}

Migration parse_migration(std::string version, std::string name, Source source, const std::string& default_store, const DialectOf& dialect_of, const Manner& manner) {
    Migration migration;
    migration.version = std::move(version);
    migration.name = std::move(name);
    migration.source = std::move(source);
    migration.store = default_store;
    check_text(migration.source);
    refuse_foreign(migration);
    read_header(migration);
    try {
        migration.dialect = dialect_of(migration.store);
    } catch (const Error& error) {
        throw Error(error.code(), migration.source.path + ": " + error.message(), error.hint());
    }
    if (migration.dialect != Dialect::postgres) migration.transaction = false;
    read_sections(migration);
    mind(migration, manner);
    check_batches(migration);
    if (migration.up.empty() && !manner.may_be_empty && !migration.may_be_empty) {
        throw Error(Code::refused, migration.source.path + ": no statement to apply", "write one below '-- migrate:up', delete the file, or say that it is meant: '-- migrate:up empty:true'");
    }
    if (is_repeatable(migration.version) && !migration.down.empty()) {
        throw migration.source.fault(Code::refused, migration.down.front().begin, word_length(migration.down.front().text(migration.source)), "a repeatable migration has no way back",
                                     "edit the file instead: it runs again whenever it changes");
    }
    std::string hashes;
    for (const Statement& statement : migration.up) hashes += statement.hash + "\n";
    migration.checksum = sha256_hex(hashes);
    return migration;
}

namespace {

// `folder` ends in a slash. False: errno says why it cannot be read.
bool list(const std::filesystem::path& root, const std::string& folder, std::vector<std::string>& names, std::vector<std::string>& folders) {
    DIR* open = opendir((root / folder).c_str());
    int failed = open == nullptr ? errno : 0;
    while (open != nullptr) {
        errno = 0;
        const dirent* entry = readdir(open);
        if (entry == nullptr) {
            failed = errno;
            break;
        }
        const std::string_view name = entry->d_name;
        if (name.starts_with(".")) {
            if (name != "." && name != ".." && folder.empty()) names.emplace_back(name);
            continue;
        }
        const std::string path = folder + std::string(name);
        const bool is_folder = entry->d_type == DT_DIR || (entry->d_type == DT_UNKNOWN && std::filesystem::is_directory(std::filesystem::symlink_status(root / path)));
        if (is_folder && path != "adopted") folders.push_back(path + "/");
        names.push_back(path);
    }
    if (open != nullptr) closedir(open);
    errno = failed;
    return failed == 0;
}

}  // namespace

std::vector<std::string> names_in(const MigrationDirectory& directory) {
    std::vector<std::string> names, folders;
    if (!list(directory.path, "", names, folders)) {
        throw Error(Code::config, "cannot read the directory of migrations '" + directory.shown + "': " + std::generic_category().message(errno),
                    "create it, or name another one: dir of [migrate] in ysdb.toml");
    }
    if (!folders.empty() && std::find(names.begin(), names.end(), "sqitch.plan") == names.end()) {
        std::vector<std::string> below;
        std::optional<Error> unread;   // where the directory is not Flyway's, what is in its folders is nobody's business
        for (std::size_t i = 0; i < folders.size(); ++i) {
            const std::string folder = folders[i];
            if (!list(directory.path, folder, below, folders) && !unread) unread = Error(Code::config, "cannot read '" + directory.shown + "/" + folder + "': " + std::generic_category().message(errno));
        }
        std::erase_if(below, [](const std::string& name) { return !is_flyways(name); });
        const auto versioned = [](const std::string& name) { return flyway_name(name) && flyway_name(name)->kind == 'V'; };
        if (std::any_of(names.begin(), names.end(), versioned) || std::any_of(below.begin(), below.end(), versioned)) {
            if (unread) throw *unread;
            names.insert(names.end(), below.begin(), below.end());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::vector<Migration> read_callbacks(const MigrationDirectory& directory, const std::vector<std::string>& names, Moment moment, const std::string& default_store, const DialectOf& dialect_of) {
    const bool before = moment == Moment::before_up;
    const std::string own = before ? "before-up" : "after-up";
    std::vector<Migration> callbacks;
    if (std::binary_search(names.begin(), names.end(), own + ".sql")) {
        callbacks.push_back(parse_migration(own, "", Source{directory.shown + "/" + own + ".sql", read_file(directory.path / (own + ".sql"))}, default_store, dialect_of));
    }
    for (const std::string& name : flyway_callbacks(directory, names, before)) {
        LaidOutText read = read_flyway_callback(directory, name);
        callbacks.push_back(parse_migration(name.substr(0, name.size() - 4), "", std::move(read.source), default_store, dialect_of, read.manner));
    }
    return callbacks;
}

std::vector<Migration> read_migrations(const MigrationDirectory& directory, const std::string& default_store, const DialectOf& dialect_of) {
    return read_migrations(directory, names_in(directory), default_store, dialect_of);
}

namespace {

Migration read_migration(const MigrationDirectory& directory, LaidOut file, const std::string& default_store, const DialectOf& dialect_of) {
    std::string version = file.version, name = file.name;
    LaidOutText read = read_laid_out(directory, std::move(file));
    return parse_migration(std::move(version), std::move(name), std::move(read.source), default_store, dialect_of, read.manner);
}

}  // namespace

void outline(Migration& migration) {
    constexpr std::size_t large = std::size_t{64} << 10;
    if (migration.outlined || migration.source.text.size() > large) return;
    migration.outlined = true;
    std::string().swap(migration.source.text);
    for (auto* section : {&migration.up, &migration.down, &migration.verify}) std::vector<Statement>().swap(*section);
    std::vector<Migration::Control>().swap(migration.controls);
}

void load_again(Migration& migration, const MigrationDirectory& directory, const std::string& default_store, const DialectOf& dialect_of) {
    if (!migration.outlined) return;
    LaidOut file;
    if (migration.origin) file = *migration.origin;
    else file = {Layout::own, migration.version, migration.name, migration.source.path.substr(directory.shown.size() + 1), "", "", {}};
    Migration again = read_migration(directory, std::move(file), default_store, dialect_of);
    if (again.checksum != migration.checksum || again.store != migration.store || again.transaction != migration.transaction) {
        throw Error(Code::refused, migration.source.path + ": edited while this run was at work", "what was done stays; look at the file, then run the same command again");
    }
    again.origin = std::move(migration.origin);
    again.built_in = std::move(migration.built_in);
    migration = std::move(again);
}

std::vector<Migration> read_migrations(const MigrationDirectory& directory, const std::vector<std::string>& names, const std::string& default_store, const DialectOf& dialect_of, Keep keep) {
    std::vector<Migration> migrations;
    std::vector<LaidOut> files = lay_out(directory, names);
    migrations.reserve(files.size());
    for (LaidOut& file : files) {
        std::shared_ptr<LaidOut> origin;
        if (keep == Keep::outline && file.layout != Layout::own) {
            origin = std::make_shared<LaidOut>(file);
            origin->text.reset();
        }
        migrations.push_back(read_migration(directory, std::move(file), default_store, dialect_of));
        if (keep == Keep::outline) outline(migrations.back());
        migrations.back().origin = std::move(origin);
    }
    const auto before = [](const Migration& a, const Migration& b) { return version_less(a.version, b.version); };
    if (!std::is_sorted(migrations.begin(), migrations.end(), before)) std::sort(migrations.begin(), migrations.end(), before);  // by name they mostly are
    const auto twin = std::adjacent_find(migrations.begin(), migrations.end(), [](const Migration& a, const Migration& b) { return same_version(a.version, b.version); });
    if (twin != migrations.end()) {
        throw Error(Code::refused, "two files have the version " + twin->version + ": " + twin->source.path + " and " + std::next(twin)->source.path, "rename one");
    }
    return migrations;
}

}  // namespace ysdb::migrate
