#include "core/store/redis/lanes.h"

#include <algorithm>
#include <charconv>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/store/redis/errors.h"

namespace ysdb::redis {

namespace {

constexpr std::size_t lanes_a_master = 16;

// Where the number at `at` ends, and what it is; behind it is "\r\n".
std::size_t number_at(std::string_view bytes, std::size_t& at) {
    std::size_t number = 0;
    const auto end = std::from_chars(bytes.data() + at, bytes.data() + bytes.size(), number).ptr;
    at = static_cast<std::size_t>(end - bytes.data()) + 2;
    return number;
}

}  // namespace

CommandBytes with_asking(const CommandBytes& commands, std::vector<bool>& added) {
    CommandBytes out;
    added.clear();
    const std::string_view bytes = commands.bytes();
    bool within = false;   // a transaction
    for (std::size_t at = 0; at < bytes.size();) {
        const std::size_t from = at;
        std::string_view name;
        ++at;  // '*'
        for (std::size_t words = number_at(bytes, at); words > 0; --words) {
            ++at;  // '$'
            const std::size_t size = number_at(bytes, at);
            if (name.empty()) name = bytes.substr(at, size);
            at += size + 2;
        }
        if (!within) {
            out.add("ASKING");
            added.push_back(true);
        }
        out.append_command(bytes.substr(from, at - from));
        added.push_back(false);
        if (name == "MULTI") within = true;
        if (name == "EXEC") within = false;
    }
    return out;
}

std::vector<Reply> without_asking(std::vector<Reply> replies, const std::vector<bool>& added) {
    std::vector<Reply> own;
    for (std::size_t i = 0; i < replies.size(); ++i) {
        if (i >= added.size() || !added[i]) own.push_back(std::move(replies[i]));
    }
    return own;
}

// What all tasks of one run() share.
struct Lanes::Round {
    const std::string& what;
    Deadline deadline;
    std::shared_ptr<const SlotMap> map;
    std::size_t left = 0;                 // tasks
    std::vector<Waiting> later = {};      // not before they are due
    std::optional<Error> reason = {};     // why the last one waits

    void put_off(Waiting waiting, Millis pause, Error why) {
        waiting.due = SteadyClock::now() + pause;
        later.push_back(std::move(waiting));
        reason = std::move(why);
    }
};

void Lanes::run(std::span<const Task> tasks, const std::string& what, Deadline deadline) {
    try {
        Round round{what, deadline, cluster_.map(deadline), tasks.size()};
        for (const Task& task : tasks) place(round, {&task, {}, 0, {}});
        while (round.left > 0) {
            for (std::size_t i = 0; i < nodes_.size(); ++i) begin_next(round, *nodes_[i]);
            bool busy = false;
            for (std::size_t i = 0; i < nodes_.size(); ++i) {
                for (Lane& lane : nodes_[i]->lanes) {
                    if (!lane.talk) continue;
                    busy = true;
                    advance(round, *nodes_[i], lane);
                }
            }
            if (round.later.empty()) continue;
            if (deadline.left() <= Cluster::pause) throw *round.reason;
            const auto now = SteadyClock::now();
            const auto first_due = std::partition(round.later.begin(), round.later.end(), [&](const Waiting& waiting) { return waiting.due > now; });
            std::vector<Waiting> due(std::make_move_iterator(first_due), std::make_move_iterator(round.later.end()));
            round.later.erase(first_due, round.later.end());
            if (!due.empty()) {
                round.map = cluster_.map(deadline);
                for (Waiting& waiting : due) place(round, std::move(waiting));
            } else if (!busy) {
                std::this_thread::sleep_until(std::min_element(round.later.begin(), round.later.end(), [](const Waiting& a, const Waiting& b) { return a.due < b.due; })->due);
            }
        }
    } catch (...) {
        nodes_.clear();  // answers may be under way, and keys watched
        throw;
    }
}

Lanes::Node& Lanes::node_at(const Endpoint& at) {
    for (const auto& node : nodes_) {
        if (node->at == at) return *node;
    }
    nodes_.push_back(std::make_unique<Node>());
    nodes_.back()->at = at;
    nodes_.back()->lanes.reserve(lanes_a_master);
    return *nodes_.back();
}

void Lanes::place(Round& round, Waiting waiting) {
    const Endpoint* at = waiting.ask.port != 0 ? &waiting.ask : round.map->master_of(waiting.task->slot);
    if (at == nullptr) {
        cluster_.doubt(std::nullopt);
        return round.put_off(std::move(waiting), Cluster::pause,
                             Error(Code::connect, "store '" + store_.name() + "': " + round.what + ": slot " + std::to_string(waiting.task->slot) + " has no master", "redis-cli --cluster check").with_retryable());
    }
    Node& node = node_at(*at);
    node.queue.push_back(std::move(waiting));
}

void Lanes::begin_next(Round& round, Node& node) {
    for (std::size_t i = 0; !node.queue.empty() && i < lanes_a_master; ++i) {
        if (i == node.lanes.size()) node.lanes.emplace_back();
        if (!node.lanes[i].talk && !begin_on(round, node, node.lanes[i])) return;
    }
}

// False: the node cannot be reached, and nothing waits for it any longer.
bool Lanes::begin_on(Round& round, Node& node, Lane& lane) {
    if (lane.connection && !lane.connection->reusable()) {
        cluster_.doubt(node.at);
        if (node.used) lost(node, "the connection broke");
        lane.connection.reset();
    }
    if (!lane.connection) {
        try {
            lane.connection = cluster_.connect(node.at, round.deadline);
        } catch (const Error& error) {
            if (!error.retryable()) throw;
            for (Waiting& waiting : node.queue) {
                waiting.ask = {};
                round.put_off(std::move(waiting), Cluster::pause, error);
            }
            node.queue.clear();
            return false;
        }
    }
    lane.of = std::move(node.queue.front());
    node.queue.pop_front();
    ++lane.of.attempts;
    node.used = true;
    lane.talk.emplace(lane.of.task->begin());
    send(lane);
    return true;
}

void Lanes::send(Lane& lane) {
    if (lane.of.ask.port != 0) lane.connection->start(with_asking(lane.talk->commands(), lane.added), lane.talk->doing());
    else lane.connection->start(lane.talk->commands(), lane.talk->doing());
}

void Lanes::advance(Round& round, Node& node, Lane& lane) {
    std::vector<Reply> replies;
    try {
        replies = lane.connection->finish(round.deadline);
    } catch (...) {
        cluster_.doubt(node.at);
        throw;
    }
    if (lane.of.ask.port != 0) replies = without_asking(std::move(replies), lane.added);
    if (turned_away(round, node, lane, replies)) {
        lane.talk.reset();
    } else {
        lane.talk->answer(std::move(replies));
        if (!lane.talk->over()) return send(lane);
        const bool done = lane.talk->done();
        lane.talk.reset();
        if (done) {
            --round.left;
        } else {
            Waiting again = std::move(lane.of);
            again.ask = {};
            const Millis pause = again.attempts < 2 ? Millis(0) : std::min(Millis(1 << std::min(again.attempts, 6)), Cluster::pause);
            round.put_off(std::move(again), pause,
                          Error(Code::connect, "store '" + store_.name() + "': " + round.what + ": other writers kept changing the same keys", "does another sync write them, too?").with_retryable());
        }
    }
    if (!node.queue.empty()) begin_on(round, node, lane);
}

bool Lanes::turned_away(Round& round, Node& node, Lane& lane, const std::vector<Reply>& replies) {
    for (const Reply& reply : replies) {
        if (!reply.is_error()) continue;
        const auto to = parse_redirection(reply.text, node.at);
        if (!to && !means_another_time(reply.text)) continue;
        Waiting again = std::move(lane.of);
        again.ask = {};
        // From one server to the other quickly, but not for ever.
        Millis pause = again.attempts < 5 ? Millis(0) : Cluster::pause;
        if (!to) pause = reply.text.starts_with("TRYAGAIN") ? Millis(5) : Cluster::pause;
        if (to && to->ask) again.ask = to->to;
        if (to && !to->ask) {
            cluster_.moved(*to, round.map->number);
            for (Waiting& waiting : node.queue) round.later.push_back(std::move(waiting));   // it may not be the only slot
            node.queue.clear();
        }
        if (!to && !reply.text.starts_with("TRYAGAIN")) cluster_.doubt(std::nullopt);
        const std::string where = "store '" + store_.name() + "': " + round.what + " in slot " + std::to_string(again.task->slot) + " on " + node.at.text() + ": " + reply.text;
        round.put_off(std::move(again), pause, Error(Code::connect, where, "while a slot is moved to another server its rows wait; if none is: redis-cli --cluster check").with_retryable());
        return true;
    }
    return false;
}

void Lanes::lost(const Node& node, const std::string& what) const {
    throw Error(Code::connect, "store '" + store_.name() + "': " + what + " before a replica had its rows (" + node.at.text() + ")", "they are told again").with_retryable();
}

// Writes something into one of the node's slots, and asks what the node is. Another slot each time: one may be on its way.
Lanes::Lane& Lanes::mark(Node& node, const SlotMap& map) {
    const auto lane = std::find_if(node.lanes.begin(), node.lanes.end(), [](const Lane& each) { return each.connection && each.connection->reusable(); });
    if (lane == node.lanes.end()) lost(node, "the connection broke");
    const auto index = std::find(map.masters.begin(), map.masters.end(), node.at) - map.masters.begin();
    std::size_t slot = ++settled_ * 7919 % slot_count, passed = 0;
    for (; map.owners[slot] != index && passed < slot_count; ++passed) slot = (slot + 1) % slot_count;
    if (passed == slot_count) lost(node, "the server gave up its last slot");
    CommandBytes mark;
    mark.add("SET", "ysdb:settled:{" + slot_tag(static_cast<std::uint16_t>(slot)) + "}", "", "PX", "60000");
    mark.add("ROLE");
    lane->connection->start(mark, "mark what is written");
    return *lane;
}

// Any write makes WAIT wait for all that the server has written until then, over whichever connection.
void Lanes::settle(Deadline deadline) {
    std::vector<Node*> used;
    for (const auto& node : nodes_) {
        if (node->used) used.push_back(node.get());
    }
    try {
        std::vector<std::pair<Node*, Lane*>> waited;
        for (std::vector<Node*> left = used; !left.empty();) {
            const auto map = cluster_.map(deadline);
            std::vector<std::pair<Node*, Lane*>> marked;
            for (Node* const node : left) marked.emplace_back(node, &mark(*node, *map));
            left.clear();
            for (const auto& [node, lane] : marked) {
                const auto replies = lane->connection->finish(deadline);
                const Reply &written = replies[0], &role = replies[1];
                store_.check("mark what is written", role);
                if (role.elements.size() < 3 || role.elements[0].text != "master") lost(*node, "the server became another's replica");
                const auto to = parse_redirection(written.text, node->at);
                if (to || means_another_time(written.text)) {   // of that slot alone, where the server is still a master
                    if (deadline.left() <= Cluster::pause) lost(*node, "no slot of the server took a mark (" + written.text + ")");
                    if (to && !to->ask) cluster_.moved(*to, map->number);
                    if (!to) std::this_thread::sleep_for(Cluster::pause);
                    left.push_back(node);
                    continue;
                }
                store_.check("mark what is written", written);
                if (role.elements[2].elements.empty()) continue;   // it has no replica
                CommandBytes ask;
                ask.add("WAIT", "1", std::to_string(std::max(Millis(1), deadline.left() * 3 / 4).count()));   // so that its answer comes in time
                lane->connection->start(ask, "WAIT");
                waited.emplace_back(node, lane);
            }
        }
        for (const auto& [node, lane] : waited) {
            const Reply reply = std::move(lane->connection->finish(deadline).front());
            if (reply.is_error()) lost(*node, "the server ended the wait (" + reply.text + ")");
            if (reply.integer == 0) {
                throw Error(Code::connect, "store '" + store_.name() + "': no replica took the rows in time (" + node->at.text() + ")", "are the master's replicas running and in reach?").with_retryable();
            }
        }
        for (Node* const node : used) node->used = false;
    } catch (...) {
        for (const Node* const node : used) cluster_.doubt(node->at);
        nodes_.clear();
        throw;
    }
}

}  // namespace ysdb::redis
