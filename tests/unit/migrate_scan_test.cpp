#include <doctest/doctest.h>

#include <filesystem>

#include "core/base/file.h"
#include "core/base/text.h"
#include "core/migrate/file.h"

using namespace ysdb;
using namespace ysdb::migrate;

namespace {

std::vector<std::string> statements(const std::string& text, Dialect dialect = Dialect::postgres) {
    const Source source{"f.sql", text};
    Splitter splitter(source, dialect);
    std::vector<std::string> found;
    for (auto item = splitter.next(); item.kind == Splitter::Item::Kind::statement; item = splitter.next()) found.emplace_back(item.statement.text(source));
    return found;
}

std::string hash(const std::string& text, Dialect dialect = Dialect::postgres) {
    const Source source{"f.sql", text};
    return Splitter(source, dialect).next().statement.hash;
}

Error failure(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    return Error(Code::ok, "nothing failed");
}

Migration parsed(const std::string& text) {
    return parse_migration("0001", "a", Source{"m/0001_a.sql", text}, "main", [](const std::string& store) { return store == "analytics" ? Dialect::clickhouse : Dialect::postgres; });
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a semicolon ends a statement only where PostgreSQL's lexer and psql see one") {
    CHECK(statements("SELECT 1; SELECT 2") == Texts{"SELECT 1", "SELECT 2"});
    CHECK(statements("SELECT ';', \"a;b\", E'\\';', 'it''s;' ; SELECT 2") == Texts{"SELECT ';', \"a;b\", E'\\';', 'it''s;'", "SELECT 2"});
    CHECK(statements("SELECT '\\'; SELECT 2") == Texts{"SELECT '\\'", "SELECT 2"});
    CHECK(statements("SELECT 1 -- one;\n, 2 /* a; /* nested; */ b; */; SELECT 3").size() == 2);
    CHECK(statements("DO $$ BEGIN; $x$ ; $x$ END; $$; SELECT 2").size() == 2);
    CHECK(statements("DO $body$ a; $$ b; $body$; SELECT 2").size() == 2);
    CHECK(statements("SELECT $1; SELECT a$b$c; SELECT 2").size() == 3);
    CHECK(statements("CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b); SELECT 1").size() == 2);
    CHECK(statements("CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END; SELECT 3").size() == 2);
    CHECK(statements("CREATE TABLE begin_atomic (begin int); SELECT 1").size() == 2);
    CHECK(statements(";;\n ; SELECT 1;;") == Texts{"SELECT 1"});
    CHECK(statements("SELECT U&'d\\0061t;' , U&\"x;\" , B'1;' , N';'; SELECT 2").size() == 2);
}

TEST_CASE("ClickHouse's own quotes, comments and heredocs are kept whole") {
    const auto split = [](const std::string& text) { return statements(text, Dialect::clickhouse); };
    CHECK(split("SELECT 'it\\'s;', `a;b`, \"c\\\";d\"; SELECT 2").size() == 2);
    CHECK(split("SELECT 1 # a; comment\n; SELECT $doc$ a; $$ b; $doc$; #! another;\nSELECT 3").size() == 3);
    CHECK(split("SELECT {p1:String}; SELECT [1, 2][1]; SELECT map('a;', 1)").size() == 3);
}

TEST_CASE("the rows of COPY FROM STDIN belong to their statement") {
    const Source source{"f.sql", "COPY public.t (a, b) FROM STDIN WITH (FORMAT text);\n1\tit's; $$ -- \\N\n2\t/* x\n\\.\n\nSELECT 1;"};
    Splitter splitter(source, Dialect::postgres);
    const Statement copy = splitter.next().statement;
    CHECK(copy.copies);
    CHECK(copy.rows(source) == "1\tit's; $$ -- \\N\n2\t/* x\n");
    CHECK(splitter.next().statement.text(source) == "SELECT 1");
    CHECK(failure([] { statements("COPY t FROM STDIN;\n1\n2\n"); }).message() == "f.sql:1:1: the rows of this COPY are not ended by a line that holds \\. alone");
    CHECK(statements("COPY t FROM '/tmp/stdin'; SELECT 1").size() == 2);
    CHECK(statements("COPY (SELECT 1 FROM stdin) TO '/tmp/x'; SELECT 1").size() == 2);
}

TEST_CASE("text that is not whole is refused where it begins") {
    CHECK(failure([] { statements("SELECT 1;\n  SELECT 'abc;\n"); }).message() == "f.sql:2:10: nothing ends the quote ' that begins here");
    CHECK(failure([] { statements("SELECT \"abc"); }).message() == "f.sql:1:8: nothing ends the quote \" that begins here");
    CHECK(failure([] { statements("DO $x$ BEGIN $$ ;"); }).message() == "f.sql:1:4: nothing ends the quote $x$ that begins here");
    CHECK(failure([] { statements("SELECT 1 /* /* */"); }).message() == "f.sql:1:10: nothing ends the comment that begins here");
    CHECK(failure([] { statements("SELECT 'a\\", Dialect::clickhouse); }).code() == Code::refused);
}

TEST_CASE("psql meta commands are refused by name") {
    const Error error = failure([] { statements("SELECT 1;\n\\connect other\n"); });
    CHECK(error.code() == Code::refused);
    CHECK(error.message() == "f.sql:2:1: '\\connect' is a command of psql, not SQL");
    CHECK(error.excerpt() == "    2 | \\connect other\n      | ^^^^^^^^\n");
}

TEST_CASE("a checksum changes with meaning and with nothing else") {
    const std::string one = hash("CREATE TABLE Users (id int, name text DEFAULT 'A  b')");
    CHECK(hash("create   table users(id INT,\r\n  -- why\n name text /* x */ default 'A  b') ;") == one);
    CHECK(hash("CREATE TABLE Users (id int, name text DEFAULT 'a  b')") != one);
    CHECK(hash("CREATE TABLE Users (id int, name text DEFAULT 'A b')") != one);
    CHECK(hash("CREATE TABLE \"Users\" (id int, name text DEFAULT 'A  b')") != one);
    CHECK(hash("SELECT 'a\r\nb'") == hash("SELECT 'a\nb'"));
    CHECK(hash("SELECT 'a\rb'") != hash("SELECT 'a\nb'"));
    CHECK(hash("SELECT a @- 1") != hash("SELECT a @ -1"));
    CHECK(hash("SELECT a<-1") == hash("SELECT a < -1"));
    CHECK(hash("SELECT 1 2") != hash("SELECT 12"));
    CHECK(hash("COPY t FROM STDIN;\n1\n\\.\n") != hash("COPY t FROM STDIN;\n2\n\\.\n"));
    CHECK(hash("SELECT A", Dialect::clickhouse) != hash("SELECT a", Dialect::clickhouse));
    // For good: databases hold it. It is sha256 of "select\0" "1\0".
    CHECK(hash("SELECT 1") == "b6b967ac0438a0914966fcfeb0fe964da916321f5311a46c965779eca2f196b4");
}

TEST_CASE("sections and options are read where they stand, and nowhere else") {
    const Migration file = parsed("-- licence\n-- migrate:up store:analytics lock-timeout:2s\nCREATE TABLE a (x String) ENGINE = Memory;\n"
                                  "SELECT '\n-- migrate:down\n';\n-- migrate:down\nDROP TABLE a;\n-- migrate:verify\nSELECT 1;\n");
    CHECK(file.store == "analytics");
    CHECK(file.dialect == Dialect::clickhouse);
    CHECK_FALSE(file.transaction);
    CHECK(file.lock_timeout == Millis(2'000));
    CHECK(file.up.size() == 2);
    CHECK(file.down.size() == 1);
    CHECK(file.verify.size() == 1);
    const Migration bare = parsed("SELECT 1;");
    CHECK(bare.store == "main");
    CHECK(bare.transaction);
    CHECK(bare.up.size() == 1);
    CHECK(parsed("-- migrate:up\nSELECT 1\n-- migrate:down\nSELECT 2").up.size() == 1);
    CHECK(parsed("-- migrate:up\n-- migrate:probe SELECT true\nCALL p();").up.at(0).probe == "SELECT true");
}

TEST_CASE("a line end or a byte order mark of another system changes nothing") {
    const Migration plain = parsed("-- migrate:up transaction:false\nSELECT 1;\nSELECT 2;\n-- migrate:down\nSELECT 3;\n");
    const Migration other = parsed("\xef\xbb\xbf-- migrate:up transaction:false\r\nSELECT 1;\r\nSELECT 2;\r\n-- migrate:down\r\nSELECT 3;\r\n");
    CHECK(other.checksum == plain.checksum);
    CHECK_FALSE(other.transaction);
    CHECK(other.down.size() == 1);
}

TEST_CASE("what cannot be a migration is refused with its place") {
    CHECK(failure([] { parsed(""); }).message() == "m/0001_a.sql: no statement to apply");
    CHECK(failure([] { parsed("-- migrate:up\n-- nothing yet\n-- migrate:down\nDROP TABLE a;"); }).message() == "m/0001_a.sql: no statement to apply");
    CHECK(failure([] { parsed("SELECT 1;\nSELECT '\xff';"); }).message() == "m/0001_a.sql:2: not valid UTF-8");
    CHECK(failure([] { parsed(std::string("S\0E", 3)); }).hint() == "is it UTF-16? save it as UTF-8");
    CHECK(failure([] { parsed("-- migrate:up transction:false\nSELECT 1;"); }).message() == "m/0001_a.sql:1:15: unknown option 'transction'; did you mean 'transaction'?");
    CHECK(failure([] { parsed("-- migrate:up lock-timeout:soon\nSELECT 1;"); }).code() == Code::refused);
    CHECK(failure([] { parsed("-- migrate:upp\nSELECT 1;"); }).message() == "m/0001_a.sql:1:1: unknown section 'upp'; did you mean 'up'?");
    CHECK(failure([] { parsed("SELECT 1;\n-- migrate:up\nSELECT 2;"); }).message() == "m/0001_a.sql:1:1: a statement stands before the first section line");
    CHECK(failure([] { parsed("-- migrate:up\nSELECT 1;\n-- migrate:down transaction:false\nSELECT 2;"); }).message() == "m/0001_a.sql:3:1: options stand on the first section line");
    CHECK(failure([] { parsed("-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;"); }).message() == "m/0001_a.sql:1:1: this is a file of goose");
}

TEST_CASE("a caret stands under the word, whatever is before it") {
    const Source source{"f.sql", "\tSELECT 'né', nothing FROM t"};
    CHECK(source.excerpt(byte_of_character(source.text, 15), 7) == "    1 | \tSELECT 'né', nothing FROM t\n      | \t             ^^^^^^^\n");
    CHECK(source.where(byte_of_character(source.text, 15)) == "f.sql:1:15");
}

TEST_CASE("versions are numbers, however they are written") {
    CHECK(version_less("9", "10"));
    CHECK(version_less("0009", "10"));
    CHECK_FALSE(version_less("010", "10"));
    CHECK(same_version("010", "10"));
    CHECK(version_less("0099", "20260131120000"));
    CHECK(split_file_name("20260131_add_users.sql") == std::pair<std::string, std::string>("20260131", "add_users"));
    CHECK_FALSE(split_file_name("notes.sql"));
    CHECK_FALSE(split_file_name("12_.sql"));
    CHECK_FALSE(split_file_name("12_a.txt"));
}

TEST_CASE("every shipped migration is read, in its own dialect") {
    std::size_t files = 0;
    for (const char* schema : {"yieldsensei", "solana"}) {
        const std::filesystem::path directory = std::filesystem::path(YSDB_SOURCE_DIR) / "sql" / schema;
        for (const Migration& file : read_migrations({directory, schema}, "main", [](const std::string& store) { return store == "main" ? Dialect::postgres : Dialect::clickhouse; })) {
            CHECK(!file.down.empty());
            ++files;
        }
    }
    CHECK(files > 20);
}

TEST_CASE("places that only grow are those that are counted from the beginning") {
    const Source source{"m/a.sql", "one\n\ntw\xc3\xb6 x\n  y\nz", 1};
    Places places(source);
    for (std::size_t at = 0; at <= source.text.size(); ++at) CHECK(places.where(at) == source.where(at));
    CHECK(places.where(2) == source.where(2));
    Places steps(source);
    for (const std::size_t at : {3u, 9u, 14u}) CHECK(steps.where(at) == source.where(at));
}
