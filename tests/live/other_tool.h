// Beside another migration tool: how it is told where the database is, and a run of it that is held up in the middle of a migration.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

#include "core/base/process.h"
#include "tests/live/migrate_project.h"

namespace ysdb::test {

struct Login {
    std::string user, password, address, database;
};

// postgres://user:password@host:port/database
inline Login login_of(const MigrateProject& project) {
    const std::string rest = project.postgres_url().substr(std::string("postgres://").size());
    const auto colon = rest.find(':'), at = rest.rfind('@'), slash = rest.find('/', at);
    return {rest.substr(0, colon), rest.substr(colon + 1, at - colon - 1), rest.substr(at + 1, slash - at - 1), rest.substr(slash + 1, rest.find('?') - slash - 1)};
}

inline CommandResult run_tool(const MigrateProject& project, std::vector<std::string> argv, std::map<std::string, std::string> env = {}) {
    SpawnOptions options;
    options.argv = std::move(argv);
    options.env = std::move(env);
    options.cwd = project.migrations().string();
    return run_command(options, Deadline::after(Millis(120'000)));
}

// A migration that holds this statement waits until open() or the end.
class Barrier {
public:
    static constexpr const char* statement = "SELECT pg_advisory_xact_lock(7)";
    explicit Barrier(const MigrateProject& project) : project_(project), session_(project.main().open_session("barrier", Deadline::after(Millis(20'000)))) {
        session_->query("SELECT pg_advisory_lock(7)", Deadline::after(Millis(20'000)));
    }
    bool somebody_waits() const {
        return wait_until([&] { return project_.pg("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())") == "1"; },
                          Millis(60'000));
    }
    void open() { session_.reset(); }

private:
    const MigrateProject& project_;
    std::unique_ptr<SqlSession> session_;
};

// While a run of the tool is in the middle of a migration, adopt waits for it; afterwards it takes over what that run did.
template <class Run>
void check_that_adopt_waits_for(const MigrateProject& project, const std::string& tool, Run run) {
    Barrier barrier(project);
    CommandResult theirs;
    std::jthread running([&] { theirs = run(); });
    REQUIRE(barrier.somebody_waits());
    const CommandResult locked = project.ysdb({"adopt", "--yes", "--lock-wait", "300ms"});
    barrier.open();
    running.join();
    CHECK(locked.exit_code == 6);
    CHECK(locked.err.find("a run of " + tool + " holds its lock") != std::string::npos);
    CAPTURE(theirs.out);
    CAPTURE(theirs.err);
    REQUIRE(theirs.exit_code == 0);
    const CommandResult done = project.ysdb({"adopt", "--yes"});
    CAPTURE(done.err);
    CHECK(done.exit_code == 0);
}

}  // namespace ysdb::test
