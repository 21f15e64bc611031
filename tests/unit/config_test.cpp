#include <doctest/doctest.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/config/layers.h"
#include "core/config/settings.h"
#include "core/sync/routes.h"
#include "tests/temp_dir.h"

using namespace ysdb;
using test::TempDir;

namespace {

// A configuration from one directory, with no files elsewhere.
Config load(const TempDir& directory, std::map<std::string, std::string> environment = {},
            std::map<std::string, FlagValue> flags = {}) {
    ConfigSources sources;
    sources.environment = std::move(environment);
    sources.flags = std::move(flags);
    sources.working_directory = directory.path();
    sources.system_file = directory.path() / "etc/ysdb.toml";
    return load_config(sources);
}

Config load_text(const std::string& toml, std::map<std::string, std::string> environment = {}) {
    const TempDir directory;
    directory.write("ysdb.toml", toml);
    return load(directory, std::move(environment));
}

ConfigValue value_of(const Config& config, const std::string& name) {
    const auto found =
        std::find_if(config.values.begin(), config.values.end(), [&](const ConfigValue& value) { return value.name == name; });
    REQUIRE_MESSAGE(found != config.values.end(), name);
    return *found;
}

std::string problems_of(const Config& config) {
    std::string text;
    for (const ConfigProblem& problem : config.problems) text += problem.message + "\n";
    return text;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

const std::string two_stores = "[stores.main]\nurl = \"postgres://h/db\"\n[stores.analytics]\nurl = \"clickhouse://h/db\"\n";

}  // namespace

TEST_CASE("each layer wins over the ones before it, and every value knows its layer") {
    const TempDir directory;
    directory.write("etc/ysdb.toml", "[run]\ntimeout = \"1s\"\n");
    CHECK(load(directory).run.timeout == Millis(1'000));
    CHECK(value_of(load(directory), "migrate.dir").layer == "built-in");

    directory.write("home/ysdb/ysdb.toml", "[run]\ntimeout = \"2s\"\n");
    const std::map<std::string, std::string> user{{"XDG_CONFIG_HOME", directory.string() + "/home"}};
    CHECK(load(directory, user).run.timeout == Millis(2'000));
    CHECK(value_of(load(directory, user), "run.timeout").layer == directory.string() + "/home/ysdb/ysdb.toml:2");

    directory.write("ysdb.toml", "\n[run]\ntimeout = \"3s\"\n");
    CHECK(load(directory, user).run.timeout == Millis(3'000));
    CHECK(value_of(load(directory, user), "run.timeout").layer == "ysdb.toml:3");

    auto environment = user;
    environment["YSDB_RUN_TIMEOUT"] = "4s";
    CHECK(load(directory, environment).run.timeout == Millis(4'000));
    CHECK(value_of(load(directory, environment), "run.timeout").layer == "YSDB_RUN_TIMEOUT");

    const Config flagged = load(directory, environment, {{"run.timeout", {"--timeout", "5s"}}});
    CHECK(flagged.run.timeout == Millis(5'000));
    CHECK(value_of(flagged, "run.timeout").layer == "--timeout");
    CHECK(flagged.files.size() == 3);
}

TEST_CASE("--config and YSDB_CONFIG replace the file layers") {
    const TempDir directory;
    directory.write("ysdb.toml", "[migrate]\nstore = \"here\"\n");
    directory.write("other.toml", "[migrate]\ndir = \"m\"\n");
    const Config config = load(directory, {{"YSDB_CONFIG", "other.toml"}});
    CHECK(config.migrate.store == "main");
    CHECK(config.migrate.dir == "m");

    ConfigSources sources;
    sources.working_directory = directory.path();
    sources.environment = {{"YSDB_CONFIG", "other.toml"}};
    sources.file = directory.string() + "/ysdb.toml";
    CHECK(load_config(sources).migrate.store == "here");

    sources.file = "absent.toml";
    const Config absent = load_config(sources);
    CHECK(contains(problems_of(absent), "absent.toml"));
    CHECK_THROWS_AS(require_good_config(absent), Error);
}

TEST_CASE("a store's keys merge across layers") {
    const TempDir directory;
    directory.write("etc/ysdb.toml", two_stores + "[stores.main.pool]\nmax = 9\n");
    directory.write("ysdb.toml", "[stores.main]\nurl = \"postgres://other/db\"\n");
    const Config config = load(directory, {{"YSDB_STORES_MAIN_POOL_IDLE", "1m"}});
    REQUIRE(config.problems.empty());
    CHECK(config.stores.at("main").url == "postgres://other/db");
    CHECK(config.stores.at("main").pool.max == 9);
    CHECK(config.stores.at("main").pool.min == 5);
    CHECK(config.stores.at("main").pool.idle == Millis(60'000));
}

TEST_CASE("a file with partitions or syncs replaces those of the files before it") {
    const TempDir directory;
    directory.write(
        "etc/ysdb.toml",
        two_stores + "[[partition]]\ntable = \"main.a\"\nevery = \"day\"\n[[partition]]\ntable = \"main.b\"\nevery = \"day\"\n");
    directory.write("ysdb.toml", "[[partition]]\ntable = \"main.c\"\nevery = \"month\"\n");
    const Config config = load(directory);
    REQUIRE(config.partitions.size() == 1);
    CHECK(config.partitions[0].table == "main.c");
}

TEST_CASE("a variable with a URL creates a store; the longest known key ends its name") {
    const Config config =
        load(TempDir(), {{"YSDB_STORES_SIDE_CACHE_URL", "redis://h/0"}, {"YSDB_STORES_SIDE_CACHE_POOL_MAX", "3"}});
    REQUIRE(config.problems.empty());
    REQUIRE(config.stores.size() == 1);
    CHECK(config.stores.at("side_cache").pool.max == 3);
    CHECK(config.stores.at("side_cache").pool.min == 3);
    CHECK(config.warnings.empty());
}

TEST_CASE("variables that set nothing warn and are ignored") {
    const Config config =
        load(TempDir(),
             {{"YSDB_RUN_TIMEOT", "1s"}, {"YSDB_STORES_X_POOL_MAX", "1"}, {"YSDB_STORES_X_COLOUR", "1"}, {"YSDB_FAULT", "a.b"}});
    CHECK(config.problems.empty());
    REQUIRE(config.warnings.size() == 3);
    CHECK(contains(config.warnings[0] + config.warnings[1] + config.warnings[2], "did you mean 'YSDB_RUN_TIMEOUT'?"));
}

TEST_CASE("no two stores can share a variable: no store key ends in another one") {
    const std::string prefix = "YSDB_STORES_NAME";
    for (const Setting& one : setting_table()) {
        for (const Setting& other : setting_table()) {
            if (&one == &other || !variable_of(one).starts_with(prefix) || !variable_of(other).starts_with(prefix)) continue;
            INFO(one.name << " and " << other.name);
            CHECK(!variable_of(one).ends_with(variable_of(other).substr(prefix.size())));
        }
    }
}

TEST_CASE("without a configured store, the variables people already have are taken") {
    const Config config = load(TempDir(), {{"POSTGRES_HOST", "db"},
                                           {"POSTGRES_PORT", "6543"},
                                           {"POSTGRES_DB", "yield"},
                                           {"POSTGRES_USER", "app"},
                                           {"POSTGRES_PASSWORD", "s3cret"},
                                           {"POSTGRES_POOL_MAX", "7"},
                                           {"CLICKHOUSE_HOST", "ch"},
                                           {"CLICKHOUSE_DB", "an"},
                                           {"CLICKHOUSE_USER", "default"},
                                           {"DRAGONFLY_HOST", "fly"},
                                           {"KAFKA_BROKERS", "k1:9092,k2:9092"},
                                           {"WEAVIATE_SCHEME", "https"},
                                           {"WEAVIATE_HOST", "w"},
                                           {"ARANGO_URL", "http://localhost:8529"},
                                           {"ARANGO_DB", "g"},
                                           {"ARANGO_USER", "root"},
                                           {"QUESTDB_HOST", "q"}});
    REQUIRE(problems_of(config) == "");
    CHECK(config.stores.at("main").url == "postgres://app@db:6543/yield");
    CHECK(config.stores.at("main").password.reveal() == "s3cret");
    CHECK(config.stores.at("main").pool.max == 7);
    CHECK(config.stores.at("analytics").url == "clickhouse://default@ch:8123/an");
    CHECK(config.stores.at("cache").url == "redis://fly:6379/0");
    CHECK(config.stores.at("events").url == "kafka://k1:9092,k2:9092");
    CHECK(config.stores.at("vectors").url == "weaviates://w:8080/");
    CHECK(config.stores.at("graph").url == "arango://root@localhost:8529/g");
    CHECK(config.stores.at("ticks").url == "questdb://q:8812/qdb");
    CHECK(value_of(config, "stores.main.pool.max").layer == "POSTGRES_POOL_MAX");
}

TEST_CASE("libpq's variables name a store, too: a host, a socket, a service") {
    CHECK(load(TempDir(), {{"PGHOST", "db"}, {"PGUSER", "app"}}).stores.at("main").url == "postgres://app@db:5432/");
    CHECK(load(TempDir(), {{"PGHOST", "/run/postgresql"}, {"PGDATABASE", "y"}}).stores.at("main").url ==
          "postgres:///y?host=%2Frun%2Fpostgresql&port=5432");
    CHECK(load(TempDir(), {{"PGSERVICE", "prod"}}).stores.at("main").url == "postgres:///?service=prod");
}

TEST_CASE("borrowed variables are ignored once a store is configured") {
    const Config config = load_text("[stores.main]\nurl = \"postgres://h/db\"\n", {{"CLICKHOUSE_HOST", "ch"}});
    CHECK(config.stores.size() == 1);
}

TEST_CASE("passwords leave the URL, and the most important layer that says one wins") {
    const TempDir directory;
    directory.write("secret", "from file\n");
    directory.write("ysdb.toml", "[stores.main]\nurl = \"postgres://app:in%20url@h/db?sslmode=require&password=query\"\n");
    CHECK(load(directory).stores.at("main").url == "postgres://app@h/db?sslmode=require");
    CHECK(load(directory).stores.at("main").password.reveal() == "query");

    directory.write("ysdb.toml", "[stores.main]\nurl = \"postgres://app:url@h/db\"\npassword_file = \"secret\"\n");
    CHECK(load(directory).stores.at("main").password.reveal() == "from file");
    CHECK(load(directory, {{"YSDB_STORES_MAIN_PASSWORD", "env"}}).stores.at("main").password.reveal() == "env");
    CHECK(load(directory, {{"YSDB_STORES_MAIN_URL", "postgres://app:newest@h/db"}}).stores.at("main").password.reveal() ==
          "newest");
}

TEST_CASE("a password file is relative to the file that names it, and has to be readable") {
    const TempDir directory;
    directory.write("etc/secret", "pw");
    directory.write("etc/ysdb.toml", "[stores.main]\nurl = \"postgres://app@h/db\"\npassword_file = \"secret\"\n");
    CHECK(load(directory).stores.at("main").password.reveal() == "pw");

    directory.write("etc/ysdb.toml", "[stores.main]\nurl = \"postgres://app@h/db\"\npassword_file = \"missing\"\n");
    CHECK(contains(problems_of(load(directory)), "store 'main': cannot read"));
}

TEST_CASE("no secret is in values, problems or warnings") {
    const Config config = load_text(
        "[stores.main]\nurl = \"postgres://app:hunter2@h/db\"\nurll = \"postgres://app:hunter2@h/db\"\n"
        "[stores.b]\nurl = \"redis://:hun/ter2@h/0\"\npool = { max = \"hunter2\" }\n",
        {{"YSDB_STORES_MAIN_PASSWORD", "hunter2"}, {"YSDB_HUNTER", "hunter2"}});
    std::string everything = problems_of(config);
    for (const ConfigValue& value : config.values) everything += value.name + value.value + value.layer;
    for (const std::string& warning : config.warnings) everything += warning;
    CHECK(!contains(everything, "hunter2"));
    CHECK(!contains(everything, "ter2"));
    CHECK(config.problems.size() >= 3);
}

TEST_CASE("an unknown key is named with its line and the nearest known one") {
    CHECK(problems_of(load_text("[stores.main]\nurll = \"x\"\nurl = \"postgres://h/d\"\n")) ==
          "ysdb.toml:2: unknown key 'stores.main.urll'; did you mean 'url'?\n");
    CHECK(contains(problems_of(load_text("[migrat]\ndir = \"x\"\n")), "unknown key 'migrat'; did you mean 'migrate'?"));
    CHECK(contains(problems_of(load_text("[stores.main]\nurl = \"postgres://h/d\"\npool = { mx = 3 }\n")),
                   "unknown key 'stores.main.pool.mx'; did you mean 'max'?"));
    CHECK(contains(problems_of(load_text("migrate = \"x\"\n")), "'migrate' is a section, not a value"));
    CHECK(contains(problems_of(load_text("[migrate.dirs]\n")), "unknown key 'migrate.dirs'; did you mean 'dir'?"));
    CHECK(contains(problems_of(load_text("[stores.Main]\nurl = \"x\"\n")), "'Main' is no name for a store"));
}

TEST_CASE("values of the wrong kind are refused and the default stays") {
    const Config config = load_text(
        two_stores + "[stores.main.pool]\nmax = \"many\"\nidle = 5\n[run]\ntimeout = \"soon\"\n[log]\nformat = \"jsn\"\n");
    CHECK(config.problems.size() == 4);
    CHECK(contains(problems_of(config), "log.format cannot be 'jsn'; did you mean 'json'?"));
    CHECK(config.stores.at("main").pool.max == 20);
    CHECK(config.run.timeout == Millis(30'000));
    CHECK(
        contains(problems_of(load_text("[stores.main]\nurl = \"postgres://h/d\"\npool = { min = 5, max = 2 }\n")), "do not fit"));
    CHECK(contains(problems_of(load_text("[stores.main]\npool = { max = 2 }\n")), "ysdb.toml:2: store 'main' has no url"));
    CHECK(contains(problems_of(load_text("[stores.main]\n")), "store 'main' has no url"));
}

TEST_CASE("a file that is not TOML is named with the place, without its text") {
    const std::string problem = problems_of(load_text("[stores.main]\nurl = postgres://app:hunter2@h\n"));
    CHECK(contains(problem, "ysdb.toml:2:"));
    CHECK(!contains(problem, "hunter2"));
}

TEST_CASE("partitions are checked: table, period, keep with archive") {
    const auto problem = [](const std::string& body) { return problems_of(load_text(two_stores + "[[partition]]\n" + body)); };
    CHECK(problem("table = \"main.public.t\"\nevery = \"7 days\"\nkeep = \"24 months\"\narchive = \"analytics.t_archive\"\n") ==
          "");
    CHECK(problem("table = \"main.public.\\\"a.b\\\"\"\nevery = 1000000\narchive = \"file:///var/a\"\n") == "");
    CHECK(contains(problem("every = \"day\"\n"), "partition: table is missing"));
    CHECK(contains(problem("table = \"main.t\"\n"), "every is missing"));
    CHECK(contains(problem("table = \"t\"\nevery = \"day\"\n"), "not a table's name"));
    CHECK(
        contains(problem("table = \"mian.t\"\nevery = \"day\"\n"), "no store named 'mian' is configured; did you mean 'main'?"));
    CHECK(contains(problem("table = \"main.t\"\nevery = \"fortnight\"\n"), "every cannot be 'fortnight'"));
    CHECK(contains(problem("table = \"main.t\"\nevery = \"day\"\nkeep = \"long\"\n"), "keep cannot be 'long'"));
    CHECK(contains(problem("table = \"main.t\"\nevery = \"day\"\nkeep = \"2 days\"\n"),
                   "keep without archive would delete for good"));
    CHECK(contains(problem("table = \"main.t\"\nevery = \"day\"\narchive = \"ftp://x\"\n"), "archive cannot be 'ftp://x'"));
}

TEST_CASE("syncs are checked: names, stores, tables, targets") {
    const auto problem = [](const std::string& sync, const std::string& to) {
        return problems_of(load_text(two_stores + "[[sync]]\n" + sync + "[[sync.to]]\n" + to));
    };
    const std::string good = "name = \"y\"\nfrom = \"main\"\ntables = [\"public.t\"]\n";
    CHECK(problem(good, "store = \"analytics\"\n") == "");
    CHECK(contains(problem(good + "capture = \"wall\"\n", "store = \"analytics\"\n"),
                   "capture cannot be 'wall'; did you mean 'wal'?"));
    CHECK(contains(problem(good, "store = \"analytic\"\n"), "did you mean 'analytics'?"));
    CHECK(contains(problem(good, "store = \"main\"\n"), "both source and target"));
    CHECK(contains(problem(good, "store = \"analytics\"\ntable = \"public.x\"\n"), "'public.x' is not among its tables"));
    CHECK(contains(problem(good, "store = \"analytics\"\nkey = \"a:{id\"\n"), "unmatched braces"));
    CHECK(contains(problem(good, "store = \"analytics\"\nkey = \"a:{{id}\"\n"), "unmatched braces"));
    CHECK_FALSE(contains(problem(good, "store = \"analytics\"\nkey = \"a:{{id}}:{b}\"\n"), "unmatched braces"));
    CHECK(contains(problem(good, "store = \"analytics\"\nttl = \"5\"\n"), "is not a duration"));
    CHECK(contains(problem("name = \"y\"\ntables = [1]\n", "store = \"analytics\"\n"), "has to be a list of texts"));
    CHECK(contains(problem("name = \"Y Z\"\ntables = [\"a\"]\n", "store = \"analytics\"\n"), "is no name for a sync"));
    CHECK(contains(problems_of(load_text(two_stores + "[[sync]]\nname = \"y\"\ntables = [\"t\"]\n")), "goes nowhere"));
}

TEST_CASE("a sync target says what its kind of store needs, and nothing that another kind reads") {
    const std::string stores = two_stores + "[stores.cache]\nurl = \"redis://h\"\n[stores.events]\nurl = \"kafka://h\"\n";
    const auto problem = [&](const std::string& to, const std::string& tables = "\"public.t\"") {
        return problems_of(load_text(stores + "[[sync]]\nname = \"y\"\ntables = [" + tables + "]\n[[sync.to]]\n" + to));
    };
    CHECK(problem("store = \"cache\"\nttl = \"5m\"\nkey = \"a:{id}:{b}\"\nformat = \"json\"\nchannel = \"c\"\n") == "");
    CHECK(problem("store = \"events\"\ntopic = \"a.b-c\"\nformat = \"debezium\"\npartitions = 6\nretention = \"7d\"\n") == "");
    CHECK(problem("store = \"events\"\ntopic = \"{schema}.{table}\"\n", "\"public.t\", \"public.u\"") == "");

    CHECK(contains(problem("store = \"cache\"\n"), "'cache' needs a key with columns"));
    CHECK(contains(problem("store = \"cache\"\nkey = \"all\"\n"), "'cache' needs a key with columns"));
    CHECK(contains(problem("store = \"cache\"\nkey = \"a:{id}\"\n", "\"public.t\", \"public.u\""), "would be that of several tables"));
    CHECK(contains(problem("store = \"cache\"\nkey = \"a:{id}\"\nformat = \"jsn\"\n"), "cannot be 'jsn'; did you mean 'json'?"));
    CHECK(contains(problem("store = \"cache\"\nkey = \"a:{id}\"\nformat = \"debezium\"\n"), "'cache' has no format debezium"));
    CHECK(contains(problem("store = \"cache\"\nkey = \"a:{id}\"\ntopic = \"t\"\n"), "topic of 'cache' is a setting for Kafka"));
    CHECK(contains(problem("store = \"cache\"\nkey = \"a:{id}\"\nttl = \"0s\"\n"), "ttl of 'cache' is nothing"));
    CHECK(contains(problem("store = \"events\"\n"), "'events' needs a topic"));
    CHECK(contains(problem("store = \"events\"\ntopic = \"a b\"\n"), "no name for a topic"));
    CHECK(contains(problem("store = \"events\"\ntopic = \"{tabel}\"\n"), "no name for a topic"));
    CHECK(contains(problem("store = \"events\"\ntopic = \"a\"\n", "\"public.t\", \"public.u\""), "would be that of several tables"));
    CHECK(contains(problem("store = \"events\"\ntopic = \"a\"\nformat = \"hash\"\n"), "'events' has no format hash"));
    CHECK(contains(problem("store = \"events\"\ntopic = \"a\"\nttl = \"5m\"\n"), "ttl of 'events' is a setting for Redis"));
    CHECK(contains(problem("store = \"analytics\"\nkey = \"a:{id}\"\n"), "key of 'analytics' is a setting for Redis"));
    CHECK(contains(problem("store = \"analytics\"\nformat = \"json\"\n"), "'analytics' has no format json"));
    const std::string two = "\"public.t\", \"public.u\"";
    CHECK(contains(problem("store = \"cache\"\ntable = \"public.t\"\nkey = \"a:{id}\"\n[[sync.to]]\nstore = \"cache\"\ntable = \"public.u\"\nkey = \"a:{id}\"\n", two), "is taken twice"));
    CHECK(problem("store = \"events\"\ntable = \"public.t\"\ntopic = \"{table}\"\n[[sync.to]]\nstore = \"events\"\ntable = \"public.u\"\ntopic = \"{table}\"\n", two) == "");
}

TEST_CASE("what a polled set needs, and what only it may say, is checked") {
    const auto problem = [](const std::string& set, const std::string& table, const std::string& more = "") {
        return problems_of(load_text(two_stores + more + "[[sync]]\nname = \"y\"\ntables = [\"v\"]\n" + set + "[[sync.table]]\nname = \"v\"\n" + table + "[[sync.to]]\nstore = \"cache\"\nkey = \"a:{id}\"\n[stores.cache]\nurl = \"redis://h\"\n"));
    };
    const std::string polled = "from = \"analytics\"\ncapture = \"poll\"\n";
    CHECK(problem(polled + "every = \"2s\"\n", "key = [\"id\"]\ncursor = \"at\"\noverlap = \"5m\"\n") == "");
    CHECK(problem(polled, "key = [\"id\"]\ncursor = \"seq\"\noverlap = \"1000\"\n") == "");
    CHECK(contains(problem(polled + "every = \"0s\"\n", ""), "every is nothing"));
    CHECK(contains(problem(polled, "cursor = \"at\"\noverlap = \"often\"\n"), "overlap cannot be 'often'"));
    CHECK(contains(problem(polled, "overlap = \"5m\"\n"), "overlap without cursor"));
    CHECK(contains(problem(polled, "columns = [\"a\"]\nexcept = [\"b\"]\n"), "columns and except"));
    CHECK(contains(problem(polled + "state = \"mian\"\n", ""), "no store named 'mian'"));
    CHECK(contains(problem(polled + "state = \"cache\"\n", ""), "'cache' is not a PostgreSQL store"));
    CHECK(contains(problem("capture = \"poll\"\n", ""), "reads ClickHouse, and 'main' is none"));
    CHECK(contains(problem("", "key = [\"id\"]\n"), "key is for capture = \"poll\""));
    CHECK(contains(problem(polled, "key = [\"id\"]\n[[sync.table]]\nname = \"w\"\n"), "'w' is not among its tables"));
}

TEST_CASE("tables of one name from two schemas go into one store where key or topic tells them apart, and are refused where it does not") {
    const auto routes = [](const std::string& to) {
        return find_routes(load_text(two_stores + "[stores.cache]\nurl = \"redis://h\"\n[stores.events]\nurl = \"kafka://h\"\n[[sync]]\nname = \"y\"\ntables = [\"a.t\", \"b.t\"]\n" + to), {});
    };
    CHECK(routes("[[sync.to]]\nstore = \"events\"\ntopic = \"{schema}.{table}\"\n").size() == 2);
    CHECK(routes("[[sync.to]]\nstore = \"cache\"\ntable = \"a.t\"\nkey = \"a:{id}\"\n[[sync.to]]\nstore = \"cache\"\ntable = \"b.t\"\nkey = \"b:{id}\"\n").size() == 2);
    CHECK_THROWS_AS(routes("[[sync.to]]\nstore = \"analytics\"\n"), Error);
}

TEST_CASE("a route carries its landing, with the table's names in topic and channel") {
    const Config config = load_text(two_stores + "[stores.cache]\nurl = \"redis://h\"\n[stores.events]\nurl = \"kafka://h\"\n"
                                    "[[sync]]\nname = \"y\"\ntables = [\"public.t\", \"app.u\"]\n"
                                    "[[sync.to]]\nstore = \"events\"\ntopic = \"c.{schema}.{table}\"\nretention = \"1h\"\npartitions = 3\nformat = \"debezium\"\n"
                                    "[[sync.to]]\nstore = \"cache\"\ntable = \"app.u\"\nkey = \"u:{id}\"\nchannel = \"news-{table}\"\nttl = \"5m\"\n");
    REQUIRE(problems_of(config) == "");
    const auto routes = find_routes(config, {});
    REQUIRE(routes.size() == 3);
    CHECK(routes[0].landing.topic == "c.public.t");
    CHECK(routes[1].landing.topic == "c.app.u");
    CHECK(routes[1].landing.source.text() == "app.u");
    CHECK(routes[1].landing.retention == Millis(3'600'000));
    CHECK(routes[1].landing.partitions == 3);
    CHECK(routes[1].landing.format == "debezium");
    CHECK(routes[2].landing.set == "y");
    CHECK(routes[2].landing.key == "u:{id}");
    CHECK(routes[2].landing.channel == "news-u");
    CHECK(routes[2].landing.ttl == Millis(300'000));
}

TEST_CASE("paths are relative to the file or the working directory that says them") {
    const TempDir directory;
    directory.write("ysdb.toml", "[migrate]\ndir = \"m\"\n");
    CHECK(load(directory).migrate.dir == "m");
    CHECK(load(directory).directory == directory.string());
    directory.write("sub/c.toml", "[migrate]\nstore = \"main\"\n");
    const Config config = load(directory, {{"YSDB_CONFIG", "sub/c.toml"}, {"YSDB_MIGRATE_DIR", "x"}});
    CHECK(config.directory == directory.string() + "/sub");
    CHECK(config.migrate.dir == directory.string() + "/x");
}

TEST_CASE("the defaults of the plain structs are those of the settings table") {
    const PoolConfig pool;
    CHECK(find_setting("stores.NAME.pool.min")->fallback == std::to_string(pool.min));
    CHECK(find_setting("stores.NAME.pool.max")->fallback == std::to_string(pool.max));
    CHECK(parse_duration(find_setting("stores.NAME.pool.idle")->fallback, "idle") == pool.idle);
    CHECK(parse_duration(find_setting("stores.NAME.pool.connect_timeout")->fallback, "connect_timeout") == pool.connect_timeout);
    CHECK(parse_duration(find_setting("run.timeout")->fallback, "timeout") == RunConfig{}.timeout);
    CHECK(find_setting("migrate.dir")->fallback == MigrateConfig{}.dir);
    CHECK(find_setting("migrate.store")->fallback == MigrateConfig{}.store);
    CHECK(find_setting("sync[].capture")->fallback == SyncConfig{}.capture);
    CHECK(find_setting("sync[].from")->fallback == SyncConfig{}.from);
}

TEST_CASE("variables are named after the setting; settings in arrays have none") {
    CHECK(variable_of(*find_setting("migrate.dir")) == "YSDB_MIGRATE_DIR");
    CHECK(variable_of(*find_setting("stores.NAME.pool.connect_timeout")) == "YSDB_STORES_NAME_POOL_CONNECT_TIMEOUT");
    CHECK(variable_of(*find_setting("sync[].to[].ttl")) == "");
}
