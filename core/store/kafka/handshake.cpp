#include "core/store/kafka/handshake.h"

#include <array>
#include <cstdint>

#include "core/store/kafka/errors.h"

namespace ysdb::kafka {

namespace {

constexpr std::int32_t correlation = 0x79736462;
constexpr std::size_t largest_answer = 1 << 20;  // a broker's is about 500 bytes
constexpr const char* no_kafka_hint = "is that a Kafka broker, and does it want TLS (kafkas://)? check host and port of the url";

void put_int16(std::string& out, int value) { out += {static_cast<char>(value >> 8), static_cast<char>(value)}; }
void put_int32(std::string& out, std::int32_t value) {
    put_int16(out, value >> 16);
    put_int16(out, value);
}
std::uint32_t get_int32(std::string_view in) {
    std::uint32_t value = 0;
    for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(in[static_cast<std::size_t>(i)]);
    return value;
}

// ApiVersions, version 0: every broker answers it, before any login.
std::string request() {
    constexpr std::string_view client = "ysdb";
    std::string body;
    put_int16(body, 18);
    put_int16(body, 0);
    put_int32(body, correlation);
    put_int16(body, static_cast<int>(client.size()));
    body += client;
    std::string message;
    put_int32(message, static_cast<std::int32_t>(body.size()));
    return message + body;
}

void read_exactly(Stream& stream, std::span<char> into, Deadline deadline) {
    while (!into.empty()) {
        const std::size_t got = stream.read(into, deadline);
        if (got == 0) throw Error(Code::connect, "the server closed the connection", no_kafka_hint).with_retryable();
        if (deadline.passed()) throw Error(Code::connect, "no complete answer in time").with_retryable();
        into = into.subspan(got);
    }
}

Greeting greet_one(const Target& target, const Endpoint& endpoint, Deadline deadline) {
    Stream stream = Stream::connect(endpoint, deadline);
    if (target.tls) stream.start_tls(*target.tls, endpoint.host, deadline);
    const auto start = SteadyClock::now();
    stream.write_all(request(), deadline);
    std::array<char, 8> head;
    read_exactly(stream, head, deadline);
    const std::string_view text(head.data(), head.size());
    if (get_int32(text) > largest_answer || get_int32(text.substr(4)) != static_cast<std::uint32_t>(correlation)) {
        throw Error(Code::connect, "the answer is not Kafka's protocol", no_kafka_hint);
    }
    return {std::chrono::duration<double>(SteadyClock::now() - start).count()};
}

}  // namespace

Greeting greet(const Target& target, Deadline deadline) {
    const std::size_t count = target.hosts.size();
    for (std::size_t i = 0;; ++i) {
        const Endpoint& endpoint = target.hosts[i];
        const Millis share = std::min(target.connect_timeout, deadline.left() / static_cast<Millis::rep>(count - i));
        try {
            return greet_one(target, endpoint, Deadline::after(share));
        } catch (const Error& error) {
            if (error.code() == Code::config) throw Error(Code::config, "store '" + target.store + "': " + error.message(), error.hint());
            if (i + 1 == count) throw connect_error(target, endpoint.text() + ": " + error.message(), error.hint(), error.retryable());
        }
    }
}

}  // namespace ysdb::kafka
