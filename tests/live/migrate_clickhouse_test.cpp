// needs: main analytics
// ClickHouse in migrations: mutations that outlive their statement, statements ON CLUSTER, ALTERs that find another one in the way, connections lost at
// every request.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "core/plan/executor.h"
#include "tests/live/cutting_proxy.h"
#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

constexpr int killed = 128 + 9;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

Deadline soon() { return Deadline::after(Millis(20'000)); }

// A table whose UPDATE fails while `gate` is empty.
constexpr const char* gated = "CREATE TABLE t (x Int32) ENGINE = MergeTree ORDER BY tuple();\nCREATE TABLE gate (x Int32) ENGINE = MergeTree ORDER BY tuple();\nINSERT INTO t SELECT 1;";
constexpr const char* through_gate = "ALTER TABLE t UPDATE x = x + 1 + throwIf((SELECT count() FROM gate) = 0, 'the gate is shut') WHERE 1;\nCREATE TABLE behind (x Int32) ENGINE = Memory;";

void drop_lock(const MigrateProject& project) { project.analytics().query("DROP TABLE IF EXISTS ysdb.`lock migrate " + project.ch("SELECT currentDatabase()") + "`", soon()); }

int port_in(const std::string& url) { return std::stoi(url.substr(url.find(':', url.find("//")) + 1)); }  // clickhouse://host:port/database
int http_port(const MigrateProject& project) { return port_in(project.analytics_url()); }

// CANNOT_ASSIGN_ALTER comes from replicas alone, which the lab has not: said in the server's place, by what stands between.
std::string another_alter() { return CuttingProxy::refusal(517, "Metadata on replica is not up to date with common metadata in Zookeeper. You can retry this error. (CANNOT_ASSIGN_ALTER)"); }

}  // namespace

TEST_CASE("a mutation that fails is told with its reason, stays at work, and once its cause is gone the same command goes on behind it") {
    MigrateProject project(MigrateProject::Home::clickhouse);
    project.file("0001_a.sql", gated);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0002_b.sql", through_gate);
    const CommandResult stuck = project.ysdb({"up"});
    CAPTURE(stuck.err);
    CHECK(stuck.exit_code == 8);
    CHECK(has(stuck.err, "migrations/0002_b.sql:1:1"));
    CHECK(has(stuck.err, "the gate is shut"));
    CHECK_FALSE(has(stuck.err, " 0. "));  // the server's stack
    CHECK(has(stuck.err, "ysdb migrate repair 0002 --step 1 --kill-mutation"));
    const CommandResult again = project.ysdb({"up", "--lock-wait", "2s"});
    CAPTURE(again.err);
    CHECK(again.exit_code == 8);
    CHECK(has(again.err, "goes on by itself and fails each time"));
    CHECK(has(again.err, "the gate is shut"));
    project.analytics().query("INSERT INTO gate SELECT 1", soon());
    const CommandResult through = project.ysdb({"up"});
    CAPTURE(through.err);
    CHECK(through.exit_code == 0);
    CHECK(states(project) == "0001:applied 0002:applied");
    CHECK(project.ch("SELECT x FROM t") == "2");
}

TEST_CASE("a mutation that nobody can help is ended on request, and counts as not applied") {
    MigrateProject project;
    const std::string store = "-- migrate:up store:analytics\n";
    project.file("0001_a.sql", store + gated);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.file("0002_b.sql", store + through_gate);
    REQUIRE(project.ysdb({"up"}).exit_code == 8);
    const CommandResult shown = project.ysdb({"repair", "0002", "--step", "1", "--kill-mutation", "--dry-run"});
    CHECK(shown.exit_code == 0);
    CHECK(has(shown.err, "would be ended: mutation_"));
    CHECK(project.ch("SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done") == "1");
    const CommandResult ended = project.ysdb({"repair", "0002", "--step", "1", "--kill-mutation"});
    CAPTURE(ended.err);
    CHECK(ended.exit_code == 0);
    CHECK(has(ended.out, "counts as not applied"));
    CHECK(project.ch("SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done") == "0");
    CHECK(project.ysdb({"repair", "0002", "--step", "1", "--kill-mutation"}).exit_code == 7);
    project.file("0002_b.sql", store + "ALTER TABLE t UPDATE x = 7 WHERE 1;\nCREATE TABLE behind (x Int32) ENGINE = Memory;");
    CHECK(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.ch("SELECT x FROM t") == "7");
    CHECK(project.ysdb({"repair", "0001", "--step", "1", "--kill-mutation"}).exit_code == 7);
    CHECK(project.ysdb({"repair", "0001", "--step", "1"}).exit_code == 2);
}

TEST_CASE("a mutation whose run was killed is followed to its end by the next one, and is not run a second time") {
    for (const std::string statement : {"ALTER TABLE t UPDATE x = x + 1 WHERE NOT ignore(sleepEachRow(0.5));", "alter table  t\n  delete where x = 2 and not ignore(sleepEachRow(0.5))", "DELETE FROM t WHERE x = 2 AND NOT ignore(sleepEachRow(0.5));"}) {
        for (const char* point : {"plan.run.before", "plan.run.after", ""}) {
            CAPTURE(statement);
            CAPTURE(point);
            MigrateProject project;
            CuttingProxy proxy(http_port(project));
            project.analytics().query("CREATE TABLE t (x Int32) ENGINE = MergeTree ORDER BY tuple()", soon());
            project.analytics().query("INSERT INTO t SELECT number + 1 FROM numbers(3)", soon());
            project.file("0001_a.sql", "-- migrate:up store:analytics\n" + statement);
            if (*point != '\0') {
                REQUIRE(project.ysdb({"up"}, point).exit_code == killed);
            } else {  // in the middle of it, the connection goes
                project.analytics_through("127.0.0.1:" + std::to_string(proxy.port()));
                std::jthread run([&] { project.ysdb({"up"}); });
                REQUIRE(wait_until([&] { return project.ch("SELECT count() FROM system.mutations WHERE database = currentDatabase() AND NOT is_done") == "1"; }));
                proxy.drop_all();
            }
            const CommandResult result = project.ysdb({"up"});
            CAPTURE(result.err);
            CHECK(result.exit_code == 0);
            CHECK(project.ch("SELECT count() FROM system.mutations WHERE database = currentDatabase()") == "1");
            CHECK(project.ch("SELECT arrayStringConcat(arraySort(groupArray(toString(x))), ' ') FROM t") == (statement.starts_with("ALTER") ? "2 3 4" : "1 3"));
        }
    }
}

TEST_CASE("an ALTER that finds another one in the way is tried again, that statement alone, and says so") {
    MigrateProject project(MigrateProject::Home::clickhouse);
    CuttingProxy proxy(http_port(project));
    project.analytics_through("127.0.0.1:" + std::to_string(proxy.port()));
    project.file("0001_a.sql", "CREATE TABLE t (x Int32) ENGINE = MergeTree ORDER BY x;\nINSERT INTO t SELECT 1;\nALTER TABLE t ADD COLUMN y Int32 DEFAULT x;\nINSERT INTO t SELECT 2, 2;");
    proxy.answer("ALTER TABLE t ADD COLUMN", another_alter(), 2);
    const CommandResult up = project.ysdb({"up", "--log-format", "json"});
    CAPTURE(up.err);
    CHECK(up.exit_code == 0);
    CHECK(proxy.answered() == 2);
    CHECK(has(up.err, "lock not free"));
    CHECK(has(up.err, "CANNOT_ASSIGN_ALTER"));
    CHECK(project.ch("SELECT concat(toString(count()), ' ', toString(sum(y))) FROM t") == "2 3");
    CHECK(project.ch("SELECT arrayStringConcat(groupArray(event), ' ') FROM (SELECT event FROM ysdb.journal WHERE database = currentDatabase() AND step = 3 ORDER BY seq)") == "intent done");
    CHECK(states(project) == "0001:applied");
}

TEST_CASE("an ALTER that finds another one in the way each time is given up after its tries, with that as the reason, and counts as not applied") {
    const TestClickHouse database;
    StoreConfig config = database.config();
    const auto direct = open_store(config);
    CuttingProxy proxy(port_in(config.url));
    config.url = "clickhouse://127.0.0.1:" + std::to_string(proxy.port()) + config.url.substr(config.url.rfind('/'));
    direct->sql()->query("CREATE TABLE t (x Int32) ENGINE = MergeTree ORDER BY x", soon());
    direct->sql()->query("INSERT INTO t SELECT 1", soon());

    TestContext context({config});
    SqlStore& store = *context->stores.get(config.name).sql();
    const auto session = store.open_session("test", soon());
    plan::Journal journal(*session, Dialect::clickhouse, "test");
    plan::install_table(*session, Dialect::clickhouse, "journal", soon());
    const auto lock = plan::RunnerLock::acquire(*context, store, *session, "test", Millis(0));
    plan::ExecutorOptions options;
    options.lock_tries = 3;
    const auto apply = [&](const std::string& sql, std::optional<plan::Probe> probe) {
        plan::Unit unit;
        unit.key = "0001/up";
        unit.store = config.name;
        unit.transaction = false;
        unit.steps.resize(1);
        unit.steps[0].sql = sql;
        unit.steps[0].probe = std::move(probe);
        plan::Executor executor(*context, "test", config.name, *session, journal, lock, options);
        const auto progress = context->progress.begin("test", ProgressUnit::steps, 1);
        return executor.apply({"test", {unit}}, *progress, [](const plan::Unit&, double) {});
    };
    proxy.answer("ALTER TABLE t", another_alter(), 100);
    const plan::Applied refused = apply("ALTER TABLE t ADD COLUMN y Int32", std::nullopt);
    REQUIRE(refused.failure);
    CHECK(proxy.answered() == 3);
    CHECK(refused.failure->step == 0u);
    CHECK_FALSE(refused.failure->unknown);
    CHECK(refused.failure->error.server_code() == "517");
    CHECK(has(refused.failure->error.message(), "not up to date"));
    CHECK(has(refused.failure->error.hint(), "in the way at each of 3 tries"));
    CHECK(journal.unfinished(soon()).back().event == plan::JournalEvent::failed);

    // One that began a mutation before it was refused is not sent again: by the look the mutation is there.
    plan::Probe looks{{"SELECT if({p1:String} = '0', 'present', 'absent')", {}}, {}};
    looks.mark = plan::SqlText{"SELECT 0", {}};
    proxy.answer("ALTER TABLE t", another_alter(), 100);
    CHECK(apply("ALTER TABLE t UPDATE x = 2 WHERE 1", looks).failure);
    CHECK(proxy.answered() == 1);
    proxy.answer("ALTER TABLE t", another_alter(), 2);
    CHECK(apply("ALTER TABLE t ADD COLUMN y Int32", std::nullopt).units == 1);
    CHECK(direct->sql()->query("SELECT count() FROM system.columns WHERE database = currentDatabase() AND table = 't'", soon()).row(0).text(0) == "2");
}

TEST_CASE("a table that the server finds too large to drop stays, and the way out is told") {
    MigrateProject project(MigrateProject::Home::clickhouse);
    project.file("0001_a.sql", gated);
    project.file("0002_b.sql", "DROP TABLE t SETTINGS max_table_size_to_drop = 1;");
    const CommandResult table = project.ysdb({"up"});
    CAPTURE(table.err);
    CHECK(table.exit_code == 5);
    CHECK(has(table.err, "SETTINGS max_table_size_to_drop = 0"));
    CHECK(project.ch("SELECT count() FROM t") == "1");
    project.file("0002_b.sql", "ALTER TABLE t DROP PARTITION tuple() SETTINGS max_partition_size_to_drop = 1;");
    const CommandResult partition = project.ysdb({"up"});
    CAPTURE(partition.err);
    CHECK(partition.exit_code == 5);
    CHECK(has(partition.err, "max_partition_size_to_drop = 0"));
    project.file("0002_b.sql", "DROP TABLE t SETTINGS max_table_size_to_drop = 0;");
    CHECK(project.ysdb({"up"}).exit_code == 0);
}

// The fixture's engine knows a cluster `lab`, itself, and can run nothing ON CLUSTER: what is looked at when a run was cut off is tested here,
// the statements themselves in migrate_cluster_test.cpp, where there is a cluster.
TEST_CASE("a statement ON CLUSTER that was cut off is looked for on every host") {
    const MigrateProject project;
    if (project.ch("SELECT count() FROM system.clusters WHERE cluster = 'lab'") != "1") return;
    struct Case { const char *before, *statement, *by_hand; };
    for (const Case& each : {Case{"SELECT 1", "CREATE TABLE t ON CLUSTER lab (x Int32) ENGINE = MergeTree ORDER BY x", "CREATE TABLE t (x Int32) ENGINE = MergeTree ORDER BY x"},
                             Case{"CREATE TABLE t (x Int32) ENGINE = MergeTree ORDER BY x", "ALTER TABLE t ON CLUSTER 'lab' ADD COLUMN y Int32, ADD COLUMN z Int32", "ALTER TABLE t ADD COLUMN y Int32, ADD COLUMN z Int32"},
                             Case{"CREATE TABLE t (x Int32) ENGINE = MergeTree ORDER BY x", "DROP TABLE t ON CLUSTER lab", "DROP TABLE t"}}) {
        CAPTURE(each.statement);
        MigrateProject here;
        here.analytics().query(each.before, soon());
        here.file("0001_a.sql", std::string("-- migrate:up store:analytics\n") + each.statement);
        REQUIRE(here.ysdb({"up"}, "plan.run.before").exit_code == killed);
        CHECK(states(here) == "0001:partial");
        const CommandResult refused = here.ysdb({"up"});  // it was not done: it is run, and this server cannot
        CAPTURE(refused.err);
        CHECK(refused.exit_code == 5);
        CHECK(has(refused.err, "(392)"));
        REQUIRE(here.ysdb({"up"}, "plan.run.before").exit_code == killed);
        here.analytics().query(each.by_hand, soon());
        const CommandResult settled = here.ysdb({"up"});
        CAPTURE(settled.err);
        CHECK(settled.exit_code == 0);
        CHECK(states(here) == "0001:applied");
    }
}

TEST_CASE("on ClickHouse alone, a connection lost at any request is taken up by the same command, and nothing has run twice") {
    MigrateProject measured(MigrateProject::Home::clickhouse);
    const auto fill = [](const MigrateProject& project) {
        project.file("0001_a.sql", "CREATE TABLE a (x Int32, y Int32 DEFAULT 0) ENGINE = MergeTree ORDER BY x;\nALTER TABLE a ADD COLUMN z Int32;\n");
        project.file("0002_b.sql", "-- migrate:probe SELECT count() > 0 FROM a\nINSERT INTO a (x) SELECT number FROM numbers(3);\nALTER TABLE a UPDATE y = y + 1 WHERE 1;\nRENAME TABLE a TO b;");
    };
    CuttingProxy proxy(http_port(measured));
    const std::string address = "127.0.0.1:" + std::to_string(proxy.port());
    fill(measured);
    measured.analytics_through(address);
    proxy.cut(0, CuttingProxy::When::before);
    REQUIRE(measured.ysdb({"up"}).exit_code == 0);
    const int requests = proxy.requests();
    MESSAGE(requests << " requests");
    REQUIRE(requests > 15);
    int lost = 0, tried = 0;
    const int every = soak() ? 1 : 3, from = 1 + static_cast<int>(random_seed() % static_cast<std::uint64_t>(every));
    for (int at = from; at <= requests; at += every, ++tried) {
        for (const auto when : {CuttingProxy::When::before, CuttingProxy::When::after}) {
            MigrateProject project(MigrateProject::Home::clickhouse);
            fill(project);
            project.analytics_through(address);
            proxy.cut(at, when);
            const CommandResult cut = project.ysdb({"up"});
            const std::string request = proxy.was_cut();
            CAPTURE(at);
            CAPTURE(request);
            CAPTURE(cut.err);
            CHECK((cut.exit_code == 0 || cut.exit_code == 4 || cut.exit_code == 8));
            lost += cut.exit_code == 0 ? 0 : 1;
            proxy.cut(0, CuttingProxy::When::before);
            drop_lock(project);  // of a run that could not give it back; stale after 30 s
            const CommandResult next = project.ysdb({"up"});
            CAPTURE(next.err);
            CHECK(next.exit_code == 0);
            CHECK(states(project) == "0001:applied 0002:applied");
            CHECK(project.ch("SELECT concat(toString(count()), ' ', toString(sum(y))) FROM b") == "3 3");
            CHECK(project.ch("SELECT count() FROM ysdb.migrations FINAL WHERE database = currentDatabase()") == "2");
        }
    }
    CHECK(lost > tried);  // of two each
}
