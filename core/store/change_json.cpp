#include "core/store/change_json.h"

#include "core/value/version_text.h"

namespace ysdb {

ChangeJson::ChangeJson(const TableInfo& table) : rows_(table) { append_json_text(table_, table.ref.text()); }

void ChangeJson::append_head(std::string& out, const char* op, const Version& version) const {
    out += "{\"op\":\"";
    out += op;
    out += "\",\"table\":";
    out += table_;
    out += ",\"version\":\"";
    append_version(out, version);
    out += '"';
}

std::optional<std::uint32_t> ChangeJson::append(std::string& out, const ChangeBatch& changes, std::size_t row) const {
    const bool removal = changes.op(row) == Op::remove;
    append_head(out, removal ? "delete" : "upsert", changes.version(row));
    out += ",\"key\":";
    auto inexact = rows_.append_key(out, changes.rows, row);
    if (!removal) {
        out += ",\"row\":";
        inexact = rows_.append_row(out, changes.rows, row);
    }
    out += '}';
    return inexact;
}

void ChangeJson::append_truncate(std::string& out, const Version& version) const {
    append_head(out, "truncate", version);
    out += '}';
}

}  // namespace ysdb
