// Whether what a server acknowledged is whole on its disk. One whose disk fills while a part is written has left parts that are cut off, both of inserts
// that were acknowledged and of merges, which take the place of sound ones (seen with 26.5): the table cannot be read then, and a server that
// is started anew leaves such a part out without a word.
#pragma once

#include <optional>
#include <string>

#include "core/store/clickhouse/query.h"

namespace ysdb::clickhouse {

bool disk_was_full(const Error& error);

// A damaged part among the table's active ones; each is read by the server, within `deadline.left()` of its own. `made_within`: only those that were written
// since then, and that can be read within seconds (what is larger was not begun on a disk without room). Throws Error(connect) when the server does not answer.
std::optional<std::string> damaged_part(Transport& transport, QueryIds& ids, const std::string& label, const TableRef& table, std::optional<Millis> made_within, Deadline deadline);

}  // namespace ysdb::clickhouse
