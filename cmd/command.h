// A command as data and one function. Help, man pages, completions, `help --output json` and parsing all come from the same
// CommandSpec tree; only cli.cpp knows the flag parser.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/report/report.h"

namespace ysdb {

struct FlagSpec {
    std::string name;                    // "--rows"
    std::string value;                   // "N", "FILE"; empty: a switch
    std::string help;                    // one lowercase line without a period
    std::string fallback;                // what holds when it is not given, as a person would type it; empty: nothing
    std::vector<std::string> choices;    // when only these are allowed
    bool repeatable = false;
};

// For a command that looks at something. main() shows its result again and again.
inline FlagSpec watch_flag() { return {"--watch", "DURATION", "show it again after each DURATION, until Ctrl-C"}; }

struct ArgumentSpec {
    std::string name;                    // "TABLE"
    std::string help;
    bool required = true;
    bool repeatable = false;
};

struct Example {
    std::string command;                 // "ysdb lab up --only postgres"
    std::string what;                    // "start PostgreSQL alone"
};

class Invocation;

// What the command function may ask of the person at the terminal. Without a terminal nothing asks.
class Operator {
public:
    virtual ~Operator() = default;
    // Shows `preview`, then asks. True when confirmed by --yes, by --confirm NAME (when `name` is given) or by the answer typed.
    // Unattended and unconfirmed: throws Error(refused) whose hint is the command to type.
    virtual bool confirm(const Report& preview, const std::string& question, const std::optional<std::string>& name = {}) = 0;
};

struct CommandSpec {
    std::string name;                    // "migrate", "up"
    std::string summary;                 // one lowercase line
    std::string description;             // paragraphs for help and man
    std::vector<FlagSpec> flags;
    std::vector<ArgumentSpec> arguments;
    std::vector<Example> examples;
    std::vector<CommandSpec> verbs;      // subcommands; a command has verbs or `run`, not both
    bool changes = false;                // gets --dry-run, --yes and --confirm NAME
    bool needs_config = true;            // false: runs without reading any configuration (init, completion)
    bool reads_bad_config = false;       // runs although the configuration has problems, which Config lists (config, doctor)
    bool hidden = false;                 // not in help, man or completions
    std::function<Report(const Invocation&, Context&, Operator&)> run;
};

// The parsed command line of one command. A value.
class Invocation {
public:
    std::map<std::string, std::vector<std::string>> values;   // as typed, by flag name with dashes; a switch that is set holds {"true"}
    std::map<std::string, std::string> fallbacks;             // by flag name: what the spec says for a flag that is not given
    std::vector<std::string> arguments;
    std::string command_line;                                 // "ysdb migrate up --to 3", secrets never: they are not accepted on argv

    bool has(const std::string& flag) const { return values.count(flag) != 0; }   // typed
    // The value typed, else the spec's fallback, else nothing.
    std::optional<std::string> text(const std::string& flag) const;
    std::string text_or(const std::string& flag, const std::string& fallback) const;
    std::optional<std::int64_t> integer(const std::string& flag) const;   // Error(usage) when it is no integer
    // For flags with a fallback. Error(usage) outside low..high.
    std::int64_t integer_between(const std::string& flag, std::int64_t low, std::int64_t high) const;
    std::optional<Millis> duration(const std::string& flag) const;
    std::optional<std::uint64_t> size(const std::string& flag) const;
    std::vector<std::string> all(const std::string& flag) const;                  // typed ones only
    std::optional<std::string> argument(std::size_t index) const;
};

// The top-level commands, in the order help shows them (commands.cpp). One line there for each cmd/<name>.cpp.
std::vector<CommandSpec> command_table();

}  // namespace ysdb
