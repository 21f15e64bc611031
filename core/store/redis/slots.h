// Hash slots of a Redis Cluster: which of 16384 a key lies in, and a name that lies in a given one.
//
// CRC16 (XMODEM) of the key, or of what stands between its first '{' and the first '}' after it, if that is something: the hash tag.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ysdb::redis {

inline constexpr std::size_t slot_count = 16384;

std::uint16_t key_slot(std::string_view key);
// A short text of letters and digits that lies in that slot: "ysdb:gone:{" + slot_tag(slot) + "}" + anything lies there, whatever follows.
const std::string& slot_tag(std::uint16_t slot);

}  // namespace ysdb::redis
