// A set's changes read from a logical replication slot through pgoutput.
//
// What was committed comes in commit order; a transaction that the server tells before its commit (protocol 2 and later, once it is larger
// than logical_decoding_work_mem) waits in a file until it is known to be committed. Versions are (epoch, commit LSN, ordinal), ordinals
// counted over all changes of the transaction, followed or not, so that a replay tells the same.
#pragma once

#include <atomic>
#include <memory>

#include "core/store/changes.h"
#include "core/store/postgres/connection.h"

namespace ysdb::postgres {

// "ysdb_<set>"
std::string slot_name(const std::string& set);
std::string publication_name(const std::string& set);

// The server's connection parameters for a replication connection.
Target replication_target(Target target);

// Opens the slot's stream. The server's version decides which options of the protocol are used. `as_text`: the stream has to come as text, as it once
// told a column of which no binary form is read; set when that is found, and the source then throws Error(connect, retryable). It must outlive the source.
std::unique_ptr<ChangeSource> open_wal_source(const Target& target, const CaptureOptions& options, std::atomic<bool>& as_text, Deadline deadline);

}  // namespace ysdb::postgres
