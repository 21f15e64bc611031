// needs: main
#include <doctest/doctest.h>

#include "core/base/file.h"
#include "core/generate/load.h"
#include "core/schema_doc/model.h"
#include "tests/live/schemas.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(60'000)); }

class Database {
public:
    explicit Database(const std::string& schema) : context_({database_.config()}) { apply_schema(*context_, schema, "main"); }
    Context& context() { return *context_; }
    Store& store() { return context_->stores.get("main"); }
    SqlResult query(const std::string& sql) { return store().sql()->query(sql, soon()); }
    std::int64_t number(const std::string& sql) { return query(sql).row(0).integer(0); }
    std::string failure(const std::string& sql) {
        try {
            query(sql);
        } catch (const Error& error) {
            return error.message();
        }
        return "nothing failed";
    }

private:
    TestDatabase database_;
    TestContext context_;
};

LoadOptions load_options(const std::string& schema, std::uint64_t rows) {
    LoadOptions options;
    options.schema = schema;
    options.rows = rows;
    options.until = unix_micros_now() / 3'600'000'000 * 3'600'000'000;
    return options;
}

}  // namespace

TEST_CASE("six monthly and eight quarterly partitions lie ahead, without gaps, whatever the session's time zone") {
    Database db("yieldsensei");
    CHECK(db.number("SELECT count(*) FROM partition_overview WHERE parent = 'transaction_history'::regclass AND upper_bound > now() + interval '1 month'") == 6);
    CHECK(db.number("SELECT count(*) FROM partition_overview WHERE parent = 'portfolio_snapshots'::regclass"
                    " AND upper_bound > date_trunc('quarter', now(), 'UTC') + interval '3 months'") == 8);
    // No gaps: each partition's upper bound is the next one's lower.
    CHECK(db.number("SELECT count(*) FROM (SELECT bounds, upper_bound, lag(upper_bound) OVER (PARTITION BY parent ORDER BY upper_bound) AS lower,"
                    " (regexp_match(bounds, $x$FROM \\('([^']+)'\\)$x$))[1] AS said FROM partition_overview) p"
                    " WHERE lower IS NOT NULL AND (CASE WHEN length(said) = 10 THEN said::timestamp AT TIME ZONE 'UTC' ELSE said::timestamptz END) <> lower") == 0);
    const auto session = db.store().sql()->open_session("test", soon());
    session->query("SET timezone = 'Pacific/Auckland'", soon());
    CHECK(session->query("SELECT count(*) FROM ensure_partitions('transaction_history', 'month', 7)", soon()).row(0).integer(0) == 1);
    CHECK(session->query("SELECT count(*) FROM ensure_partitions('transaction_history', 'month', 7)", soon()).row(0).integer(0) == 0);
    CHECK(session->query("SELECT count(*) FROM partition_overview WHERE extract(day FROM upper_bound AT TIME ZONE 'UTC') <> 1", soon()).row(0).integer(0) == 0);
}

TEST_CASE("old partitions are detached whole and stay as tables") {
    Database db("yieldsensei");
    const std::int64_t before = db.number("SELECT count(*) FROM partition_overview WHERE parent = 'transaction_history'::regclass");
    const SqlResult detached = db.query("SELECT detach_partitions_before('transaction_history', now() - interval '10 months')::text");
    CHECK(detached.rows() == 2);
    CHECK(db.number("SELECT count(*) FROM partition_overview WHERE parent = 'transaction_history'::regclass") == before - 2);
    CHECK(db.number("SELECT count(*) FROM " + detached.row(0).text(0)) == 0);
}

TEST_CASE("down sections leave nothing behind") {
    for (const char* schema : {"yieldsensei", "solana"}) {
        Database db(schema);
        apply_schema(db.context(), schema, "main", Direction::down);
        CHECK(db.number("SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
                        " + (SELECT count(*) FROM pg_type WHERE typnamespace = 'public'::regnamespace)"
                        " + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)"
                        " + (SELECT count(*) FROM pg_extension WHERE extname <> 'plpgsql')") == 0);
        apply_schema(db.context(), schema, "main");
    }
}

TEST_CASE("constraints keep out what is no data") {
    Database db("yieldsensei");
    db.query("INSERT INTO users (wallet_address) VALUES ('0x00000000000000000000000000000000000000aa')");
    CHECK(db.failure("INSERT INTO users (wallet_address) VALUES ('0x00000000000000000000000000000000000000AA')").find("users_wallet_address_case") != std::string::npos);
    CHECK(db.failure("INSERT INTO assets (symbol, name, chain, decimals) VALUES ('X', 'X', 'ethereum', 18)").find("assets_native_has_no_contract") != std::string::npos);
    db.query("INSERT INTO assets (symbol, name, type, chain, decimals) VALUES ('ETH', 'Ether', 'native', 'ethereum', 18)");
    CHECK(db.failure("INSERT INTO assets (symbol, name, type, chain, decimals) VALUES ('E2', 'Other', 'native', 'ethereum', 18)").find("assets_contract_key") != std::string::npos);
    const std::string insert =
        "INSERT INTO transaction_history (user_id, asset_id, type, chain, transaction_hash, block_number, block_timestamp, amount)"
        " SELECT u.id, a.id, 'swap', 'ethereum', sha256('x'), 1, now(), ";
    db.query(insert + "1 FROM users u, assets a");
    CHECK(db.failure(insert + "1 FROM users u, assets a").find("duplicate key") == std::string::npos);  // another moment is another event
    CHECK(db.failure(insert + "'NaN' FROM users u, assets a").find("amount_not_negative") != std::string::npos);
    CHECK(db.failure(insert + "-1 FROM users u, assets a").find("amount_not_negative") != std::string::npos);
    CHECK(db.failure("INSERT INTO protocols (slug, name, category) VALUES ('Upper Case', 'x', 'dex')").find("protocols_slug_form") != std::string::npos);
    db.query("UPDATE users SET username = 'ada'");
    CHECK(db.number("SELECT count(*) FROM users WHERE updated_at > created_at") == 1);
}

TEST_CASE("a load fills every table, keeps every reference, and comes out the same twice") {
    std::string first;
    for (int round = 0; round < 2; ++round) {
        Database db("yieldsensei");
        LoadOptions options = load_options("yieldsensei", 20000);
        options.until = unix_micros_now() / 86'400'000'000 * 86'400'000'000;
        options.workers = round == 0 ? 1 : 4;
        const Report report = load_schema(db.context(), options);
        CHECK(report.code == Code::ok);
        CHECK(db.number("SELECT count(*) FROM transaction_history") == 20000);
        CHECK(db.number("SELECT count(*) FROM portfolio_snapshots") == 400 * 8);
        CHECK(db.number("SELECT count(*) FROM transaction_history t LEFT JOIN users u ON u.id = t.user_id WHERE u.id IS NULL") == 0);
        CHECK(db.number("SELECT count(*) FROM user_portfolio_summary") == 400);
        CHECK(db.number("SELECT count(*) FROM protocol_activity_daily") > 0);
        CHECK(db.number("SELECT nextval('transaction_history_id_seq')") > 20000);
        CHECK(db.number("SELECT count(*) FROM pg_stats WHERE tablename = 'transaction_history'") > 0);
        const std::string digest = db.query("SELECT md5(string_agg(t::text, '' ORDER BY t.id)) FROM transaction_history t").row(0).text(0);
        if (round == 0) first = digest;
        else CHECK(digest == first);
    }
}

TEST_CASE("a load refuses full tables and goes on after them when told to") {
    Database db("yieldsensei");
    LoadOptions options = load_options("yieldsensei", 5000);
    load_schema(db.context(), options);
    CHECK_THROWS_WITH_AS(load_schema(db.context(), options), doctest::Contains("hold rows, nothing was loaded"), Error);
    options.append = true;
    options.rows = 8000;
    load_schema(db.context(), options);
    CHECK(db.number("SELECT count(*) FROM transaction_history") == 8000);
    CHECK(db.number("SELECT count(*) FROM users") == 160);
    CHECK(db.number("SELECT count(*) FROM assets") == 200);
}

TEST_CASE("children alone are refused when their parents are of another seed") {
    Database db("yieldsensei");
    LoadOptions options = load_options("yieldsensei", 5000);
    options.tables = {"users", "protocols", "assets"};
    load_schema(db.context(), options);
    options.tables = {"transaction_history"};
    options.seed = 2;
    CHECK_THROWS_WITH_AS(load_schema(db.context(), options), doctest::Contains("users does not hold the rows of this seed"), Error);
    options.seed = 1;
    CHECK(load_schema(db.context(), options).code == Code::ok);
    options.tables = {"transaction_histroy"};
    CHECK_THROWS_WITH_AS(load_schema(db.context(), options), doctest::Contains("did you mean 'transaction_history'"), Error);
}

TEST_CASE("a role that may not skip the checks loads through them") {
    Database db("yieldsensei");
    const std::string role = unique_name();
    db.query("CREATE ROLE " + role + " LOGIN PASSWORD 'pw'");
    db.query("GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO " + role);  // ALL would hold MAINTAIN on 17, with which it may refresh
    db.query("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO " + role);
    StoreConfig config = db.store().config();
    const auto at = config.url.find('@'), authority = config.url.find("://") + 3;
    config.url.replace(authority, at - authority, role);
    config.password = Secret("pw");
    {
        TestContext plain({config});
        LoadOptions options = load_options("yieldsensei", 2000);
        options.tables = {"users", "protocols", "assets", "transaction_history"};
        const Report report = load_schema(*plain, options);
        CHECK(report.checks.empty());  // nothing to check afterwards: the server did
        REQUIRE(report.warnings.size() == 1);
        CHECK(report.warnings[0].find("summaries were not refreshed") != std::string::npos);
    }
    CHECK(db.number("SELECT count(*) FROM transaction_history") == 2000);
    db.query("DROP OWNED BY " + role);
    db.query("DROP ROLE " + role);
}

TEST_CASE("Solana's traders, rules and real tokens are loaded") {
    Database db("solana");
    LoadOptions options = load_options("solana", 3000);
    options.token_list = TokenListFile{"test.json", R"({"name": "L", "tokens": [
        {"chainId": 101, "address": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "symbol": "USDC", "name": "USD ❤ Coin", "decimals": 6, "tags": ["stable"]},
        {"chainId": 101, "address": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "symbol": "USDC", "name": "again", "decimals": 6}]})"};
    const Report report = load_schema(db.context(), options);
    CHECK(db.query("SELECT name || (extensions->'tags'->>0) FROM tokens").row(0).text(0) == "USD ❤ Coinstable");
    CHECK(db.number("SELECT count(*) FROM order_rules") == 3000);
    CHECK(db.number("SELECT count(*) FROM node_health") == 300);
    bool counted = false;
    for (const Table& table : report.tables) {
        for (const auto& row : table.rows) counted |= !row.empty() && row[0] == Value("left out: repeats an address");
    }
    CHECK(counted);
    db.query("UPDATE trader_config SET name = 'x'");
    CHECK(db.number("SELECT count(*) FROM trader_config WHERE updated_at < (now() AT TIME ZONE 'UTC') - interval '1 hour'") == 0);
}

TEST_CASE("the committed dictionaries are what the command prints for a fresh database") {
    for (const char* schema : {"yieldsensei", "solana"}) {
        Database db(schema);
        const std::string printed = schema_doc::dictionary({schema_doc::read_schema(db.store(), "", soon())});
        const std::string committed = read_file(std::string(YSDB_SOURCE_DIR) + "/docs/schema-" + schema + ".md");
        CHECK_MESSAGE(committed.starts_with(printed), "renew docs/schema-" << schema << ".md: ysdb schema dictionary");
    }
}

TEST_CASE("the dictionary and the diagram say what the catalog holds") {
    Database db("yieldsensei");
    const auto model = schema_doc::read_schema(db.store(), "", soon());
    const std::string drawn = schema_doc::diagram(model);
    CHECK(drawn.find("users ||--o{ transaction_history : \"user_id\"") != std::string::npos);
    CHECK(drawn.find("protocols |o--o{ transaction_history : \"protocol_id\"") != std::string::npos);
    CHECK(drawn.find("varchar slug UK") != std::string::npos);
    const std::string text = schema_doc::dictionary({model});
    CHECK(text.find("- partitioned by `RANGE (block_timestamp)`") != std::string::npos);
    CHECK(text.find("transaction_history_20") == std::string::npos);  // partitions come and go
    CHECK(text.find("Raw bytes: 32 (EVM hash) or 64 (Solana signature)") != std::string::npos);
    CHECK(text.find("gin_trgm_ops") != std::string::npos);
    CHECK(text.find("word_similarity") == std::string::npos);  // functions of extensions are not ours
    CHECK_THROWS_WITH_AS(schema_doc::read_schema(db.store(), "no_such", soon()), doctest::Contains("no tables in schema no_such"), Error);
}
