#include "core/value/type.h"

#include "core/base/error.h"

namespace ysdb {

TableRef parse_table_ref(std::string_view text, std::string_view what) {
    std::vector<std::string> parts(1);
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '"') {
            if (quoted && i + 1 < text.size() && text[i + 1] == '"') parts.back() += text[i++];
            else quoted = !quoted;
        } else if (text[i] == '.' && !quoted) {
            parts.emplace_back();
        } else {
            parts.back() += text[i];
        }
    }
    bool empty = false;
    for (const std::string& part : parts) empty = empty || part.empty();
    if (quoted || empty || parts.size() > 2) {
        throw Error(Code::usage, std::string(what) + ": '" + std::string(text) + "' is not a table name", "write it like schema.table; quote odd names: \"my schema\".\"my table\"");
    }
    if (parts.size() == 1) return {"", parts[0]};
    return {parts[0], parts[1]};
}

}  // namespace ysdb
