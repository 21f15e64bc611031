#include <charconv>

#include "cmd/migrate_verbs.h"
#include "core/migrate/migrate.h"

namespace ysdb {

namespace {

migrate::DownOptions down_options(const Invocation& line) {
    migrate::DownOptions options;
    if (const auto count = line.argument(0)) {
        const auto [end, failed] = std::from_chars(count->data(), count->data() + count->size(), options.count);
        if (failed != std::errc() || end != count->data() + count->size() || options.count < 1) {
            throw Error(Code::usage, "'" + *count + "' is no number of migrations", "a version is said with --to");
        }
        if (line.has("--to")) throw Error(Code::usage, "a number of migrations and --to exclude each other");
    }
    if (line.has("--to")) options.to = line.text("--to");
    if (const auto wait = line.duration("--lock-wait")) options.lock_wait = *wait;
    if (const auto timeout = line.duration("--lock-timeout")) options.lock_timeout = *timeout;
    return options;
}

migrate::Confirm asking(Operator& person) {
    return [&person](const Report& preview, const std::string& question) { return person.confirm(preview, question); };
}

std::vector<FlagSpec> lock_flags() {
    return {migrate_lock_wait_flag(),
            {"--lock-timeout", "DURATION", "how long a PostgreSQL statement waits for a lock before it gives way; a file may say its own", "5s"}};
}

}  // namespace

CommandSpec migrate_down_verb() {
    CommandSpec verb;
    verb.name = "down";
    verb.summary = "take back what was applied last";
    verb.description =
        "Runs the migrate:down sections, last applied first, and removes the rows of the history: on PostgreSQL each file in one transaction, otherwise "
        "statement by statement with a journal, as up does. A run that was killed is taken up by the same command.\n\n"
        "Refused: a file without that section, one that was edited after it was applied, one that is gone. Repeatable migrations stay.";
    verb.arguments = {{"N", "how many migrations; 1 when not given", false, false}};
    verb.flags = {{"--to", "V", "every version above this one; 0 for all", ""}};
    for (const FlagSpec& flag : lock_flags()) verb.flags.push_back(flag);
    verb.examples = {{"ysdb migrate down --dry-run", "see what would be run"},
                     {"ysdb migrate down --yes", "take back the last one"},
                     {"ysdb migrate down --to 20260131120000", "go back to this version"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator& person) { return migrate::down(context, down_options(line), asking(person)); };
    return verb;
}

CommandSpec migrate_redo_verb() {
    CommandSpec verb;
    verb.name = "redo";
    verb.summary = "take back what was applied last, and apply it again";
    verb.description = "down and then up of the same migrations, for work on the last file. A run that was killed in between is taken up by the same command.";
    verb.arguments = {{"N", "how many migrations; 1 when not given", false, false}};
    verb.flags = lock_flags();
    verb.examples = {{"ysdb migrate redo --yes", "the last one again"}};
    verb.changes = true;
    verb.run = [](const Invocation& line, Context& context, Operator& person) { return migrate::redo(context, down_options(line), asking(person)); };
    return verb;
}

}  // namespace ysdb
