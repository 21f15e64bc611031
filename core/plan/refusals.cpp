#include "core/plan/refusals.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace ysdb::plan {

namespace {

template <std::size_t N>
bool one_of(const Error& error, const std::array<std::string_view, N>& codes) {
    return std::find(codes.begin(), codes.end(), error.server_code()) != codes.end();
}

}  // namespace

// undefined_table, invalid_schema_name; UNKNOWN_TABLE, UNKNOWN_DATABASE.
bool is_missing_table(const Error& error) { return one_of(error, std::to_array<std::string_view>({"42P01", "3F000", "60", "81"})); }

// lock_not_available, deadlock_detected; CANNOT_ASSIGN_ALTER.
bool found_no_lock(const Error& error) { return one_of(error, std::to_array<std::string_view>({"55P03", "40P01", "517"})); }

// active_sql_transaction, invalid_transaction_termination.
bool refuses_transaction(const Error& error) { return one_of(error, std::to_array<std::string_view>({"25001", "2D000"})); }

// ClickHouse's errors of analysis: DUPLICATE_COLUMN, NO_SUCH_COLUMN_IN_TABLE, NUMBER_OF_COLUMNS_DOESNT_MATCH, NUMBER_OF_ARGUMENTS_DOESNT_MATCH,
// ILLEGAL_TYPE_OF_ARGUMENT, ILLEGAL_COLUMN, UNKNOWN_FUNCTION, UNKNOWN_IDENTIFIER, UNKNOWN_TYPE, TABLE_ALREADY_EXISTS, UNKNOWN_TABLE,
// SYNTAX_ERROR, UNKNOWN_DATABASE, TABLE_SIZE_EXCEEDS_MAX_DROP_SIZE_LIMIT, NO_COMMON_TYPE, ACCESS_DENIED. PostgreSQL's class 42 (syntax, access, names) at the statement itself.
bool refused_before_running(const Error& error) {
    constexpr auto codes = std::to_array<std::string_view>({"15", "16", "20", "42", "43", "44", "46", "47", "50", "57", "60", "62", "81", "359", "386", "497"});
    return one_of(error, codes) || (error.server_code().size() == 5 && error.server_code().starts_with("42") && error.position() > 0);
}

}  // namespace ysdb::plan
