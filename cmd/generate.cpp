#include <fmt/core.h>
#include <filesystem>

#include <algorithm>

#include "cmd/cli.h"
#include "cmd/commands.h"
#include "cmd/generated.h"
#include "cmd/help.h"
#include "core/base/error_name.h"
#include "core/base/file.h"
#include "core/base/text.h"
#include "core/config/settings.h"
#include "core/migrate/lint/output.h"

namespace ysdb {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view block_begin = "<!-- generated: ";
constexpr std::string_view block_end = "<!-- /generated -->";

std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
    return out;
}

std::string code(std::string_view text) { return text.empty() ? "" : "`" + cell(text) + "`"; }

std::string settings_block() {
    std::string out = "| key | type | default | variable | what it is |\n| --- | --- | --- | --- | --- |\n";
    for (const Setting& setting : setting_table()) {
        std::string type(type_name(setting.type));
        if (!setting.choices.empty()) type = join(setting.choices, ", ");
        const std::string fallback = setting.required ? "needed" : code(setting.fallback);
        out += fmt::format("| {} | {} | {} | {} | {} |\n", code(setting.name), cell(type), fallback, code(variable_of(setting)),
                           cell(setting.help));
    }
    return out;
}

std::string exit_codes_block() {
    std::string out = "| exit code | name in JSON | meaning |\n| --- | --- | --- |\n";
    for (const CodeInfo& info : code_table())
        out += fmt::format("| {} | {} | {} |\n", static_cast<int>(info.code), code(info.name), info.meaning);
    return out;
}

// "ysdb help migrate up" -> the text of that help, as a code block.
std::string help_block(const std::vector<std::string>& words, const std::string& path) {
    const CommandSpec program = program_spec();
    std::vector<const CommandSpec*> command{&program};
    for (std::size_t i = 2; i < words.size(); ++i) {
        const auto& verbs = command.back()->verbs;
        const auto found =
            std::find_if(verbs.begin(), verbs.end(), [&](const CommandSpec& verb) { return verb.name == words[i]; });
        if (found == verbs.end())
            throw Error(Code::config, path + ": a generated block names no command: '" + join(words, " ") + "'");
        command.push_back(&*found);
    }
    return "```text\n" + help_text(command) + "```\n";
}

std::string block(const std::string& name, const std::string& path) {
    if (name == "settings") return settings_block();
    if (name == "exit codes") return exit_codes_block();
    if (name == "lint rules") return migrate::lint::rules_as_markdown();
    const auto words = split(name, ' ');
    if (words.size() >= 2 && words[0] == "ysdb" && words[1] == "help") return help_block(words, path);
    throw Error(Code::config, path + ": unknown generated block '" + name + "'",
                "known: settings, exit codes, lint rules, ysdb help COMMAND");
}

Report generate(const Invocation& invocation, Context&, Operator&) {
    const fs::path root = invocation.arguments.front();
    std::vector<GeneratedFile> files = completion_files();
    files.push_back({"man/ysdb.1", man_page(program_spec())});
    if (!fs::is_directory(root / "docs"))
        throw Error(Code::refused, "'" + root.string() + "' is not a source tree of ysdb: it has no docs/");
    for (const auto& entry : fs::directory_iterator(root / "docs")) {
        if (entry.path().extension() != ".md") continue;
        const std::string path = "docs/" + entry.path().filename().string();
        files.push_back({path, renew_blocks(read_file(entry.path()), path)});
    }
    Report report;
    Table& table = report.add_table("files", "", {{"path"}, {"changed"}});
    for (const GeneratedFile& file : files) {
        const fs::path target = root / file.path;
        const bool changed = !fs::exists(target) || read_file(target) != file.content;
        fs::create_directories(target.parent_path());
        if (changed) write_file_atomically(target, file.content);
        table.rows.push_back({file.path, changed});
    }
    return report;
}

}  // namespace

std::string renew_blocks(const std::string& page, const std::string& path) {
    std::string out;
    std::size_t at = 0;
    while (true) {
        const auto begin = page.find(block_begin, at);
        if (begin == std::string::npos) return out + page.substr(at);
        const auto name_at = begin + block_begin.size();
        const auto name_end = page.find(" -->", name_at);
        const auto end = page.find(block_end, name_at);
        if (name_end == std::string::npos || end == std::string::npos || name_end > end)
            throw Error(Code::config, path + ": a generated block has no end");
        const std::string name = page.substr(name_at, name_end - name_at);
        out += page.substr(at, name_end + 4 - at) + "\n" + block(name, path);
        at = end;
    }
}

CommandSpec generate_command() {
    CommandSpec command;
    command.name = "__generate";
    command.summary = "renew completions/, man/ and the generated blocks of docs/ in a source tree";
    command.arguments = {{"DIR", "the source tree", true, false}};
    command.needs_config = false;
    command.hidden = true;
    command.run = generate;
    return command;
}

}  // namespace ysdb
