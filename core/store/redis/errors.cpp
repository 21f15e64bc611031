#include "core/store/redis/errors.h"

#include <algorithm>

#include "core/base/text.h"

namespace ysdb::redis {

namespace {

std::string_view first_word(std::string_view reply) { return reply.substr(0, reply.find(' ')); }

template <class... Words>
bool one_of(std::string_view word, Words... words) {
    return ((word == words) || ...);
}

std::string where(const Target& target, const Endpoint& endpoint) {
    return target.master.empty() && !target.cluster ? target.redacted_url : target.redacted_url + " (" + endpoint.text() + ")";
}

}  // namespace

Error connect_error(const Target& target, const Endpoint& endpoint, const std::string& reason, std::string hint, bool retryable) {
    if (hint.empty()) hint = "is the server running, and is the url right? try: ysdb doctor";
    return Error(Code::connect, "store '" + target.store + "': cannot connect to " + where(target, endpoint) + ": " + reason, std::move(hint)).with_retryable(retryable);
}

Error login_error(const Target& target, const Endpoint& endpoint, std::string_view reply) {
    const std::string code(first_word(reply));
    const std::string login = "check the user and password_file of [stores." + target.store + "]";
    const auto refused = [&](const std::string& reason, const std::string& hint, bool retryable = false) {
        return connect_error(target, endpoint, reason, hint, retryable).with_server_code(code);
    };
    if (code == "WRONGPASS" || reply.starts_with("ERR invalid password")) return refused("the server refused the user or password", login);
    if (code == "NOAUTH") return refused("the server wants a password", login);
    if (reply.find("without any password configured") != std::string_view::npos) {
        return refused("a password is configured here, but the server has none", "remove password_file of [stores." + target.store + "], or set one on the server");
    }
    if (reply.find("DB index is out of range") != std::string_view::npos || reply.find("not allowed in cluster mode") != std::string_view::npos) {
        return refused("the server has no database " + std::to_string(target.database), "correct the last part of the url");
    }
    if (reply.find("max number of clients") != std::string_view::npos) {
        return refused("the server has no room for another client", "raise maxclients on the server, or lower pool.max here", true);
    }
    if (code == "DENIED") {
        return refused("the server is in protected mode: without a password it takes only local clients", "set a password on the server and password_file here");
    }
    if (one_of(code, "LOADING", "MASTERDOWN", "BUSY")) return refused("the server is not ready: " + lower(code), "wait until it is up, then run the same command again", true);
    return refused("the server refused the login (" + code + ")", login);
}

Error command_error(const Target& target, const std::string& command, const std::string& reply) {
    const std::string code(first_word(reply));
    const std::string text = "store '" + target.store + "': " + command + ": " + reply;
    if (one_of(code, "LOADING", "MASTERDOWN", "BUSY", "TRYAGAIN", "CLUSTERDOWN")) {
        return Error(Code::connect, text, "wait until the server is up, then run the same command again").with_server_code(code).with_retryable();
    }
    if (one_of(code, "NOAUTH", "WRONGPASS")) {
        return Error(Code::connect, text, "check the user and password_file of [stores." + target.store + "]").with_server_code(code);
    }
    std::string hint;
    if (code == "READONLY") hint = "this server is a replica: point the url at the primary, or at the sentinels";
    if (code == "NOPERM") hint = "grant the command and the keys to the user of [stores." + target.store + "]";
    if (code == "OOM") hint = "the server is out of memory: raise maxmemory, or shorten the ttl";
    if (code == "MISCONF") hint = "the server cannot save to its disk and takes no writes: see its log";
    if (one_of(code, "MOVED", "ASK")) {
        if (target.cluster) return Error(Code::connect, text, "its slots are being moved: run the same command again").with_server_code(code).with_retryable();
        hint = "this is a Redis Cluster: write redis+cluster:// in the url";
    }
    if (code == "CROSSSLOT") hint = "the keys of one command lie in one slot: give them the same hash tag, like {7}:a {7}:b";
    return Error(Code::rejected, text, hint).with_server_code(code).with_retryable(code == "READONLY" && (!target.master.empty() || target.cluster));
}

bool means_another_time(std::string_view reply) { return one_of(first_word(reply), "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY"); }

bool means_elsewhere(std::string_view reply) { return one_of(first_word(reply), "READONLY", "LOADING", "MASTERDOWN"); }

}  // namespace ysdb::redis
