// What every part of the lab knows: where it lives, and what is known of one of its servers. Plain values.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "core/base/process.h"

namespace ysdb::lab {

struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
};

// One lab directory and what its servers may use. Made by main (or a test); nothing here is read from the environment.
struct Site {
    std::filesystem::path dir;       // absolute
    std::filesystem::path cache;     // downloads and the template cluster
    std::string program;             // full path of ysdb itself, for `lab serve-clickhouse`
    std::string id;                  // random, names the lab's processes; set when the state is loaded
    std::optional<Owner> owner;      // as root: the user that runs what refuses root; otherwise empty
    int postgres_major = 0;          // 0: the one at hand

    std::filesystem::path home(const std::string& server) const { return dir / server; }
    std::filesystem::path log_file(const std::string& server) const { return home(server) / "server.log"; }
};

// A server of this lab, as recorded in lab.json.
struct Server {
    std::string name;                    // "postgres"
    std::string version;                 // "15.18"
    std::string install;                 // where its programs are; the recipe knows what it means
    std::map<std::string, int> ports;    // by purpose: {"sql": 23456}
    ProcessId process;                   // pid 0: not running, or not yet known
    bool stopped = true;                 // taken down on purpose; false with no living process means it died
    std::string started_at;              // UTC

    int port() const { return ports.begin()->second; }  // of servers with one port
};

// How clients reach a server of the lab.
struct LabStore {
    std::string name;                         // "main"
    std::string url;                          // without password
    std::string password;                     // empty: none
    std::filesystem::path password_file;      // empty: none
};

}  // namespace ysdb::lab
