#include "core/store/redis/command_key.h"

#include <algorithm>
#include <string>

#include "core/base/text.h"

namespace ysdb::redis {

namespace {

template <class... Words>
bool one_of(std::string_view word, Words... words) {
    return ((word == words) || ...);
}

bool has_none(std::string_view name) {
    return one_of(name, "PING", "ECHO", "INFO", "CONFIG", "CLUSTER", "SCAN", "TIME", "DBSIZE", "KEYS", "CLIENT", "COMMAND", "ROLE", "WAIT", "WAITAOF", "ACL", "LATENCY", "SLOWLOG",
                  "PUBLISH", "PUBSUB", "SUBSCRIBE", "PSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SELECT", "AUTH", "HELLO", "RANDOMKEY", "SAVE", "BGSAVE", "BGREWRITEAOF", "LASTSAVE",
                  "READONLY", "READWRITE", "ASKING", "MULTI", "EXEC", "DISCARD", "UNWATCH", "SCRIPT", "FUNCTION", "MODULE", "QUIT", "RESET", "LOLWUT", "REPLICAOF", "FAILOVER");
}

}  // namespace

std::optional<std::string_view> command_key(const Command& command) {
    if (command.empty()) return std::nullopt;
    const std::string name = upper(command[0]);
    std::size_t at = 1;
    if (has_none(name)) return std::nullopt;
    if (one_of(name, "OBJECT", "XINFO", "XGROUP", "BITOP", "MEMORY", "ZUNION", "ZINTER", "ZDIFF", "ZINTERCARD", "SINTERCARD", "LMPOP", "ZMPOP")) at = 2;
    if (one_of(name, "EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO", "BLMPOP", "BZMPOP")) at = 3;
    if (one_of(name, "XREAD", "XREADGROUP")) {
        const auto streams = std::find_if(command.begin(), command.end(), [](const std::string& word) { return upper(word) == "STREAMS"; });
        at = static_cast<std::size_t>(streams - command.begin()) + 1;
    }
    if (at >= command.size()) return std::nullopt;
    return command[at];
}

}  // namespace ysdb::redis
