#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/text.h"
#include "core/migrate/migrate.h"
#include "core/migrate/workspace.h"

namespace ysdb::migrate {

namespace {

// "Add users' e-mail" -> "add_users_e_mail".
std::string file_word(const std::string& name) {
    std::string word;
    for (const char c : lower(name)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain) word += c;
        else if (!word.empty() && word.back() != '_') word += '_';
    }
    while (word.ends_with('_')) word.pop_back();
    return word;
}

// "20260131123456", from "2026-01-31T12:34:56...".
std::string timestamp() {
    std::string digits;
    for (const char c : utc_now().substr(0, 19)) {
        if (c >= '0' && c <= '9') digits += c;
    }
    return digits;
}

// The moment, or the number behind the last one where that is later (a clock that runs ahead, files of the same second).
std::string next_version(const std::string& last) {
    const std::string now = timestamp();
    return version_less(last, now) ? now : std::to_string(std::stoull(last) + 1);
}

std::string last_version(const std::filesystem::path& directory) {
    std::string last = "0";
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        const auto parts = split_file_name(entry.path().filename().string());
        if (parts && !is_repeatable(parts->first) && version_less(last, parts->first)) last = parts->first;
    }
    return last;
}

}  // namespace

Report create(Context& context, const std::string& name, const std::string& store, const std::optional<Recipe>& recipe) {
    const std::string word = file_word(name);
    if (word.empty()) throw Error(Code::usage, "'" + name + "' holds no letter or digit to name a file by");
    if (!store.empty()) context.stores.get(store);
    const MigrationDirectory directory = directory_of(context);
    std::error_code failed;
    if (!context.dry_run) std::filesystem::create_directories(directory.path, failed);
    if (failed) throw Error(Code::config, "cannot create the directory '" + directory.shown + "': " + failed.message());
    const std::string last = std::filesystem::exists(directory.path) ? last_version(directory.path) : "0";
    const std::string file = next_version(last) + "_" + word + ".sql";
    const std::string text = recipe ? recipe->text : "-- migrate:up" + (store.empty() ? "" : " store:" + store) + "\n\n\n-- migrate:down\n\n";
    Report report;
    if (recipe && context.dry_run) report.document = text;
    if (!context.dry_run) {
        const int fd = open((directory.path / file).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        const bool good = fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
        if (fd >= 0) close(fd);
        if (!good) throw Error(Code::config, "cannot write '" + directory.shown + "/" + file + "': " + std::strerror(errno));
    }
    report.add_figure("file", directory.shown + "/" + file);
    report.next = "ysdb migrate up";
    if (!recipe) return report;
    report.warnings = recipe->warnings;
    report.next = "ysdb migrate lint";
    if (!recipe->next.empty()) report.add_figure("second_half", recipe->next, Unit::none, "later, when no program uses the old form");
    return report;
}

}  // namespace ysdb::migrate
