// PostgreSQL: Debian's, or the one from `ysdb lab fetch postgres-N`.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/lab/directory.h"
#include "core/lab/pins.h"
#include "core/lab/processes.h"
#include "core/lab/recipe.h"
#include "core/lab/render.h"
#include "core/lab/state.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

constexpr int oldest_major = 15;
// Not "ysdb": a role of that name would see the schema ysdb as its own and create tables there.
constexpr std::string_view superuser = "lab";

fs::path data_dir(const Site& site) { return site.home("postgres") / "data"; }
fs::path password_file(const Site& site) { return site.home("postgres") / "password"; }
std::string program(const Server& server, const char* name) { return server.install + "/bin/" + name; }

std::string version_of(const fs::path& install) {
    SpawnOptions options;
    options.argv = {(install / "bin/postgres").string(), "--version"};
    const auto words = split(trim(run_command(options, Deadline::after(Millis(10'000))).out), ' ');
    return words.size() < 3 ? "" : words[2];  // "postgres (PostgreSQL) 15.18 (Debian ...)"
}

bool complete(const fs::path& install) { return fs::exists(install / "bin/postgres") && fs::exists(install / "bin/initdb"); }

// The major that an existing cluster was made with; 0 when there is none.
int cluster_major(const Site& site) {
    const fs::path file = data_dir(site) / "PG_VERSION";
    return fs::exists(file) ? std::stoi(read_file(file)) : 0;
}

fs::path from_debian(const Site&, int major) { return fmt::format("/usr/lib/postgresql/{}", major); }

bool is_pinned(int major) {
    return std::any_of(pins().begin(), pins().end(), [&](const Pin& each) { return each.name == fmt::format("postgres-{}", major); });
}

fs::path from_fetch(const Site& site, int major) {
    return is_pinned(major) ? find_fetched(fmt::format("postgres-{}", major), site.cache).value_or(fs::path()) : fs::path();
}

Installation find(const Site& site) {
    const int existing = cluster_major(site);
    const int wanted = existing != 0 ? existing : site.postgres_major;
    std::vector<int> majors{wanted};
    if (wanted == 0) majors = {20, 19, 18, 17, 16, 15};
    // Debian's first, newest first; then the fetched ones.
    for (const auto place : {from_debian, from_fetch}) {
        for (const int major : majors) {
            const fs::path install = place(site, major);
            if (complete(install)) return {version_of(install), install.string()};
        }
    }
    if (wanted == 0) {
        throw Error(Code::refused, fmt::format("no PostgreSQL {} or later on this machine", oldest_major),
                    "apt-get install postgresql (its binaries are enough), or: ysdb lab fetch postgres-17");
    }
    throw Error(Code::refused, fmt::format("no PostgreSQL {} on this machine", wanted),
                is_pinned(wanted) ? fmt::format("ysdb lab fetch postgres-{}", wanted) : fmt::format("apt-get install postgresql-{}, where the distribution has it", wanted));
}

SpawnOptions as_owner(const Site& site, std::vector<std::string> argv) {
    SpawnOptions options;
    options.argv = std::move(argv);
    options.cwd = site.home("postgres").string();
    options.env = {{"LC_ALL", "C"}, {"TZ", "UTC"}};
    if (site.owner) {
        options.uid = site.owner->uid;
        options.gid = site.owner->gid;
    }
    return options;
}

void run_sql_before_start(const Site& site, const Server& server, const fs::path& data, const std::string& statements) {
    run_setup(site, as_owner(site, {program(server, "postgres"), "--single", "-D", data.string(), "postgres"}), Millis(60'000), statements);
}

// Whoever runs on this cluster: the postmaster, or children of a killed one. Their titles have overwritten the lab's mark.
std::vector<ProcessId> on_cluster(const Site& site, const Server& server) { return processes_in(program(server, "postgres"), data_dir(site)); }

// A living postmaster that the lab has no record of was started by somebody else.
bool is_strange(const std::vector<ProcessId>& found, const fs::path& postmaster_file) {
    if (!fs::exists(postmaster_file)) return false;
    const std::string postmaster = split(read_file(postmaster_file), '\n')[0];
    return std::any_of(found.begin(), found.end(), [&](const ProcessId& id) { return std::to_string(id.pid) == postmaster; });
}

std::vector<ProcessId> workers(const Site& site, const Server& server) {
    const std::vector<ProcessId> found = on_cluster(site, server);
    return is_strange(found, data_dir(site) / "postmaster.pid") ? std::vector<ProcessId>{} : found;
}

// Children of a killed postmaster hold its shared memory until they notice; and while nobody has reaped it (many containers have no
// init) PostgreSQL takes its pid for a living one and refuses to start.
void clear_after_kill(const Site& site, const Server& server) {
    const fs::path postmaster_file = data_dir(site) / "postmaster.pid";
    const std::vector<ProcessId> found = on_cluster(site, server);
    if (is_strange(found, postmaster_file)) return;  // PostgreSQL says so itself
    end_processes(found);
    fs::remove(postmaster_file);
    for (const auto& entry : fs::directory_iterator(site.home("postgres"))) {
        if (entry.path().filename().string().starts_with(".s.PGSQL.")) fs::remove(entry.path());
    }
}

// A new cluster is a copy of one that initdb made once for this version and kept in the cache: 0.1 s instead of 3.
void make_cluster(const Site& site, const Server& server) {
    const fs::path fresh = site.home("postgres") / "data.new";
    fs::remove_all(fresh);
    const std::string origin = sha256_hex(fmt::format("{} {} {}", server.install, server.version, superuser)).substr(0, 12);
    const fs::path kept = site.cache / "clusters" / fmt::format("postgres-{}-{}", server.version, origin);
    if (fs::exists(kept)) {
        fs::copy(kept, fresh, fs::copy_options::recursive);
        fs::permissions(fresh, fs::perms::owner_all);
        give_to_owner(site, fresh);
    } else {
        // No password yet: pg_hba.conf is replaced before anybody can connect.
        run_setup(site, as_owner(site, {program(server, "initdb"), "-D", fresh.string(), "-U", std::string(superuser), "-A", "trust",
                                        "--no-locale", "-E", "UTF8", "--no-sync"}), Millis(120'000));
        run_sql_before_start(site, server, fresh, fmt::format("CREATE DATABASE {};\n", superuser));
        const fs::path draft = kept.string() + "." + random_hex(4);
        fs::create_directories(draft.parent_path());
        fs::copy(fresh, draft, fs::copy_options::recursive);
        std::error_code somebody_was_faster;
        fs::rename(draft, kept, somebody_was_faster);
        if (somebody_was_faster) fs::remove_all(draft);
    }
    run_sql_before_start(site, server, fresh, fmt::format("ALTER ROLE {} PASSWORD '{}';\n", superuser, ensure_password(password_file(site))));
    fs::rename(fresh, data_dir(site));
}

// A socket's path is limited to 107 bytes: a lab in a very deep directory is reached by TCP alone.
std::string socket_directory(const Site& site) {
    const std::string home = site.home("postgres").string();
    return home.size() + std::string_view("/.s.PGSQL.65535.lock").size() <= 107 ? home : "";
}

void prepare(const Site& site, const Server& server) {
    const fs::path home = site.home("postgres");
    fs::create_directories(home);
    fs::permissions(home, site.owner ? fs::perms(0711) : fs::perms(0700));
    clear_after_kill(site, server);
    if (site.owner && chown(home.c_str(), site.owner->uid, site.owner->gid) != 0) {
        throw Error(Code::refused, fmt::format("cannot hand '{}' to user {}", home.string(), site.owner->uid));
    }
    if (!fs::exists(data_dir(site))) make_cluster(site, server);
    const std::map<std::string, std::string> values{{"port", std::to_string(server.port())}, {"sockets", socket_directory(site)}};
    for (const char* name : {"postgresql.conf", "pg_hba.conf"}) {
        const fs::path target = data_dir(site) / name;
        render_file(std::string("postgres/") + name, values, target, 0600);
        give_to_owner(site, target);
    }
}

SpawnOptions command(const Site& site, const Server& server) {
    return as_owner(site, {program(server, "postgres"), "-D", data_dir(site).string()});
}

// What pg_ctl -w looks at: line 1 is the pid, line 8 the state.
bool ready(const Site& site, const Server& server) {
    const fs::path file = data_dir(site) / "postmaster.pid";
    if (!fs::exists(file)) return false;
    const auto lines = split(read_file(file), '\n');
    return lines.size() >= 8 && lines[0] == std::to_string(server.process.pid) && trim(lines[7]) == "ready";
}

LabStore address(const Site& site, const Server& server) {
    return {"main", fmt::format("postgres://{0}@127.0.0.1:{1}/{0}", superuser, server.port()), std::string(trim(read_file(password_file(site)))),
            password_file(site)};
}

}  // namespace

Recipe postgres_recipe() {
    Recipe recipe{"postgres", "PostgreSQL", "main", {"sql"}, find, prepare, command, ready, address};
    recipe.workers = workers;
    recipe.stop_signal = SIGINT;  // "fast": sessions are ended, the cluster is shut down cleanly
    return recipe;
}

}  // namespace ysdb::lab
