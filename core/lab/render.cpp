#include "core/lab/render.h"

#include <fmt/format.h>

#include "core/base/embedded.h"
#include "core/base/error.h"
#include "core/base/file.h"

namespace ysdb::lab {

std::string render(std::string_view text, const std::map<std::string, std::string>& values) {
    std::string result;
    while (true) {
        const auto start = text.find("${");
        const auto end = start == std::string_view::npos ? start : text.find('}', start);
        if (end == std::string_view::npos) return result.append(text);
        const std::string name(text.substr(start + 2, end - start - 2));
        const auto value = values.find(name);
        if (value == values.end()) throw Error(Code::internal, fmt::format("a template asks for '{}', which has no value", name));
        result.append(text.substr(0, start)).append(value->second);
        text.remove_prefix(end + 1);
    }
}

void render_file(const std::string& name, const std::map<std::string, std::string>& values, const std::filesystem::path& target,
                 unsigned mode) {
    write_file_atomically(target, render(embedded_file("templates/lab/" + name), values), mode);
}

}  // namespace ysdb::lab
