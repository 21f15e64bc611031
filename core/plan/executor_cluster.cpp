// A step ON CLUSTER: run, and followed on every host to its end.
#include <fmt/core.h>

#include "core/base/retry.h"
#include "core/plan/cluster.h"
#include "core/plan/executor.h"
#include "core/plan/watch.h"

namespace ysdb::plan {

namespace {

constexpr Millis between_looks{1'000};
constexpr std::string_view task_timeout = "159";  // TIMEOUT_EXCEEDED: distributed_ddl_task_timeout passed, the hosts go on

}  // namespace

void Executor::on_cluster(const Step& step, const std::string& sql, Lane& lane, const std::string& label) {
    std::vector<HostState> hosts;
    lane.session->query(cluster_settings(label), context_.deadline());
    try {
        hosts = hosts_answered(lane.session->query(sql, Deadline::never()));
    } catch (const Error& error) {
        lane.session->query(cluster_defaults, context_.deadline());
        if (error.server_code() != task_timeout) throw;  // a statement that asks for it in its own SETTINGS
    }
    lane.session->query(cluster_defaults, context_.deadline());
    // A file's own SETTINGS may want no answer at all.
    if (hosts.empty() || !all_answered(hosts)) {
        if (auto queued = follow_on_cluster(step, lane, label)) hosts = std::move(*queued);
    }
    if (auto error = judge(step.cluster, hosts)) throw *error;
}

// Until every host has answered, or none that has not is at work and nothing changes for orphan_wait. nullopt: nothing of it is known.
std::optional<std::vector<HostState>> Executor::follow_on_cluster(const Step& step, Lane& lane, const std::string& label) {
    const SqlText look = find_in_queue(label);
    std::string said;
    Deadline patience = Deadline::after(options_.orphan_wait);
    while (true) {
        std::vector<HostState> hosts;
        try {
            hosts = hosts_queued(lane.session->query(look.sql, look.params, context_.deadline()));
        } catch (const Error& error) {
            if (error.code() != Code::rejected) throw;
            context_.log.warn("the queue of the cluster cannot be read", {{"cluster", step.cluster}, {"reason", error.message()}});
            return std::nullopt;
        }
        if (hosts.empty()) return std::nullopt;
        if (all_answered(hosts)) return hosts;
        const std::string now = describe(hosts);
        const bool at_work = now.find("at work") != std::string::npos;
        if (now != said) context_.log.info("on cluster", {{"cluster", step.cluster}, {"hosts", now}});
        if (now != said || at_work) patience = Deadline::after(options_.orphan_wait);
        said = now;
        progress_->note(step.what + ": " + now);
        if (patience.passed()) return hosts;
        if (!pause_for(between_looks, context_.stop)) throw Error(Code::interrupted, "interrupted while " + step.what + " ran on cluster " + step.cluster, "the hosts go on; the next run finds out how it ended");
    }
}

}  // namespace ysdb::plan
