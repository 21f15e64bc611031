// From argv to one command's Invocation. cli.cpp is the only file that includes CLI11; everything else sees CommandSpecs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cmd/command.h"

namespace ysdb {

enum class OutputFormat { text, json, csv, html };

struct GlobalOptions {
    OutputFormat output = OutputFormat::text;
    std::optional<std::string> config_file;
    std::optional<std::string> timeout;     // as typed; core/config resolves both with the other layers
    std::optional<std::string> log_format;
    bool quiet = false;
    bool verbose = false;
    bool no_color = false;
    bool help = false;
    bool version = false;
};

struct CommandLine {
    // From the program down to the command: never empty. The last one may have verbs and no `run`: then no verb was given.
    std::vector<const CommandSpec*> path;
    GlobalOptions globals;
    Invocation invocation;
};

// The whole program as one spec: its verbs are command_table().
CommandSpec program_spec();
// Flags that every command takes, before or after the subcommand.
const std::vector<FlagSpec>& global_flags();
// The command's own flags, and those that changing commands get.
std::vector<FlagSpec> flags_of(const CommandSpec& command);
// "ysdb migrate up"
std::string command_name(std::span<const CommandSpec* const> path);

// `arguments` without argv[0]. Throws Error(usage) with the nearest name for anything unknown, missing or given twice.
// `program` must outlive the result. Nothing is required with --help.
CommandLine parse_command_line(const CommandSpec& program, const std::vector<std::string>& arguments);

// The format asked for, looked up without complaint in any command line: errors are shown in it too.
OutputFormat output_format_of(const std::vector<std::string>& arguments);

// What this partial line can become: candidates for its last word, which may be empty. `store_names` completes values and arguments
// that are called STORE. None for files: the shell knows those.
std::vector<std::string> complete(const CommandSpec& program, std::vector<std::string> words, const std::vector<std::string>& store_names);

// "it's" -> 'it'\''s'; plain words stay as they are.
std::string shell_quote(const std::string& word);

}  // namespace ysdb
