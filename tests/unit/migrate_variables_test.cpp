#include <doctest/doctest.h>

#include "core/base/error.h"
#include "core/config/layers.h"
#include "core/migrate/variables.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using namespace ysdb::migrate;

namespace {

Migration parsed(const std::string& text) {
    return parse_migration("0001", "a", Source{"m/0001_a.sql", text}, "main", [](const std::string& store) { return store == "analytics" ? Dialect::clickhouse : Dialect::postgres; });
}

Variables some() {
    Variables variables;
    variables.emplace("schema", Secret("market"));
    variables.emplace("one", Secret("1"));
    return variables;
}

// The first statement as it is sent.
std::string sent(const std::string& text) {
    const Migration file = parsed(text);
    return expand(file, file.up.front().begin, file.up.front().end, some()).text;
}

std::string refusal(const std::string& text) {
    try {
        sent(text);
    } catch (const Error& error) {
        return error.message() + " | " + error.hint();
    }
    return "";
}

}  // namespace

TEST_CASE("a variable is put in wherever it stands, but not in comments and not for what only looks like one") {
    CHECK(sent("SELECT ${one}, '${ONE}', \"${schema}\", t_${one}.x, $f$ ${one} $f$") == "SELECT 1, '1', \"market\", t_1.x, $f$ 1 $f$");
    CHECK(sent("SELECT 1 -- ${nobody}\n/* ${nobody} */ + ${one}") == "SELECT 1 -- ${nobody}\n/* ${nobody} */ + 1");
    CHECK(sent("SELECT '$${one}'") == "SELECT '${one}'");
    CHECK(sent("SELECT $${\"a\": 1}$$, $$a${one}$$") == "SELECT $${\"a\": 1}$$, $$a1$$");
    CHECK(sent("SELECT '$', '$$', '$1', $1") == "SELECT '$', '$$', '$1', $1");
    CHECK(sent("SELECT 'no variable at all'") == "SELECT 'no variable at all'");
    CHECK(sent("-- migrate:up variables:false\nSELECT '${one} ${nobody} $${x}'") == "SELECT '${one} ${nobody} $${x}'");
    CHECK(sent("-- migrate:up store:analytics\nSELECT ${one}, `${schema}`, $h$ ${one} $h$, {one:Int32}") == "SELECT 1, `market`, $h$ 1 $h$, {one:Int32}");
}

TEST_CASE("a variable that nobody gave a value is refused at its place, with the nearest name and the ways out") {
    CHECK(refusal("SELECT 1,\n  '${shema}'").starts_with("m/0001_a.sql:2:4: nothing gives the variable 'shema' a value; did you mean 'schema'?"));
    CHECK(refusal("SELECT '${shema}'").find("YSDB_MIGRATE_VARIABLES_SHEMA") != std::string::npos);
    for (const char* none : {"SELECT '${}'", "SELECT '${1}'", "SELECT '${a b}'", "SELECT '${a'"}) {
        CAPTURE(none);
        CHECK(refusal(none).starts_with("m/0001_a.sql:1:9: no name of a variable follows"));
    }
}

TEST_CASE("values change neither checksum nor hash, and places are found again behind them") {
    const Migration file = parsed("SELECT ${schema}, nothing, ${one}, more");
    CHECK(file.checksum == parsed("SELECT ${schema} , nothing,  ${one}, more").checksum);
    const Expanded expanded = expand(file, file.up.front().begin, file.up.front().end, some());
    CHECK(expanded.text == "SELECT market, nothing, 1, more");
    const auto source_of = [&](const std::string& word) { return file.source.text.substr(expanded.source_of(expanded.text.find(word))); };
    CHECK(source_of("nothing").starts_with("nothing"));
    CHECK(source_of("more").starts_with("more"));
    CHECK(source_of("rket").starts_with("${schema}"));
    CHECK(source_of("1,").starts_with("${one}"));
    CHECK(expanded.source_of(0) == 0);
}

TEST_CASE("what is shown names the variables, also where a server's message quotes their values") {
    const Migration file = parsed("CREATE TABLE ${schema}.t_${one} (x int)");
    CHECK(show(masked(file, 0, file.up.front().end)) == "CREATE TABLE ${schema}.t_${one} (x int)");
    CHECK(without_values("relation \"market.t\" of 1 does not exist in market", some()) == "relation \"${schema}.t\" of 1 does not exist in ${schema}");
}

TEST_CASE("variables come from the file and from the environment, which wins, and are never shown") {
    const test::TempDir directory;
    directory.write("ysdb.toml", "[migrate.variables]\nschema = \"market\"\ncount = 3\nBad = \"x\"\n");
    ConfigSources sources;
    sources.environment = {{"YSDB_MIGRATE_VARIABLES_SCHEMA", "other"}, {"YSDB_MIGRATE_VARIABLES_TOKEN", "hunter2"}, {"YSDB_MIGRATE_VARIABLES_1X", "?"}};
    sources.working_directory = directory.path();
    sources.system_file = directory.path() / "etc/ysdb.toml";
    const Config config = load_config(sources);
    CHECK(config.migrate.variables.at("schema").reveal() == "other");
    CHECK(config.migrate.variables.at("count").reveal() == "3");
    CHECK(config.migrate.variables.at("token").reveal() == "hunter2");
    CHECK(config.migrate.variables.size() == 3);
    REQUIRE(config.problems.size() == 1);
    CHECK(config.problems[0].message == "ysdb.toml:4: 'Bad' is no name for a variable");
    REQUIRE(config.warnings.size() == 1);
    CHECK(config.warnings[0].starts_with("YSDB_MIGRATE_VARIABLES_1X"));
    for (const ConfigValue& value : config.values) {
        CHECK(value.value.find("hunter2") == std::string::npos);
        CHECK(value.value.find("other") == std::string::npos);
    }
}

TEST_CASE("Flyway's own names stand for what it fills in, in files of Flyway alone") {
    Manner flyway;
    flyway.built_in_names = true;
    Migration file = parse_migration("1", "a", Source{"m/sub/V1__a.sql", "SELECT '${flyway:user} ${flyway:filename} ${one} ${flyway:nothing}'"}, "main", [](const std::string&) { return Dialect::postgres; }, flyway);
    const auto text = [&] { return expand(file, file.up.front().begin, file.up.front().end, some()).text; };
    CHECK_THROWS_WITH_AS(text(), doctest::Contains("m/sub/V1__a.sql:1:9: ysdb has no value for Flyway's 'flyway:user'"), Error);  // nobody asked the server yet
    file.built_in = std::make_shared<const std::map<std::string, std::string>>(std::map<std::string, std::string>{{"user", "carl"}});
    CHECK_THROWS_WITH_AS(text(), doctest::Contains("'flyway:nothing'"), Error);
    CHECK(show(masked(file, 0, file.source.text.size())) == file.source.text);
    file.source.text.replace(file.source.text.find("${flyway:nothing}"), 17, "xxxxxxxxxxxxxxxxx");
    CHECK(text() == "SELECT 'carl V1__a.sql 1 xxxxxxxxxxxxxxxxx'");
    CHECK_FALSE(file.runs_each_time());
    CHECK(refusal("SELECT '${flyway:user}'").starts_with("m/0001_a.sql:1:9: no name of a variable follows"));
    const Migration again = parse_migration("R__v", "v", Source{"m/R__v.sql", "-- ${flyway:timestamp}\nSELECT 1"}, "main", [](const std::string&) { return Dialect::postgres; }, flyway);
    CHECK(again.runs_each_time());
}
