#include "core/base/page_server.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/error.h"

using namespace ysdb;

namespace {

std::string get(int port, const std::string& path) {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
    CHECK(send(client, request.data(), request.size(), 0) == static_cast<ssize_t>(request.size()));
    std::string answer;
    char bytes[1024];
    for (ssize_t size = 0; (size = recv(client, bytes, sizeof bytes, 0)) > 0;) answer.append(bytes, static_cast<std::size_t>(size));
    close(client);
    return answer;
}

std::unique_ptr<PageServer> serve(int port) { return std::make_unique<PageServer>(Endpoint{"127.0.0.1", port}, "/metrics", [] { return std::string("one 1\n"); }); }

}  // namespace

TEST_CASE("a port belongs to one page at a time, and is free again as soon as that one ends") {
    auto first = serve(0);
    const int port = first->port();
    CHECK(get(port, "/metrics").ends_with("one 1\n"));
    CHECK_THROWS_WITH_AS(serve(port), doctest::Contains("cannot listen on 127.0.0.1:"), Error);
    first.reset();
    const auto second = serve(port);   // though the server's end of the connection before is not forgotten yet
    CHECK(get(port, "/elsewhere").find("404") != std::string::npos);
}
