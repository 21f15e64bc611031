// Says whom a statement waited for that had no answer in time: a transaction that somebody else has open, above all one that was prepared and
// forgotten, which no list of sessions shows.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>

#include "core/store/postgres/connection.h"

namespace ysdb::postgres {

// `error` of making a slot, which waits for every transaction that has an id, as it is to be told: with the oldest of them, if there is one.
// `session`: another one than that which waited. Error's code stays.
Error slot_waited(const Error& error, const std::function<std::unique_ptr<Connection>()>& session, Deadline deadline);
// The same of a lock on one of the tables that was not given: with the prepared transaction that holds one.
Error lock_waited(const Error& error, std::span<const TableRef> tables, const std::function<std::unique_ptr<Connection>()>& session, Deadline deadline);

}  // namespace ysdb::postgres
