// What a server's refusal means for the run.
#pragma once

#include "core/base/error.h"

namespace ysdb::plan {

// A table, or the schema or database it would be in, is not there.
bool is_missing_table(const Error& error);
// Another transaction or ALTER was in the way: the same again may succeed.
bool found_no_lock(const Error& error);
// PostgreSQL: the statement cannot run inside a transaction, or ends one. Nothing of it was kept.
bool refuses_transaction(const Error& error);
// The server refused when it read the statement: no part of it ran.
bool refused_before_running(const Error& error);

}  // namespace ysdb::plan
