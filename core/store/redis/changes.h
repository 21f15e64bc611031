// Changes into Redis: each row a hash or a JSON string at a key made of its columns.
//
// What lies where, and how older changes are kept from overwriting newer ones: guarded.h.
//   format hash (default)  one field a column, as core/value/json_form.h writes it plain; NULL is no field; `_version`
//   format json            one object as core/value/json_form.h writes it, `_version` first
// A key of exactly the primary key's columns needs nothing beside the row. With other columns in it ("portfolio:{user_id}:{asset_id}" of
// a table whose primary key is id) a removal cannot tell the key, and an update moves the row: then each row has a pointer beside it.
// The columns must be unique together; of two rows that share a key the one changed last is there.
//
// A landing's channel gets one message a row that changed (the last change of a flush), as core/store/change_json.h writes it.
// Copies are written over the rows that are there; what the copy does not hold is removed when it is finished.
// flush() returns when the master has taken everything; behind Sentinel, a replica, too, if the master has one. Expired rows come back with their next change only.
#pragma once

#include <memory>

#include "core/store/changes.h"

namespace ysdb::redis {

class RedisStore;

// Must not outlive the store.
std::unique_ptr<ChangeSink> change_sink(RedisStore& store);

}  // namespace ysdb::redis
