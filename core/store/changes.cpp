#include "core/store/changes.h"

#include "core/base/error.h"
#include "core/store/store.h"

namespace ysdb {

std::unique_ptr<RowWriter> ChangeWriter::begin_copy(const TableInfo& source, const std::string&, Deadline) {
    throw Error(Code::internal, source.ref.text() + ": this sink takes no copies");
}

void ChangeWriter::finish_copy(const std::string& run, Deadline) { throw Error(Code::internal, run + ": this sink takes no copies"); }

ReadRange RowSource::range_from(const TableInfo& table, std::uint32_t column, std::int64_t) {
    throw Error(Code::refused, table.ref.text() + ": this store cannot be read from a value of " + table.columns[column].name + " on");
}

ChangeCapture* Store::capture(const std::string& kind) {
    throw Error(Code::refused, "store '" + name() + "' cannot be read by capture = \"" + kind + "\"", "see docs/sync.md for which store tells its changes how");
}

std::unique_ptr<RowWriter> ChangeWriter::resume_copy(const TableInfo&, const std::string&, Deadline) { return nullptr; }

}  // namespace ysdb
