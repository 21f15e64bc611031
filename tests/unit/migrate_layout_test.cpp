#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <initializer_list>
#include <tuple>
#include <utility>

#include "core/base/file.h"
#include "core/migrate/adopt.h"
#include "core/migrate/layout.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using namespace ysdb::migrate;
using namespace ysdb::test;

namespace {

// A directory of migrations, read for PostgreSQL.
class Directory {
public:
    Directory(std::initializer_list<std::pair<std::string, std::string>> files = {}) {
        for (const auto& [name, text] : files) file(name, text);
    }
    void file(const std::string& name, const std::string& text) const {
        std::filesystem::create_directories((place_.path() / name).parent_path());
        write_file_atomically(place_.path() / name, text);
    }
    MigrationDirectory place() const { return {place_.path(), "migrations"}; }
    std::vector<Migration> read() const {
        return read_migrations(place(), "main", [](const std::string&) { return Dialect::postgres; });
    }
    // "1_users: CREATE TABLE a | CREATE TABLE b; down: DROP TABLE a"
    std::string show() const {
        std::string text;
        for (const Migration& migration : read()) {
            text += migration.title() + (migration.transaction ? "" : " (no transaction)") + ":" + statements(migration, migration.up);
            if (!migration.down.empty()) text += "; down:" + statements(migration, migration.down);
            if (!migration.verify.empty()) text += "; verify:" + statements(migration, migration.verify);
            text += "\n";
        }
        return text;
    }
    std::string refusal() const {
        try {
            read();
        } catch (const Error& error) {
            CHECK(error.code() == Code::refused);
            return error.message();
        }
        return "";
    }

private:
    static std::string statements(const Migration& migration, const std::vector<Statement>& section) {
        std::string text;
        for (const Statement& statement : section) text += (text.empty() ? " " : " | ") + std::string(statement.text(migration.source));
        return text;
    }
    TempDir place_;
};

std::string order(std::vector<std::string> versions) {
    std::sort(versions.begin(), versions.end(), [](const std::string& a, const std::string& b) { return version_less(a, b); });
    std::string text;
    for (const std::string& version : versions) text += version + " ";
    return text;
}

}  // namespace

TEST_CASE("versions with dots are compared number by number, and what is repeatable comes last") {
    CHECK(order({"1.10", "2", "1.9", "R__b", "1", "R__a", "10", "1.9.1"}) == "1 1.9 1.9.1 1.10 2 10 R__a R__b ");
    CHECK(same_version("1", "1.0"));
    CHECK(same_version("001.02", "1.2"));
    CHECK(!same_version("1.2", "12"));
    CHECK(!same_version("R__a", "1"));
    CHECK(split_file_name("1.2_more.sql") == std::pair<std::string, std::string>("1.2", "more"));
    CHECK(!split_file_name("1._more.sql"));
}

TEST_CASE("dbmate's files are ours") {
    const Directory directory{{"20260101000000_a.sql", "-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY i ON a (b);\n\n-- migrate:down\nDROP INDEX i;\n"}};
    CHECK(directory.show() == "20260101000000_a (no transaction): CREATE INDEX CONCURRENTLY i ON a (b); down: DROP INDEX i\n");
}

TEST_CASE("goose's sections and annotations are read as they are, line for line") {
    const Directory directory{{"00001_a.sql", "-- +goose Up\n-- +goose StatementBegin\nCREATE FUNCTION f() RETURNS int AS $$ BEGIN; RETURN 1; END $$ LANGUAGE plpgsql;\n-- +goose StatementEnd\nSELECT 1;\n-- +goose Down\nDROP FUNCTION f();\n"},
                              {"00002_b.sql", "-- +goose NO TRANSACTION\n-- +goose up\nVACUUM a;\n"}};
    CHECK(directory.show() ==
          "00001_a: CREATE FUNCTION f() RETURNS int AS $$ BEGIN; RETURN 1; END $$ LANGUAGE plpgsql | SELECT 1; down: DROP FUNCTION f()\n"
          "00002_b (no transaction): VACUUM a\n");
    const Migration first = directory.read().front();
    CHECK(first.source.where(first.up[1].begin) == "migrations/00001_a.sql:5:1");
}

TEST_CASE("goose's StatementEnd ends a statement; what StatementBegin holds is one transaction where the file has none") {
    const Directory directory{{"1_a.sql", "-- +goose Up\n-- +goose StatementBegin\nSELECT 1\n-- +goose StatementEnd\nSELECT 2;\n"},
                              {"2_b.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n-- +goose StatementBegin\nSELECT 1;\nSELECT 2\n-- +goose StatementEnd\n-- +goose StatementBegin\nVACUUM a;\n-- +goose StatementEnd\nSELECT 3;\n"}};
    CHECK(directory.show() == "1_a: SELECT 1 | SELECT 2\n2_b (no transaction): SELECT 1 | SELECT 2 | VACUUM a | SELECT 3\n");
    std::string blocks;
    const Migration second = directory.read()[1];
    for (const Statement& statement : second.up) blocks += std::to_string(statement.block);
    CHECK(blocks == "1100");
    CHECK(second.source.where(second.up[1].begin) == "migrations/2_b.sql:5:1");
    CHECK(second.source.where(second.up[3].begin) == "migrations/2_b.sql:10:1");
}

TEST_CASE("what only goose can do is refused with its place") {
    const Directory unknown, environment, open;
    unknown.file("1_a.sql", "-- +goose Up\n-- +goose Sideways\nSELECT 1;\n");
    CHECK(unknown.refusal() == "migrations/1_a.sql:2:1: unknown annotation of goose: 'sideways'");
    environment.file("1_a.sql", "-- +goose Up\n-- +goose ENVSUB ON\nSELECT '${HOME}';\n");
    CHECK(environment.refusal() == "migrations/1_a.sql:2:1: goose fills in environment variables here");
    open.file("1_a.sql", "-- +goose Up\n-- +goose StatementEnd\nSELECT 1;\n");
    CHECK(open.refusal() == "migrations/1_a.sql:2:1: StatementEnd without StatementBegin");
}

TEST_CASE("golang-migrate's pairs are one migration; BEGIN and COMMIT around a file are left out") {
    const Directory directory{{"000001_a.up.sql", "BEGIN;\nCREATE TABLE a (id int);\nCREATE TABLE b (id int);\nCOMMIT;\n"},
                              {"000001_a.down.sql", "DROP TABLE b; DROP TABLE a;\n"},
                              {"000002_b.up.sql", "CREATE INDEX CONCURRENTLY i ON a (id);"}};
    CHECK(directory.show() == "000001_a: CREATE TABLE a (id int) | CREATE TABLE b (id int); down: DROP TABLE b | DROP TABLE a\n"
                              "000002_b (no transaction): CREATE INDEX CONCURRENTLY i ON a (id)\n");
    const Migration first = directory.read().front();
    CHECK(first.source.where(first.up[0].begin) == "migrations/000001_a.up.sql:2:1");
}

TEST_CASE("golang-migrate's pairs are told by their version, whatever they are called; a way back alone is passed over") {
    const Directory directory{{"01_a.up.sql", "SELECT 1;"},
                              {"1_before_it_was_renamed.down.sql", "SELECT 2;"},
                              {"2_dropped.down.sql", "SELECT 3;"}};
    CHECK(directory.show() == "01_a: SELECT 1; down: SELECT 2\n");
    directory.file("1_b.up.sql", "SELECT 4;");
    CHECK(directory.refusal() == "two files have the version 1: migrations/01_a.up.sql and migrations/1_b.up.sql");
}

TEST_CASE("what another tool applies without a statement counts, and is told apart from a file of ours that was forgotten") {
    const Directory directory{{"1_a.up.sql", "-- nothing to do any more\n"},
                              {"2_b.sql", "-- +goose Up\n-- +goose Down\nSELECT 1;\n"},
                              {"V3__c.sql", ""},
                              {"4_d.sql", "-- migrate:up empty:true\n"}};
    CHECK(directory.show() == "1_a:\n2_b:; down: SELECT 1\n3_c:\n4_d:\n");
    directory.file("5_e.sql", "-- migrate:up\n");
    CHECK(directory.refusal() == "migrations/5_e.sql: no statement to apply");
}

TEST_CASE("BEGIN and COMMIT of other tools are left out: the file is one transaction; where it can be none, they make transactions of what is between") {
    const Directory directory{{"1_a.up.sql", "SELECT 1; BEGIN; SELECT 2; COMMIT; START TRANSACTION; SELECT 3; END;"},
                              {"2_b.sql", "-- +goose Up\nSELECT 1;\nCOMMIT;\n"},
                              {"3_c.sql", "-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\nBEGIN;\nSELECT 2;\nSELECT 3;\nCOMMIT;\nVACUUM a;\nBEGIN;\nSELECT 4;\n"},
                              {"4_d.up.sql", "BEGIN; ALTER TYPE mood ADD VALUE 'fine'; COMMIT; BEGIN; UPDATE a SET b = 'fine'; SELECT 5; COMMIT;"},
                              {"5_e.up.sql", "BEGIN; SELECT 1; ROLLBACK;"}};
    CHECK(directory.show() == "1_a: SELECT 1 | SELECT 2 | SELECT 3\n"
                              "2_b: SELECT 1\n"
                              "3_c (no transaction): SELECT 1 | SELECT 2 | SELECT 3 | VACUUM a | SELECT 4\n"
                              "4_d (no transaction): ALTER TYPE mood ADD VALUE 'fine' | UPDATE a SET b = 'fine' | SELECT 5\n"
                              "5_e: SELECT 1 | ROLLBACK\n");  // the planner refuses the last
    const auto blocks = [&](std::size_t file) {
        std::string text;
        for (const Statement& statement : directory.read().at(file).up) text += std::to_string(statement.block);
        return text;
    };
    CHECK(blocks(2) == "01100");
    CHECK(blocks(3) == "122");
}

TEST_CASE("in a file of ours without one transaction, BEGIN and COMMIT make one of what is between them") {
    const Directory directory{{"1_a.sql", "-- migrate:up transaction:false\nBEGIN;\nSELECT 1;\nSELECT 2;\nCOMMIT;\nSELECT 3;\n-- migrate:down\nBEGIN;\nSELECT 4;\nCOMMIT;\n"},
                              {"2_b.sql", "-- migrate:up transaction:false\nSELECT 1;\nCOMMIT;\n"},
                              {"3_c.sql", "-- migrate:up transaction:false\nBEGIN;\nSELECT 1;\n"}};
    CHECK(directory.show() == "1_a (no transaction): SELECT 1 | SELECT 2 | SELECT 3; down: SELECT 4\n"
                              "2_b (no transaction): SELECT 1 | COMMIT\n"  // the planner refuses these
                              "3_c (no transaction): BEGIN | SELECT 1\n");
    CHECK(directory.read()[0].up[1].block == 1);
    CHECK(directory.read()[0].down[0].block == 1);
    directory.file("4_d.sql", "-- migrate:up transaction:false\nBEGIN;\n-- migrate:batch size:10\nUPDATE a SET b = 1;\nCOMMIT;\n");
    CHECK(directory.refusal() == "migrations/4_d.sql:3:1: batches are transactions of their own, and this statement stands between BEGIN and COMMIT");
}

TEST_CASE("Flyway's callbacks run in its order, and those that ysdb has no moment for are refused") {
    const Directory directory;
    const auto callbacks = [&](Moment moment) {
        std::string text;
        for (const Migration& callback : read_callbacks(directory.place(), names_in(directory.place()), moment, "main", [](const std::string&) { return Dialect::postgres; })) text += callback.version + " ";
        return text;
    };
    for (const char* name : {"afterMigrate.sql", "afterMigrate__1_b.sql", "afterMigrateApplied__2.sql", "afterMigrateApplied__1.sql", "beforeMigrate.sql", "beforeClean.sql"}) directory.file(name, "SELECT '${word}';");
    CHECK(callbacks(Moment::after_up).empty());  // nothing of Flyway's but these names
    directory.file("V1__a.sql", "SELECT 1;");
    directory.file("after-up.sql", "SELECT 1;");
    CHECK(callbacks(Moment::before_up) == "beforeMigrate ");
    CHECK(callbacks(Moment::after_up) == "after-up afterMigrateApplied__1 afterMigrateApplied__2 afterMigrate afterMigrate__1_b ");
    directory.file("beforeEachMigrate.sql", "SELECT 1;");
    CHECK_THROWS_WITH_AS(callbacks(Moment::before_up), doctest::Contains("migrations/beforeEachMigrate.sql: ysdb has no moment for Flyway's beforeEachMigrate"), Error);
}

TEST_CASE("Flyway's files are found in folders below it, but for those that were put aside") {
    const Directory directory{{"V1__a.sql", "CREATE TABLE a ();"},
                              {"v2/V2__b.sql", "CREATE TABLE b ();"},
                              {"v2/deep/U2__b.sql", "DROP TABLE b;"},
                              {"views/R__v.sql", "BEGIN; CREATE VIEW v AS SELECT 1; COMMIT;"},
                              {"views/afterMigrate__grants.sql", "GRANT x TO y;"},
                              {"adopted/V3__old.sql", "CREATE TABLE c ();"},
                              {".git/V4__no.sql", "CREATE TABLE d ();"},
                              {"2024_q1/0007_ours.sql", "CREATE TABLE e ();"}};
    CHECK(directory.show() == "1_a: CREATE TABLE a ()\n2_b: CREATE TABLE b (); down: DROP TABLE b\nR__v: CREATE VIEW v AS SELECT 1\n");
    const auto after = read_callbacks(directory.place(), names_in(directory.place()), Moment::after_up, "main", [](const std::string&) { return Dialect::postgres; });
    REQUIRE(after.size() == 1);
    CHECK(after[0].source.path == "migrations/views/afterMigrate__grants.sql");
    directory.file("again/V2__c.sql", "CREATE TABLE f ();");
    CHECK(directory.refusal() == "two files have the version 2: migrations/again/V2__c.sql and migrations/v2/V2__b.sql");
}

TEST_CASE("folders of a directory that is not Flyway's are none of its migrations") {
    const Directory directory{{"0001_a.sql", "CREATE TABLE a ();"},
                              {"views/R__v.sql", "CREATE VIEW v AS SELECT 1;"},
                              {"0002_more/0003_b.sql", "CREATE TABLE b ();"}};
    CHECK(directory.show() == "0001_a: CREATE TABLE a ()\n");
    const Directory below{{"one/V1__a.sql", "CREATE TABLE a ();"}};
    CHECK(below.show() == "1_a: CREATE TABLE a ()\n");
}

TEST_CASE("a folder that cannot be read is minded only where it may hold migrations: in a directory of Flyway's") {
    const Directory directory{{"0001_a.sql", "CREATE TABLE a ();"}};
    // Nobody reads what is below a path this long, whoever he is.
    int place = open(directory.place().path.c_str(), O_RDONLY | O_DIRECTORY);
    for (int depth = 0; depth < 20; ++depth) {
        const std::string name(250, 'x');
        REQUIRE(mkdirat(place, name.c_str(), 0755) == 0);
        const int below = openat(place, name.c_str(), O_RDONLY | O_DIRECTORY);
        close(place);
        place = below;
    }
    close(place);
    CHECK(directory.show() == "0001_a: CREATE TABLE a ()\n");
    std::filesystem::remove(directory.place().path / "0001_a.sql");
    directory.file("V1__a.sql", "CREATE TABLE a ();");
    CHECK_THROWS_WITH_AS(directory.read(), doctest::Contains("cannot read 'migrations/xxx"), Error);
    std::filesystem::remove(directory.place().path / "V1__a.sql");
    directory.file("one/V1__a.sql", "CREATE TABLE a ();");
    CHECK_THROWS_WITH_AS(directory.read(), doctest::Contains("cannot read 'migrations/xxx"), Error);
}

TEST_CASE("an outline is made whole from its file, in whatever layout, and refused when the file says something else by now") {
    const auto postgres = [](const std::string&) { return Dialect::postgres; };
    const auto first = [](const Migration& migration) { return migration.up.empty() ? "" : std::string(migration.up[0].text(migration.source)); };
    for (const auto& [name, text, edited] : {std::tuple("0001_a.sql", "-- migrate:up\nCREATE TABLE a ();\n-- migrate:down\nDROP TABLE a;", "CREATE TABLE b ();"),
                                             std::tuple("0001_a.up.sql", "BEGIN; CREATE TABLE a (); COMMIT;", "CREATE TABLE b ();"),
                                             std::tuple("sub/V1__a.sql", "CREATE TABLE a ();", "CREATE TABLE a (); SELECT 1;"),
                                             std::tuple("1_a.sql", "-- +goose Up\nCREATE TABLE a ();\n-- +goose Down\nDROP TABLE a;", "-- +goose Up\nSELECT 1;")}) {
        CAPTURE(name);
        const Directory directory;
        directory.file(name, text);
        std::vector<Migration> files = read_migrations(directory.place(), names_in(directory.place()), "main", postgres, Keep::outline);
        const Migration whole = directory.read().at(0);
        REQUIRE(files.size() == 1);
        CHECK(files[0].source.text.empty());
        CHECK(files[0].up.empty());
        CHECK(files[0].checksum == whole.checksum);
        load_again(files[0], directory.place(), "main", postgres);
        CHECK(first(files[0]) == "CREATE TABLE a ()");
        CHECK(files[0].down.size() == whole.down.size());
        outline(files[0]);
        directory.file(name, edited);
        CHECK_THROWS_WITH_AS(load_again(files[0], directory.place(), "main", postgres), doctest::Contains("edited while this run was at work"), Error);
    }
}

TEST_CASE("Flyway's words beside a script are minded") {
    const Directory directory{{"V1__a.sql", "SELECT '${x}';"},
                              {"V1__a.sql.conf", "# why\nexecuteInTransaction = false\nplaceholderReplacement=false\n"}};
    const Migration first = directory.read().front();
    CHECK(!first.transaction);
    CHECK(!first.variables);
    directory.file("V1__a.sql.conf", "shouldExecute=${x}==1\n");
    CHECK(directory.refusal() == "migrations/V1__a.sql.conf:1:1: ysdb does not know what this means to Flyway");
}

TEST_CASE("Flyway's versions have dots, U files are the way back, R files come last") {
    const Directory directory{{"V1__create_users.sql", "CREATE TABLE users (id int);"},
                              {"V1.10__late.sql", "SELECT 10;"},
                              {"V1_9__early.sql", "SELECT 9;"},
                              {"U1__create_users.sql", "DROP TABLE users;"},
                              {"R__views.sql", "CREATE OR REPLACE VIEW v AS SELECT 1;"},
                              {"Vx__no.sql", "SELECT 0;"},
                              {"V2_no.sql", "SELECT 0;"}};
    CHECK(directory.show() == "1_create_users: CREATE TABLE users (id int); down: DROP TABLE users\n1.9_early: SELECT 9\n1.10_late: SELECT 10\nR__views: CREATE OR REPLACE VIEW v AS SELECT 1\n");
    directory.file("V3__variable.sql", "SELECT '${name}';");
    CHECK(directory.read()[3].variables);  // both tools fill them in
    const Directory goose{{"1_a.sql", "-- +goose Up\nSELECT '${name}';\n"}};
    CHECK(!goose.read()[0].variables);
}

TEST_CASE("sqitch's plan gives the order; a reworked change is read from its tagged file") {
    const Directory directory{{"sqitch.plan", "%syntax-version=1.0.0\n%project=shop\n\nusers 2026-01-01T00:00:00Z A <a@b> # first\norders [users] 2026-01-02T00:00:00Z A <a@b> # second\n@v1 2026-01-03T00:00:00Z A <a@b> # tag\n"
                                  "users [users@v1] 2026-01-04T00:00:00Z A <a@b> # again\n"},
                              {"deploy/users@v1.sql", "-- Deploy shop:users\nBEGIN;\nCREATE TABLE users (id int);\nCOMMIT;\n"},
                              {"deploy/orders.sql", "BEGIN; CREATE TABLE orders (id int); COMMIT;"},
                              {"deploy/users.sql", "BEGIN; ALTER TABLE users ADD x int; COMMIT;"},
                              {"revert/users.sql", "BEGIN; ALTER TABLE users DROP x; COMMIT;"},
                              {"verify/users.sql", "BEGIN; SELECT x FROM users WHERE false; ROLLBACK;"},
                              {"9_not_in_the_plan.sql", "SELECT 1;"}};
    CHECK(directory.show() == "0001_users: CREATE TABLE users (id int)\n0002_orders: CREATE TABLE orders (id int)\n"
                              "0003_users: ALTER TABLE users ADD x int; down: ALTER TABLE users DROP x; verify: SELECT x FROM users WHERE false\n");
    CHECK(plan_project({"p", "%project=shop\n"}) == "shop");
    // It was set aside at a later tag than the first behind it.
    const Directory late{{"sqitch.plan", "a 2026 A <a@b>\n@v1 2026 A <a@b>\nb 2026 A <a@b>\n@v2 2026 A <a@b>\n@v3 2026 A <a@b>\na [a@v2] 2026 A <a@b>\n"},
                         {"deploy/a@v2.sql", "SELECT 1;"},
                         {"deploy/a.sql", "SELECT 2;"},
                         {"deploy/b.sql", "BEGIN; COMMIT;"}};
    CHECK(late.show() == "0001_a: SELECT 1\n0002_b:\n0003_a: SELECT 2\n");
    const Directory twice{{"sqitch.plan", "a 2026 A <a@b>\na 2026 A <a@b>\n"}};
    CHECK(twice.refusal() == "migrations/sqitch.plan:2:1: change 'a' is there twice with no tag between");
}

TEST_CASE("BEGIN and COMMIT in a file of ours that is one transaction are left to be refused") {
    const Directory own{{"1_a.sql", "BEGIN; SELECT 1; COMMIT;"}};
    CHECK(own.show() == "1_a: BEGIN | SELECT 1 | COMMIT\n");
}

TEST_CASE("the numbers of other tools are what they compute") {
    CHECK(flyway_checksum("123456789") == static_cast<std::int32_t>(0xcbf43926u));
    CHECK(flyway_checksum("1234\n56789\n") == static_cast<std::int32_t>(0xcbf43926u));
    CHECK(flyway_checksum("\xef\xbb\xbf" "1234\r\n56789") == flyway_checksum("1234\n56789"));
    CHECK(golang_migrate_lock("public", "schema_migrations", "postgres") == 143310882u);  // by another implementation of CRC-32
    CHECK(flyway_lock("public", "flyway_schema_history") == 77433833903597);  // by Java
    CHECK(flyway_lock("b\xc3\xb6rse", "flyway_schema_history") == 77430710021706);
    CHECK(flyway_lock("\xf0\x9f\x92\xa1", "h") == 77432372838947);
    CHECK(golang_migrate_lock("public", "schema_migrations", "postgres") != golang_migrate_lock("public", "schema_migrations", "other"));
}
