// cdc.change_log, which the triggers of capture = "trigger" write: how its rows are read, and its upkeep.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/store/postgres/catalog.h"

namespace ysdb::postgres {

// One column of a row as it is printed.
struct Place {
    std::string name;
    int number = 0;
    DeclaredType type;
    bool nullable = true;
    bool generated = false;
};

// Which columns a printed row has: cdc.layout().
struct Layout {
    std::vector<Place> places;
    std::vector<std::string> key;
};
Layout parse_layout(const std::string& text);

// A field of a printed row: a part of `bytes`, which holds them all.
struct Printed {
    bool null = true;
    std::size_t from = 0, size = 0;
};
// "(1,"a ""b""",)" -> fields. False when it is no printed row.
bool split_row(std::string_view row, std::string& bytes, std::vector<Printed>& fields);

// Condition on a row c of pg_class: its triggers are all there and fire, on every partition.
inline constexpr std::string_view triggers_fire =
    "coalesce((SELECT count(DISTINCT t.tgname) FILTER (WHERE t.tgrelid = c.oid) = CASE c.relkind WHEN 'p' THEN 2 ELSE 3 END AND bool_and(t.tgenabled NOT IN ('D', 'R')) FROM pg_trigger t"
    " WHERE t.tgfoid = to_regprocedure('cdc.tell_' || c.oid || '()')), false)";

// Takes back the room of what every set has: partitions of past days are dropped, the default one is emptied; makes those of the days to come.
// What is in use is left for the next time.
void tend_log(SqlSession& session, Deadline deadline);

}  // namespace ysdb::postgres
