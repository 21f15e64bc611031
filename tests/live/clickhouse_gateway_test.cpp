// fetched: chdb
// lock: memory
// The lab's ClickHouse as any HTTP client sees it: `ysdb lab serve-clickhouse`, asked with libcurl and by hand.
#include <curl/curl.h>
#include <doctest/doctest.h>
#include <signal.h>
#include <zstd.h>

#include <atomic>
#include <map>
#include <thread>

#include "cmd/lab_places.h"
#include "core/base/stream.h"
#include "core/base/text.h"
#include "core/base/url.h"
#include "core/lab/pins.h"
#include "core/lab/ports.h"
#include "tests/live/servers.h"
#include "tests/live/support.h"

using namespace ysdb;
using namespace ysdb::test;

namespace {

Deadline soon() { return Deadline::after(Millis(30'000)); }

struct Answer {
    long status = 0;
    std::map<std::string, std::string> headers;  // lower-case names
    std::string body;
    long new_connections = 0;

    std::string header(const std::string& name) const { return headers.contains(name) ? headers.at(name) : ""; }
};

using Parameters = std::vector<std::pair<std::string, std::string>>;

// One kept connection.
class Client {
public:
    explicit Client(int port) : origin_("http://127.0.0.1:" + std::to_string(port)), handle_(curl_easy_init(), curl_easy_cleanup) {}

    Answer get(const std::string& path, const Parameters& parameters = {}, const std::vector<std::string>& headers = {}) { return ask(path, parameters, nullptr, headers); }
    Answer post(const Parameters& parameters, const std::string& body, const std::vector<std::string>& headers = {}) { return ask("/", parameters, &body, headers); }
    // The body of an answer that must be good.
    std::string value(const std::string& sql) {
        const Answer answer = post({}, sql);
        CHECK_MESSAGE(answer.status == 200, answer.body);
        return answer.body;
    }

private:
    Answer ask(const std::string& path, const Parameters& parameters, const std::string* body, const std::vector<std::string>& headers) {
        Answer answer;
        std::string url = origin_ + path;
        for (const auto& [name, value] : parameters) url += (url.find('?') == std::string::npos ? "?" : "&") + percent_encode(name) + "=" + percent_encode(value);
        std::unique_ptr<curl_slist, void (*)(curl_slist*)> list(nullptr, curl_slist_free_all);
        for (const std::string& line : headers) list.reset(curl_slist_append(list.release(), line.c_str()));
        CURL* curl = handle_.get();
        curl_easy_reset(curl);
        curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
        curl_easy_setopt(curl, CURLOPT_PROXY, "");
        curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 30'000L);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list.get());
        if (body != nullptr) {
            curl_easy_setopt(curl, CURLOPT_POST, 1L);
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data());
            curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body->size()));
        }
        const auto on_header = +[](char* data, std::size_t size, std::size_t count, void* into) {
            const std::string_view line(data, size * count);
            if (const auto colon = line.find(':'); colon != std::string_view::npos) static_cast<Answer*>(into)->headers[lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
            return size * count;
        };
        const auto on_body = +[](char* data, std::size_t size, std::size_t count, void* into) {
            static_cast<Answer*>(into)->body.append(data, size * count);
            return size * count;
        };
        curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
        curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer);
        curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
        curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
        const CURLcode code = curl_easy_perform(curl);
        if (code != CURLE_OK) answer.body += std::string("\n<") + curl_easy_strerror(code) + ">";
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
        curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &answer.new_connections);
        return answer;
    }

    std::string origin_;
    std::unique_ptr<CURL, void (*)(CURL*)> handle_;
};

// One gateway for the whole file: the engine takes a moment to open.
class GatewayProcess {
public:
    GatewayProcess() : port_(lab::choose_port()) {
        SpawnOptions options;
        options.argv = {YSDB_BINARY, "lab", "serve-clickhouse", "--path", (directory_.path() / "data").string(), "--listen", "127.0.0.1:" + std::to_string(port_),
                        "--library", (*lab::find_fetched("chdb", default_cache_dir()) / "libchdb.so").string()};
        options.output_file = (directory_.path() / "log").string();
        std::filesystem::create_directories(directory_.path() / "data");
        process_ = spawn(options);
        REQUIRE(wait_until([&] { return Client(port_).get("/ping").body == "Ok.\n"; }, Millis(60'000)));
    }
    ~GatewayProcess() {
        send_signal(process_, SIGKILL);
        wait_gone(process_, Deadline::after(Millis(10'000)));
    }
    GatewayProcess(const GatewayProcess&) = delete;
    GatewayProcess& operator=(const GatewayProcess&) = delete;
    int port() const { return port_; }
    const ProcessId& process() const { return process_; }

private:
    TemporaryDirectory directory_;
    int port_;
    ProcessId process_;
};

int gateway() {
    static const GatewayProcess process;
    return process.port();
}

// A table of the test's own.
std::string make_table(Client& client, const std::string& columns) {
    const std::string name = unique_name();
    client.value("CREATE TABLE " + name + " (" + columns + ") ENGINE = MergeTree ORDER BY tuple()");
    return name;
}

std::string zstd(const std::string& text) {
    std::string packed(ZSTD_compressBound(text.size()), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1));
    return packed;
}

std::string unzstd(const std::string& packed) {
    std::string text(1 << 24, '\0');
    ZSTD_inBuffer in{packed.data(), packed.size(), 0};
    ZSTD_outBuffer out{text.data(), text.size(), 0};
    const std::unique_ptr<ZSTD_DStream, std::size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(), ZSTD_freeDStream);
    while (in.pos < in.size && !ZSTD_isError(ZSTD_decompressStream(stream.get(), &out, &in))) {}
    text.resize(out.pos);
    return text;
}

}  // namespace

TEST_CASE("a health check is answered, an unknown page is not") {
    Client client(gateway());
    CHECK(client.get("/ping").body == "Ok.\n");
    CHECK(client.get("/").body == "Ok.\n");
    CHECK(client.get("/ping").header("x-clickhouse-server-display-name") != "");
    CHECK(client.get("/play-not-here").status == 404);
}

TEST_CASE("a query comes by GET, in a POST's body, or in both parts") {
    Client client(gateway());
    CHECK(client.get("/", {{"query", "SELECT 1 + 1"}}).body == "2\n");
    CHECK(client.post({}, "SELECT 'posted';").body == "posted\n");
    CHECK(client.post({{"query", "SELECT"}}, "3").body == "3\n");
    CHECK(client.post({{"default_format", "JSONEachRow"}}, "SELECT 1 AS a").body == "{\"a\":1}\n");
    CHECK(client.post({}, "SELECT 1 AS a FORMAT JSONEachRow").body == "{\"a\":1}\n");
    CHECK(client.post({}, "SELECT 1 AS a", {"X-ClickHouse-Format: CSVWithNames"}).body == "\"a\"\n1\n");
    CHECK(client.post({{"database", "system"}}, "SELECT count() > 0 FROM tables").body == "1\n");
    CHECK(client.post({}, "SELECT count() > 0 FROM tables", {"X-ClickHouse-Database: system"}).body == "1\n");
    CHECK(client.post({{"query_id", "my-own-name"}}, "SELECT 1").header("x-clickhouse-query-id") == "my-own-name");
    CHECK(client.post({{"max_block_size", "123"}}, "SELECT getSetting('max_block_size')").body == "123\n");
    CHECK(client.post({}, "SELECT getSetting('max_block_size')").body != "123\n");
}

TEST_CASE("parameters are values, whatever is in them") {
    Client client(gateway());
    CHECK(client.post({{"param_a", "it's \\\\ \\n x"}, {"param_b", "7"}}, "SELECT {a:String}, {b:UInt8} FORMAT TabSeparatedRaw").body == "it's \\ \n x\t7\n");
    CHECK(client.get("/", {{"query", "SELECT {a:String}"}, {"param_a", "1; DROP TABLE t"}}).body == "1; DROP TABLE t\n");
    CHECK(client.post({}, "SELECT {a:String}").header("x-clickhouse-exception-code") == "456");  // UNKNOWN_QUERY_PARAMETER
}

TEST_CASE("a GET changes nothing") {
    Client client(gateway());
    const std::string table = make_table(client, "a Int32");
    CHECK(client.get("/", {{"query", "INSERT INTO " + table + " VALUES (1)"}}).header("x-clickhouse-exception-code") == "164");  // READONLY
    CHECK(client.get("/", {{"query", "DROP TABLE " + table}}).status == 500);
    CHECK(client.value("SELECT count() FROM " + table) == "0\n");
}

TEST_CASE("an insert's data is taken as bytes, blank lines and semicolons included") {
    Client client(gateway());
    const std::string table = make_table(client, "n Int32, t String");
    // What the engine would take for the end of the data, or for a statement, if it ever saw it as text.
    const std::string trap = "\n\n; DROP TABLE " + table + ";\n\nINSERT INTO " + table + " VALUES (9, 'no')";
    std::string row(4, '\0');
    row[0] = '\n';  // 10
    row += static_cast<char>(trap.size());
    row += trap;
    REQUIRE(trap.size() < 128);

    SUBCASE("the statement in the URL, the data in the body") {
        CHECK(client.post({{"query", "INSERT INTO " + table + " FORMAT RowBinary"}}, row + row).status == 200);
    }
    SUBCASE("the format named beside the statement") {
        CHECK(client.post({{"query", "INSERT INTO " + table}, {"default_format", "RowBinary"}}, row + row).status == 200);
    }
    SUBCASE("both in the body") {
        CHECK(client.post({}, "INSERT INTO " + table + " (n, t) FORMAT RowBinary\n" + row + row).status == 200);
    }
    SUBCASE("compressed") {
        CHECK(client.post({{"query", "INSERT INTO " + table + " FORMAT RowBinary"}}, zstd(row + row), {"Content-Encoding: zstd"}).status == 200);
    }
    SUBCASE("in many chunks of unknown length") {
        Stream stream = Stream::connect({"127.0.0.1", gateway()}, soon());
        stream.write_all("POST /?query=" + percent_encode("INSERT INTO " + table + " FORMAT RowBinary") + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", soon());
        for (const char byte : row + row) stream.write_all(std::string("1\r\n") + byte + "\r\n", soon());
        stream.write_all("0\r\n\r\n", soon());
        char first[16] = "";
        REQUIRE(stream.read(first, soon()) > 0);
        CHECK(std::string_view(first, 12) == "HTTP/1.1 200");
    }
    CHECK(client.value("SELECT count(), min(n), max(n), uniqExact(t), any(length(t)) FROM " + table) == "2\t10\t10\t1\t" + std::to_string(trap.size()) + "\n");
}

TEST_CASE("an insert as text: VALUES, and lines under the statement") {
    Client client(gateway());
    const std::string table = make_table(client, "n Int32, t String");
    CHECK(client.post({}, "INSERT INTO " + table + " VALUES (1, 'a;b'), (2, 'c')").header("x-clickhouse-summary").find("\"written_rows\":\"2\"") != std::string::npos);
    CHECK(client.post({}, "INSERT INTO " + table + " FORMAT TabSeparated\n3\tthree\n4\tfour\n").status == 200);
    CHECK(client.post({{"query", "INSERT INTO " + table + " FORMAT JSONEachRow"}}, "{\"n\":5,\"t\":\"x\"}\n\n{\"n\":6,\"t\":\"y\"}\n").status == 200);
    CHECK(client.post({}, "INSERT INTO " + table + " SELECT 7, 'seven'").status == 200);
    CHECK(client.value("SELECT groupArray(n) FROM (SELECT n FROM " + table + " ORDER BY n)") == "[1,2,3,4,5,6,7]\n");
}

TEST_CASE("bad data is refused whole") {
    Client client(gateway());
    const std::string table = make_table(client, "n Int32");
    const Answer answer = client.post({{"query", "INSERT INTO " + table + " FORMAT TabSeparated"}}, "1\n2\nthree\n");
    CHECK(answer.status != 200);
    CHECK(answer.header("x-clickhouse-exception-code") == "27");  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
    CHECK(client.value("SELECT count() FROM " + table) == "0\n");
}

TEST_CASE("several statements at once are refused, and none of them runs") {
    Client client(gateway());
    const std::string table = make_table(client, "n Int32");
    for (const std::string& sql : {"INSERT INTO " + table + " VALUES (1); SELECT 1", std::string("SELECT 1; SELECT 2"), "SELECT 1; DROP TABLE " + table}) {
        const Answer answer = client.post({}, sql);
        CHECK(answer.status == 400);
        CHECK(answer.header("x-clickhouse-exception-code") == "62");
        CHECK(answer.body.find("Multi-statements are not allowed") != std::string::npos);
    }
    CHECK(client.value("SELECT count() FROM " + table) == "0\n");
}

TEST_CASE("an error has ClickHouse's code, its text and a status, and the connection goes on") {
    Client client(gateway());
    const auto refused = [&](const std::string& sql, long status, const std::string& code, const std::string& name) {
        const Answer answer = client.post({}, sql);
        CAPTURE(answer.body);
        CHECK(answer.status == status);
        CHECK(answer.header("x-clickhouse-exception-code") == code);
        CHECK(answer.body.starts_with("Code: " + code + ". DB::Exception: "));
        CHECK(answer.body.find("(" + name + ")") != std::string::npos);
        CHECK(client.value("SELECT 1") == "1\n");
    };
    refused("SELECT * FROM no_such_table", 404, "60", "UNKNOWN_TABLE");
    refused("SELEC 1", 400, "62", "SYNTAX_ERROR");
    refused("SELECT intDiv(1, 0)", 500, "153", "ILLEGAL_DIVISION");
    refused("SELECT throwIf(number = 2) FROM numbers(5)", 500, "395", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO");
    refused("", 400, "62", "SYNTAX_ERROR");
}

TEST_CASE("an error in the middle of a result is at its end, marked as one") {
    Client client(gateway());
    const Answer answer = client.post({}, "SELECT number, throwIf(number = 3000000) FROM numbers(5000000) SETTINGS max_threads = 1 FORMAT TabSeparated");
    CHECK(answer.status == 200);  // it had been sent already
    const std::string tag = answer.header("x-clickhouse-exception-tag");
    REQUIRE(!tag.empty());
    CHECK(answer.body.find("__exception__\r\n" + tag + "\r\nCode: 395.") != std::string::npos);
}

TEST_CASE("answers are compressed for who asks for it, small and large ones") {
    Client client(gateway());
    for (const std::string& sql : {std::string("SELECT 'small' FORMAT TabSeparatedWithNames"), std::string("SELECT 'streamed'"), std::string("SELECT number FROM numbers(1000000)")}) {
        CAPTURE(sql);
        const std::string plain = client.value(sql);
        const Answer packed = client.post({{"enable_http_compression", "1"}}, sql, {"Accept-Encoding: gzip, zstd"});
        CHECK(packed.header("content-encoding") == "zstd");
        CHECK(unzstd(packed.body) == plain);
        CHECK(client.post({}, sql, {"Accept-Encoding: zstd"}).header("content-encoding").empty());
        CHECK(client.post({{"enable_http_compression", "1"}}, sql, {"Accept-Encoding: gzip"}).header("content-encoding").empty());
    }
}

TEST_CASE("a connection serves one request after the other, after errors too") {
    Client client(gateway());
    CHECK(client.get("/ping").new_connections == 1);
    for (int i = 0; i < 50; ++i) {
        const Answer answer = client.post({}, i % 5 == 4 ? "SELEC" : "SELECT " + std::to_string(i));
        CHECK(answer.new_connections == 0);
        CHECK(answer.status == (i % 5 == 4 ? 400 : 200));
    }
}

TEST_CASE("clients of one moment do not see each other's parameters, settings or errors") {
    std::atomic<int> good = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 16; ++i) {
            threads.emplace_back([&, i] {
                Client client(gateway());
                for (int n = 0; n < 20; ++n) {
                    if (n % 4 == i % 4) client.post({}, "SELECT intDiv(" + std::to_string(n) + ", 0)");
                    const std::string mine = std::to_string(i * 1000 + n);
                    if (client.post({{"param_p", mine}, {"max_block_size", std::to_string(1000 + i)}}, "SELECT {p:String}, getSetting('max_block_size')").body == mine + "\t" + std::to_string(1000 + i) + "\n") ++good;
                }
            });
        }
    }
    CHECK(good == 320);
}

TEST_CASE("a client that goes away in the middle harms nobody") {
    Client client(gateway());
    SUBCASE("while it sends: nothing of it is stored") {
        const std::string table = make_table(client, "n Int32");
        {
            Stream stream = Stream::connect({"127.0.0.1", gateway()}, soon());
            stream.write_all("POST /?query=" + percent_encode("INSERT INTO " + table + " FORMAT TabSeparated") + " HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n1\n2\n3\n", soon());
        }
        for (int i = 0; i < 20; ++i) CHECK(client.value("SELECT count() FROM " + table) == "0\n");
    }
    SUBCASE("while it receives: the statement ends") {
        const std::string name = unique_name();
        {
            Stream stream = Stream::connect({"127.0.0.1", gateway()}, soon());
            stream.write_all("GET /?query=" + percent_encode("SELECT number AS " + name + " FROM system.numbers") + " HTTP/1.1\r\nHost: x\r\n\r\n", soon());
            char some[1000];
            REQUIRE(stream.read(some, soon()) > 0);
            CHECK(client.value("SELECT count() FROM system.processes WHERE position(query, '" + name + "') > 0 AND position(query, 'processes') = 0") == "1\n");
        }
        CHECK(wait_until([&] { return client.value("SELECT count() FROM system.processes WHERE position(query, '" + name + "') > 0 AND position(query, 'processes') = 0") == "0\n"; }));
    }
    SUBCASE("before it says anything, or with nonsense") {
        for (const std::string& words : {std::string(), std::string("\x16\x03\x01\x02", 4), std::string("PING\r\n\r\n"), std::string("POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n")}) {
            Stream stream = Stream::connect({"127.0.0.1", gateway()}, soon());
            stream.write_all(words, soon());
        }
    }
    CHECK(client.value("SELECT 1") == "1\n");
}

TEST_CASE("a statement is killed by its name") {
    Client client(gateway());
    const std::string name = unique_name();
    Answer answer;
    {
        std::jthread caller([&] { answer = Client(gateway()).post({{"query_id", name}}, "SELECT max(sipHash64(number)) FROM numbers(1000000000000)"); });
        CHECK(wait_until([&] { return client.value("SELECT count() FROM system.processes WHERE query_id = '" + name + "'") == "1\n"; }));
        client.value("KILL QUERY WHERE query_id = '" + name + "' ASYNC");
    }
    CHECK(answer.header("x-clickhouse-exception-code") == "394");
}

TEST_CASE("a second gateway does not take a part of the first one's port") {
    const TemporaryDirectory directory;
    const CommandResult second = run_ysdb({"lab", "serve-clickhouse", "--path", directory.path().string(), "--listen", "127.0.0.1:" + std::to_string(gateway()), "--library",
                                           (*lab::find_fetched("chdb", default_cache_dir()) / "libchdb.so").string()}, {}, {}, Millis(60'000));
    CHECK(second.exit_code == 4);
    CHECK_MESSAGE(second.err.find("cannot listen on 127.0.0.1:") != std::string::npos, second.err);
    CHECK(Client(gateway()).get("/ping").body == "Ok.\n");
}

TEST_CASE("SIGTERM lets a running statement end, and takes no new one") {
    const GatewayProcess own;
    Client(own.port()).value("SELECT 1");
    Answer answer;
    {
        std::jthread caller([&] { answer = Client(own.port()).post({}, "SELECT sum(sleepEachRow(0.1)) FROM numbers(15) SETTINGS max_block_size = 1"); });
        REQUIRE(wait_until([&] { return Client(own.port()).value("SELECT count() FROM system.processes WHERE position(query, 'sleepEachRow(0.1)') > 0 AND position(query, 'processes') = 0") == "1\n"; }));
        send_signal(own.process(), SIGTERM);
        CHECK(wait_until([&] { return Client(own.port()).get("/ping").status == 0; }));
    }
    CHECK(answer.status == 200);
    CHECK(answer.body == "0\n");
    CHECK(wait_gone(own.process(), Deadline::after(Millis(15'000))));
}
