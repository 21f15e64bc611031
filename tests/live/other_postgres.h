// A second PostgreSQL beside a lab's: a standby of it, a backup, or one of its own.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "core/base/process.h"
#include "core/lab/directory.h"
#include "core/lab/ports.h"
#include "core/lab/processes.h"
#include "core/lab/state.h"
#include "core/store/store.h"
#include "tests/live/servers.h"

namespace ysdb::test {

// The same URL with 127.0.0.1 at these ports for its host; several: whichever takes writes.
inline std::string with_ports(const std::string& url, const std::vector<int>& ports) {
    const auto at = url.rfind('@'), slash = url.rfind('/');
    std::string hosts;
    for (const int port : ports) hosts += (hosts.empty() ? "" : ",") + ("127.0.0.1:" + std::to_string(port));
    return url.substr(0, at + 1) + hosts + url.substr(slash) + (ports.size() > 1 ? "?target_session_attrs=read-write" : "");
}

inline int port_in(const std::string& url) { return std::stoi(url.substr(url.rfind(':') + 1)); }

// A PostgreSQL that is asked by a new connection each time.
struct Server {
    std::string url;
    SqlResult ask(const std::string& sql) const { return open_store(store_at("main", url))->sql()->query(sql, Deadline::after(Millis(60'000))); }
    bool truth(const std::string& sql) const { return ask(sql).row(0).truth(0); }
    bool answers() const {
        try {
            ask("SELECT 1");
            return true;
        } catch (const Error&) {
            return false;
        }
    }
};

// A PostgreSQL beside the lab's, with the lab's programs and its users.
class OtherPostgres {
public:
    // `root`: a directory with a lab in lab/, of which PostgreSQL is up.
    OtherPostgres(const std::string& root, const std::string& name)
        : root_(root), directory_(root + "/" + name), programs_(lab::load_state(std::filesystem::canonical(root + "/lab"))->servers.at("postgres").install + "/bin/"),
          owner_(lab::server_owner(directory_)), port_(lab::choose_port()) {
        std::filesystem::create_directories(directory_);
        if (owner_) REQUIRE(chown(directory_.c_str(), owner_->uid, owner_->gid) == 0);
    }
    ~OtherPostgres() { kill(); }
    OtherPostgres(const OtherPostgres&) = delete;
    OtherPostgres& operator=(const OtherPostgres&) = delete;

    // Majors that were fetched have only the server's own programs.
    bool has(const std::string& program) const { return std::filesystem::exists(programs_ + program); }

    // A copy of the lab's server, whose url this is: a standby of it, or what an archive keeps.
    void copy(const std::string& url, bool standby) const {
        if (!has("pg_basebackup")) {
            const std::string password = url.substr(0, url.rfind('@')).substr(url.rfind(':', url.rfind('@')) + 1);
            return copy_files(store_at("main", url), standby ? "host=127.0.0.1 port=" + std::to_string(port_in(url)) + " user=lab password=" + password : "");
        }
        std::vector<std::string> arguments{"-d", url, "-D", data(), "-X", "stream", "-c", "fast", "--no-sync"};
        if (standby) arguments.push_back("-R");
        run("pg_basebackup", arguments);
    }
    // The same for majors that come without pg_basebackup: by the backup functions. `conninfo` of the server it is to be a standby of; empty: of none.
    void copy_files(const StoreConfig& server, const std::string& conninfo) const {
        const std::string files = root_ + "/lab/postgres/data";
        const auto soon = [] { return Deadline::after(Millis(60'000)); };
        const auto session = open_store(server)->sql()->open_session("backup", soon());
        session->query("SELECT pg_backup_start('standby', true)", soon());
        run_command({.argv = {"cp", "-a", files, data()}}, soon());   // files that go meanwhile are not missed
        const std::string label = session->query("SELECT labelfile FROM pg_backup_stop(false)", soon()).row(0).text(0);
        for (const char* inner : {"/pg_wal", "/pg_replslot"}) {
            for (const auto& entry : std::filesystem::directory_iterator(data() + inner)) std::filesystem::remove_all(entry.path());
        }
        std::filesystem::remove(data() + "/postmaster.pid");
        own("/backup_label", label);
        if (conninfo.empty()) return;
        own("/standby.signal", "");
        std::ofstream(data() + "/postgresql.auto.conf", std::ios::app) << "primary_conninfo = '" << conninfo << "'\n";
    }
    // In force from the next start on; over everything the files say.
    void set(const std::string& name, const std::string& value) { options_.push_back(name + "=" + value); }
    void make() const { run("initdb", {"-D", data(), "-U", "lab", "-A", "trust", "--no-sync", "-E", "UTF8", "--no-locale"}); }
    // The backup is brought as far as it goes, then takes part as a primary of a new timeline.
    void restore_to_its_end() const {
        own("/recovery.signal", "");
    }
    void start() {
        SpawnOptions options = as_owner({programs_ + "postgres", "-D", data(), "-c", "port=" + std::to_string(port_), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c",
                                         "restore_command=/bin/false", "-c", "wal_level=logical"});
        for (const std::string& option : options_) options.argv.insert(options.argv.end(), {"-c", option});
        options.output_file = directory_ + "/log";
        process_ = spawn(options);
    }
    void kill() {
        if (process_.pid == 0) return;
        lab::end_processes(lab::processes_in(programs_ + "postgres", data()));
        process_ = {};
    }
    int port() const { return port_; }
    void run(const std::string& program, std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), programs_ + program);
        const CommandResult result = run_command(as_owner(arguments), Deadline::after(Millis(60'000)));
        REQUIRE_MESSAGE(result.exit_code == 0, program << ": " << result.out << result.err);
    }

private:
    std::string data() const { return directory_ + "/data"; }
    void own(const std::string& file, const std::string& content) const {
        std::ofstream(data() + file) << content;
        if (owner_) REQUIRE(chown((data() + file).c_str(), owner_->uid, owner_->gid) == 0);
    }
    SpawnOptions as_owner(std::vector<std::string> argv) const {
        SpawnOptions options;
        options.argv = std::move(argv);
        options.cwd = directory_;
        options.env = {{"LC_ALL", "C"}};
        if (owner_) {
            options.uid = owner_->uid;
            options.gid = owner_->gid;
        }
        return options;
    }
    std::string root_, directory_, programs_;
    std::optional<lab::Owner> owner_;
    std::vector<std::string> options_;
    int port_;
    ProcessId process_;
};

}  // namespace ysdb::test
