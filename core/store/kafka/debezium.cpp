#include "core/store/kafka/debezium.h"

#include "core/value/version_text.h"

namespace ysdb::kafka {

DebeziumJson::DebeziumJson(const TableInfo& table, const std::string& name) : rows_(table, JsonStyle::debezium) {
    source_ = R"("source":{"version":"ysdb )" YSDB_VERSION R"(","connector":"postgresql","name":)";
    append_json_text(source_, name);
    source_ += R"(,"ts_ms":)";
    names_ = R"(,"db":"","schema":)";
    append_json_text(names_, table.ref.schema);
    names_ += R"(,"table":)";
    append_json_text(names_, table.ref.table);
    names_ += R"(,"txId":null,"xmin":null)";
}

void DebeziumJson::append_tail(std::string& out, char op, const Version& version, std::int64_t committed, std::int64_t now_ms) const {
    out += source_;
    out += std::to_string(committed == 0 ? now_ms : committed / 1000);
    out += names_;
    out += R"(,"snapshot":")";
    out += op == 'r' ? "true" : "false";
    out += R"(","lsn":)";
    out += std::to_string(version.position);
    out += R"(,"ysdb_version":")";
    append_version(out, version);
    out += R"("},"op":")";
    out += op;
    out += R"(","ts_ms":)";
    out += std::to_string(now_ms);
    out += R"(,"transaction":null})";
}

std::optional<std::uint32_t> DebeziumJson::append(std::string& out, const ChangeBatch& changes, std::size_t row, std::int64_t now_ms) const {
    const bool removal = changes.op(row) == Op::remove;
    const Version& version = changes.version(row);
    out += removal ? R"({"before":)" : R"({"before":null,"after":)";
    const auto inexact = rows_.append_row(out, changes.rows, row);
    out += removal ? R"(,"after":null,)" : ",";
    const Op what = changes.op(row);
    append_tail(out, removal ? 'd' : version.ordinal == 0 ? 'r' : what == Op::insert ? 'c' : 'u', version, changes.committed_at(row), now_ms);
    return inexact;
}

void DebeziumJson::append_truncate(std::string& out, const Version& version, std::int64_t now_ms) const {
    out += R"({"before":null,"after":null,)";
    append_tail(out, 't', version, 0, now_ms);
}

}  // namespace ysdb::kafka
