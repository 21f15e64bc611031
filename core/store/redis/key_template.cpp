#include "core/store/redis/key_template.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/value/json_form.h"

namespace ysdb::redis {

namespace {

// Kinds whose text can hold anything; all others have a form of their own that no separator of one key can be mistaken in.
bool free_text(TypeKind kind) {
    switch (kind) {
        case TypeKind::text:
        case TypeKind::enumeration:
        case TypeKind::json:
        case TypeKind::array:
        case TypeKind::other: return true;
        default: return false;
    }
}

}  // namespace

std::string escape_glob(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        if (std::string_view("*?[]\\^-").find(c) != std::string_view::npos) escaped += '\\';
        escaped += c;
    }
    return escaped;
}

KeyTemplate::KeyTemplate(std::string_view text) : text_(text) {
    const auto wrong = [&](const std::string& why, const std::string& hint) -> Error { return Error(Code::config, "the key '" + text_ + "' " + why, hint); };
    const std::string example = "write it like portfolio:{user_id}:{asset_id}";
    while (!text.empty()) {
        const auto open = text.find('{');
        if (text.substr(0, open).find('}') != std::string_view::npos) throw wrong("has unmatched braces", example);
        if (open == std::string_view::npos) break;
        const auto close = text.find('}', open);
        const std::string name(text.substr(open + 1, close == std::string_view::npos ? close : close - open - 1));
        if (close == std::string_view::npos || name.empty() || name.find('{') != std::string::npos) throw wrong("has unmatched braces", example);
        if (open == 0 && !parts_.empty()) throw wrong("has nothing between two columns: two rows could share one key", "put a separator there: {a}:{b}");
        if (!parts_.empty()) parts_.back().separator = text.substr(0, open);
        const auto found = std::find(names_.begin(), names_.end(), name);
        parts_.push_back({std::string(text.substr(0, open)), static_cast<std::size_t>(found - names_.begin()), {}});
        if (found == names_.end()) names_.push_back(name);
        text.remove_prefix(close + 1);
    }
    tail_ = text;
}

void KeyTemplate::bind(const TableInfo& table, const std::string& what) {
    columns_.clear();
    std::vector<std::string> known;
    for (const ColumnInfo& column : table.columns) known.push_back(column.name);
    for (const std::string& name : names_) {
        const auto found = std::find(known.begin(), known.end(), name);
        if (found == known.end()) {
            throw Error(Code::refused, what + ": '" + text_ + "' names the column '" + name + "', which is not there" + did_you_mean(name, known), "correct it in [[sync.to]]");
        }
        columns_.push_back(static_cast<std::uint32_t>(found - known.begin()));
    }
}

std::optional<KeyTemplate::Refusal> KeyTemplate::append(std::string& out, const Batch& rows, std::size_t row) const {
    for (const Part& part : parts_) {
        const std::uint32_t column = columns_[part.name];
        if (rows.cell(row, column).is_null()) return Refusal{column, "is NULL, and part of the key '" + text_ + "'"};
        out += part.literal;
        const std::size_t from = out.size();
        const Type& type = rows.table().columns[column].type;
        append_plain(out, rows.value(row, column), type);
        if (!part.separator.empty() && free_text(type.kind) && std::string_view(out).substr(from).find(part.separator) != std::string_view::npos) {
            return Refusal{column, "holds '" + part.separator + "', which separates the columns of the key '" + text_ + "': two rows could share one key"};
        }
    }
    out += tail_;
    return std::nullopt;
}

std::string KeyTemplate::fill_in(std::span<const std::string> values) const {
    std::string key;
    for (const Part& part : parts_) key += part.literal + values[part.name];
    return key + tail_;
}

std::string KeyTemplate::pattern() const {
    std::string pattern;
    for (const Part& part : parts_) pattern += escape_glob(part.literal) + "*";
    return pattern + escape_glob(tail_);
}

}  // namespace ysdb::redis
