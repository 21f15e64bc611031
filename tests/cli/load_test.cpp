// needs: main
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/live/schemas.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

// A database with the schema, and the environment that points ysdb at it alone.
struct Project {
    TestDatabase database;
    TestContext context{{database.config()}};
    std::string directory = std::filesystem::temp_directory_path() / unique_name();
    Project() {
        apply_schema(*context, "yieldsensei", "main");
        std::filesystem::create_directories(directory);
    }
    ~Project() { std::filesystem::remove_all(directory); }
    CommandResult run(std::vector<std::string> arguments) const {
        return run_ysdb(std::move(arguments), {{"YSDB_STORES_MAIN_URL", database.config().url}}, directory);
    }
};

}  // namespace

TEST_CASE("lab load says what it loaded, what it left alone, and refuses to do it twice") {
    const Project project;
    const auto preview = project.run({"lab", "load", "yieldsensei", "--rows", "1000", "--token-list", "none", "--dry-run", "--output", "json"});
    CHECK(preview.exit_code == 0);
    CHECK(nlohmann::json::parse(preview.out)["title"] == "would load yieldsensei");

    const auto loaded = project.run({"lab", "load", "yieldsensei", "--rows", "1000", "--seed", "5", "--token-list", "none", "--output", "json"});
    CHECK_MESSAGE(loaded.exit_code == 0, loaded.err);
    const auto report = nlohmann::json::parse(loaded.out);
    CHECK(report["schema"] == 1);
    CHECK(report["seed"] == 5);
    for (const auto& table : report["tables"]) {
        if (table["table"] == "transaction_history") CHECK(table["rows"] == 1000);
    }
    CHECK(report["warnings"].dump().find("their store is not configured: price_data_raw") != std::string::npos);

    const auto again = project.run({"lab", "load", "yieldsensei", "--rows", "1000", "--seed", "5", "--token-list", "none"});
    CHECK(again.exit_code == 7);
    CHECK(again.err.find("--append") != std::string::npos);
}

TEST_CASE("wrong words on the command line of lab load are refused with the right ones") {
    const Project project;
    const auto message = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"lab", "load"});
        const auto result = project.run(std::move(arguments));
        CHECK(result.exit_code == 2);
        return result.err;
    };
    CHECK(message({"yieldsensi", "--token-list", "none"}).find("yieldsensei") != std::string::npos);
    CHECK(message({"yieldsensei", "--rows", "0"}).find("--rows") != std::string::npos);
    CHECK(message({"yieldsensei", "--until", "2026-02-30"}).find("2026-01-31T12:00:00Z") != std::string::npos);
    CHECK(message({"yieldsensei", "--token-list", "none", "--tables", "user"}).find("users") != std::string::npos);
}

TEST_CASE("schema prints a diagram and a dictionary and nothing else") {
    const Project project;
    const auto diagram = project.run({"schema", "diagram"});
    CHECK(diagram.exit_code == 0);
    CHECK(diagram.out.starts_with("erDiagram\n"));
    const auto dictionary = project.run({"schema", "dictionary", "--store", "main"});
    CHECK(dictionary.out.find("#### transaction_history\n") != std::string::npos);
    CHECK(project.run({"schema", "dictionary", "--store", "mian"}).exit_code == 3);
    CHECK(project.run({"schema", "dictionary", "--schema", "nowhere"}).exit_code == 7);
}

TEST_CASE("lab load into a database without the tables says how they are made") {
    const TestDatabase database;
    const auto result = run_ysdb({"lab", "load", "solana", "--rows", "100", "--yes", "--token-list", "none"}, {{"YSDB_STORES_MAIN_URL", database.config().url}}, std::filesystem::temp_directory_path());
    CHECK(result.exit_code == 7);
    CHECK(result.err.find("there is no table public.trader_config, nothing was loaded") != std::string::npos);
    CHECK(result.err.find("ysdb init --schema solana, then: ysdb migrate up") != std::string::npos);
}
