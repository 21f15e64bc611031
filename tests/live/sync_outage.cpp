#include "tests/live/sync_outage.h"

#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

namespace ysdb::test {

namespace {

namespace fs = std::filesystem;

Deadline soon() { return Deadline::after(Millis(20'000)); }

constexpr int first_written = 1'000'000;   // ids below are there before the writer begins

std::string with_port(std::string url, int port) {
    const auto at = url.rfind(':', url.rfind('/'));
    return url.substr(0, at + 1) + std::to_string(port) + url.substr(url.find('/', at));
}

int port_of(const std::string& url) { return std::stoi(url.substr(url.rfind(':', url.rfind('/')) + 1)); }

constexpr const char* roomy = "size=2g,mode=0777";

}  // namespace

// --- the lab ---

SyncLab::SyncLab(const std::string& postgres, bool kafka) : directory_("/tmp/ysdb_" + unique_name()) {
    fs::create_directories(directory_);
    fs::permissions(directory_, fs::perms(0755));
    const char* const given = std::getenv("YSDB_TEST_POSTGRES");
    const std::string major = postgres.empty() && given != nullptr ? given : postgres;
    const auto up = [&](const std::string& servers) {
        std::vector<std::string> arguments{"lab", "up", "--dir", "lab", "--only", servers};
        if (!major.empty()) arguments.insert(arguments.end(), {"--postgres", major});
        const CommandResult result = ysdb(arguments);
        REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    };
    up("postgres");
    if (geteuid() == 0) {
        fs::create_directories(directory_ + "/lab/clickhouse");
        mounted_ = mount("tmpfs", (directory_ + "/lab/clickhouse").c_str(), "tmpfs", 0, roomy) == 0;
    }
    up(kafka ? "postgres,clickhouse,kafka" : "postgres,clickhouse");
    const auto stores = nlohmann::json::parse(ysdb({"lab", "env", "--dir", "lab", "--output", "json"}).out)["stores"];
    for (const std::string store : {"main", "analytics"}) {
        urls_[store] = stores[store]["url"];
        relays_[store] = std::make_unique<Relay>(port_of(urls_[store]));
    }
    if (kafka) urls_["events"] = stores["events"]["url"];
}

SyncLab::~SyncLab() {
    try {
        run_ysdb({"lab", "down", "--dir", "lab", "--yes"}, {}, directory_, Millis(120'000));
        if (mounted_) umount2((directory_ + "/lab/clickhouse").c_str(), MNT_DETACH);
        run_ysdb({"lab", "down", "--dir", "lab", "--destroy", "--yes"}, {}, directory_, Millis(900'000));
        fs::remove_all(directory_);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", directory_.c_str(), error.what());
    }
}

StoreConfig SyncLab::direct(const std::string& store) const { return store_at(store, urls_.at(store)); }
StoreConfig SyncLab::relayed(const std::string& store) const { return store_at(store, with_port(urls_.at(store), relays_.at(store)->port())); }

void SyncLab::kill(const std::string& server, const std::string& signal) const { REQUIRE(ysdb({"lab", "kill", server, "--signal", signal, "--dir", "lab"}).exit_code == 0); }
void SyncLab::start(const std::string& server) const {
    const CommandResult result = ysdb({"lab", "start", server, "--dir", "lab"});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
}

void SyncLab::fill_disk() const {
    const std::string disk = directory_ + "/lab/clickhouse";
    // What is used grows while this looks: a size below it is refused.
    REQUIRE(wait_until([&] {
        struct statvfs now {};
        REQUIRE(statvfs(disk.c_str(), &now) == 0);
        const auto used = (now.f_blocks - now.f_bfree) * now.f_frsize;
        return mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, ("size=" + std::to_string(used + (16 << 10)) + ",mode=0777").c_str()) == 0;
    }));
}
void SyncLab::empty_disk() const { REQUIRE(mount("tmpfs", (directory_ + "/lab/clickhouse").c_str(), "tmpfs", MS_REMOUNT, roomy) == 0); }

// --- the writer ---

RecordingWriter::RecordingWriter(StoreConfig source, std::uint64_t seed, int first_id) : source_(std::move(source)), state_(seed | 1), next_id_(first_id) {
    thread_ = std::jthread([this](std::stop_token stop) { work(std::move(stop)); });
}

RecordingWriter::~RecordingWriter() = default;

bool RecordingWriter::commits_more(std::uint64_t rows, Millis limit) const {
    const std::uint64_t wanted = acknowledged_ + rows;
    return wait_until([&] { return acknowledged_ >= wanted; }, limit);
}

std::map<int, std::string> RecordingWriter::stop() {
    thread_.request_stop();
    thread_.join();
    return rows_;
}

void RecordingWriter::work(std::stop_token stop) {
    while (!stop.stop_requested() || unsure_) {
        try {
            const auto session = open_store(source_)->sql()->open_session("writer", Deadline::after(Millis(2'000)));
            session->query("SET synchronous_commit = on; SET statement_timeout = '5s'", soon());
            settle(*session);
            while (!stop.stop_requested()) step(*session);
        } catch (const Error&) {
            std::this_thread::sleep_for(Millis(20));  // between two tries
        }
    }
}

void RecordingWriter::step(SqlSession& session) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    const auto random = static_cast<std::size_t>(state_ >> 33);
    const std::string value = "w" + std::to_string(++sequence_);
    const int kind = ids_.size() < 10 ? 0 : static_cast<int>(random % 10);
    const int id = kind < 5 ? next_id_++ : ids_[random / 10 % ids_.size()];
    unsure_ = id;
    if (kind < 5) ids_.push_back(id);
    const std::string key = std::to_string(id);
    // A row that was removed comes back with its next update.
    if (kind == 9) session.query("DELETE FROM t WHERE id = " + key, soon());
    else session.query("INSERT INTO t (id, v) VALUES (" + key + ", '" + value + "') ON CONFLICT (id) DO UPDATE SET v = excluded.v", soon());
    unsure_.reset();
    if (kind == 9) rows_.erase(id);
    else rows_[id] = value;
    ++acknowledged_;
}

void RecordingWriter::settle(SqlSession& session) {
    if (!unsure_) return;
    const SqlResult row = session.query("SELECT v FROM t WHERE id = " + std::to_string(*unsure_), soon());
    if (row.rows() == 0) rows_.erase(*unsure_);
    else rows_[*unsure_] = row.row(0).text(0);
    unsure_.reset();
}

// --- a day ---

std::string text(Fault fault) {
    switch (fault) {
        case Fault::kill_ysdb: return "kill -9 ysdb";
        case Fault::kill_postgres: return "kill -9 PostgreSQL";
        case Fault::kill_clickhouse: return "kill -9 ClickHouse";
        case Fault::stop_clickhouse: return "SIGSTOP ClickHouse";
        case Fault::cut_network: return "cut network";
        case Fault::stall_network: return "silent network";
        case Fault::disk_full: return "full disk of ClickHouse";
    }
    return "";
}

std::string text(Moment moment) {
    switch (moment) {
        case Moment::copying: return "during the copy";
        case Moment::streaming: return "in the stream";
        case Moment::between: return "while nothing happens";
        case Moment::columns: return "during a change of columns";
    }
    return "";
}

SyncDay::SyncDay(SyncLab& lab, int rows, std::string more_targets, std::string of_set) : lab_(lab), more_targets_(std::move(more_targets)), of_set_(std::move(of_set)), slot_("ysdb_" + name_), directory_("/tmp/ysdb_day_" + name_) {
    fs::create_directories(directory_);
    for (const std::string store : {"main", "analytics"}) open_store(lab.direct(store))->sql()->open_session("test", soon())->query("CREATE DATABASE " + name_, soon());
    write_config(with_database(lab.relayed("main")).url);
    ask_source("CREATE TABLE t (id int PRIMARY KEY, v text NOT NULL, note text)");
    ask_source("INSERT INTO t SELECT g, 'v' || g, repeat(md5(g::text), 8) FROM generate_series(1, " + std::to_string(rows) + ") g");
    ask_source("ANALYZE t");
}

SyncDay::~SyncDay() {
    try {
        ysdb({"sync", "remove", "--yes", "--timeout", "5s"});
        open_store(lab_.direct("analytics"))->sql()->query("DROP DATABASE IF EXISTS " + name_, soon());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", name_.c_str(), error.what());
    }
    fs::remove_all(directory_);
}

void SyncDay::write_config(const std::string& source) const {
    write_file_atomically(directory_ + "/ysdb.toml", "[stores.main]\nurl = \"" + source + "\"\n[stores.analytics]\nurl = \"" + with_database(lab_.relayed("analytics")).url +
                                                         "\"\n[[sync]]\nname = \"" + name_ + "\"\ntables = [\"public.t\"]\n" + of_set_ + "[[sync.to]]\nstore = \"analytics\"\n" + more_targets_);
}

void SyncDay::set_source(const std::string& url) {
    source_ = url;
    write_config(url);
}

StoreConfig SyncDay::with_database(StoreConfig config) const {
    config.url = config.url.substr(0, config.url.rfind('/') + 1) + name_;
    return config;
}

SqlResult SyncDay::ask_source(const std::string& sql) const { return open_store(source())->sql()->query(sql, soon()); }
SqlResult SyncDay::ask_target(const std::string& sql) const { return open_store(target())->sql()->query(sql, soon()); }

std::unique_ptr<Running> SyncDay::run(std::vector<std::string> more) const {
    std::vector<std::string> arguments{"sync", "run", "--batch-age", "100ms", "--timeout", "3s", "--workers", "1"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return std::make_unique<Running>(directory_, arguments);
}

bool SyncDay::following() const {
    return ask_source("SELECT count(*) FROM pg_tables WHERE tablename = 'sync_tables'").row(0).integer(0) == 1 &&
           ask_source("SELECT count(*) > 0 AND bool_and(state = 'following') FROM ysdb.sync_tables").row(0).truth(0);
}

std::int64_t SyncDay::staged() const {
    try {
        return ask_target("SELECT sum(rows) FROM system.parts WHERE active AND database = currentDatabase()").row(0).integer(0);
    } catch (const Error&) {
        return -1;
    }
}

bool SyncDay::arrived(int id, const std::string& v) const {
    try {
        return ask_target("SELECT count() FROM t_current WHERE id = " + std::to_string(id) + " AND v = '" + v + "'").row(0).integer(0) == 1;
    } catch (const Error&) {
        return false;
    }
}

void SyncDay::check(const std::map<int, std::string>& expected, int first_id) const {
    const CommandResult caught_up = ysdb({"sync", "run", "--until-caught-up"});
    CHECK_MESSAGE(caught_up.exit_code == 0, caught_up.out << caught_up.err);
    compare(expected, first_id);
}

void SyncDay::compare(const std::map<int, std::string>& expected, int first_id) const {
    const CommandResult equal = ysdb({"validate"});
    CHECK_MESSAGE(equal.exit_code == 0, equal.out << equal.err);
    // `validate` is ours: what the writer was promised is in both, by their own words.
    const auto rows = [&](const SqlResult& result) {
        std::map<int, std::string> found;
        for (std::size_t i = 0; i < result.rows(); ++i) found[static_cast<int>(result.row(i).integer(0))] = result.row(i).text(1);
        return found;
    };
    const std::string where = " WHERE id >= " + std::to_string(first_id);
    const auto there = rows(ask_source("SELECT id, v FROM t" + where)), here = rows(ask_target("SELECT id, v FROM t_current" + where));
    CHECK(there == expected);
    std::size_t lost = 0, doubtful = 0;
    for (const auto& [id, v] : expected) lost += here.contains(id) && here.at(id) == v ? 0 : 1;
    for (const auto& [id, v] : here) doubtful += expected.contains(id) ? 0 : 1;
    CHECK(lost == 0);
    CHECK(doubtful == 0);
}

void live_through(SyncLab& lab, Fault fault, Moment moment, std::uint64_t seed) {
    CAPTURE(text(fault));
    CAPTURE(text(moment));
    CAPTURE(seed);
    SyncDay day(lab, moment == Moment::copying ? 150'000 : 500);
    auto run = day.run();
    // Said often enough that whoever gives up after some tries would have; what was said before the fault does not count.
    const auto complaints = [&] {
        const std::string log = run->log();
        int count = 0;
        for (const std::string_view what : {"sync.retry", "sync.source", "sync.copy", "insert.retry"}) {
            for (auto at = log.find(what); at != std::string::npos; at = log.find(what, at + 1)) ++count;
        }
        return count;
    };
    if (moment != Moment::copying) REQUIRE_MESSAGE(wait_until([&] { return day.following(); }), run->log());
    std::unique_ptr<RecordingWriter> writer;
    const auto begin_writing = [&] { writer = std::make_unique<RecordingWriter>(day.source(), seed, first_written); };
    if (moment != Moment::between) {
        begin_writing();
        REQUIRE(writer->commits_more(20));
    }
    if (moment == Moment::copying) REQUIRE_MESSAGE(wait_until([&] { return day.staged() > 0 || run->ended(); }), run->log());
    if (moment == Moment::columns) {
        day.ask_source("ALTER TABLE t ADD extra int DEFAULT 7, DROP COLUMN note");
        day.ask_source("ALTER TABLE t RENAME extra TO surplus");
        writer->commits_more(1);
    }

    const int before = complaints(), patience = fault == Fault::disk_full ? 6 : 1;
    switch (fault) {
        case Fault::kill_ysdb:
            // Behind, with much that is read and not written: that is what must not have been acknowledged.
            lab.kill("clickhouse", "STOP");
            if (writer != nullptr) CHECK(writer->commits_more(20));
            CHECK_MESSAGE(wait_until([&] { return complaints() > before; }, Millis(moment == Moment::between ? 0 : 20'000)) == (moment != Moment::between), run->log());
            run->signal(SIGKILL);
            lab.kill("clickhouse", "CONT");
            break;
        case Fault::kill_postgres: lab.kill("postgres"); break;
        case Fault::kill_clickhouse: lab.kill("clickhouse"); break;
        case Fault::stop_clickhouse: lab.kill("clickhouse", "STOP"); break;
        case Fault::cut_network:
            for (const char* store : {"main", "analytics"}) lab.relay(store).cut();
            break;
        case Fault::stall_network:
            for (const char* store : {"main", "analytics"}) lab.relay(store).stall();
            break;
        case Fault::disk_full: lab.fill_disk(); break;
    }
    if (writer == nullptr) begin_writing();
    if (fault == Fault::kill_ysdb) run->wait();
    else CHECK_MESSAGE(wait_until([&] { return complaints() >= before + patience; }), "the outage was not noticed: " << run->log());
    // Of a soak, as long as no timeout on the way lasts.
    const Deadline hang = Deadline::after(Millis(soak() && fault == Fault::stop_clickhouse ? 60'000 : 0));
    if (fault != Fault::kill_postgres) {
        do CHECK(writer->commits_more(20));
        while (!hang.passed());
    }
    switch (fault) {
        case Fault::kill_ysdb: run = day.run(); break;
        case Fault::kill_postgres: lab.start("postgres"); break;
        case Fault::kill_clickhouse: lab.start("clickhouse"); break;
        case Fault::stop_clickhouse: lab.kill("clickhouse", "CONT"); break;
        case Fault::cut_network:
        case Fault::stall_network:
            for (const char* store : {"main", "analytics"}) lab.relay(store).pass();
            break;
        case Fault::disk_full: lab.empty_disk(); break;
    }
    CHECK(writer->commits_more(20));
    const auto expected = writer->stop();
    REQUIRE(!expected.empty());
    CHECK_MESSAGE(wait_until([&] { return run->ended() || day.arrived(expected.rbegin()->first, expected.rbegin()->second); }), "it did not come back by itself: " << run->log());
    CHECK_MESSAGE(!run->ended(), "it ended: " << run->log());
    run->signal(SIGTERM);
    CHECK_MESSAGE(run->wait() == 143, run->log());
    INFO(run->log());
    day.check(expected, first_written);
}

}  // namespace ysdb::test
