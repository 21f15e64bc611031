// How the rows of one shape of a table look in Redis: their keys, tags and fields, and what is published of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/store/change_json.h"
#include "core/store/changes.h"
#include "core/store/redis/guarded_rows.h"
#include "core/store/redis/key_template.h"
#include "core/store/store.h"
#include "core/value/json_form.h"

namespace ysdb::redis {

// What the settings of a landing say. Throws Error(config).
Layout layout_of(const Landing& landing, bool cluster);

// A value. Not thread-safe.
class Shape {
public:
    // Throws Error(config), Error(refused) for a landing that cannot be, or would lose rows.
    Shape(const Landing& landing, const TableInfo& table, bool cluster);
    // Whether batches of this table are written so.
    bool fits(const TableInfo& table) const;
    // Nothing, and `rejected` is set, when the row cannot be written.
    std::optional<GuardedChange> change(const ChangeBatch& changes, std::size_t row, bool notify, std::optional<RejectedRow>& rejected);
    const Layout& layout() const { return layout_; }
    // What is published after a truncation; nothing without a channel that all rows share.
    CommandBytes truncation(const Version& version) const;

private:
    void check_pointers(const std::string& what) const;
    void add_row(const ChangeBatch& changes, std::size_t row, GuardedChange& change, std::optional<std::uint32_t>& inexact);

    Layout layout_;
    std::optional<KeyTemplate> channel_;
    std::vector<ColumnInfo> columns_;
    std::vector<std::uint32_t> key_;
    RowJson json_;
    ChangeJson notice_;
    std::string scratch_;
};

}  // namespace ysdb::redis
