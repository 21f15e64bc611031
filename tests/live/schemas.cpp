#include "tests/live/schemas.h"

#include <algorithm>

#include "core/base/embedded.h"
#include "core/base/text.h"

namespace ysdb::test {

namespace {

constexpr std::string_view up_mark = "-- migrate:up";
constexpr std::string_view down_mark = "-- migrate:down";

std::string store_of(std::string_view content) {
    const std::string_view line = content.substr(0, content.find('\n'));
    const auto at = line.find("store:");
    if (at == std::string_view::npos) return "main";
    const std::string_view rest = line.substr(at + 6);
    return std::string(rest.substr(0, rest.find(' ')));
}

// Statements end with a semicolon at the end of a line, outside of $$ bodies.
std::vector<std::string> statements(std::string_view section) {
    std::vector<std::string> found;
    std::string current;
    bool in_body = false;
    for (const std::string& line : split(section, '\n')) {
        if (current.empty() && (trim(line).empty() || trim(line).starts_with("--"))) continue;
        current += line + "\n";
        for (auto at = line.find("$$"); at != std::string::npos; at = line.find("$$", at + 2)) in_body = !in_body;
        if (!in_body && trim(line).ends_with(";")) {
            current.erase(current.rfind(';'));
            found.push_back(std::move(current));
            current.clear();
        }
    }
    return found;
}

}  // namespace

void apply_schema(Context& context, const std::string& schema, const std::string& store, Direction direction) {
    auto files = embedded_files("sql/" + schema + "/");
    std::erase_if(files, [&](const EmbeddedFile& file) { return !file.path.ends_with(".sql") || store_of(file.content) != store; });
    if (direction == Direction::down) std::reverse(files.begin(), files.end());
    const auto session = context.stores.get(store).sql()->open_session("test schema", Deadline::after(Millis(20'000)));
    for (const EmbeddedFile& file : files) {
        const auto down = file.content.find(down_mark);
        if (!file.content.starts_with(up_mark) || down == std::string_view::npos) throw Error(Code::internal, std::string(file.path) + " lacks a section");
        const std::string_view section = direction == Direction::up ? file.content.substr(0, down) : file.content.substr(down);
        for (const std::string& statement : statements(section.substr(section.find('\n') + 1))) session->query(statement, Deadline::after(Millis(60'000)));
    }
}

}  // namespace ysdb::test
