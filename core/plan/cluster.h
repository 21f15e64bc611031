// A ClickHouse statement ON CLUSTER: every host does it by itself, some may fail, and some may be at it long after the statement was answered.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/sql_text.h"
#include "core/store/store.h"

namespace ysdb::plan {

struct HostState {
    std::string host;                      // "ch1:9000"
    std::optional<std::int64_t> code;      // 0: it did it; a server's error number: it failed; nullopt: not yet
    std::string error;
    bool at_work = false;                  // not yet, and it has begun
    bool done() const { return code == 0; }
};

// The settings with which the server answers for every host instead of failing with the first, and by which the statement is found in the
// queue of its cluster later. `label` as in the journal. `cluster_defaults`: takes them back.
std::string cluster_settings(const std::string& label);
extern const char* const cluster_defaults;

// From what the server answered a statement ON CLUSTER.
std::vector<HostState> hosts_answered(const SqlResult& result);
// The look into the queue for the latest statement under this label, and what it found: empty when there is none.
SqlText find_in_queue(const std::string& label);
std::vector<HostState> hosts_queued(const SqlResult& result);

bool all_answered(const std::vector<HostState>& hosts);
// "2 of 3 hosts have done it, ch3:9000 is at work"
std::string describe(const std::vector<HostState>& hosts);
// nullopt when every host did it. Otherwise an Error(rejected) that names the hosts; with the server's code when all failed alike, and then
// nothing was done.
std::optional<Error> judge(const std::string& cluster, const std::vector<HostState>& hosts);

}  // namespace ysdb::plan
