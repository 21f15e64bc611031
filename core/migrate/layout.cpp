#include "core/migrate/layout.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/migrate/classify.h"

namespace ysdb::migrate {

namespace {

constexpr std::string_view plan_file = "sqitch.plan";

// Calls `line(begin, text)` for each line, without its end.
template <class Line>
void each_line(std::string_view text, Line line) {
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        line(at, text.substr(at, end - at));
        at = end + 1;
    }
}

// "-- +goose StatementBegin" -> "statementbegin"
std::string goose_word(std::string_view line) {
    if (!line.starts_with("--")) return {};
    const std::string_view rest = trim(line.substr(2));
    return rest.starts_with("+goose ") ? lower(trim(rest.substr(7))) : "";
}

std::string without_end(const std::string& text, std::string_view end) { return text.substr(0, text.size() - end.size()); }

struct ByVersion {
    bool operator()(const std::string& a, const std::string& b) const { return version_less(a, b); }
};
using Pairs = std::map<std::string, LaidOut, ByVersion>;

// Files of one version are one migration, whatever they are called besides.
void add_pair_file(const MigrationDirectory& directory, Pairs& pairs, const std::string& name, const std::pair<std::string, std::string>& parts) {
    const bool up = parts.second.ends_with(".up");
    LaidOut& pair = pairs[parts.first];
    std::string& file = up ? pair.up : pair.down;
    if (!file.empty()) throw Error(Code::refused, "two files have the version " + parts.first + ": " + directory.shown + "/" + file + " and " + directory.shown + "/" + name, "rename one");
    file = name;
    pair.layout = Layout::golang_migrate;
    if (!up && !pair.up.empty()) return;
    pair.version = parts.first;
    pair.name = without_end(parts.second, up ? ".up" : ".down");
}

std::vector<LaidOut> lay_out_plan(const MigrationDirectory& directory) {
    const Source plan{directory.shown + "/" + std::string(plan_file), read_file(directory.path / plan_file)};
    std::vector<LaidOut> files;
    for (const PlannedChange& change : read_plan(plan)) {
        LaidOut file;
        file.layout = Layout::sqitch;
        // Sqitch knows no numbers: a change's place in the plan is its version. Plans only grow at their end.
        file.version = fmt::format("{:04}", files.size() + 1);
        file.name = change.name;
        const auto is_there = [&](const std::string& each) { return std::filesystem::exists(directory.path / ("deploy/" + each + ".sql")); };
        const auto found = std::find_if(change.files.begin(), change.files.end(), is_there);
        const std::string& script = found == change.files.end() ? change.files.front() : *found;
        file.up = "deploy/" + script + ".sql";
        for (auto [path, folder] : {std::pair(&file.down, "revert/"), std::pair(&file.verify, "verify/")}) {
            const std::string name = folder + script + ".sql";
            if (std::filesystem::exists(directory.path / name)) *path = name;
        }
        files.push_back(std::move(file));
    }
    return files;
}

}  // namespace

std::string_view layout_name(Layout layout) {
    constexpr std::array<std::string_view, 5> names{"ysdb", "goose", "golang-migrate", "Flyway", "sqitch"};
    return names[static_cast<std::size_t>(layout)];
}

bool is_goose(std::string_view text) {
    if (text.find("+goose") == std::string_view::npos) return false;
    bool found = false;
    each_line(text, [&](std::size_t, std::string_view line) { found = found || goose_word(line) == "up"; });
    return found;
}

namespace {

// Whether goose's `StatementBegin` holds several statements, which the server takes as one transaction although the file has none.
bool is_transaction(const std::string& path, std::string_view group) {
    const Source source{path, std::string(group)};
    Splitter splitter(source, Dialect::postgres);
    std::size_t statements = 0;
    for (Splitter::Item item = splitter.next(); item.kind != Splitter::Item::Kind::end; item = splitter.next()) {
        if (item.kind != Splitter::Item::Kind::statement) continue;
        const StatementFacts facts = classify(item.statement.text(source), Dialect::postgres);
        if (facts.outside_transaction || facts.controls_transaction) return false;
        ++statements;
    }
    return statements > 1;
}

}  // namespace

std::string from_goose(const Source& source, Manner& manner) {
    std::string text;
    bool inside = false;
    std::size_t opened = 0;               // in `text`
    std::vector<std::pair<std::size_t, std::size_t>> groups;    // the lines of a StatementBegin and its StatementEnd, in `text`
    each_line(source.text, [&](std::size_t begin, std::string_view line) {
        const std::string word = goose_word(line);
        std::string ours(word.empty() ? line : "--");
        if (word == "up" || word == "down") ours = "-- migrate:" + word;
        else if (word == "no transaction") manner.transaction = false;
        else if (word == "statementbegin" || word == "statementend") {
            if (inside == (word == "statementbegin")) throw source.fault(Code::refused, begin, line.size(), inside ? "StatementBegin inside a statement" : "StatementEnd without StatementBegin");
            inside = !inside;
            if (inside) {
                opened = text.size();
            } else {
                ours = ";--";             // its last statement needs no semicolon
                groups.emplace_back(opened, text.size());
            }
        } else if (word == "envsub on") {
            throw source.fault(Code::refused, begin, line.size(), "goose fills in environment variables here", "write their values: ysdb replaces nothing in a file");
        } else if (!word.empty() && word != "envsub off") {
            throw source.fault(Code::refused, begin, line.size(), "unknown annotation of goose: '" + word + "'", "Up, Down, StatementBegin, StatementEnd, NO TRANSACTION");
        }
        text += ours + "\n";
    });
    if (manner.transaction) return text;
    std::reverse(groups.begin(), groups.end());
    for (const auto& [begin, end] : groups) {
        if (!is_transaction(source.path, std::string_view(text).substr(begin, end - begin))) continue;
        text.replace(end, 3, ";COMMIT;");
        text.replace(begin, 2, "BEGIN;");
    }
    return text;
}

namespace {

constexpr std::array<std::string_view, 3> our_events{"beforeMigrate", "afterMigrateApplied", "afterMigrate"};
// Those that would change what the migrations do.
constexpr std::array<std::string_view, 10> not_our_events{"beforeConnect", "afterConnect", "beforeCreateSchema", "createSchema", "beforeEachMigrate", "afterEachMigrate",
                                                          "beforeEachMigrateStatement", "afterEachMigrateStatement", "afterVersioned", "beforeRepeatables"};

std::string last_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// "sub/afterMigrate__grants.sql" -> "afterMigrate"
std::string event_of(const std::string& file_name) {
    const std::string name = last_name(file_name);
    return name.substr(0, std::min(name.find("__"), name.size() - 4));
}

}  // namespace

bool is_flyways(const std::string& file_name) {
    if (!file_name.ends_with(".sql")) return false;
    const std::string event = event_of(file_name);
    return flyway_name(file_name) || std::find(our_events.begin(), our_events.end(), event) != our_events.end() || std::find(not_our_events.begin(), not_our_events.end(), event) != not_our_events.end();
}

std::optional<FlywayName> flyway_name(const std::string& path) {
    const std::string file_name = last_name(path);
    if (!file_name.ends_with(".sql") || file_name.size() < 7) return std::nullopt;
    const std::string stem = without_end(file_name, ".sql");
    const auto bar = stem.find("__");
    if ((stem[0] != 'V' && stem[0] != 'U' && stem[0] != 'R') || bar == std::string::npos || bar + 2 >= stem.size()) return std::nullopt;
    FlywayName name{stem[0], stem.substr(1, bar - 1), stem.substr(bar + 2)};
    if (name.kind == 'R') {
        if (!name.version.empty()) return std::nullopt;
        name.version = "R__" + name.name;
        return name;
    }
    std::replace(name.version.begin(), name.version.end(), '_', '.');
    const bool numbers = !name.version.empty() && name.version.find_first_not_of("0123456789.") == std::string::npos && name.version[0] != '.' && name.version.back() != '.';
    return numbers ? std::optional(name) : std::nullopt;
}

std::vector<PlannedChange> read_plan(const Source& plan) {
    std::vector<PlannedChange> changes;
    std::vector<std::vector<std::string>> tags;    // of each change
    std::map<std::string, std::size_t> latest;
    each_line(plan.text, [&](std::size_t begin, std::string_view raw) {
        std::string_view line = trim(raw.substr(0, raw.find('#')));
        if (line.empty() || line[0] == '%') return;
        std::string word(line.substr(0, std::min(line.find_first_of(" \t"), line.size())));
        if (word[0] == '@') {
            if (!tags.empty()) tags.back().push_back(word);
            return;
        }
        if (word[0] == '-') throw plan.fault(Code::refused, begin, raw.size(), "a change that is reverted in the plan", "sqitch no longer writes such lines; take both out");
        if (word[0] == '+') word.erase(0, 1);
        if (const auto before = latest.find(word); before != latest.end()) {
            // Any tag since may be the one at which the file was set aside; sqitch looks for the latest first.
            std::vector<std::string> files;
            for (std::size_t at = changes.size(); at-- > before->second;) {
                for (const std::string& tag : tags[at]) files.push_back(word + tag);
            }
            if (files.empty()) throw plan.fault(Code::refused, begin, raw.size(), "change '" + word + "' is there twice with no tag between");
            changes[before->second].files = std::move(files);
        }
        latest[word] = changes.size();
        changes.push_back({word, {word}});
        tags.emplace_back();
    });
    return changes;
}

std::string plan_project(const Source& plan) {
    std::string project;
    each_line(plan.text, [&](std::size_t, std::string_view line) {
        if (trim(line).starts_with("%project=")) project = trim(trim(line).substr(9));
    });
    return project;
}

namespace {

// Files of one directory, by their names in it: the way there is looked up once.
class Folder {
public:
    explicit Folder(const std::filesystem::path& path) : path_(path), fd_(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
    ~Folder() {
        if (fd_ >= 0) close(fd_);
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::string read(const std::string& name) const {
        const int fd = fd_ < 0 ? -1 : openat(fd_, name.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) return read_file(path_ / name);  // which says why not
        std::string text;
        char buffer[16384];
        ssize_t got = 0;
        while ((got = ::read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<std::size_t>(got));
        close(fd);
        return got < 0 ? read_file(path_ / name) : text;
    }

private:
    std::filesystem::path path_;
    int fd_;
};

}  // namespace

std::vector<LaidOut> lay_out(const MigrationDirectory& directory, const std::vector<std::string>& names, bool with_texts) {
    if (std::find(names.begin(), names.end(), plan_file) != names.end()) return lay_out_plan(directory);
    std::vector<LaidOut> files;
    Pairs pairs;
    std::map<std::string, std::string> undo;    // of Flyway, by version
    const Folder folder(directory.path);
    files.reserve(names.size());
    const auto versioned = [](const std::string& name) { return !split_file_name(name) && flyway_name(name) && flyway_name(name)->kind == 'V'; };
    const bool is_flyway = std::any_of(names.begin(), names.end(), versioned);
    for (const std::string& name : names) {
        if (const auto parts = split_file_name(name)) {
            if (parts->second.ends_with(".up") || parts->second.ends_with(".down")) add_pair_file(directory, pairs, name, *parts);
            else {
                std::string text = folder.read(name);
                const bool theirs = is_flyway && is_repeatable(parts->first) && text.find("-- migrate:") == std::string::npos;
                files.push_back({theirs ? Layout::flyway : is_goose(text) ? Layout::goose : Layout::own, parts->first, parts->second, name, "", "", {}});
                if (with_texts) files.back().text = std::move(text);
            }
        } else if (const auto flyway = flyway_name(name)) {
            if (flyway->kind == 'U') undo[flyway->version] = name;
            else files.push_back({Layout::flyway, flyway->version, flyway->name, name, "", "", {}});
        }
    }
    for (LaidOut& file : files) {
        if (file.layout != Layout::flyway) continue;
        const auto found = undo.find(file.version);
        if (found == undo.end()) continue;
        file.down = found->second;
        undo.erase(found);
    }
    for (const auto& [version, pair] : pairs) {
        if (!pair.up.empty()) files.push_back(pair);  // golang-migrate passes over a way back alone
    }
    return files;
}

std::vector<std::string> flyway_callbacks(const MigrationDirectory& directory, const std::vector<std::string>& names, bool before) {
    const auto is_flyway = [](const std::string& name) { return !split_file_name(name) && flyway_name(name); };
    if (std::none_of(names.begin(), names.end(), is_flyway)) return {};
    std::map<std::tuple<std::size_t, bool, std::string>, std::string> found;    // by event, those without a description first
    const std::vector<std::string_view> events = before ? std::vector<std::string_view>{"beforeMigrate"} : std::vector<std::string_view>{"afterMigrateApplied", "afterMigrate"};
    for (const std::string& name : names) {
        if (!name.ends_with(".sql")) continue;
        const std::string stem = without_end(last_name(name), ".sql"), event = event_of(name);
        if (std::find(not_our_events.begin(), not_our_events.end(), event) != not_our_events.end()) {
            throw Error(Code::refused, directory.shown + "/" + name + ": ysdb has no moment for Flyway's " + event, "put it into beforeMigrate, afterMigrate or the migrations themselves");
        }
        const auto at = std::find(events.begin(), events.end(), event);
        if (at == events.end()) continue;
        const auto [other, first] = found.emplace(std::tuple(static_cast<std::size_t>(at - events.begin()), event.size() < stem.size(), stem), name);
        if (!first) throw Error(Code::refused, "two callbacks have one name: " + directory.shown + "/" + other->second + " and " + directory.shown + "/" + name, "rename one");
    }
    std::vector<std::string> callbacks;
    for (auto& [_, name] : found) callbacks.push_back(std::move(name));
    return callbacks;
}

namespace {

void strip_mark(std::string& text) {
    if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
}

// Flyway's words on one script, beside it: V1__a.sql.conf.
void read_flyway_conf(const MigrationDirectory& directory, const std::string& script, Manner& manner) {
    const std::string name = script + ".conf";
    std::error_code failed;
    if (!std::filesystem::exists(directory.path / name, failed)) return;
    const Source conf{directory.shown + "/" + name, read_file(directory.path / name)};
    each_line(conf.text, [&](std::size_t begin, std::string_view raw) {
        const std::string_view line = trim(raw);
        if (line.empty() || line[0] == '#') return;
        const auto equals = std::min(line.find('='), line.size());
        const std::string key = lower(trim(line.substr(0, equals))), value = lower(trim(line.substr(std::min(equals + 1, line.size()))));
        const bool truth = value == "true";
        if (key == "executeintransaction") {
            manner.transaction = truth;
            manner.finds_out = false;
        } else if (key == "placeholderreplacement") {
            manner.variables = truth;
        } else if (key != "encoding" || value != "utf-8") {
            throw conf.fault(Code::refused, begin, raw.size(), "ysdb does not know what this means to Flyway", "executeInTransaction and placeholderReplacement are read");
        }
    });
}

}  // namespace

LaidOutText read_laid_out(const MigrationDirectory& directory, LaidOut file) {
    LaidOutText read;
    read.source = {directory.shown + "/" + file.up, file.text ? std::move(*file.text) : read_file(directory.path / file.up)};
    if (file.layout == Layout::own) return read;
    read.manner.may_be_empty = true;
    read.manner.own_transaction = true;
    read.manner.variables = read.manner.built_in_names = file.layout == Layout::flyway;  // the others fill in nothing
    if (file.layout == Layout::goose) {
        read.source.text = from_goose(read.source, read.manner);
        return read;
    }
    read.manner.finds_out = true;
    if (file.layout == Layout::flyway) read_flyway_conf(directory, file.up, read.manner);
    strip_mark(read.source.text);
    std::string text = "-- migrate:up\n" + read.source.text;
    for (const auto& [section, path] : {std::pair("down", file.down), std::pair("verify", file.verify)}) {
        if (path.empty()) continue;
        std::string other = read_file(directory.path / path);
        strip_mark(other);
        text += fmt::format("\n-- migrate:{}\n{}", section, other);
    }
    read.source.text = std::move(text);
    read.source.lines_before = 1;
    return read;
}

LaidOutText read_flyway_callback(const MigrationDirectory& directory, const std::string& name) {
    LaidOut file;
    file.layout = Layout::flyway;
    file.up = name;
    return read_laid_out(directory, file);
}

}  // namespace ysdb::migrate
