// programs: redis-server
// Logging in to a Redis of the test's own: passwords, users, databases, TLS.
#include <doctest/doctest.h>

#include "core/store/redis/redis.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(10'000)); }

Error refusal(const StoreConfig& config) {
    const Failure failure = failure_of([&] { open_store(config)->probe(Deadline::after(Millis(3000))); });
    CAPTURE(failure.error.message());
    CHECK(failure.seconds < 4);
    CHECK(failure.error.code() == Code::connect);
    CHECK(failure.error.message().find("store 'cache'") == 0);
    CHECK(!failure.error.hint().empty());
    for (const char* secret : {"hunter2", "swordfish"}) CHECK((failure.error.message() + failure.error.hint()).find(secret) == std::string::npos);
    return failure.error;
}

}  // namespace

TEST_CASE("a password, a user and a database number are what the server wants, or the refusal says which is not") {
    TemporaryDirectory directory;
    RedisProcess server(directory.path(), {"requirepass swordfish", "user app on >hunter2 ~app:* +@all -client", "save ''"});
    const std::string address = "127.0.0.1:" + std::to_string(server.port());

    CHECK(open_store(store_at("cache", "redis://" + address + "/3", "swordfish"))->probe(soon()).role == "primary");
    CHECK(open_store(store_at("cache", "redis://:swordfish@" + address))->probe(soon()).role == "primary");
    CHECK(open_store(store_at("cache", "redis://app@" + address, "hunter2"))->probe(soon()).role == "primary");

    CHECK(refusal(store_at("cache", "redis://" + address)).message().find("wants a password") != std::string::npos);
    CHECK(refusal(store_at("cache", "redis://" + address, "hunter2")).message().find("refused the user or password") != std::string::npos);
    CHECK(refusal(store_at("cache", "redis://app@" + address, "swordfish")).hint().find("[stores.cache]") != std::string::npos);
    CHECK(refusal(store_at("cache", "redis://" + address + "/99", "swordfish")).message().find("no database 99") != std::string::npos);

    const auto app = open_store(store_at("cache", "redis://app@" + address, "hunter2"));
    const Error error = failure_of([&] { redis::as_redis(*app).command({"GET", "other:key"}, soon()); }).error;
    CHECK(error.server_code() == "NOPERM");
    CHECK(!error.hint().empty());
}

TEST_CASE("a password for a server that has none is said to be one too many") {
    TemporaryDirectory directory;
    RedisProcess server(directory.path(), {"save ''"});
    CHECK(refusal(store_at("cache", "redis://" + server.address(), "hunter2")).message().find("the server has none") != std::string::npos);
}

TEST_CASE("the database of the url is the one that commands see") {
    TemporaryDirectory directory;
    RedisProcess server(directory.path(), {"save ''"});
    const auto third = open_store(store_at("cache", "redis://" + server.address() + "/3"));
    const auto first = open_store(store_at("cache", "redis://" + server.address()));
    redis::as_redis(*third).command({"SET", "k", "v"}, soon());
    CHECK(redis::as_redis(*first).command({"GET", "k"}, soon()).is_nil());
    CHECK(redis::as_redis(*third).command({"GET", "k"}, soon()).text == "v");
}

TEST_CASE("over TLS the server's certificate must be signed by the named authority and carry the host's name") {
    TemporaryDirectory directory;
    const Authority authority(directory.path(), "authority");
    const Authority stranger(directory.path(), "stranger");
    const Certificate of_server = authority.issue("server", "IP:127.0.0.1");
    const Certificate of_client = authority.issue("client", "DNS:client");
    RedisProcess server(directory.path() / "redis", {"port 0", "tls-port PORT", "tls-cert-file " + of_server.file, "tls-key-file " + of_server.key_file,
                                                     "tls-ca-cert-file " + authority.file(), "requirepass swordfish", "save ''"});
    StoreConfig config = store_at("cache", "rediss://" + server.address() + "/0", "swordfish");
    config.options = {{"tls_ca", authority.file()}, {"tls_cert", of_client.file}, {"tls_key", of_client.key_file}};

    const auto store = open_store(config);
    CHECK(store->probe(soon()).role == "primary");
    const std::string megabyte(1 << 20, 'x');
    const std::vector<redis::Command> echoes(20, {"ECHO", megabyte});
    const auto replies = redis::as_redis(*store).pipeline(echoes, soon());
    CHECK(std::all_of(replies.begin(), replies.end(), [&](const redis::Reply& reply) { return reply.text == megabyte; }));

    StoreConfig other_authority = config;
    other_authority.options["tls_ca"] = stranger.file();
    CHECK(refusal(other_authority).message().find("not trusted") != std::string::npos);

    StoreConfig other_name = config;
    other_name.url = "rediss://localhost:" + std::to_string(server.port()) + "/0";
    CHECK(refusal(other_name).message().find("not trusted: hostname mismatch") != std::string::npos);

    StoreConfig no_client_certificate = config;
    no_client_certificate.options = {{"tls_ca", authority.file()}};
    CHECK(!refusal(no_client_certificate).hint().empty());

    StoreConfig plain = store_at("cache", "redis://" + server.address(), "swordfish");
    CHECK(refusal(plain).hint().find("rediss://") != std::string::npos);

    StoreConfig no_such_file = config;
    no_such_file.options["tls_ca"] = (directory.path() / "none.pem").string();
    CHECK(failure_of([&] { open_store(no_such_file)->probe(soon()); }).error.code() == Code::config);
}
