// needs: main analytics
// Recipes: what they write is clean by our own lint, goes through under traffic, does what it says, and goes back.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/live/migrate_project.h"

using namespace ysdb;
using namespace ysdb::test;
using Json = nlohmann::json;

namespace {

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
Deadline soon() { return Deadline::after(Millis(60'000)); }

// The file that was written, relative to the project.
std::string write(const MigrateProject& project, const std::string& name, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"new", name, "--output", "json", "--recipe"});
    const CommandResult result = project.ysdb(arguments);
    CAPTURE(result.err);
    REQUIRE(result.exit_code == 0);
    return Json::parse(result.out).at("file");
}

void check_clean(const MigrateProject& project) {
    const CommandResult lint = project.ysdb({"lint", "--fail-on", "note"});
    CAPTURE(lint.out);
    CAPTURE(lint.err);
    CHECK(lint.exit_code == 0);
}

// A program that reads and writes while a migration runs, and a transaction that has changed a row and does not end for a while.
class Traffic {
public:
    Traffic(const MigrateProject& project, std::string read, std::string write) : project_(project), read_(std::move(read)), write_(std::move(write)) {
        long_ = project.main().open_session("long", soon());
        long_->query("BEGIN", soon());
        long_->query(write_, soon());
        for (const std::string* sql : {&read_, &write_}) {
            threads_.emplace_back([this, sql](std::stop_token stop) { work(*sql, stop); });
        }
    }
    void end_long() { long_->query("COMMIT", soon()); }
    // The longest any statement of the program took, in seconds.
    double longest() {
        for (std::jthread& thread : threads_) thread.request_stop();
        threads_.clear();
        return longest_;
    }
    int failures() const { return failures_; }
    std::string first_failure() const { return failure_; }

private:
    void work(const std::string& sql, std::stop_token stop) {
        const auto session = project_.main().open_session("program", soon());
        while (!stop.stop_requested()) {
            const auto start = SteadyClock::now();
            try {
                session->query(sql == write_ ? other_row(sql) : sql, soon());
            } catch (const Error& error) {
                if (failures_++ == 0) failure_ = error.message();
            }
            const double took = std::chrono::duration<double>(SteadyClock::now() - start).count();
            double seen = longest_;
            while (took > seen && !longest_.compare_exchange_weak(seen, took)) {}
        }
    }
    // The long transaction holds row 1.
    static std::string other_row(const std::string& sql) {
        std::string text = sql;
        text.replace(text.rfind("= 1"), 3, "= 2");
        return text;
    }

    const MigrateProject& project_;
    std::string read_, write_;
    std::unique_ptr<SqlSession> long_;
    std::atomic<double> longest_{0};
    std::atomic<int> failures_{0};
    std::string failure_;
    std::vector<std::jthread> threads_;
};

void table(const MigrateProject& project) {
    project.main().query("CREATE TABLE users (id int PRIMARY KEY, team int); CREATE SCHEMA app; CREATE TABLE teams (id int PRIMARY KEY);"
                         "INSERT INTO teams SELECT generate_series(0, 9); INSERT INTO users SELECT g, g % 10 FROM generate_series(1, 20000) g", soon());
    project.main().query("CREATE TABLE app.\"Orders\" (id bigint PRIMARY KEY, total int, team int DEFAULT 3, word varchar(10) NOT NULL DEFAULT 'x', n int NOT NULL DEFAULT 5);"
                         "INSERT INTO app.\"Orders\" (id, total) SELECT g, NULLIF(g % 5, 0) FROM generate_series(1, 20000) g; ANALYZE", soon());
}

const std::string orders = "app.\"Orders\"";

}  // namespace

TEST_CASE("under a program that reads and writes and a transaction that does not end, nobody waits for longer than the file's lock-timeout, and the file goes through") {
    struct Case {
        std::vector<std::string> arguments;
        const char* done;      // true when it is
    };
    const std::vector<Case> cases{
        {{"set-not-null", "--table", orders, "--column", "total", "--value", "0"}, "SELECT attnotnull AND NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = attrelid AND contype = 'c') FROM pg_attribute WHERE attrelid = 'app.\"Orders\"'::regclass AND attname = 'total'"},
        {{"add-check", "--table", orders, "--check", "team >= 0"}, "SELECT convalidated FROM pg_constraint WHERE conrelid = 'app.\"Orders\"'::regclass AND contype = 'c'"},
        {{"add-foreign-key", "--table", orders, "--column", "team", "--references", "teams(id)"}, "SELECT convalidated AND EXISTS (SELECT FROM pg_indexes WHERE indexname = 'Orders_team_idx') FROM pg_constraint WHERE conrelid = 'app.\"Orders\"'::regclass AND contype = 'f'"},
        {{"add-unique", "--table", orders, "--column", "id", "--column", "team"}, "SELECT convalidated FROM pg_constraint WHERE conrelid = 'app.\"Orders\"'::regclass AND contype = 'u'"},
        {{"add-index", "--table", orders, "--column", "total"}, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'app.\"Orders_total_idx\"'::regclass"},
        {{"rename-column", "--table", orders, "--column", "total", "--to", "Sum"}, "SELECT count(\"Sum\") = count(total) FROM app.\"Orders\""},
        {{"rename-table", "--table", orders, "--to", "purchases"}, "SELECT count(*) = 20000 FROM app.purchases"},
        {{"change-type", "--table", orders, "--column", "n", "--type", "bigint"}, "SELECT count(*) = count(*) FILTER (WHERE n_new = n) FROM app.\"Orders\""},
    };
    for (const Case& one : cases) {
        CAPTURE(one.arguments.front());
        MigrateProject project;
        table(project);
        const std::string before = project.ysdb({"dump"}).out;
        const std::string file = write(project, "change", one.arguments);
        CAPTURE(read_file(project.directory() / file));
        check_clean(project);
        Traffic traffic(project, "SELECT count(*) FROM app.\"Orders\" WHERE id < 100", "UPDATE app.\"Orders\" SET word = 'y' WHERE id = 1");
        // It ends only when a statement has given way to it: nothing that this file does may wait behind it and hold others up.
        std::jthread up;
        CommandResult result;
        up = std::jthread([&] { result = project.ysdb({"up"}); });
        std::this_thread::sleep_for(Millis(2'500));  // the length of the transaction, not a guess at somebody's speed
        traffic.end_long();
        up.join();
        const double longest = traffic.longest();
        CAPTURE(result.err);
        REQUIRE(result.exit_code == 0);
        CHECK(longest < 2.0);  // lock-timeout:1s, and what a busy machine adds
        CHECK(traffic.failures() == 0);
        CAPTURE(traffic.first_failure());
        CHECK(project.pg(one.done) == "t");
        const CommandResult down = project.ysdb({"down", "--yes"});
        CAPTURE(down.err);
        CHECK(down.exit_code == 0);
        CHECK(project.ysdb({"dump"}).out == before);
    }
}

TEST_CASE("a renamed column has both names until the second file, for readers, writers and those who may") {
    MigrateProject project;
    table(project);
    const std::string role = unique_name() + "_app";
    project.pg("CREATE ROLE " + role);
    project.main().query("GRANT SELECT, INSERT ON app.\"Orders\" TO " + role + "; GRANT USAGE ON SCHEMA app TO " + role, soon());
    write(project, "sum", {"rename-column", "--table", orders, "--column", "total", "--to", "sum"});
    check_clean(project);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    const auto session = project.main().open_session("app", soon());
    session->query("SET ROLE " + role, soon());
    session->query("INSERT INTO app.\"Orders\" (id, total) VALUES (30001, 7) ON CONFLICT (id) DO NOTHING", soon());
    session->query("INSERT INTO app.\"Orders\" (id, sum) VALUES (30002, 8)", soon());
    session->query("INSERT INTO app.\"Orders\" VALUES (30003, 9)", soon());
    CHECK(session->query("SELECT string_agg(total::text || sum || word, ' ' ORDER BY id) FROM app.\"Orders\" WHERE id > 30000", soon()).row(0).text(0) == "77x 88x 99x");
    project.pg("UPDATE app.\"Orders\" SET sum = 10 WHERE total = 9");
    const std::string between = project.ysdb({"dump", "--grants"}).out;

    write(project, "sum_contract", {"rename-column", "--contract", "--table", orders, "--column", "total", "--to", "sum"});
    check_clean(project);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT relkind FROM pg_class WHERE oid = 'app.\"Orders\"'::regclass") == "r");
    CHECK(project.pg("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'app' AND column_name = 'total'") == "0");
    CHECK(session->query("SELECT sum FROM app.\"Orders\" WHERE id = 30003", soon()).row(0).text(0) == "10");
    REQUIRE(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(project.ysdb({"dump", "--grants"}).out == between);
    session->query("RESET ROLE", soon());
    project.pg("DROP OWNED BY " + role);
    project.pg("DROP ROLE " + role);
}

TEST_CASE("a column gets another type: values written before, meanwhile and after are there, on the way back too") {
    MigrateProject project;
    table(project);
    const std::string plain = project.ysdb({"dump"}).out;
    write(project, "n_bigint", {"change-type", "--table", orders, "--column", "n", "--type", "bigint"});
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    project.pg("INSERT INTO app.\"Orders\" (id, n) VALUES (30001, 77)");
    write(project, "n_bigint_contract", {"change-type", "--contract", "--table", orders, "--column", "n", "--type", "bigint"});
    check_clean(project);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT format_type(atttypid, atttypmod) || ' ' || attnotnull FROM pg_attribute WHERE attrelid = 'app.\"Orders\"'::regclass AND attname = 'n'") == "bigint true");
    project.pg("INSERT INTO app.\"Orders\" (id) VALUES (30002)");
    project.pg("INSERT INTO app.\"Orders\" (id, n) VALUES (30003, 5000000000), (30004, 9)");
    CHECK(project.pg("SELECT string_agg(n::text, ' ' ORDER BY id) FROM app.\"Orders\" WHERE id > 30000") == "77 5 5000000000 9");
    REQUIRE(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT string_agg(coalesce(n::text, '-'), ' ' ORDER BY id) FROM app.\"Orders\" WHERE id > 30000") == "77 5 - 9");
    project.pg("UPDATE app.\"Orders\" SET n = 1 WHERE n IS NULL");
    REQUIRE(project.ysdb({"down", "--yes"}).exit_code == 0);
    CHECK(project.pg("SELECT count(*) FROM pg_attribute WHERE attrelid = 'app.\"Orders\"'::regclass AND attname LIKE 'n\\_%' AND NOT attisdropped") == "0");
}

TEST_CASE("a backfill by recipe fills what is NULL") {
    MigrateProject project;
    table(project);
    write(project, "fill", {"backfill", "--table", "app.\"Orders\"", "--column", "total", "--value", "team * 2"});
    check_clean(project);
    REQUIRE(project.ysdb({"up"}).exit_code == 0);
    CHECK(project.pg("SELECT count(*) || ' ' || count(*) FILTER (WHERE total = 6) FROM app.\"Orders\"") == "20000 4000");
    CHECK(project.ysdb({"down", "--yes"}).exit_code == 0);
}

TEST_CASE("what a recipe is not for is refused, and nothing is written") {
    struct Case {
        std::vector<std::string> arguments;
        int code;
        const char* message;
    };
    MigrateProject project;
    table(project);
    project.main().query("CREATE TABLE parts (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE VIEW v AS SELECT n FROM app.\"Orders\"", soon());
    const std::vector<Case> cases{
        {{"--table", "users"}, 2, "--table is for recipes"},
        {{"--recipe", "set-not-null", "--column", "x"}, 2, "recipe set-not-null needs --table"},
        {{"--recipe", "set-not-null", "--table", "users"}, 2, "recipe set-not-null needs --column"},
        {{"--recipe", "backfill", "--table", "users", "--column", "team"}, 2, "recipe backfill needs --value"},
        {{"--recipe", "add-index", "--table", "users", "--column", "team", "--to", "x"}, 2, "recipe add-index takes no --to"},
        {{"--recipe", "add-index", "--table", "users", "--column", "team", "--contract"}, 2, "it has no --contract"},
        {{"--recipe", "set-not-nil", "--table", "users"}, 2, "set-not-null"},
        {{"--recipe", "set-not-null", "--table", "nobody", "--column", "x"}, 7, "no table nobody in the store"},
        {{"--recipe", "set-not-null", "--table", "users", "--column", "taem"}, 7, "users has no column taem; did you mean 'team'?"},
        {{"--recipe", "set-not-null", "--table", "users", "--column", "id"}, 7, "is NOT NULL already"},
        {{"--recipe", "add-index", "--table", "parts", "--column", "id"}, 7, "parts is partitioned"},
        {{"--recipe", "rename-column", "--table", "users", "--column", "team", "--to", "id"}, 7, "users has a column id already"},
        {{"--recipe", "rename-column", "--contract", "--table", "users", "--column", "team", "--to", "t"}, 7, "users is no view"},
        {{"--recipe", "change-type", "--table", orders, "--column", "n", "--type", "bigint"}, 7, "is used by rule _RETURN on view v"},
        {{"--recipe", "change-type", "--table", "users", "--column", "id", "--type", "bigint"}, 7, "is used by constraint users_pkey on table users"},
        {{"--recipe", "set-not-null", "--store", "analytics", "--table", "users", "--column", "id"}, 7, "recipes are for its locks"},
    };
    for (const Case& one : cases) {
        std::vector<std::string> arguments{"new", "x"};
        arguments.insert(arguments.end(), one.arguments.begin(), one.arguments.end());
        const CommandResult result = project.ysdb(arguments);
        CAPTURE(one.message);
        CAPTURE(result.err);
        CHECK(result.exit_code == one.code);
        CHECK(has(result.err, one.message));
    }
    CHECK(std::filesystem::is_empty(project.migrations()));
    const CommandResult shown = project.ysdb({"new", "x", "--dry-run", "--recipe", "add-index", "--table", "users", "--column", "team"});
    CHECK(has(shown.out, "CREATE INDEX CONCURRENTLY users_team_idx ON users (team);"));
    CHECK(std::filesystem::is_empty(project.migrations()));
}
