// A site whose set goes over a bus: `sync run --to events` tells its changes to Kafka, members bring them to the stores.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/live/sync_site.h"

namespace ysdb::test {

class BusSite : public SyncSite {
public:
    // `more`: further lines of the configuration, of its last [[sync]] at first; `of_set`: of the set itself.
    explicit BusSite(const std::string& tables = "\"public.t\"", const std::string& capture = "wal", const std::string& more = {}, const std::string& of_set = {})
        : SyncSite(tables, more + "[stores.events]\nurl = \"" + store_config("events").url + "\"\n", capture, {}, of_set) {}

    ~BusSite() { ysdb({"sync", "remove", "--yes"}); }   // its topics

    static std::vector<std::string> to() { return {"sync", "run", "--to", "events", "--partitions", "4"}; }
    static std::vector<std::string> from() { return {"sync", "run", "--from", "events"}; }
    static std::vector<std::string> until_caught_up(std::vector<std::string> arguments) {
        arguments.emplace_back("--until-caught-up");
        return arguments;
    }

    nlohmann::json tell(int exit_code = 0) const { return json(until_caught_up(to()), exit_code); }
    nlohmann::json apply(int exit_code = 0) const { return json(until_caught_up(from()), exit_code); }
    std::unique_ptr<Running> member() const { return std::make_unique<Running>(*this, from()); }

    std::string topic() const { return "ysdb." + set() + ".changes"; }
    std::string shapes_topic() const { return "ysdb." + set() + ".shapes"; }
    // Tables whose copies are in the bus.
    std::int64_t copied() {
        try {
            return ask_source("SELECT count(*) FROM ysdb.sync_tables WHERE set_name = '" + set() + "' AND sink = 'bus:events' AND state = 'following'").row(0).integer(0);
        } catch (const Error&) {
            return 0;   // not there yet
        }
    }
};

}  // namespace ysdb::test
