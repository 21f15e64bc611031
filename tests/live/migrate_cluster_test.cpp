// needs: cluster
// Statements ON CLUSTER on a real cluster, which the lab has not: YSDB_TEST_CLUSTER_URL=clickhouse://host:8123/default names one of its hosts,
// YSDB_TEST_CLUSTER what system.clusters calls it (default: default). Makes and drops databases named t_<pid>_<n> there.
#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/live/support.h"
#include "tests/temp_dir.h"

#include "core/base/file.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr int killed = 128 + 9;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Deadline soon() { return Deadline::after(Millis(120'000)); }

// A database on every host, and a project over it whose history is in it, too.
class ClusterProject {
public:
    ClusterProject() : database_(unique_name()) {
        const char* named = std::getenv("YSDB_TEST_CLUSTER");
        cluster_ = named == nullptr ? "default" : named;
        config_ = store_config("cluster");
        store_ = open_store(config_);
        run("CREATE DATABASE " + database_ + on());
        const std::string base = config_.url.substr(0, config_.url.rfind('/') + 1);
        std::filesystem::create_directory(directory_.path() / "migrations");
        write_file_atomically(directory_.path() / "ysdb.toml", "[stores.analytics]\nurl = \"" + base + database_ + "\"\n[migrate]\nstore = \"analytics\"\n");
    }
    ~ClusterProject() {
        try {
            run("DROP DATABASE IF EXISTS " + database_ + on() + " SYNC");
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s: %s\n", database_.c_str(), error.what());
        }
    }
    ClusterProject(const ClusterProject&) = delete;
    ClusterProject& operator=(const ClusterProject&) = delete;

    std::string on() const { return " ON CLUSTER '" + cluster_ + "'"; }
    const std::string& database() const { return database_; }
    void file(const std::string& name, const std::string& text) const { write_file_atomically(directory_.path() / "migrations" / name, text); }
    CommandResult ysdb(std::vector<std::string> arguments, const std::string& fault = {}) const {
        arguments.insert(arguments.begin(), "migrate");
        std::map<std::string, std::string> environment{{"XDG_CONFIG_HOME", "/nonexistent"}};
        if (!fault.empty()) environment["YSDB_FAULT"] = fault;
        return run_ysdb(std::move(arguments), std::move(environment), directory_.string());
    }
    std::string run(const std::string& sql) const {
        const SqlResult result = store_->sql()->query(sql, soon());
        return result.cells.empty() ? "" : result.cells[0].value_or("NULL");
    }
    int hosts() const { return std::stoi(run("SELECT count() FROM clusterAllReplicas('" + cluster_ + "', system.one)")); }
    int hosts_with(const std::string& table) const {
        return std::stoi(run("SELECT count() FROM clusterAllReplicas('" + cluster_ + "', system.tables) WHERE database = '" + database_ + "' AND name = '" + table + "'"));
    }

private:
    TempDir directory_;
    std::string database_, cluster_;
    StoreConfig config_;
    std::unique_ptr<Store> store_;
};

}  // namespace

TEST_CASE("what a file does ON CLUSTER is done on every host when up ends") {
    const ClusterProject project;
    project.file("0001_a.sql", "CREATE TABLE a" + project.on() + " (x Int32) ENGINE = MergeTree ORDER BY x;\nALTER TABLE a" + project.on() + " ADD COLUMN y Int32;\n"
                                   "ALTER TABLE a" + project.on() + " UPDATE y = 1 WHERE 1;\nDROP TABLE a" + project.on() + " SYNC;\nCREATE TABLE b" + project.on() + " (x Int32) ENGINE = Memory;");
    const CommandResult up = project.ysdb({"up"});
    CAPTURE(up.err);
    CHECK(up.exit_code == 0);
    CHECK(project.hosts_with("a") == 0);
    CHECK(project.hosts_with("b") == project.hosts());
}

TEST_CASE("a statement that some hosts refuse names them, and goes on once they can") {
    const ClusterProject project;
    if (project.hosts() < 2) return;
    project.run("CREATE TABLE " + project.database() + ".a (x Int32) ENGINE = Memory");  // on the one host that is asked
    project.file("0001_a.sql", "CREATE TABLE a" + project.on() + " (x Int32) ENGINE = MergeTree ORDER BY x;");
    const CommandResult refused = project.ysdb({"up"});
    CAPTURE(refused.err);
    CHECK(refused.exit_code == 8);
    CHECK(has(refused.err, "failed: Code: 57"));
    CHECK(project.hosts_with("a") == project.hosts());
    CHECK(project.ysdb({"up"}).exit_code == 5);  // now everywhere: still no reason to take it for this file's
    project.run("DROP TABLE " + project.database() + ".a" + project.on() + " SYNC");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.run("SELECT engine FROM system.tables WHERE database = '" + project.database() + "' AND name = 'a'") == "MergeTree");
}

TEST_CASE("a statement ON CLUSTER whose run was killed is found in the cluster's queue, and is not run a second time") {
    for (const char* point : {"plan.run.before", "plan.run.after"}) {
        CAPTURE(point);
        const ClusterProject project;
        project.file("0001_a.sql", "CREATE TABLE a" + project.on() + " (x Int32) ENGINE = MergeTree ORDER BY x;\nALTER TABLE a" + project.on() + " MODIFY SETTING merge_with_ttl_timeout = 7200;");
        REQUIRE(project.ysdb({"up"}, std::string(point) + ":2").exit_code == killed);
        project.run("DROP TABLE IF EXISTS ysdb.`lock migrate " + project.database() + "`");
        const CommandResult next = project.ysdb({"up"});
        CAPTURE(next.err);
        CHECK(next.exit_code == 0);
    }
}
