#include "core/store/redis/cluster.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "core/base/text.h"
#include "core/store/redis/command_bytes.h"
#include "core/store/redis/command_key.h"
#include "core/store/redis/errors.h"
#include "core/store/redis/info.h"

namespace ysdb::redis {

// --- The map ---

std::shared_ptr<const SlotMap> Cluster::map(Deadline deadline) {
    const auto known = [&]() -> std::shared_ptr<const SlotMap> {
        const std::lock_guard lock(mutex_);
        return doubted_ ? nullptr : map_;
    };
    if (auto map = known()) return map;
    const std::unique_lock asking(asking_, SteadyClock::now() + deadline.left());
    if (!asking) throw Error(Code::connect, "store '" + target_.store + "': the cluster's nodes did not answer in time", "are they running? try: ysdb doctor").with_retryable();
    if (auto map = known()) return map;  // somebody else asked meanwhile
    SlotMap found = ask_for_map(deadline);
    const std::lock_guard lock(mutex_);
    found.number = map_ ? map_->number + 1 : 1;
    map_ = std::make_shared<const SlotMap>(std::move(found));
    doubted_ = false;
    ask_first_.reset();
    return map_;
}

void Cluster::moved(const Redirection& to, std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    if (!map_ || map_->number != number) return;  // a newer one is there
    doubted_ = true;
    ask_first_ = to.to;
}

void Cluster::doubt(const std::optional<Endpoint>& node) {
    if (node) ++generation_;  // what befell one connection may have befallen all: a hanging master answers none of them
    const std::lock_guard lock(mutex_);
    doubted_ = true;
    if (node) ask_last_ = node;
}

std::vector<Endpoint> Cluster::nodes_to_ask() const {
    const std::lock_guard lock(mutex_);
    std::vector<Endpoint> nodes;
    const auto add = [&](const Endpoint& node) {
        if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
    };
    if (ask_first_) add(*ask_first_);
    if (map_) {
        for (const Endpoint& node : map_->masters) add(node);
        for (const Endpoint& node : map_->replicas) add(node);
    }
    for (const Endpoint& node : target_.hosts) add(node);
    if (ask_last_) std::stable_partition(nodes.begin(), nodes.end(), [&](const Endpoint& node) { return node != *ask_last_; });
    return nodes;
}

// Nodes learn of a change one after the other: one that knows of a master for every slot is believed before one that does not.
SlotMap Cluster::ask_for_map(Deadline deadline) {
    const std::vector<Endpoint> nodes = nodes_to_ask();
    std::optional<SlotMap> best;
    std::optional<Error> failure;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        const auto parts = static_cast<Millis::rep>(nodes.size() - i + 1);
        const Deadline limit = Deadline::after(std::min(target_.connect_timeout, deadline.left() / parts));
        try {
            const auto connection = Connection::open(target_, nodes[i], limit);
            const Reply reply = connection->exchange_one({"CLUSTER", "SLOTS"}, limit);
            if (reply.is_error() && reply.text.find("cluster support disabled") != std::string::npos) {
                throw connect_error(target_, nodes[i], "it is no node of a Redis Cluster", "write redis:// in the url for a single server, redis+sentinel:// for a group behind Sentinel", false);
            }
            if (reply.is_error()) throw command_error(target_, "CLUSTER SLOTS", reply.text);
            SlotMap map = parse_slots(reply, nodes[i]);
            if (map.served == slot_count) return map;
            if (!best || map.served > best->served) best = std::move(map);
        } catch (const Error& error) {
            if (!failure || !failure->retryable()) failure = error;  // one that may pass hides one that does not
        }
    }
    if (best && best->served > 0) return std::move(*best);
    if (best) throw Error(Code::connect, "store '" + target_.store + "': the cluster at " + target_.redacted_url + " serves no slot", "is it made yet? redis-cli --cluster create").with_retryable();
    throw *failure;
}

// --- Connections ---

std::unique_ptr<Connection> Cluster::connect(const Endpoint& node, Deadline deadline) {
    try {
        return Connection::open(target_, node, Deadline::after(std::min(deadline.left(), target_.connect_timeout)));
    } catch (...) {
        doubt(node);
        throw;
    }
}

template <class Work>
auto Cluster::until_reached(Deadline deadline, const Work& work) -> decltype(work(SlotMap())) {
    while (true) {
        const auto now = map(deadline);
        try {
            return work(*now);
        } catch (const Error& error) {
            if (!error.retryable() || deadline.left() <= pause) throw;
        }
        std::this_thread::sleep_for(pause);
    }
}

std::unique_ptr<Connection> Cluster::connect_any(Deadline deadline) {
    return until_reached(deadline, [&](const SlotMap& now) { return connect(now.masters[next_++ % now.masters.size()], deadline); });
}

std::vector<std::unique_ptr<Connection>> Cluster::connect_all(Deadline deadline) {
    return until_reached(deadline, [&](const SlotMap& now) {
        std::vector<std::unique_ptr<Connection>> all;
        for (const Endpoint& master : now.masters) all.push_back(connect(master, deadline));
        return all;
    });
}

Cluster::Lease Cluster::lease(const Endpoint& node, Deadline deadline) {
    Pool<Pooled>* pool = nullptr;
    {
        const std::lock_guard lock(mutex_);
        auto& found = pools_[node.text()];
        if (!found) {
            found = std::make_unique<Pool<Pooled>>("store '" + target_.store + "' on " + node.text(), pool_config_, [this, node](Deadline limit) {
                const std::uint64_t now = generation_;
                return std::make_unique<Pooled>(Pooled{connect(node, limit), now});
            });
        }
        pool = found.get();
    }
    while (true) {
        auto lease = pool->acquire(deadline);
        if (lease->generation == generation_ && lease->connection->reusable()) return lease;
        lease.discard();
    }
}

// --- Commands ---

struct Cluster::Call {
    std::size_t index;                    // of the command
    std::optional<Endpoint> ask;          // where it was sent by ASK
    std::optional<Error> refused;         // why it waits
};

std::vector<Reply> Cluster::run(std::span<const Command> commands, Deadline deadline) {
    std::vector<Reply> replies(commands.size());
    std::vector<Call> waiting;
    for (std::size_t i = 0; i < commands.size(); ++i) waiting.push_back({i, {}, {}});
    // A slot that moves sends a command from one server to the other: quickly for a few times.
    for (int rounds = 1;; ++rounds) {
        const bool at_once = run_once(commands, waiting, replies, deadline);
        if (waiting.empty()) return replies;
        if (deadline.left() <= pause) break;
        if (!at_once || rounds > 5) std::this_thread::sleep_for(pause);
    }
    for (const Call& call : waiting) {
        if (call.refused) throw *call.refused;  // it was never sent
    }
    return replies;
}

bool Cluster::run_once(std::span<const Command> commands, std::vector<Call>& waiting, std::vector<Reply>& replies, Deadline deadline) {
    const auto now = map(deadline);
    const Endpoint& any = now->masters[next_++ % now->masters.size()];
    // In the order of their names: two threads that need several connections never wait for each other's.
    struct Share {
        Endpoint node;
        std::vector<Call*> calls;
        CommandBytes bytes;
        std::optional<Lease> lease;
    };
    std::map<std::string, Share> shares;
    bool at_once = true;
    std::vector<Call> again;
    for (Call& call : waiting) {
        const auto key = command_key(commands[call.index]);
        const Endpoint* node = call.ask ? &*call.ask : key ? now->master_of(key_slot(*key)) : &any;
        if (node == nullptr) {
            doubt(std::nullopt);
            again.push_back({call.index, {}, command_error(target_, commands[call.index].front(), "CLUSTERDOWN slot " + std::to_string(key_slot(*key)) + " has no master")});
            at_once = false;
            continue;
        }
        Share& share = shares[node->text()];
        share.node = *node;
        share.calls.push_back(&call);
        if (call.ask) share.bytes.add("ASKING");
        const Command& command = commands[call.index];
        share.bytes.begin(command.size());
        for (const std::string& word : command) share.bytes.word(word);
    }
    const std::string doing = commands.size() == 1 ? commands.front().front() : "a pipeline";
    for (auto& [_, share] : shares) {
        try {
            share.lease.emplace(lease(share.node, deadline));
        } catch (const Error& error) {
            if (!error.retryable()) throw;
            for (const Call* call : share.calls) again.push_back({call->index, {}, error});
            at_once = false;
        }
    }
    const auto spoil = [&](const Endpoint& node) {
        doubt(node);
        for (auto& [_, share] : shares) {
            if (share.lease) share.lease->discard();  // answers may be under way
        }
    };
    for (auto& [_, share] : shares) {
        if (!share.lease) continue;
        try {
            (*share.lease)->connection->start(share.bytes, doing);
        } catch (...) {
            spoil(share.node);
            throw;
        }
    }
    for (auto& [_, share] : shares) {
        if (!share.lease) continue;
        std::vector<Reply> answers;
        try {
            answers = (*share.lease)->connection->finish(deadline);
        } catch (...) {
            spoil(share.node);
            throw;
        }
        std::size_t at = 0;
        for (const Call* call : share.calls) {
            if (call->ask) ++at;
            Reply& answer = answers[at++];
            replies[call->index] = std::move(answer);
            const Reply& reply = replies[call->index];
            if (!reply.is_error()) continue;
            if (const auto to = parse_redirection(reply.text, share.node)) {
                if (!to->ask) moved(*to, now->number);
                again.push_back({call->index, to->ask ? std::optional(to->to) : std::nullopt, {}});
            } else if (means_another_time(reply.text)) {
                if (!reply.text.starts_with("TRYAGAIN")) doubt(std::nullopt);
                again.push_back({call->index, {}, {}});
                at_once = false;
            }
        }
    }
    std::sort(again.begin(), again.end(), [](const Call& a, const Call& b) { return a.index < b.index; });
    waiting = std::move(again);
    return at_once;
}

// --- What people see ---

ProbeResult Cluster::probe(Deadline deadline) {
    const auto now = map(deadline);
    const std::vector<Command> questions{{"INFO"}, {"CLUSTER", "INFO"}};
    ProbeResult result;
    std::string state;
    for (const Endpoint& node : now->masters) {
        try {
            auto leased = lease(node, deadline);
            if (state.empty()) {
                const auto answers = leased->connection->exchange(questions, deadline);
                for (std::size_t i = 0; i < answers.size(); ++i) leased->connection->checked(questions[i], answers[i]);
                result = interpret_info(answers[0].text);
                state = info_value(answers[1].text, "cluster_state");
                if (state.empty()) state = "unknown";
            }
            const auto start = SteadyClock::now();
            leased->connection->checked(Command{"PING"}, leased->connection->exchange_one({"PING"}, deadline));
            result.latency_s = std::max(result.latency_s, std::chrono::duration<double>(SteadyClock::now() - start).count());
        } catch (const Error& error) {
            doubt(node);
            if (error.code() != Code::connect || !error.retryable()) throw;
            throw Error(error.code(), error.message(), "a master at the address that the cluster announces: is it running, and can it be reached from here?").with_retryable();
        }
    }
    result.role = "primary";
    result.lag_s.reset();
    result.detail = "cluster, " + std::to_string(now->masters.size()) + (now->masters.size() == 1 ? " master" : " masters") + ", state " + state;
    if (now->served < slot_count) result.detail += ", " + std::to_string(slot_count - now->served) + " slots without a master";
    return result;
}

Cluster::Moves Cluster::moves(Deadline deadline) {
    doubt(std::nullopt);
    Moves moves;
    for (const auto& connection : connect_all(deadline)) {
        const std::vector<Command> questions{{"CLUSTER", "INFO"}, {"CLUSTER", "NODES"}};
        const auto answers = connection->exchange(questions, deadline);
        for (std::size_t i = 0; i < answers.size(); ++i) connection->checked("CLUSTER " + questions[i][1], answers[i]);
        moves.epoch = std::max(moves.epoch, info_value(answers[0].text, "cluster_current_epoch"), [](const std::string& a, const std::string& b) {
            return a.size() != b.size() ? a.size() < b.size() : a < b;
        });
        for (const std::uint16_t slot : open_slots(answers[1].text)) moves.open.push_back(slot);
    }
    return moves;
}

}  // namespace ysdb::redis
