#include "core/migrate/layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/base/file.h"
#include "core/base/text.h"

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

void add_pair_file(std::map<std::string, LaidOut>& pairs, const std::string& name, const std::pair<std::string, std::string>& parts) {
    const bool up = parts.second.ends_with(".up");
    LaidOut& pair = pairs[parts.first + "_" + without_end(parts.second, up ? ".up" : ".down")];
    pair.layout = Layout::golang_migrate;
    pair.version = parts.first;
    pair.name = without_end(parts.second, up ? ".up" : ".down");
    (up ? pair.up : pair.down) = name;
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
        file.up = "deploy/" + change.file + ".sql";
        for (auto [path, folder] : {std::pair(&file.down, "revert/"), std::pair(&file.verify, "verify/")}) {
            const std::string name = folder + change.file + ".sql";
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

std::string from_goose(const Source& source, Manner& manner) {
    std::string text;
    bool inside = false;
    each_line(source.text, [&](std::size_t begin, std::string_view line) {
        const std::string word = goose_word(line);
        std::string ours(word.empty() ? line : "--");
        if (word == "up" || word == "down") ours = "-- migrate:" + word;
        else if (word == "no transaction") manner.transaction = false;
        else if (word == "statementbegin" || word == "statementend") {
            if (inside == (word == "statementbegin")) throw source.fault(Code::refused, begin, line.size(), inside ? "StatementBegin inside a statement" : "StatementEnd without StatementBegin");
            inside = !inside;
        } else if (word == "envsub on") {
            throw source.fault(Code::refused, begin, line.size(), "goose fills in environment variables here", "write their values: ysdb replaces nothing in a file");
        } else if (!word.empty() && word != "envsub off") {
            throw source.fault(Code::refused, begin, line.size(), "unknown annotation of goose: '" + word + "'", "Up, Down, StatementBegin, StatementEnd, NO TRANSACTION");
        }
        text += ours + "\n";
    });
    return text;
}

std::optional<FlywayName> flyway_name(const std::string& file_name) {
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
    std::map<std::string, std::size_t> latest;
    std::map<std::string, std::string> tag_after;   // the first tag behind the latest change of a name
    each_line(plan.text, [&](std::size_t begin, std::string_view raw) {
        std::string_view line = trim(raw.substr(0, raw.find('#')));
        if (line.empty() || line[0] == '%') return;
        std::string word(line.substr(0, std::min(line.find_first_of(" \t"), line.size())));
        if (word[0] == '@') {
            for (const auto& [name, at] : latest) tag_after.emplace(name, word);
            return;
        }
        if (word[0] == '-') throw plan.fault(Code::refused, begin, raw.size(), "a change that is reverted in the plan", "sqitch no longer writes such lines; take both out");
        if (word[0] == '+') word.erase(0, 1);
        if (const auto before = latest.find(word); before != latest.end()) {
            const auto tag = tag_after.find(word);
            if (tag == tag_after.end()) throw plan.fault(Code::refused, begin, raw.size(), "change '" + word + "' is there twice with no tag between");
            changes[before->second].file = word + tag->second;
        }
        latest[word] = changes.size();
        tag_after.erase(word);
        changes.push_back({word, word});
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

std::vector<LaidOut> lay_out(const MigrationDirectory& directory, const std::vector<std::string>& names) {
    if (std::find(names.begin(), names.end(), plan_file) != names.end()) return lay_out_plan(directory);
    std::vector<LaidOut> files;
    std::map<std::string, LaidOut> pairs;
    std::map<std::string, std::string> undo;    // of Flyway, by version
    const std::string before = directory.path.string() + "/";
    for (const std::string& name : names) {
        if (const auto parts = split_file_name(name)) {
            if (parts->second.ends_with(".up") || parts->second.ends_with(".down")) add_pair_file(pairs, name, *parts);
            else {
                std::string text = read_file(before + name);
                files.push_back({is_goose(text) ? Layout::goose : Layout::own, parts->first, parts->second, name, "", "", std::move(text)});
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
    for (const auto& [title, pair] : pairs) {
        if (pair.up.empty()) throw Error(Code::refused, directory.shown + "/" + pair.down + ": a way back without " + title + ".up.sql", "bring the other file back");
        files.push_back(pair);
    }
    return files;
}

LaidOutText read_laid_out(const MigrationDirectory& directory, LaidOut file) {
    LaidOutText read;
    read.source = {directory.shown + "/" + file.up, file.text ? std::move(*file.text) : read_file(directory.path / file.up)};
    if (file.layout == Layout::own) return read;
    read.manner.variables = file.layout == Layout::flyway;  // the others fill in nothing
    if (file.layout == Layout::goose) {
        read.source.text = from_goose(read.source, read.manner);
        return read;
    }
    read.manner.own_transaction = file.layout != Layout::flyway;
    read.manner.finds_out = true;
    if (read.source.text.starts_with("\xef\xbb\xbf")) read.source.text.erase(0, 3);
    std::string text = "-- migrate:up\n" + read.source.text;
    for (const auto& [section, path] : {std::pair("down", file.down), std::pair("verify", file.verify)}) {
        if (path.empty()) continue;
        std::string other = read_file(directory.path / path);
        if (other.starts_with("\xef\xbb\xbf")) other.erase(0, 3);
        text += fmt::format("\n-- migrate:{}\n{}", section, other);
    }
    read.source.text = std::move(text);
    read.source.lines_before = 1;
    return read;
}

}  // namespace ysdb::migrate
