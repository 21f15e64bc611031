// One change as a JSON object, for stores that tell changes instead of keeping rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "core/value/batch.h"
#include "core/value/json_form.h"

namespace ysdb {

// {"op":"upsert","table":"public.t","version":"<32 hexadecimal digits>","key":{"id":7},"row":{...}}
// {"op":"delete",...,"key":{"id":7}} and {"op":"truncate","table":"public.t","version":"..."}: everything older is gone.
class ChangeJson {
public:
    explicit ChangeJson(const TableInfo& table);
    // Returns the column whose text is not UTF-8, if there is one.
    std::optional<std::uint32_t> append(std::string& out, const ChangeBatch& changes, std::size_t row) const;
    void append_truncate(std::string& out, const Version& version) const;
    std::optional<std::uint32_t> append_key(std::string& out, const Batch& rows, std::size_t row) const { return rows_.append_key(out, rows, row); }

private:
    void append_head(std::string& out, const char* op, const Version& version) const;

    RowJson rows_;
    std::string table_;   // quoted
};

}  // namespace ysdb
