#include "core/store/clickhouse/part_check.h"

#include <vector>

#include "core/store/clickhouse/catalog.h"
#include "core/store/clickhouse/statement.h"

namespace ysdb::clickhouse {

namespace {

constexpr std::string_view not_enough_space = "243";
constexpr std::uint64_t read_at_once = 1u << 30;

bool sound(Transport& transport, QueryIds& ids, const std::string& label, const TableRef& table, const std::string& part, Deadline deadline) {
    try {
        const SqlResult answer = query(transport, "CHECK TABLE " + quote(table) + " PART " + literal(part) + " SETTINGS check_query_single_value_result = 1", {}, {}, ids.next(label), deadline);
        return answer.rows() > 0 && answer.row(0).integer(0) == 1;
    } catch (const Error& error) {
        if (error.server_code() == "232") return true;  // merged meanwhile, which reads it
        if (error.code() == Code::connect || error.retryable()) throw;
        return false;
    }
}

}  // namespace

bool disk_was_full(const Error& error) { return error.server_code() == not_enough_space || error.message().find("No space left on device") != std::string::npos; }

std::optional<std::string> damaged_part(Transport& transport, QueryIds& ids, const std::string& label, const TableRef& table, std::optional<Millis> made_within, Deadline deadline) {
    std::string which = "SELECT name FROM system.parts WHERE active AND database = {p1:String} AND table = {p2:String}";
    if (made_within) which += " AND modification_time >= now() - " + std::to_string(made_within->count() / 1000 + 1) + " AND bytes_on_disk < " + std::to_string(read_at_once);
    const SqlResult parts = query(transport, which, std::vector<std::optional<std::string>>{table.schema, table.table}, {}, ids.next(label), deadline);
    const Millis each = deadline.left();
    for (std::size_t i = 0; i < parts.rows(); ++i) {
        const std::string part = parts.row(i).text(0);
        if (!sound(transport, ids, label, table, part, Deadline::after(each))) return part;
    }
    return std::nullopt;
}

}  // namespace ysdb::clickhouse
