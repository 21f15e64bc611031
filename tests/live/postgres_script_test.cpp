// needs: main
#include <doctest/doctest.h>

#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {
Deadline soon() { return Deadline::after(Millis(20'000)); }
}  // namespace

TEST_CASE("a script names the statement that failed and the character in it, and runs nothing behind it") {
    TestDatabase database;
    const auto session = open_store(database.config())->sql()->open_session("test", soon());
    const std::vector<std::optional<std::string>> params{"seven", std::nullopt};
    const std::vector<SqlStatement> statements{
        {"BEGIN"}, {"CREATE TABLE t (a text, b text)"}, {"INSERT INTO t VALUES ($1, $2)", params}, {"SELECT nothing FROM t"}, {"COMMIT"}};
    const ScriptResult result = session->script(statements, soon());
    CHECK(result.done == 3);
    REQUIRE(result.error);
    CHECK(result.error->server_code() == "42703");
    CHECK(result.error->position() == 8);
    session->query("ROLLBACK", soon());
    CHECK(session->query("SELECT count(*) FROM pg_class WHERE relname = 't'", soon()).row(0).text(0) == "0");
}

TEST_CASE("a script carries the rows of COPY FROM STDIN between other statements, in one transaction") {
    TestDatabase database;
    const auto session = open_store(database.config())->sql()->open_session("test", soon());
    const std::vector<SqlStatement> good{{"BEGIN"}, {"CREATE TABLE t (a int, b text)"}, {"COPY t FROM STDIN", {}, "1\tone\n2\t\\N\n"}, {"INSERT INTO t VALUES (3, 'three')"}, {"COMMIT"}};
    const ScriptResult whole = session->script(good, soon());
    CHECK(!whole.error);
    CHECK(whole.done == 5);
    CHECK(session->query("SELECT string_agg(a || coalesce(b, '-'), ' ' ORDER BY a) FROM t", soon()).row(0).text(0) == "1one 2- 3three");

    const std::vector<SqlStatement> bad{{"BEGIN"}, {"DELETE FROM t"}, {"COPY t FROM STDIN", {}, "x\tone\n"}, {"COMMIT"}};
    const ScriptResult half = session->script(bad, soon());
    CHECK(half.done == 2);
    REQUIRE(half.error);
    CHECK(half.error->server_code() == "22P02");
    session->query("ROLLBACK", soon());
    const std::vector<SqlStatement> refused{{"COPY no_such FROM STDIN", {}, ""}};
    CHECK(session->script(refused, soon()).error->server_code() == "42P01");
    CHECK(session->query("SELECT count(*) FROM t", soon()).row(0).text(0) == "3");
}

TEST_CASE("ten thousand statements of one script do not block on each other's answers") {
    TestDatabase database;
    const auto session = open_store(database.config())->sql()->open_session("test", soon());
    const std::vector<SqlStatement> statements(10'000, {"SELECT repeat('x', 1000)"});
    const ScriptResult result = session->script(statements, soon());
    CHECK(result.done == 10'000);
}
