// Which master serves which slot of a Redis Cluster, and what the servers say when somebody asks the wrong one. Values; no network.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/url.h"
#include "core/store/redis/redis.h"
#include "core/store/redis/slots.h"

namespace ysdb::redis {

struct SlotMap {
    std::vector<Endpoint> masters;    // those that serve slots, each once
    std::vector<Endpoint> replicas;
    std::array<std::uint16_t, slot_count> owners;   // index into masters, or nobody
    std::size_t served = 0;           // slots that have one
    std::uint64_t number = 0;         // of maps of one store: a later one is higher

    static constexpr std::uint16_t nobody = 0xffff;
    SlotMap() { owners.fill(nobody); }
    // Null: nobody serves it now.
    const Endpoint* master_of(std::uint16_t slot) const { return owners[slot] == nobody ? nullptr : &masters[owners[slot]]; }
};

// The answer to CLUSTER SLOTS. A server that does not know its own address, or is told not to announce it, is where `asked` is, at the port
// it names; one whose name is not known ("?") is taken by its address, if that is told beside it. Throws Error(connect) for anything else.
SlotMap parse_slots(const Reply& reply, const Endpoint& asked);

// "MOVED 3999 127.0.0.1:6381": the slot is served there from now on. "ASK ...": this one command, after ASKING.
struct Redirection {
    bool ask = false;
    std::uint16_t slot = 0;
    Endpoint to;
};
// Nothing for any other answer, and for a place that is no address. `from` answered: an empty host means its own.
std::optional<Redirection> parse_redirection(std::string_view reply, const Endpoint& from);

// The slots that a server says are on their way to or from it, as CLUSTER NODES writes them in its own line ("[93->-...]"); 0 to 16383 in
// order.
std::vector<std::uint16_t> open_slots(std::string_view cluster_nodes);

}  // namespace ysdb::redis
