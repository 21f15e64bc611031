#include <filesystem>

#include "cmd/cli.h"
#include "cmd/commands.h"
#include "core/base/embedded.h"
#include "core/base/error.h"
#include "core/base/file.h"

namespace ysdb {

namespace {

namespace fs = std::filesystem;

struct NewFile {
    fs::path path;
    std::string_view content;
};

std::vector<NewFile> new_files(const fs::path& directory, const std::string& schema) {
    const std::string folder = "sql/" + schema + "/";
    std::vector<NewFile> files{{directory / "ysdb.toml", embedded_file("templates/init/ysdb.toml")}};
    for (const EmbeddedFile& file : embedded_files(folder)) {
        const std::string name(file.path.substr(folder.size()));
        if (name == "ysdb.toml")
            files.front().content = file.content;
        else if (name.ends_with(".sql"))
            files.push_back({directory / "migrations" / name, file.content});
    }
    return files;
}

Report init(const Invocation& invocation, Context& context, Operator&) {
    const fs::path directory = invocation.argument(0).value_or(".");
    const std::string schema = *invocation.text("--schema");
    const std::vector<NewFile> files = new_files(directory, schema);
    for (const NewFile& file : files) {
        if (fs::exists(file.path)) {
            throw Error(Code::refused, "'" + file.path.lexically_normal().string() + "' exists already and is not overwritten",
                        "choose another directory: ysdb init DIR");
        }
    }
    Report report;
    Table& table = report.add_table("files", context.dry_run ? "would be written" : "",
                                    {{"path", Unit::none, "file"}, {"bytes", Unit::bytes, "size"}});
    if (!context.dry_run) {
        try {
            fs::create_directories(directory / "migrations");
        } catch (const fs::filesystem_error& error) {
            throw Error(Code::refused,
                        "cannot make the directory '" + (directory / "migrations").string() + "': " + error.code().message());
        }
    }
    for (const NewFile& file : files) {
        if (!context.dry_run) write_file_atomically(file.path, file.content);
        table.rows.push_back({file.path.lexically_normal().string(), static_cast<std::int64_t>(file.content.size())});
    }
    report.next = directory == "." ? "ysdb doctor" : "cd " + shell_quote(directory.string()) + " && ysdb doctor";
    return report;
}

}  // namespace

CommandSpec init_command() {
    CommandSpec command;
    command.name = "init";
    command.summary = "write a configuration and migrations to start from";
    command.description = "Writes ysdb.toml and migrations/. Existing files are never overwritten.";
    command.arguments = {{"DIR", "where to write; made when missing; the current directory by default", false, false}};
    command.flags = {{"--schema", "NAME", "migrations to begin with", "empty", {"yieldsensei", "solana", "empty"}, false}};
    command.examples = {{"ysdb init", "an empty project here"},
                        {"ysdb init yield --schema yieldsensei", "the YieldSensei schema, in a new directory"}};
    command.changes = true;
    command.needs_config = false;
    command.run = init;
    return command;
}

}  // namespace ysdb
