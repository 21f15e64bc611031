// A directory with a ysdb.toml and migrations, over databases of its own, driven through the binary as a user would.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "core/base/file.h"
#include "tests/live/support.h"
#include "tests/temp_dir.h"

namespace ysdb::test {

class MigrateProject {
public:
    enum class Home { postgres, clickhouse };
    explicit MigrateProject(Home home = Home::postgres) {
        std::filesystem::create_directory(directory_.path() / "migrations");
        if (home == Home::postgres) postgres_ = std::make_unique<TestDatabase>();
        configure(postgres_ ? postgres_->config().url : "");
        if (postgres_) main_ = open_store(postgres_->config());
        analytics_ = open_store(clickhouse_.config());
    }

    void file(const std::string& name, const std::string& text) const { write_file_atomically(directory_.path() / "migrations" / name, text); }
    // From now on `ysdb` logs in to PostgreSQL as this role.
    void login(const std::string& role, const std::string& password, const std::string& options = {}) const {
        const std::string& url = postgres_->config().url;
        configure("postgres://" + role + ":" + password + url.substr(url.find('@')) + (options.empty() ? "" : "?" + options));
    }
    void remove(const std::string& name) const { std::filesystem::remove(directory_.path() / "migrations" / name); }
    // With what it takes to log in.
    const std::string& postgres_url() const { return postgres_->config().url; }
    // From now on `ysdb` reaches PostgreSQL at this host:port; main() and pg() stay where they are.
    void through(const std::string& address) const {
        const std::string& url = postgres_->config().url;
        configure(url.substr(0, url.find('@') + 1) + address + url.substr(url.rfind('/')));
    }
    // The same for ClickHouse.
    void analytics_through(const std::string& address) const {
        const std::string& url = clickhouse_.config().url;
        std::string toml = read_file(directory_.path() / "ysdb.toml");
        const auto at = toml.find(url);
        if (at == std::string::npos) throw std::runtime_error("analytics is reached through something else already");
        write_file_atomically(directory_.path() / "ysdb.toml", toml.replace(at, url.size(), "clickhouse://" + address + url.substr(url.rfind('/'))));
    }
    const std::string& analytics_url() const { return clickhouse_.config().url; }
    // Adds lines behind `[migrate]` of the configuration.
    void configure_migrate(const std::string& lines) const { write_file_atomically(directory_.path() / "ysdb.toml", read_file(directory_.path() / "ysdb.toml") + lines); }
    std::filesystem::path migrations() const { return directory_.path() / "migrations"; }
    CommandResult ysdb(std::vector<std::string> arguments, const std::string& fault = {}, std::map<std::string, std::string> environment = {}) const {
        arguments.insert(arguments.begin(), "migrate");
        environment.emplace("XDG_CONFIG_HOME", "/nonexistent");
        if (!fault.empty()) environment["YSDB_FAULT"] = fault;
        return run_ysdb(std::move(arguments), std::move(environment), directory_.string());
    }
    std::filesystem::path directory() const { return directory_.path(); }
    SqlStore& main() const { return *main_->sql(); }
    SqlStore& analytics() const { return *analytics_->sql(); }
    // The first cell of the answer.
    std::string pg(const std::string& sql) const { return first(main(), sql); }
    std::string ch(const std::string& sql) const { return first(analytics(), sql); }

private:
    void configure(const std::string& postgres_url) const {
        std::string toml = "[stores.analytics]\nurl = \"" + clickhouse_.config().url + "\"\n";
        if (!postgres_url.empty()) toml += "[stores.main]\nurl = \"" + postgres_url + "\"\n";
        write_file_atomically(directory_.path() / "ysdb.toml", toml + "[migrate]\nstore = \"" + (postgres_url.empty() ? "analytics" : "main") + "\"\n");
    }
    static std::string first(SqlStore& store, const std::string& sql) {
        const SqlResult result = store.query(sql, Deadline::after(Millis(20'000)));
        return result.cells.empty() ? "" : result.cells[0].value_or("NULL");
    }

    TempDir directory_;
    std::unique_ptr<TestDatabase> postgres_;
    TestClickHouse clickhouse_;
    std::unique_ptr<Store> main_, analytics_;
};

// "0001:applied 0002:pending": what `migrate status` says, by version. `more`: further arguments.
inline std::string states(const MigrateProject& project, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments{"status", "--output", "json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const CommandResult result = project.ysdb(arguments);
    if (result.exit_code != 0) throw std::runtime_error("migrate status: " + result.out + result.err);
    std::string text;
    const auto status = nlohmann::json::parse(result.out);
    for (const auto& migration : status.at("migrations")) {
        text += (text.empty() ? "" : " ") + migration.at("version").get<std::string>() + ":" + migration.at("state").get<std::string>();
    }
    return text;
}

}  // namespace ysdb::test
