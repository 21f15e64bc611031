#include "cmd/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb {

namespace {

struct OutputName {
    const char* name;
    OutputFormat format;
};
constexpr std::array<OutputName, 4> output_names{
    {{"text", OutputFormat::text}, {"json", OutputFormat::json}, {"csv", OutputFormat::csv}, {"html", OutputFormat::html}}};

const CommandSpec* find_verb(const CommandSpec& command, const std::string& name) {
    for (const CommandSpec& verb : command.verbs) {
        if (verb.name == name) return &verb;
    }
    return nullptr;
}

std::vector<std::string> visible_verbs(const CommandSpec& command) {
    std::vector<std::string> names;
    for (const CommandSpec& verb : command.verbs) {
        if (!verb.hidden) names.push_back(verb.name);
    }
    return names;
}

const FlagSpec* find_flag(const std::vector<FlagSpec>& flags, const std::string& name) {
    for (const FlagSpec& flag : flags) {
        if (flag.name == name) return &flag;
    }
    return nullptr;
}

void collect_flags(const CommandSpec& command, std::vector<FlagSpec>& into) {
    for (const FlagSpec& flag : flags_of(command)) into.push_back(flag);
    for (const CommandSpec& verb : command.verbs) collect_flags(verb, into);
}

bool is_flag(const std::string& word) { return word.size() > 1 && word[0] == '-'; }

// True when `word` is a flag that takes its value from the next word, here or in any subcommand that may still follow.
bool takes_next_word(const CommandSpec& command, const std::string& word) {
    if (!is_flag(word) || word.find('=') != std::string::npos) return false;
    std::vector<FlagSpec> flags = global_flags();
    collect_flags(command, flags);
    const FlagSpec* flag = find_flag(flags, word);
    return flag != nullptr && !flag->value.empty();
}

struct Walk {
    std::vector<const CommandSpec*> path;
    std::vector<std::string> rest;        // everything but the names of the path
    std::optional<std::string> stranger;  // the first word where a verb was expected and none matched
};

// Follows the subcommand names, wherever flags stand between them.
Walk walk(const CommandSpec& program, const std::vector<std::string>& arguments) {
    Walk result{{&program}, {}, {}};
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const CommandSpec& here = *result.path.back();
        const std::string& word = arguments[i];
        if (here.verbs.empty() || word == "--" || result.stranger) {
            result.rest.insert(result.rest.end(), arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
            break;
        }
        if (is_flag(word)) {
            result.rest.push_back(word);
            if (takes_next_word(here, word) && i + 1 < arguments.size()) result.rest.push_back(arguments[++i]);
        } else if (const CommandSpec* verb = find_verb(here, word)) {
            result.path.push_back(verb);
        } else {
            result.stranger = word;
        }
    }
    return result;
}

// A usage error: "migrate up: <message>", with the help to read as hint unless there is a better one.
Error usage_error(const std::string& name, const std::string& message, const std::string& hint = {}) {
    const auto space = name.find(' ');  // the program's own name stands before every error already
    return Error(Code::usage, space == std::string::npos ? message : name.substr(space + 1) + ": " + message,
                 hint.empty() ? "see: " + name + " --help" : hint);
}

[[noreturn]] void fail_unknown_flag(const std::string& name, const std::string& word, const std::vector<FlagSpec>& flags) {
    std::vector<std::string> known;
    for (const FlagSpec& flag : flags) known.push_back(flag.name);
    const std::string typed = word.substr(0, word.find('='));
    const std::string hint = typed == "--dry-run" ? "it changes nothing: leave --dry-run out" : "";
    throw usage_error(name, "unknown flag '" + typed + "'" + did_you_mean(typed, known), hint);
}

void check_value(const std::string& name, const FlagSpec& flag, const std::string& value) {
    if (flag.choices.empty() || std::find(flag.choices.begin(), flag.choices.end(), value) != flag.choices.end()) return;
    throw usage_error(name, flag.name + " cannot be '" + value + "'" + did_you_mean(value, flag.choices),
                      "one of: " + join(flag.choices, ", "));
}

void check_arguments(const std::string& name, const CommandSpec& command, const std::vector<std::string>& given) {
    std::size_t least = 0;
    bool endless = false;
    for (const ArgumentSpec& argument : command.arguments) {
        if (argument.required) ++least;
        endless = endless || argument.repeatable;
    }
    if (given.size() < least) throw usage_error(name, command.arguments[given.size()].name + " is missing");
    if (!endless && given.size() > command.arguments.size()) {
        throw usage_error(name, "unexpected argument '" + given[command.arguments.size()] + "'");
    }
}

// CLI11's part: which words are flags, which their values, which arguments. Names, choices and counts are checked by the caller.
struct Words {
    std::map<std::string, std::vector<std::string>> values;
    std::vector<std::string> arguments;
    std::optional<std::string> unknown_flag;
};

Words split_words(const std::string& name, const std::vector<FlagSpec>& flags, std::vector<std::string> words) {
    CLI::App app;
    app.set_help_flag();
    app.allow_extras();
    std::map<std::string, std::vector<std::string>> values;
    std::map<std::string, CLI::Option*> options;
    for (const FlagSpec& flag : flags) {
        if (flag.value.empty()) {
            options[flag.name] = app.add_flag(flag.name);
        } else {
            // One word each time: the next one is an argument.
            options[flag.name] = app.add_option(flag.name, values[flag.name])
                                     ->expected(1)
                                     ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
                                     ->allow_extra_args(false);
        }
    }
    // Words after "--" are arguments even when they look like flags.
    const auto end_of_flags = std::find(words.begin(), words.end(), "--");
    std::vector<std::string> literal(end_of_flags == words.end() ? end_of_flags : end_of_flags + 1, words.end());
    words.erase(end_of_flags, words.end());
    try {
        std::reverse(words.begin(), words.end());
        app.parse(words);
    } catch (const CLI::ParseError& error) {
        throw usage_error(name, lower(error.what()));
    }
    Words result;
    for (const FlagSpec& flag : flags) {
        if (options[flag.name]->count() == 0) continue;
        result.values[flag.name] =
            flag.value.empty() ? std::vector<std::string>(options[flag.name]->count(), "true") : values[flag.name];
    }
    for (const std::string& word : app.remaining()) {
        if (is_flag(word) && !result.unknown_flag) result.unknown_flag = word;
        result.arguments.push_back(word);
    }
    result.arguments.insert(result.arguments.end(), literal.begin(), literal.end());
    return result;
}

// CLI11 lets a flag swallow the next flag as its value, where a missing value is more likely, and a switch take "=anything".
void check_values_are_there(const std::string& name, const std::vector<FlagSpec>& flags, const std::vector<std::string>& words) {
    for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
        const auto equals = words[i].find('=');
        const FlagSpec* flag = find_flag(flags, words[i].substr(0, equals));
        if (flag != nullptr && flag->value.empty() && equals != std::string::npos)
            throw usage_error(name, flag->name + " takes no value");
        if (flag == nullptr || flag->value.empty() || equals != std::string::npos) continue;
        if (i + 1 == words.size() || words[i + 1].starts_with("--")) {
            throw usage_error(name, flag->name + " needs a value (" + flag->value + ")",
                              "a value that begins with dashes: " + flag->name + "=VALUE");
        }
        ++i;
    }
}

GlobalOptions take_globals(std::map<std::string, std::vector<std::string>>& values) {
    GlobalOptions options;
    const auto text = [&](const char* name) -> std::optional<std::string> {
        const auto node = values.extract(name);
        return node.empty() ? std::nullopt : std::optional(node.mapped().back());
    };
    if (const auto name = text("--output")) {
        for (const OutputName& output : output_names) {
            if (*name == output.name) options.output = output.format;
        }
    }
    options.config_file = text("--config");
    options.timeout = text("--timeout");
    if (options.timeout)
        parse_duration(*options.timeout, "--timeout");  // a mistyped flag is a usage error, not one of the configuration
    options.log_format = text("--log-format");
    options.quiet = text("--quiet").has_value();
    options.verbose = text("--verbose").has_value();
    options.no_color = text("--no-color").has_value();
    options.help = text("--help").has_value();
    options.version = text("--version").has_value();
    return options;
}

// bash hands "--output=js" over as three words; the others as one. Both become "--output" "js".
std::vector<std::string> without_equals(const std::vector<std::string>& words) {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const auto equals = words[i].find('=');
        if (words[i] == "=") {
            if (i + 1 == words.size()) result.emplace_back();
        } else if (words[i].starts_with("--") && equals != std::string::npos) {
            result.push_back(words[i].substr(0, equals));
            result.push_back(words[i].substr(equals + 1));
        } else {
            result.push_back(words[i]);
        }
    }
    return result;
}

}  // namespace

const std::vector<FlagSpec>& global_flags() {
    static const std::vector<FlagSpec> flags{
        {"--config", "FILE", "read this file instead of the usual ones", "", {}, false},
        {"--output", "FORMAT", "how the result is printed", "text", {"text", "json", "csv", "html"}, false},
        {"--quiet", "", "no progress and no information, only warnings and errors", "", {}, false},
        {"--verbose", "", "log what is done, in detail", "", {}, false},
        {"--log-format", "FORMAT", "how log lines on stderr look", "text", {"text", "json"}, false},
        {"--no-color", "", "no colours", "", {}, false},
        {"--timeout", "DURATION", "limit of each call to a store, connecting included", "30s", {}, false},
        {"--version", "", "print the version", "", {}, false},
        {"--help", "", "print help", "", {}, false},
    };
    return flags;
}

std::vector<FlagSpec> flags_of(const CommandSpec& command) {
    std::vector<FlagSpec> flags = command.flags;
    if (command.changes) {
        flags.push_back({"--dry-run", "", "show what would be done and change nothing", "", {}, false});
        flags.push_back({"--yes", "", "go ahead without asking", "", {}, false});
        flags.push_back({"--confirm", "NAME", "the name that would have to be typed, for scripts", "", {}, false});
    }
    return flags;
}

std::string command_name(std::span<const CommandSpec* const> path) {
    std::string name;
    for (const CommandSpec* command : path) name += (name.empty() ? "" : " ") + command->name;
    return name;
}

CommandLine parse_command_line(const CommandSpec& program, const std::vector<std::string>& arguments) {
    Walk found = walk(program, arguments);
    const CommandSpec& command = *found.path.back();
    const std::string name = command_name(found.path);
    std::vector<FlagSpec> flags = flags_of(command);
    flags.insert(flags.end(), global_flags().begin(), global_flags().end());
    std::replace(found.rest.begin(), std::find(found.rest.begin(), found.rest.end(), "--"), std::string("-h"),
                 std::string("--help"));
    if (found.stranger)
        throw usage_error(name,
                          "unknown command '" + *found.stranger + "'" + did_you_mean(*found.stranger, visible_verbs(command)));

    check_values_are_there(name, flags, found.rest);
    Words words = split_words(name, flags, found.rest);
    if (words.unknown_flag) fail_unknown_flag(name, *words.unknown_flag, flags);
    for (const FlagSpec& flag : flags) {
        const auto given = words.values.find(flag.name);
        if (given == words.values.end()) continue;
        if (!flag.repeatable && !flag.value.empty() && given->second.size() > 1) {
            throw usage_error(name, flag.name + " is given " + std::to_string(given->second.size()) + " times", "give it once");
        }
        if (!flag.value.empty()) {
            for (const std::string& value : given->second) check_value(name, flag, value);
        }
    }

    CommandLine line;
    line.path = std::move(found.path);
    line.globals = take_globals(words.values);
    if (!line.globals.help && !line.globals.version && command.run) check_arguments(name, command, words.arguments);
    line.invocation.values = std::move(words.values);
    for (const FlagSpec& flag : flags_of(command)) {
        if (!flag.fallback.empty()) line.invocation.fallbacks[flag.name] = flag.fallback;
    }
    line.invocation.arguments = std::move(words.arguments);
    line.invocation.command_line = "ysdb";
    for (const std::string& word : arguments) line.invocation.command_line += " " + shell_quote(word);
    return line;
}

OutputFormat output_format_of(const std::vector<std::string>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        for (const OutputName& output : output_names) {
            if (arguments[i] == std::string("--output=") + output.name) return output.format;
            if (arguments[i] == "--output" && i + 1 < arguments.size() && arguments[i + 1] == output.name) return output.format;
        }
    }
    return OutputFormat::text;
}

std::vector<std::string> complete(const CommandSpec& program, std::vector<std::string> words,
                                  const std::vector<std::string>& store_names) {
    // A shell that hands "--output=js" over as one word wants "--output=json" back.
    const bool one_word = !words.empty() && words.back().starts_with("--") && words.back().find('=') != std::string::npos;
    const std::string prefix = one_word ? words.back().substr(0, words.back().find('=') + 1) : "";
    words = without_equals(words);
    const std::string last = words.empty() ? "" : words.back();
    const Walk found = walk(program, {words.begin(), words.empty() ? words.end() : words.end() - 1});
    if (found.stranger) return {};
    const CommandSpec& command = *found.path.back();
    std::vector<FlagSpec> flags = flags_of(command);
    flags.insert(flags.end(), global_flags().begin(), global_flags().end());

    std::vector<std::string> candidates;
    const FlagSpec* waiting = words.size() > 1 ? find_flag(flags, words[words.size() - 2]) : nullptr;
    if (waiting != nullptr && !waiting->value.empty()) {
        candidates = waiting->value == "STORE" ? store_names : waiting->choices;
    } else if (last.starts_with("-")) {
        for (const FlagSpec& flag : flags) candidates.push_back(flag.name);
    } else if (!command.verbs.empty()) {
        candidates = visible_verbs(command);
    } else if (!command.arguments.empty() && command.arguments.back().name == "STORE") {
        candidates = store_names;
    }
    std::erase_if(candidates, [&](const std::string& candidate) { return !candidate.starts_with(last); });
    for (std::string& candidate : candidates) candidate.insert(0, prefix);
    return candidates;
}

std::string shell_quote(const std::string& word) {
    constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@+%";
    if (!word.empty() && word.find_first_not_of(plain) == std::string::npos) return word;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return quoted + "'";
}

}  // namespace ysdb
