// `sync run --from STORE`: one of any number of members that apply what `sync run --to STORE` told to a bus.
//
// The members share the bus's partitions. What is durable in every sink of the set is committed to their group, so that after a kill the next
// owner goes on there; what was told and not durable is told again, and versions keep it from doing harm. What the set remembers of itself
// (halted tables, dead letters, changed columns) is in the source's schema ysdb, as in a direct run.
#pragma once

#include <string>

#include "core/context.h"
#include "core/report/report.h"
#include "core/sync/follow/follower.h"
#include "core/sync/follow/vitals.h"

namespace ysdb::sync {

struct MemberOptions {
    std::string set;                           // empty: the only one
    std::string from;                          // the store of the bus
    std::string group;                         // empty: "ysdb.<set>"
    std::string format;                        // empty: what `sync run --to` wrote; "debezium": what Debezium's connector does
    std::string topic;                         // of that: "server.{schema}.{table}"
    bool until_caught_up = false;              // end when everything that is in the bus now is everywhere, through whichever member
    FollowPolicy policy;
    VitalOptions vitals;
};

// What the member would apply, and where. Reads only.
Report plan_member(Context& context, const MemberOptions& options);
// Runs until `context.stop`, then drains. What cannot be reached is tried again until it can. Throws Error(rejected) naming topic, partition and
// offset for a record that is no change, Error(refused) when no bus was made, or this member's tables are not those that are told.
Report run_member(Context& context, const MemberOptions& options);

}  // namespace ysdb::sync
