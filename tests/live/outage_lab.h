// A lab of the test's own with a table to copy from PostgreSQL to ClickHouse, for tests that kill servers in the middle of the copy.
#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/file.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

namespace ysdb::test {

class OutageLab {
public:
    OutageLab() : directory_("/tmp/ysdb_" + unique_name()) {
        std::filesystem::create_directories(directory_);
        std::filesystem::permissions(directory_, std::filesystem::perms(0755));
    }
    ~OutageLab() {
        try {
            // ClickHouse keeps the files of every part it has merged or dropped for minutes: many, after many copies.
            run_ysdb({"lab", "down", "--dir", "lab", "--destroy", "--yes"}, {}, directory_, Millis(900'000));
            std::filesystem::remove_all(directory_);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s: %s\n", directory_.c_str(), error.what());
        }
    }
    static Deadline soon() { return Deadline::after(Millis(60'000)); }
    const std::string& directory() const { return directory_; }

    void up() {
        REQUIRE(ysdb({"lab", "up", "--dir", "lab", "--only", "postgres,clickhouse"}).exit_code == 0);
        const auto stores = nlohmann::json::parse(ysdb({"lab", "env", "--dir", "lab", "--output", "json"}).out)["stores"];
        url_["main"] = stores["main"]["url"];
        url_["analytics"] = stores["analytics"]["url"];
        write_file_atomically(directory_ + "/ysdb.toml", "[stores.main]\nurl = \"" + url_["main"] + "\"\n[stores.analytics]\nurl = \"" + url_["analytics"] +
                                                             "\"\n[[sync]]\nname = \"s\"\ntables = [\"public.t\"]\n[[sync.to]]\nstore = \"analytics\"\n");
    }
    // Of "main" and "analytics", once they are up.
    const std::string& url(const std::string& store) const { return url_.at(store); }
    CommandResult ysdb(std::vector<std::string> arguments) const { return run_ysdb(std::move(arguments), {}, directory_); }
    std::unique_ptr<Store> store(const std::string& name) const { return open_store(store_at(name, url(name))); }
    void fill(int rows) {
        store("main")->sql()->open_session("test", soon())->query(
            "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, md5(g::text) || repeat(md5((-g)::text), 6) FROM generate_series(1, " + std::to_string(rows) + ") g; ANALYZE t", soon());
    }
    // Rows that have reached the staging table, or -1 while it cannot be asked.
    std::int64_t staged() {
        try {
            return store("analytics")->sql()->query("SELECT sum(rows) FROM system.parts WHERE active AND database = currentDatabase()", soon()).row(0).integer(0);
        } catch (const std::exception&) {
            return -1;
        }
    }

private:
    std::string directory_;
    std::map<std::string, std::string> url_;
};

}  // namespace ysdb::test
