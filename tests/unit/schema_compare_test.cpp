#include <doctest/doctest.h>

#include "core/schema/draft.h"

using namespace ysdb;
using namespace ysdb::schema;

namespace {

Draft draft(const std::string& name, int phase, std::set<std::string> needs = {}) { return {name, phase, 0, {"thing", name, name + ";\n", "", false}, std::move(needs)}; }

std::string order_of(std::vector<Draft> drafts, std::size_t circles_expected = 0) {
    std::vector<std::vector<std::string>> circles;
    std::string text;
    for (const Draft& each : in_order(std::move(drafts), circles)) text += each.key;
    CHECK(circles.size() == circles_expected);
    return text;
}

Schema schema_of(std::vector<Object> objects) { return {Dialect::postgres, std::move(objects), {}}; }

}  // namespace

TEST_CASE("objects come by phase and name, and behind all they need") {
    CHECK(order_of({draft("b", 1), draft("a", 1), draft("c", 0)}) == "cab");
    CHECK(order_of({draft("a", 0, {"z"}), draft("b", 0), draft("z", 5, {"y"}), draft("y", 6)}) == "yzab");
    CHECK(order_of({draft("a", 0, {"nobody"})}) == "a");
    CHECK(order_of({draft("a", 0, {"a"})}) == "a");
}

TEST_CASE("a circle is told, and everything still comes once") {
    CHECK(order_of({draft("a", 0, {"b"}), draft("b", 0, {"c"}), draft("c", 0, {"a"})}, 1) == "cba");
}

TEST_CASE("a diff shows what changed with three lines around it") {
    CHECK(unified_diff("a\nb\n", "a\nb\n") == "");
    CHECK(unified_diff("", "x\ny\n") == "@@ -0,0 +1,2 @@\n+x\n+y\n");
    CHECK(unified_diff("x\n", "") == "@@ -1,1 +0,0 @@\n-x\n");
    CHECK(unified_diff("1\n2\n3\n4\n5\n6\n", "1\n2\n3\n4\nfive\n6\n") == "@@ -2,5 +2,5 @@\n 2\n 3\n 4\n-5\n+five\n 6\n");
    CHECK(unified_diff("a\n1\n2\n3\n4\n5\n6\n7\n8\nz\n", "A\n1\n2\n3\n4\n5\n6\n7\n8\nZ\n") == "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -7,4 +7,4 @@\n 6\n 7\n 8\n-z\n+Z\n");
    CHECK(unified_diff("a\n1\n2\n3\n4\n5\n6\nz\n", "A\n1\n2\n3\n4\n5\n6\nZ\n").find("@@", 20) == std::string::npos);
}

TEST_CASE("schemas differ by objects that one side lacks and by their DDL") {
    const Schema expected = schema_of({{"table", "a", "1\n", "a"}, {"table", "b", "2\n", "b"}, {"index", "b", "3\n", "b"}});
    const Schema live = schema_of({{"table", "b", "2\n", "b"}, {"index", "b", "4\n", "b"}, {"table", "c", "5\n", "c"}});
    const auto all = [](const Object&) { return false; };
    const auto differences = compare(live, expected, all);
    REQUIRE(differences.size() == 3);
    CHECK(differences[0].side == Difference::Side::expected);
    CHECK(differences[0].name == "a");
    CHECK(differences[1].side == Difference::Side::both);
    CHECK(differences[1].diff == "@@ -1,1 +1,1 @@\n-3\n+4\n");
    CHECK(differences[2].side == Difference::Side::live);
    CHECK(compare(live, expected, [](const Object& object) { return object.name != "c"; }).size() == 1);
    CHECK(compare(live, live, all).empty());
}

TEST_CASE("the database before a ClickHouse name goes; in text, behind another dot and as a name of its own it stays") {
    CHECK(without_database("SELECT db.t.x, `db`.`t`, 'db.t', other.db.x, db FROM db.t", "db") == "SELECT t.x, `t`, 'db.t', other.db.x, db FROM t");
    CHECK(without_database("'it\\'s db.t' db.u mydb.v", "db") == "'it\\'s db.t' u mydb.v");
    CHECK(without_database("db.", "db") == "");
    CHECK(without_database("'open", "db") == "'open");
}

TEST_CASE("a cast of an array of literals is one cast for each of them, as the server writes it the second time") {
    CHECK(with_element_casts("CHECK (((a)::text = ANY ((ARRAY['x, y'::character varying, E'i\\'t''s'::character varying(9)])::text[])))") ==
          "CHECK (((a)::text = ANY (ARRAY[('x, y'::character varying)::text, (E'i\\'t''s'::character varying(9))::text])))");
    for (const char* same : {"ARRAY[('x'::character varying)::text]", "(ARRAY[a, b])::text[]", "'(ARRAY[''x''::character varying])::text[]'", "(ARRAY['x'::text])", "(ARRAY['x", "\"(ARRAY['x'::a])::b[]"}) {
        CHECK(with_element_casts(same) == same);
    }
}
