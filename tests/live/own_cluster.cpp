#include "tests/live/own_cluster.h"

#include <signal.h>

#include <algorithm>
#include <cstdlib>

#include "core/base/text.h"
#include "core/lab/ports.h"
#include "tests/live/support.h"

namespace ysdb::test {

namespace {

constexpr std::size_t master_count = 3;

Deadline soon() { return Deadline::after(Millis(20'000)); }

}  // namespace

OwnCluster::OwnCluster(const std::vector<std::string>& settings, bool replicas, const Authority* authority) : tls_ca_(authority == nullptr ? "" : authority->file()) {
    // Theirs come last: of two lines Redis takes the later.
    std::vector<std::string> lines{"cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 1000", "cluster-replica-validity-factor 0", "save ''", "repl-diskless-sync-delay 0"};
    if (authority != nullptr) {
        const Certificate own = authority->issue("cluster", "IP:127.0.0.1");
        lines.insert(lines.end(), {"tls-port PORT", "tls-cluster yes", "tls-replication yes", "tls-auth-clients no", "tls-cert-file " + own.file, "tls-key-file " + own.key_file, "tls-ca-cert-file " + tls_ca_});
    }
    lines.insert(lines.end(), settings.begin(), settings.end());
    const std::size_t count = replicas ? 2 * master_count : master_count;
    for (std::size_t i = 0; i < count; ++i) {
        auto own = lines;
        own.push_back(authority == nullptr ? "port " + std::to_string(lab::choose_port()) : "port 0");
        own.push_back("cluster-port " + std::to_string(lab::choose_port()));
        nodes_.push_back(std::make_unique<RedisProcess>(directory_.path() / ("n" + std::to_string(i)), own));
        direct_.push_back(open_store(secured(store_at("n" + std::to_string(i), scheme() + "://" + nodes_[i]->address()))));
        alive_.push_back(true);
    }
    for (std::size_t i = 0; i < master_count; ++i) {
        redis::Command slots{"CLUSTER", "ADDSLOTSRANGE", std::to_string(i * 16384 / master_count), std::to_string((i + 1) * 16384 / master_count - 1)};
        direct(i).command(slots, soon());
        direct(i).command({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)}, soon());
    }
    const auto info = [&](std::size_t i) { return direct(i).command({"CLUSTER", "INFO"}, soon()).text; };
    for (std::size_t i = 1; i < count; ++i) {
        const std::string bus = direct(i).command({"CONFIG", "GET", "cluster-port"}, soon()).elements.at(1).text;
        direct(0).command({"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes_[i]->port()), bus}, soon());
    }
    const auto all = [&](const auto& what) {
        return wait_until([&] {
            for (std::size_t i = 0; i < count; ++i) {
                if (!what(i)) return false;
            }
            return true;
        });
    };
    bool ready = all([&](std::size_t i) { return info(i).find("cluster_known_nodes:" + std::to_string(count)) != std::string::npos; });
    for (std::size_t i = master_count; ready && i < count; ++i) {
        const std::string master = id(i - master_count);
        ready = wait_until([&] {
            try {
                direct(i).command({"CLUSTER", "REPLICATE", master}, soon());
                return true;
            } catch (const Error&) {
                return false;  // it has not heard of that node yet
            }
        });
    }
    ready = ready && all([&](std::size_t i) { return info(i).find("cluster_state:ok") != std::string::npos; });
    ready = ready && all([&](std::size_t i) {
        return i < master_count || direct(i).command({"INFO", "replication"}, soon()).text.find("master_link_status:up") != std::string::npos;
    });
    // And each knows of the others' replicas: a failover is voted on by masters that know whose replica asks.
    ready = ready && all([&](std::size_t i) {
        const std::string known = direct(i).command({"CLUSTER", "NODES"}, soon()).text;
        std::size_t slaves = 0;
        for (auto at = known.find("slave "); at != std::string::npos; at = known.find("slave ", at + 1)) ++slaves;
        return slaves == count - master_count;
    });
    if (!ready) throw Error(Code::internal, "the cluster did not come up: see " + directory_.path().string());
}

std::string OwnCluster::url() const {
    std::string hosts;
    for (const auto& node : nodes_) hosts += (hosts.empty() ? "" : ",") + node->address();
    return scheme() + "+cluster://" + hosts + "/";
}

StoreConfig OwnCluster::secured(StoreConfig config) const {
    if (!tls_ca_.empty()) config.options["tls_ca"] = tls_ca_;
    return config;
}

void OwnCluster::kill(std::size_t i) {
    nodes_[i]->signal(SIGKILL);
    alive_[i] = false;
}

std::string OwnCluster::id(std::size_t i) { return direct(i).command({"CLUSTER", "MYID"}, soon()).text; }

std::size_t OwnCluster::master_of(std::uint16_t slot) {
    return master_of(slot, static_cast<std::size_t>(std::find(alive_.begin(), alive_.end(), true) - alive_.begin()));
}

std::size_t OwnCluster::master_of(std::uint16_t slot, std::size_t asked) {
    for (const redis::Reply& range : direct(asked).command({"CLUSTER", "SLOTS"}, soon()).elements) {
        if (slot < range.elements[0].integer || slot > range.elements[1].integer) continue;
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (nodes_[i]->port() == range.elements[2].elements[1].integer) return i;
        }
    }
    throw Error(Code::internal, "slot " + std::to_string(slot) + " has no master");
}

void OwnCluster::open_slot(std::uint16_t slot, std::size_t from, std::size_t to) {
    direct(to).command({"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", id(from)}, soon());
    direct(from).command({"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", id(to)}, soon());
}

void OwnCluster::move_keys(std::uint16_t slot, std::size_t from, std::size_t to) {
    while (true) {
        const auto keys = direct(from).command({"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), "100"}, soon()).elements;
        if (keys.empty()) return;
        redis::Command move{"MIGRATE", "127.0.0.1", std::to_string(nodes_[to]->port()), "", "0", "10000", "KEYS"};
        for (const redis::Reply& key : keys) move.push_back(key.text);
        direct(from).command(move, soon());
    }
}

// Each is told, so that none thinks of the slot as open. Nodes that still believe their neighbours would take it back: whoever moves it next has to
// find all of one mind.
void OwnCluster::close_slot(std::uint16_t slot, std::size_t to) {
    const redis::Command tell{"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id(to)};
    direct(to).command(tell, soon());
    std::string refused;
    const auto tell_others = [&](const auto& which) {
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (i == to || !alive_[i] || !which(i)) continue;
            try {
                direct(i).command(tell, soon());
            } catch (const Error& error) {  // a replica is told by its master
                refused = error.message();
            }
        }
    };
    tell_others([](std::size_t) { return true; });
    const auto disagrees = [&](std::size_t i) { return alive_[i] && master_of(slot, i) != to; };
    int rounds = 0;
    const bool agreed = wait_until([&] {
        tell_others(disagrees);
        // A replica, which takes this from nobody, may believe in the old master for its higher epoch, and even talk the new one out of the slot.
        if (++rounds % 50 == 0) {
            direct(to).command({"CLUSTER", "BUMPEPOCH"}, soon());
            direct(to).command(tell, soon());
        }
        for (std::size_t i = 0; i < nodes_.size(); ++i) {
            if (disagrees(i)) return false;
        }
        return true;
    });
    if (!agreed) throw Error(Code::internal, "the nodes do not agree who has slot " + std::to_string(slot) + "; last refused: " + refused + "; " + direct(to).command({"CLUSTER", "NODES"}, soon()).text);
}

std::uint64_t OwnCluster::errors(const std::string& code) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        if (!alive_[i]) continue;
        const std::string stats = direct(i).command({"INFO", "errorstats"}, soon()).text;
        const std::string name = "errorstat_" + code + ":count=";
        if (const auto found = stats.find(name); found != std::string::npos) count += std::strtoull(stats.c_str() + found + name.size(), nullptr, 10);
    }
    return count;
}

}  // namespace ysdb::test
