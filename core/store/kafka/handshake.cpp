#include "core/store/kafka/handshake.h"

#include <array>
#include <cstdint>
#include <iterator>
#include <utility>

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

// ApiVersions, version 3: every broker answers it before any login; one that is too old for it says so in version 0.
std::string request() {
    constexpr std::string_view client = "ysdb";
    std::string body;
    put_int16(body, 18);
    put_int16(body, 3);
    put_int32(body, correlation);
    put_int16(body, static_cast<int>(client.size()));
    body += client;
    body += '\0';
    for (const std::string_view text : {client, std::string_view("1")}) {  // software name and version
        body += static_cast<char>(text.size() + 1);
        body += text;
    }
    body += '\0';
    std::string message;
    put_int32(message, static_cast<std::int32_t>(body.size()));
    return message + body;
}

// Takes an answer apart. Past its end everything is zero and `good` is false.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}
    bool good() const { return good_; }
    std::string_view take(std::size_t size) {
        if (size > rest_.size()) {
            good_ = false;
            rest_ = {};
            return {};
        }
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }
    int int16() {
        const std::string_view bytes = take(2);
        return bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]) << 8 | static_cast<unsigned char>(bytes[1]);
    }
    std::size_t varint() {
        std::size_t value = 0;
        for (int shift = 0; shift < 35 && good_; shift += 7) {
            const std::string_view byte = take(1);
            if (byte.empty()) return 0;
            value |= static_cast<std::size_t>(byte[0] & 0x7f) << shift;
            if ((byte[0] & 0x80) == 0) break;
        }
        return value;
    }
    // Compact arrays and strings count from one.
    std::size_t length() {
        const std::size_t size = varint();
        return size == 0 ? 0 : size - 1;
    }
    void skip_tags() {
        for (std::size_t left = varint(); left > 0 && good_; --left) {
            varint();
            take(varint());
        }
    }

private:
    std::string_view rest_;
    bool good_ = true;
};

// The first metadata.version of each release, as Kafka's MetadataVersion lists them.
std::string release_of(int level) {
    static constexpr std::pair<int, const char*> first_levels[] = {{1, "3.0"},  {2, "3.1"},  {3, "3.2"},  {4, "3.3"},  {8, "3.4"},  {9, "3.5"},  {12, "3.6"},
                                                                   {15, "3.7"}, {20, "3.8"}, {21, "3.9"}, {22, "4.0"}, {26, "4.1"}, {28, "4.2"}, {30, "4.3"}};
    std::string release;
    for (const auto& [first, name] : first_levels) {
        if (level >= first) release = name;
    }
    return level > first_levels[std::size(first_levels) - 1].first ? release + "+" : release;
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
    if (get_int32(text) < 4 || get_int32(text) > largest_answer || get_int32(text.substr(4)) != static_cast<std::uint32_t>(correlation)) {
        throw Error(Code::connect, "the answer is not Kafka's protocol", no_kafka_hint);
    }
    Greeting greeting{std::chrono::duration<double>(SteadyClock::now() - start).count(), {}};
    std::string body(get_int32(text) - 4, '\0');
    read_exactly(stream, body, deadline);
    greeting.release = release_in(body);
    return greeting;
}

}  // namespace

std::string release_in(std::string_view body) {
    Reader reader(body);
    if (reader.int16() != 0) return {};
    for (std::size_t left = reader.length(); left > 0 && reader.good(); --left) {  // what requests it knows
        reader.take(6);
        reader.skip_tags();
    }
    reader.take(4);  // throttle time
    for (std::size_t tags = reader.varint(); tags > 0 && reader.good(); --tags) {
        const bool supported_features = reader.varint() == 0;
        Reader features(reader.take(reader.varint()));
        if (!supported_features) continue;
        for (std::size_t left = features.length(); left > 0 && features.good(); --left) {
            const std::string_view name = features.take(features.length());
            features.int16();  // the oldest it supports
            const int newest = features.int16();
            features.skip_tags();
            if (name == "metadata.version" && features.good()) return release_of(newest);
        }
    }
    return {};
}

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
