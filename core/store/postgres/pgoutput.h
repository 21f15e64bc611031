// Messages of PostgreSQL's output plugin pgoutput, protocol versions 1 to 4, as views of the bytes that came.
// Source: "Logical Replication Message Formats" in PostgreSQL's documentation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/store/postgres/wire.h"

namespace ysdb::postgres {

// Reads big-endian fields; throws Error(internal) when the message is too short.
class MessageReader {
public:
    explicit MessageReader(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}
    template <class Integer>
    Integer integer() {
        need(sizeof(Integer));
        const auto value = load_big<Integer>(reinterpret_cast<const std::uint8_t*>(at_));
        at_ += sizeof(Integer);
        return value;
    }
    char byte() {
        need(1);
        return *at_++;
    }
    std::string_view text();                     // up to a zero byte
    std::string_view bytes(std::size_t size) {
        need(size);
        const std::string_view found(at_, size);
        at_ += size;
        return found;
    }
    bool empty() const { return at_ == end_; }
    std::string_view rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }

private:
    void need(std::size_t size) const {
        if (static_cast<std::size_t>(end_ - at_) < size) [[unlikely]] too_short();
    }
    [[noreturn]] static void too_short();
    const char* at_;
    const char* end_;
};

struct RelationColumn {
    bool identifies = false;     // part of the replica identity
    std::string name;
    std::uint32_t type = 0;      // oid
    std::int32_t modifier = -1;
};

struct RelationMessage {
    std::uint32_t id = 0;
    std::string schema, name;
    char identity = 'd';         // as pg_class.relreplident
    std::vector<RelationColumn> columns;
};

RelationMessage read_relation(MessageReader& message);

// One column of a tuple.
struct TupleField {
    char kind = 'n';             // n(ull), u(nchanged and not sent), t(ext), b(inary)
    std::string_view bytes;
};

// Into `fields`, whose capacity is kept.
void read_tuple(MessageReader& message, std::vector<TupleField>& fields);

}  // namespace ysdb::postgres
