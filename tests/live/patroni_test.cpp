// programs: patroni etcd
// needs: main
// lock: own_lab
// takes: 30
// A real Patroni of the test's own: etcd and two nodes; `needs` only says that PostgreSQL can be had here.
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/http.h"
#include "core/lab/directory.h"
#include "core/lab/ports.h"
#include "core/lab/processes.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

namespace fs = std::filesystem;

Deadline soon() { return Deadline::after(Millis(20'000)); }

// Where the newest PostgreSQL of the distribution has its programs.
fs::path postgres_programs() {
    fs::path newest;
    for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql")) {
        if (fs::exists(entry.path() / "bin/initdb") && (newest.empty() || std::stoi(entry.path().filename()) > std::stoi(newest.filename()))) newest = entry.path();
    }
    return newest / "bin";
}

struct Node {
    std::string name;
    int rest_port = 0, sql_port = 0;
    ProcessId patroni;
};

class Cluster {
public:
    Cluster() : owner_(lab::server_owner(directory_.path() / "lab")), programs_(postgres_programs()) {
        if (owner_) REQUIRE(chown(directory_.path().c_str(), owner_->uid, owner_->gid) == 0);
        start_etcd();
        for (const char* name : {"n1", "n2"}) start_node(name);
        REQUIRE(wait_until([&] { return replica_ready(); }, Millis(90'000)));
    }
    ~Cluster() {
        for (const Node& node : nodes_) kill(node);
        lab::end_processes({etcd_});
    }
    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;

    StoreConfig config() const {
        std::string members;
        for (const Node& node : nodes_) members += (members.empty() ? "" : ",") + ("127.0.0.1:" + std::to_string(node.rest_port));
        return store_at("main", "postgres+patroni://lab@" + members + "/postgres", "swordfish");
    }
    // As any living member says; null while there is none.
    const Node* leader() const {
        for (const Node& asked : nodes_) {
            const auto answer = cluster_as_told_by(asked);
            for (const auto& member : answer.value("members", nlohmann::json::array())) {
                const std::string role = member.value("role", "");
                for (const Node& node : nodes_) {
                    if ((role == "leader" || role == "master") && member.value("state", "") == "running" && member.value("name", "") == node.name) return &node;
                }
            }
        }
        return nullptr;
    }
    const Node& other(const Node& node) const { return &node == &nodes_[0] ? nodes_[1] : nodes_[0]; }
    // Fit to take over: Patroni says so, and it really streams (the copy of the first start does not count).
    bool replica_ready() const {
        const Node* primary = leader();
        if (primary == nullptr) return false;
        const Node& replica = other(*primary);
        try {
            const std::vector<std::optional<std::string>> name{replica.name};
            return http_get("http://127.0.0.1:" + std::to_string(replica.rest_port) + "/replica", Deadline::after(Millis(2000))).status == 200 &&
                   open_store(config())->sql()->query("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND application_name = $1", name, Deadline::after(Millis(5000)))
                           .row(0).integer(0) == 1;
        } catch (const Error&) {
            return false;
        }
    }
    void switch_over(const Node& from) const {
        const HttpResponse answer = http_post("http://127.0.0.1:" + std::to_string(from.rest_port) + "/switchover", R"({"leader":")" + from.name + "\"}", Deadline::after(Millis(60'000)));
        REQUIRE_MESSAGE(answer.status == 200, answer.body);
    }
    void signal_patroni(const Node& node, int number) const { REQUIRE(send_signal(node.patroni, number)); }
    // Both at once, as when the machine goes; Patroni first, or it would start PostgreSQL again.
    void kill(const Node& node) const {
        lab::end_processes({node.patroni});
        lab::end_processes(lab::processes_in(programs_ / "postgres", data(node)));
    }

private:
    fs::path data(const Node& node) const { return directory_.path() / node.name; }

    ProcessId start(std::vector<std::string> argv, const std::string& log) const {
        SpawnOptions options;
        options.argv = std::move(argv);
        options.cwd = directory_.path().string();
        options.env = {{"LC_ALL", "C"}, {"HOME", directory_.path().string()}};
        options.output_file = (directory_.path() / log).string();
        if (owner_) {
            options.uid = owner_->uid;
            options.gid = owner_->gid;
        }
        return spawn(options);
    }

    void start_etcd() {
        etcd_port_ = lab::choose_port();
        const std::string clients = "http://127.0.0.1:" + std::to_string(etcd_port_), peers = "http://127.0.0.1:" + std::to_string(lab::choose_port());
        etcd_ = start({"etcd", "--name", "e", "--data-dir", (directory_.path() / "etcd").string(), "--listen-client-urls", clients, "--advertise-client-urls", clients,
                       "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "e=" + peers}, "etcd.log");
        // Before it has a leader Patroni would wait five seconds for the next try.
        REQUIRE(wait_until([&] { return lab::http_answers(etcd_port_, "/health", "true"); }, Millis(30'000)));
    }

    void start_node(const std::string& name) {
        Node node{name, lab::choose_port(), lab::choose_port(), {}};
        const auto at = [](int port) { return "127.0.0.1:" + std::to_string(port); };
        const nlohmann::json parameters{{"max_connections", 30}, {"shared_buffers", "16MB"}, {"wal_level", "replica"}, {"max_wal_senders", 5}, {"fsync", false}};
        const nlohmann::json config{
            {"scope", "test"},
            {"name", name},
            {"restapi", {{"listen", at(node.rest_port)}, {"connect_address", at(node.rest_port)}}},
            {"etcd3", {{"hosts", {at(etcd_port_)}}}},
            {"bootstrap",
             {{"dcs", {{"ttl", 20}, {"loop_wait", 1}, {"retry_timeout", 3}, {"postgresql", {{"use_slots", true}, {"parameters", parameters}}}}},
              {"initdb", {{{"encoding", "UTF8"}}, {{"locale", "C"}}}}}},
            {"postgresql",
             {{"listen", at(node.sql_port)},
              {"connect_address", at(node.sql_port)},
              {"data_dir", data(node).string()},
              {"bin_dir", programs_.string()},
              {"pgpass", (directory_.path() / (name + ".pgpass")).string()},
              {"pg_hba", {"host all all 127.0.0.1/32 scram-sha-256", "host replication all 127.0.0.1/32 scram-sha-256"}},
              {"authentication", {{"superuser", {{"username", "lab"}, {"password", "swordfish"}}}, {"replication", {{"username", "copier"}, {"password", "swordfish"}}}}},
              {"parameters", {{"unix_socket_directories", ""}}}}}};
        const std::string file = (directory_.path() / (name + ".yml")).string();
        std::ofstream(file) << config.dump(1);  // YAML reads JSON
        node.patroni = start({"patroni", file}, name + ".log");
        nodes_.push_back(node);
    }

    static nlohmann::json cluster_as_told_by(const Node& node) {
        try {
            return nlohmann::json::parse(http_get("http://127.0.0.1:" + std::to_string(node.rest_port) + "/cluster", Deadline::after(Millis(2000))).body);
        } catch (const std::exception&) {
            return nlohmann::json::object();
        }
    }

    TemporaryDirectory directory_;
    std::optional<lab::Owner> owner_;
    fs::path programs_;
    int etcd_port_ = 0;
    ProcessId etcd_;
    std::vector<Node> nodes_;
};

// The port of the server that answers this store, which must be a primary; 0 while none does.
int serving(Store& store) {
    try {
        const SqlResult answer = store.sql()->query("SELECT inet_server_port(), pg_is_in_recovery()", Deadline::after(Millis(5000)));
        CHECK_FALSE(answer.row(0).truth(1));
        return static_cast<int>(answer.row(0).integer(0));
    } catch (const Error& error) {
        CHECK(error.code() == Code::connect);
        CHECK(error.retryable());
        return 0;
    }
}

void check_refused(const StoreConfig& config, const std::string& words) {
    const Failure failure = failure_of([&] { open_store(config)->probe(Deadline::after(Millis(3000))); });
    CAPTURE(failure.error.message());
    CHECK(failure.seconds < 4);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.retryable());
    CHECK(failure.error.message().find("store 'main'") == 0);
    CHECK(failure.error.message().find(words) != std::string::npos);
    CHECK(!failure.error.hint().empty());
    CHECK((failure.error.message() + failure.error.hint()).find("swordfish") == std::string::npos);
}

}  // namespace

TEST_CASE("the store follows the primary through a planned switchover and through the death of its machine") {
    Cluster cluster;
    const auto store = open_store(cluster.config());
    const Node* first = cluster.leader();
    REQUIRE(first != nullptr);
    CHECK(store->probe(soon()).role == "primary");
    CHECK(serving(*store) == first->sql_port);

    // What a member says may be a moment old: a server that is no primary is not taken for one.
    const std::string said = R"({"members":[{"name":"x","role":"leader","host":"127.0.0.1","port":)" + std::to_string(cluster.other(*first).sql_port) + "}]}";
    StrangeServer outdated("HTTP/1.0 200 OK\r\nContent-Length: " + std::to_string(said.size()) + "\r\n\r\n" + said);
    check_refused(store_at("main", "postgres+patroni://lab@127.0.0.1:" + std::to_string(outdated.port()) + "/postgres", "swordfish"), "hot standby");

    const Node& second = cluster.other(*first);
    cluster.switch_over(*first);
    CHECK(wait_until([&] { return serving(*store) == second.sql_port; }, Millis(30'000)));
    CHECK(open_store(cluster.config())->sql()->open_session("test", soon())->query("SELECT inet_server_port()", soon()).row(0).integer(0) == second.sql_port);
    REQUIRE(wait_until([&] { return cluster.replica_ready(); }, Millis(60'000)));

    cluster.kill(second);
    const Failure at_once = failure_of([&] { store->sql()->query("SELECT 1", Deadline::after(Millis(3000))); });
    CHECK(at_once.error.code() == Code::connect);
    CHECK(at_once.error.retryable());
    CHECK(at_once.seconds < 4);
    CHECK(wait_until([&] { return serving(*store) == first->sql_port; }, Millis(90'000)));
    CHECK(store->probe(soon()).role == "primary");
    CHECK(serving(*open_store(cluster.config())) == first->sql_port);

    // The last REST API hangs, then is gone: PostgreSQL itself lives on, but nobody can say that it is the primary.
    cluster.signal_patroni(*first, SIGSTOP);
    check_refused(cluster.config(), "Patroni names no primary");
    lab::end_processes({first->patroni});
    check_refused(cluster.config(), "Patroni names no primary");
    const CommandResult result = run_ysdb({"status", "--timeout", "2s"}, {{"YSDB_STORES_MAIN_URL", cluster.config().url}, {"YSDB_STORES_MAIN_PASSWORD", "swordfish"}}, "/", Millis(10'000));
    CHECK(result.exit_code == 4);
    CHECK((result.out + result.err).find("swordfish") == std::string::npos);
}
