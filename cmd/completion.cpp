#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/generated.h"

namespace ysdb {

namespace {

constexpr std::string_view bash_stub = R"sh(# bash completion for ysdb; written by `ysdb completion bash`
_ysdb() {
    local IFS=$'\n'
    COMPREPLY=($(ysdb __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _ysdb ysdb
)sh";

constexpr std::string_view zsh_stub = R"sh(#compdef ysdb
# zsh completion for ysdb; written by `ysdb completion zsh`
_ysdb() {
    local -a candidates
    candidates=(${(f)"$(ysdb __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)"})
    if (( ${#candidates} )); then compadd -- $candidates; else _files; fi
}
if [ "$funcstack[1]" = _ysdb ]; then _ysdb "$@"; else compdef _ysdb ysdb; fi
)sh";

constexpr std::string_view fish_stub = R"sh(# fish completion for ysdb; written by `ysdb completion fish`
function __ysdb_candidates
    ysdb __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null
end
complete -c ysdb -f -a '(__ysdb_candidates)'
complete -c ysdb -F -n 'not __ysdb_candidates | string length -q'
)sh";

CommandSpec shell(const char* name, std::string_view stub, const char* install) {
    CommandSpec command;
    command.name = name;
    command.summary = std::string("print the completion script for ") + name;
    command.examples = {{install, "for you alone"}};
    command.needs_config = false;
    command.run = [stub](const Invocation&, Context&, Operator&) {
        Report report;
        report.document = std::string(stub);
        return report;
    };
    return command;
}

Report candidates(const Invocation& invocation, Context& context, Operator&) {
    std::vector<std::string> stores;
    for (const auto& [name, _] : context.config.stores) stores.push_back(name);
    Report report;
    report.document = "";
    for (const std::string& candidate : complete(program_spec(), invocation.arguments, stores))
        *report.document += candidate + "\n";
    return report;
}

}  // namespace

std::vector<GeneratedFile> completion_files() {
    return {{"completions/ysdb.bash", std::string(bash_stub)},
            {"completions/_ysdb", std::string(zsh_stub)},
            {"completions/ysdb.fish", std::string(fish_stub)}};
}

CommandSpec completion_command() {
    CommandSpec command;
    command.name = "completion";
    command.summary = "print the script that completes ysdb's commands in a shell";
    command.description =
        "The script asks ysdb itself, so it stays right when ysdb is updated. It completes commands, flags, their values and the "
        "names of stores.";
    command.verbs = {shell("bash", bash_stub, "ysdb completion bash > ~/.local/share/bash-completion/completions/ysdb"),
                     shell("zsh", zsh_stub, "ysdb completion zsh > \"${fpath[1]}/_ysdb\""),
                     shell("fish", fish_stub, "ysdb completion fish > ~/.config/fish/completions/ysdb.fish")};
    return command;
}

CommandSpec complete_command() {
    CommandSpec command;
    command.name = "__complete";
    command.summary = "print what the last word can become";
    command.arguments = {{"WORD", "the words typed so far", false, true}};
    command.reads_bad_config = true;
    command.hidden = true;
    command.run = candidates;
    return command;
}

}  // namespace ysdb
