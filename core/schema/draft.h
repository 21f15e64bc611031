// Objects before they are in order.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/schema/model.h"

namespace ysdb::schema {

struct Draft {
    std::string key;                     // what dependencies call it: "pg_class/16385"
    int phase = 0;                       // of the file
    int place = 0;                       // among what belongs to one table
    Object object;
    std::set<std::string> needs;         // keys; those of no draft do not count
};

// Each behind all it needs, otherwise by phase, table, place and name. Where things need each other in a circle, one of them comes too early:
// `circle` is told the keys of the circle.
std::vector<Draft> in_order(std::vector<Draft> drafts, std::vector<std::vector<std::string>>& circles);

Schema read_postgres(SqlStore& sql, const ReadOptions& options, Deadline deadline);
Schema read_clickhouse(SqlStore& sql, Deadline deadline);

// PostgreSQL writes `x IN ('a', 'b')` on a varchar as (ARRAY['a'::character varying, ...])::text[], reads that as one cast for each element, and
// writes it so from then on: the same constraint in two forms. This gives the second.
std::string with_element_casts(const std::string& sql);

// Takes `database.` off names; text in quotes stays as it is.
std::string without_database(const std::string& sql, const std::string& database);

}  // namespace ysdb::schema
