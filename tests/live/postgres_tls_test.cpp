// needs: main
// lock: own_lab
// TLS with a PostgreSQL of the test's own; `needs` only says that one can be had here.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/lab/lab.h"
#include "tests/live/own_lab.h"
#include "tests/live/servers.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

namespace fs = std::filesystem;

Deadline soon() { return Deadline::after(Millis(20'000)); }

class Server {
public:
    Server() : authority_(directory_.path(), "authority"), stranger_(directory_.path(), "stranger") {
        NoProgress progress;
        lab_.api().up({{"postgres"}, 0}, progress);
        const lab::LabStore found = lab_.api().stores().at(0);
        plain_ = store_at("main", found.url, found.password);
        port_ = found.url.substr(found.url.rfind(':') + 1);
        port_ = port_.substr(0, port_.find('/'));
        login_ = found.url.substr(0, found.url.find('@') + 1);
    }

    const Authority& authority() const { return authority_; }
    const Authority& stranger() const { return stranger_; }
    const StoreConfig& plain() const { return plain_; }

    void serve_with(const Certificate& certificate) {
        const fs::path data = lab_.dir() / "postgres/data";
        struct stat owner{};
        REQUIRE(stat((data / "PG_VERSION").c_str(), &owner) == 0);
        for (const auto& [from, to] : {std::pair(certificate.file, data / "server.crt"), {certificate.key_file, data / "server.key"}}) {
            fs::copy_file(from, to, fs::copy_options::overwrite_existing);
            REQUIRE(chown(to.c_str(), owner.st_uid, owner.st_gid) == 0);
        }
        const std::string before = loaded();
        const auto session = open_store(plain_)->sql()->open_session("test", soon());
        session->query("ALTER SYSTEM SET ssl = on", soon());
        session->query("SELECT pg_reload_conf()", soon());
        REQUIRE(wait_until([&] { return loaded() != before; }));
    }

    // The server under a name and with libpq's parameters.
    StoreConfig at(const std::string& host, const std::string& parameters) const {
        StoreConfig config = plain_;
        config.url = login_ + host + ":" + port_ + "/lab" + (parameters.empty() ? "" : "?" + parameters);
        return config;
    }

private:
    // When the server that new sessions meet has read its configuration, certificate included.
    std::string loaded() const { return open_store(plain_)->sql()->open_session("test", soon())->query("SELECT pg_conf_load_time()", soon()).row(0).text(0); }

    TemporaryDirectory directory_;
    Authority authority_;
    Authority stranger_;
    OwnLab lab_;
    StoreConfig plain_;
    std::string port_, login_;
};

bool encrypted(const StoreConfig& config) {
    const auto store = open_store(config);
    const std::string_view asks = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    const bool pooled = store->sql()->query(asks, soon()).row(0).truth(0);
    CHECK(store->sql()->open_session("test", soon())->query(asks, soon()).row(0).truth(0) == pooled);
    return pooled;
}

// Refused in time, pooled and alone, with a next step and without the password. Returns the message and the hint.
std::string refusal(const StoreConfig& config) {
    std::string text;
    for (const bool pooled : {true, false}) {
        const Failure failure = failure_of([&] {
            const auto store = open_store(config);
            if (pooled) store->sql()->query("SELECT 1", Deadline::after(Millis(2500)));
            else store->sql()->open_session("test", Deadline::after(Millis(2500)));
        });
        text = failure.error.message() + "; " + failure.error.hint();
        CAPTURE(text);
        CHECK(failure.seconds < 4);
        CHECK(failure.error.code() == Code::connect);
        CHECK_FALSE(failure.error.retryable());
        CHECK(failure.error.message().find("store 'main'") == 0);
        CHECK(!failure.error.hint().empty());
        CHECK(text.find(config.password.reveal()) == std::string::npos);
    }
    return text;
}

bool has(const std::string& text, const std::string& words) {
    const bool found = text.find(words) != std::string::npos;
    if (!found) MESSAGE(text);
    return found;
}

}  // namespace

TEST_CASE("TLS demanded of a server that has none is refused, and beyond this machine it is always demanded") {
    const Server server;
    CHECK_FALSE(encrypted(server.plain()));
    CHECK(has(refusal(server.at("127.0.0.1", "sslmode=require")), "the server speaks no TLS"));
    CHECK(has(refusal(server.at("db.example", "hostaddr=127.0.0.1")), "the server speaks no TLS"));
    CHECK_FALSE(encrypted(server.at("db.example", "hostaddr=127.0.0.1&sslmode=disable")));
}

TEST_CASE("a certificate must be signed by the named authority, carry the host's name and be valid") {
    Server server;
    const std::string right = "sslrootcert=" + server.authority().file();
    const std::string wrong = "sslrootcert=" + server.stranger().file();
    server.serve_with(server.authority().issue("server", "IP:127.0.0.1,DNS:localhost,DNS:db.example"));

    CHECK(encrypted(server.at("127.0.0.1", "sslmode=verify-full&" + right)));
    CHECK(encrypted(server.at("localhost", "sslmode=verify-full&" + right)));
    CHECK(encrypted(server.at("127.0.0.1", "sslmode=require")));
    CHECK(has(refusal(server.at("127.0.0.1", "sslmode=verify-full&" + wrong)), "sslrootcert"));
    CHECK(has(refusal(server.at("127.0.0.1", "sslmode=verify-ca&" + wrong)), "sslrootcert"));
    CHECK(has(refusal(server.at("other.example", "hostaddr=127.0.0.1&sslmode=verify-full&" + right)), "does not match host name"));
    CHECK(encrypted(server.at("other.example", "hostaddr=127.0.0.1&sslmode=verify-ca&" + right)));

    // The options of the store's section say the same as the URL's.
    StoreConfig by_options = server.at("127.0.0.1", "");
    by_options.options = {{"sslmode", "verify-full"}, {"sslrootcert", server.stranger().file()}};
    refusal(by_options);
    by_options.options["sslrootcert"] = server.authority().file();
    CHECK(encrypted(by_options));

    SUBCASE("a host beyond this machine is verified without being told to") {
        CHECK(encrypted(server.at("db.example", "hostaddr=127.0.0.1&" + right)));
        CHECK(has(refusal(server.at("db.example", "hostaddr=127.0.0.1&" + wrong)), "sslrootcert"));
        CHECK(has(refusal(server.at("db.example", "hostaddr=127.0.0.1")), "sslrootcert"));  // the system's roots do not know it
        CHECK(has(refusal(server.at("other.example", "hostaddr=127.0.0.1&" + right)), "does not match host name"));
    }
    SUBCASE("one that has expired is refused, also after it was good") {
        server.serve_with(server.authority().issue("expired", "IP:127.0.0.1", -1));
        CHECK(has(refusal(server.at("127.0.0.1", "sslmode=verify-full&" + right)), "expired"));
        CHECK(encrypted(server.at("127.0.0.1", "sslmode=require")));
    }
}
