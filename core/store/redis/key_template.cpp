#include "core/store/redis/key_template.h"

#include <algorithm>
#include <utility>

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
    const auto unmatched = [&] { return wrong("has unmatched braces", example); };
    std::string literal;             // since the last column
    std::size_t tag_from = 0;        // behind its brace; 0: none is open
    for (std::size_t at = 0; at < text_.size(); ++at) {
        if (text_[at] == '}') {
            if (tag_from == 0) throw unmatched();
            if (!tag_.empty()) throw wrong("has two hash tags", "one decides where the key lies");
            tag_.emplace_back(std::string_view(text_).substr(tag_from, at - tag_from));
            tag_from = 0;
        }
        if (text_[at] != '{') {
            literal += text_[at];
            continue;
        }
        const auto brace = text_.find_first_of("{}", at + 1);
        if (brace == std::string::npos || (text_[brace] == '}' && brace == at + 1)) throw unmatched();
        if (text_[brace] == '{') {   // around a column: the hash tag's
            if (tag_from != 0) throw unmatched();
            tag_from = at + 1;
            literal += '{';
            continue;
        }
        const std::string name = text_.substr(at + 1, brace - at - 1);
        if (literal.empty() && !parts_.empty()) throw wrong("has nothing between two columns: two rows could share one key", "put a separator there: {a}:{b}");
        if (!parts_.empty()) parts_.back().separator = literal;
        const auto found = std::find(names_.begin(), names_.end(), name);
        parts_.push_back({std::exchange(literal, {}), static_cast<std::size_t>(found - names_.begin()), {}});
        if (found == names_.end()) names_.push_back(name);
        at = brace;
    }
    if (tag_from != 0) throw unmatched();
    tail_ = literal;
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
    for (KeyTemplate& tag : tag_) tag.bind(table, what);
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
