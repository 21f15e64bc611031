#include "core/store/clickhouse/statement.h"

#include <doctest/doctest.h>

#include "core/base/error.h"

using namespace ysdb;
using namespace ysdb::clickhouse;

TEST_CASE("an INSERT is cut where its data begins") {
    SUBCASE("behind the format's name and one line end") {
        const Statement statement = look_at("INSERT INTO t (`format`, b) SETTINGS x = 1 FORMAT CSV\n1,\"a; b\"\n\n2,c\n");
        CHECK(statement.verb == Statement::Verb::insert);
        CHECK(statement.takes_payload);
        CHECK(statement.format == "CSV");
        CHECK(statement.payload == "1,\"a; b\"\n\n2,c\n");
        CHECK(statement.sql == "INSERT INTO t (`format`, b) SETTINGS x = 1 FORMAT CSV");
        CHECK(statement.sql.substr(statement.infile_at) == "SETTINGS x = 1 FORMAT CSV");
        CHECK_FALSE(statement.several);
    }
    SUBCASE("data may stand on the same line") { CHECK(look_at("insert into t format JSONEachRow {\"a\": 1}").payload == "{\"a\": 1}"); }
    SUBCASE("the first bytes of binary data are kept, blanks and all") {
        CHECK(look_at(std::string_view("INSERT INTO t FORMAT RowBinary\n\n\0x", 34)).payload == std::string_view("\n\0x", 3));
    }
    SUBCASE("without FORMAT the data's place is the end") {
        const Statement statement = look_at("INSERT INTO db.t (a)");
        CHECK(statement.takes_payload);
        CHECK(statement.infile_at == statement.sql.size());
    }
}

TEST_CASE("an INSERT that brings its own rows takes no payload") {
    CHECK_FALSE(look_at("INSERT INTO t VALUES (1, 'FORMAT CSV')").takes_payload);
    CHECK_FALSE(look_at("INSERT INTO t SELECT 1 FORMAT Null").takes_payload);
    CHECK_FALSE(look_at("INSERT INTO t (a) FROM INFILE 'x' FORMAT CSV").takes_payload);
    CHECK_FALSE(look_at("INSERT INTO FUNCTION file('x') WITH 1 AS y SELECT y").takes_payload);
}

TEST_CASE("several statements are noticed, semicolons in strings and comments are not") {
    CHECK(look_at("SELECT 1; SELECT 2").several);
    CHECK(look_at("INSERT INTO t VALUES (1); DROP TABLE t").several);
    CHECK_FALSE(look_at("SELECT ';' /* ; */ -- ;\n;  -- the end\n").several);
    CHECK_FALSE(look_at("SELECT `a;b`, \"c;d\", 'it''s \\'; ', $$;$$").several);
}

TEST_CASE("a trailing FORMAT names the result's format") {
    CHECK(look_at("SELECT 1 FORMAT JSONEachRow").format == "JSONEachRow");
    CHECK(look_at("SELECT 'FORMAT x', (SELECT 1 AS format)").format.empty());
}

TEST_CASE("SET is read as names and values") {
    const auto settings = parse_set("SET max_threads = 4, log_comment='it\\'s', x = 1.5;");
    REQUIRE(settings.size() == 3);
    CHECK(settings[0] == std::pair<std::string, std::optional<std::string>>{"max_threads", "4"});
    CHECK(settings[1] == std::pair<std::string, std::optional<std::string>>{"log_comment", "it's"});
    CHECK(settings[2].second == "1.5");
    CHECK(parse_set("SET a = DEFAULT, b = 'default'")[0].second == std::nullopt);
    CHECK(parse_set("SET a = DEFAULT, b = 'default'")[1].second == "default");
    CHECK_THROWS_AS(parse_set("SET x"), Error);
}

TEST_CASE("names, literals and parameters are quoted as ClickHouse reads them") {
    CHECK(quote("a`b\\") == "`a\\`b\\\\`");
    CHECK(literal("it's \\") == "'it\\'s \\\\'");
    CHECK(escape_param("a\tb\\\n") == "a\\tb\\\\\\n");
    CHECK(escape_param(std::nullopt) == "\\N");
}
