// "portfolio:{user_id}:{asset_id}": from a row to its key, and from a landing to the keys that may be its own.
//
// Braces around something that holds columns stay in the key: "portfolio:{{user_id}}:{asset_id}" makes portfolio:{7}:eth. That is the hash tag,
// by which a Redis Cluster tells where a key lies; there is one at most.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/value/batch.h"

namespace ysdb::redis {

class KeyTemplate {
public:
    // Throws Error(config): unmatched braces, two hash tags, or nothing between two columns, where two rows could have one key.
    explicit KeyTemplate(std::string_view text);
    // Throws Error(refused) for a column that the table does not have. `what` names the setting: "key of public.t".
    void bind(const TableInfo& table, const std::string& what);

    struct Refusal {
        std::uint32_t column = 0;
        std::string reason;
    };
    // Appends the key of a row of the bound table. Refuses NULL, and text that holds what separates it from the next column. What was
    // appended until then stays.
    std::optional<Refusal> append(std::string& out, const Batch& rows, std::size_t row) const;
    // The key made of the columns' plain text, in the order of names().
    std::string fill_in(std::span<const std::string> values) const;

    // What stands within the braces of the hash tag, as it was written: "{user_id}"; empty without one. append_hash_tag() appends it for a row.
    std::string hash_tag() const { return tag_.empty() ? std::string() : tag_.front().text(); }
    std::vector<std::uint32_t> hash_tag_columns() const { return tag_.empty() ? std::vector<std::uint32_t>() : tag_.front().columns(); }
    std::optional<Refusal> append_hash_tag(std::string& out, const Batch& rows, std::size_t row) const { return tag_.empty() ? std::nullopt : tag_.front().append(out, rows, row); }

    const std::string& text() const { return text_; }
    // Each column once, in order of appearance.
    const std::vector<std::string>& names() const { return names_; }
    const std::vector<std::uint32_t>& columns() const { return columns_; }
    // A glob pattern that all its keys match; others may, too.
    std::string pattern() const;

private:
    struct Part {
        std::string literal;        // before the column
        std::size_t name = 0;       // index into names_
        std::string separator;      // behind it, when another column follows; else empty
    };
    std::string text_;
    std::vector<Part> parts_;
    std::string tail_;
    std::vector<std::string> names_;
    std::vector<std::uint32_t> columns_;  // of names_
    std::vector<KeyTemplate> tag_;        // one, or none
};

// Text with the characters that mean something in a glob pattern escaped.
std::string escape_glob(std::string_view text);

}  // namespace ysdb::redis
