#include "core/store/postgres/pgoutput.h"

#include <cstring>

#include "core/base/error.h"

namespace ysdb::postgres {

void MessageReader::too_short() { throw Error(Code::internal, "the server sent something that is not a message of pgoutput"); }

std::string_view MessageReader::text() {
    const void* zero = std::memchr(at_, 0, static_cast<std::size_t>(end_ - at_));
    if (zero == nullptr) too_short();
    const std::string_view found(at_, static_cast<std::size_t>(static_cast<const char*>(zero) - at_));
    at_ += found.size() + 1;
    return found;
}

RelationMessage read_relation(MessageReader& message) {
    RelationMessage relation;
    relation.id = message.integer<std::uint32_t>();
    relation.schema = message.text();
    relation.name = message.text();
    if (relation.schema.empty()) relation.schema = "pg_catalog";
    relation.identity = message.byte();
    const auto count = message.integer<std::uint16_t>();
    for (std::uint16_t i = 0; i < count; ++i) {
        RelationColumn column;
        column.identifies = (message.byte() & 1) != 0;
        column.name = message.text();
        column.type = message.integer<std::uint32_t>();
        column.modifier = message.integer<std::int32_t>();
        relation.columns.push_back(std::move(column));
    }
    return relation;
}

void read_tuple(MessageReader& message, std::vector<TupleField>& fields) {
    const auto count = message.integer<std::uint16_t>();
    fields.resize(count);
    for (TupleField& field : fields) {
        field.kind = message.byte();
        field.bytes = field.kind == 't' || field.kind == 'b' ? message.bytes(message.integer<std::uint32_t>()) : std::string_view();
    }
}

}  // namespace ysdb::postgres
