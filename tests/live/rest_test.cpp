// Stores that are only looked at: what their servers answer, and how it is shown. The answers are as their documentation prints them.
#include <doctest/doctest.h>

#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

std::string http(const std::string& status, const std::string& body) {
    return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

std::string at(const std::string& scheme, const StrangeServer& server) { return scheme + "://root@127.0.0.1:" + std::to_string(server.port()) + "/"; }

const std::string weaviate = R"({"hostname":"http://[::]:8080","modules":{"text2vec-openai":{}},"version":"1.35.2"})";
const std::string arango = R"({"server":"arango","license":"community","version":"3.12.4"})";

}  // namespace

TEST_CASE("Weaviate and ArangoDB show their version") {
    StrangeServer vectors(http("200 OK", weaviate));
    const ProbeResult first = open_store(store_at("vectors", at("weaviate", vectors)))->probe(Deadline::after(Millis(5000)));
    CHECK(first.product == "Weaviate");
    CHECK(first.version == "1.35.2");
    CHECK(first.detail == "1 module");
    StrangeServer graph(http("200 OK", arango));
    const ProbeResult second = open_store(store_at("graph", at("arango", graph)))->probe(Deadline::after(Millis(5000)));
    CHECK(second.product == "ArangoDB");
    CHECK(second.version == "3.12.4");
    CHECK(second.detail == "community edition");
}

TEST_CASE("another product, a refused login, a silent or dead server are connection errors with a next step and no secret") {
    StrangeServer other(http("200 OK", arango));
    StrangeServer page(http("200 OK", "<html>"));
    StrangeServer locked(http("401 Unauthorized", "{}"));
    StrangeServer redis("-ERR unknown command\r\n");
    StrangeServer silent;
    for (const std::string& url : {at("weaviate", other), at("weaviate", page), at("arango", page), at("arango", locked), at("weaviate", redis), at("arango", silent),
                                   at("arangos", page), std::string("weaviate://127.0.0.1:1")}) {
        CAPTURE(url);
        const Failure failure = failure_of([&] { open_store(store_at("other", url, "hunter2"))->probe(Deadline::after(Millis(1000))); });
        CHECK(failure.seconds < 2.5);
        CHECK(failure.error.code() == Code::connect);
        CHECK(failure.error.message().find("store 'other'") == 0);
        CHECK(!failure.error.hint().empty());
        CHECK((failure.error.message() + failure.error.hint()).find("hunter2") == std::string::npos);
    }
}
