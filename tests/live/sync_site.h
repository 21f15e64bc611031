// A source database, a ClickHouse database and a directory with the ysdb.toml that joins them by a sync set of the test's own.
#pragma once

#include <doctest/doctest.h>
#include <signal.h>

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/file.h"
#include "tests/live/support.h"

namespace ysdb::test {

class SyncSite {
public:
    // `tables`: as in the configuration; `more`: further lines of it; `of_set`: of its [[sync]]. `server`: the source's, when it is not the
    // fixture lab's.
    explicit SyncSite(std::string tables = "\"public.t\"", std::string more = {}, std::string capture = "wal", std::optional<StoreConfig> server = {}, std::string of_set = {})
        : source_(server ? *server : store_config("main")), directory_("/tmp/ysdb_" + unique_name()), tables_(std::move(tables)), more_(std::move(more)), capture_(std::move(capture)),
          of_set_(std::move(of_set)), source_url_(source_.config().url) {
        std::filesystem::create_directories(directory_);
        write_config();
    }
    ~SyncSite() { std::filesystem::remove_all(directory_); }
    SyncSite(const SyncSite&) = delete;
    SyncSite& operator=(const SyncSite&) = delete;

    static Deadline soon() { return Deadline::after(Millis(60'000)); }
    // What a new site would be, in the databases of this one: a set of another name, of which nothing is there.
    void begin_anew(const std::string& capture = {}) {
        source_.empty();
        target_.empty();
        set_ = unique_name();
        if (!capture.empty()) capture_ = capture;
        write_config();
    }
    void set_tables(const std::string& tables) {
        tables_ = tables;
        write_config();
    }
    // ysdb comes as this role from here on; the test itself stays who it is.
    void come_as(const std::string& role, const std::string& password) {
        const std::string url = source_.config().url;
        source_url_ = "postgres://" + role + ":" + password + url.substr(url.find('@'));
        write_config();
    }
    void write_config() const {
        write_file_atomically(directory_ + "/ysdb.toml", "[stores.main]\nurl = \"" + source_url_ + "\"\n[stores.analytics]\nurl = \"" + target_.config().url + "\"\n[[sync]]\nname = \"" +
                                                             set_ + "\"\ncapture = \"" + capture_ + "\"\ntables = [" + tables_ + "]\n" + of_set_ + "[[sync.to]]\nstore = \"analytics\"\n" + more_);
    }
    void source(const std::string& sql) { open_store(source_.config())->sql()->open_session("test", soon())->query(sql, soon()); }
    std::unique_ptr<SqlSession> source_session() { return open_store(source_.config())->sql()->open_session("test", soon()); }
    std::unique_ptr<Store> target_store() { return open_store(target_.config()); }
    SqlResult ask_source(const std::string& sql) { return open_store(source_.config())->sql()->query(sql, soon()); }
    SqlResult target(const std::string& sql) { return open_store(target_.config())->sql()->query(sql, soon()); }
    std::int64_t target_count(const std::string& what) { return target("SELECT count() FROM " + what).row(0).integer(0); }
    // Whether ClickHouse comes to hold that many such rows; not yet, while there is no such table or column.
    bool arrives(const std::string& what, std::int64_t count, Millis limit = Millis(60'000)) {
        return wait_until([&] {
            try {
                return target_count(what) == count;
            } catch (const Error&) {
                return false;
            }
        }, limit);
    }
    // Whether a run comes to read the set's slot.
    bool is_read() {
        return wait_until([&] { return ask_source("SELECT count(*) FROM pg_replication_slots WHERE active AND slot_name = '" + slot() + "'").row(0).integer(0) == 1; });
    }
    CommandResult ysdb(std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) const { return run_ysdb(std::move(arguments), std::move(environment), directory_); }
    nlohmann::json json(std::vector<std::string> arguments, int exit_code = 0) const {
        arguments.insert(arguments.end(), {"--output", "json"});
        const CommandResult result = ysdb(arguments);
        CAPTURE(result.out);
        CAPTURE(result.err);
        REQUIRE(result.exit_code == exit_code);
        return nlohmann::json::parse(result.out);
    }
    // `ysdb sync run --until-caught-up`; its report.
    nlohmann::json catch_up(int exit_code = 0) const { return json({"sync", "run", "--until-caught-up"}, exit_code); }
    // Whether `validate` finds no difference.
    bool equal() const {
        const CommandResult result = ysdb({"validate"});
        INFO(result.out << result.err);
        CHECK(result.exit_code == 0);
        return result.exit_code == 0;
    }
    // State of a table in a sink, as `sync status` tells it.
    std::string state(const std::string& table, const std::string& sink = "analytics") const {
        const CommandResult result = ysdb({"sync", "status", "--output", "json"});
        const auto report = nlohmann::json::parse(result.out);
        for (const auto& row : report["tables"]) {
            if (row["table"] == table && row["sink"] == sink) return row["state"];
        }
        return "";
    }
    const std::string& set() const { return set_; }
    const std::string& source_url() const { return source_url_; }
    const std::string& directory() const { return directory_; }
    std::string slot() const { return "ysdb_" + set_; }

private:
    TestDatabase source_;
    TestClickHouse target_;
    std::string set_ = unique_name();
    std::string directory_;
    std::string tables_, more_, capture_, of_set_, source_url_;
};

// A partitioned table t with a column of every type, `more` behind them, and what fills it up to FROM.
inline std::string every_type_table(const std::string& more = "") {
    return "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a int, b text); CREATE DOMAIN price AS numeric(20,4) CHECK (VALUE >= 0);"
           "CREATE TABLE t (id bigint, day timestamptz, b bool, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(36,18), w numeric(60,10), free numeric, p price, tx text, v varchar(9),"
           " c char(5), by bytea, u uuid, d date, tm time, ts timestamp, iv interval, jb jsonb, j json, m mood, ia int[] NOT NULL, ta text[] NOT NULL, na numeric(10,2)[] NOT NULL, ba bytea[] NOT NULL" + more +
           ", PRIMARY KEY (id, day)) PARTITION BY RANGE (day);"
           "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM ('2026-01-01+00') TO ('2026-02-01+00'); CREATE TABLE t2 PARTITION OF t DEFAULT";
}
inline const std::string every_type_rows =
    "INSERT INTO t SELECT g, timestamptz '2026-01-01+00' + g * interval '10 minutes', g % 2 = 0, g % 30000, g, g * 1000000007::bigint, g / 3.0, -g / 7.0, g * 1.000000000000000001,"
    " g * -12345678901234567890.5, g / 11.0, g * 0.25, E'tab\\tquote\"back\\\\ ' || g || ' \u00e9\U0001F600', CASE WHEN g % 5 = 0 THEN NULL ELSE 'v' || g END, 'c' || g % 10, decode(md5(g::text), 'hex'),"
    " md5(g::text)::uuid, date '0044-03-15 BC' + (g % 9000)::int * 800, time '00:00' + g * interval '1.000001 second', timestamp '1950-01-01 00:00:00.000001' + g * interval '1 hour',"
    " g * interval '-1 day 00:00:00.5', jsonb_build_object('g', g, 'n', NULL), '{\"raw\" :  1}', (ARRAY['sad', 'happy'])[1 + g % 2]::mood, ARRAY[g, NULL, -g]::int[],"
    " ARRAY['a', NULL, 'NULL', 'c\"{},\\' || g, ''], ARRAY[g * 1.5, NULL], ARRAY['\\x00ff'::bytea]";

// A `ysdb` that runs beside the test until it is told to end.
class Running {
public:
    Running(const SyncSite& site, std::vector<std::string> arguments, std::map<std::string, std::string> environment = {}) : Running(site.directory(), std::move(arguments), std::move(environment)) {}
    Running(const std::string& directory, std::vector<std::string> arguments, std::map<std::string, std::string> environment = {});
    ~Running();
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    void signal(int number) const;
    int pid() const { return pid_; }
    // Its exit code (128 + signal when killed), once it ended.
    int wait(Millis limit = Millis(60'000));
    bool ended();
    std::string log() const;      // stderr so far
    std::string output() const;   // and stdout

private:
    std::string base_;
    int pid_ = 0;
    int code_ = -1;
};

}  // namespace ysdb::test
