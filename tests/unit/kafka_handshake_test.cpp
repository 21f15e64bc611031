#include "core/store/kafka/handshake.h"

#include <doctest/doctest.h>

using ysdb::kafka::release_in;

namespace {

// A broker's answer with one request kind and these features: name, oldest, newest.
std::string answer(char newest_metadata_version) {
    using namespace std::string_literals;
    std::string features = "\x03"s + "\x0e" + "share.version" + "\0\0\0\1\0"s + "\x11" + "metadata.version" + "\0\x07\0"s + newest_metadata_version + "\0"s;
    std::string body = "\0\0"s + "\x02" + "\0\x12\0\0\0\4\0"s + "\0\0\0\0"s + "\x02";
    body += "\x01"s + "\x08" + std::string(8, '\0');                       // the epoch of the finalized features
    body += "\0"s + static_cast<char>(features.size()) + features;
    return body;
}

}  // namespace

TEST_CASE("a broker's release is read from the newest metadata version it supports") {
    CHECK(release_in(answer(30)) == "4.3");
    CHECK(release_in(answer(25)) == "4.0");
    CHECK(release_in(answer(7)) == "3.3");
    CHECK(release_in(answer(40)) == "4.3+");
}

TEST_CASE("an answer that is cut short, refused or nonsense tells no release and does no harm") {
    using namespace std::string_literals;
    const std::string whole = answer(30);
    for (std::size_t size = 0; size < whole.size(); ++size) CHECK(release_in(whole.substr(0, size)).empty());
    CHECK(release_in("\0\x23\0\0\0\0"s).empty());
    CHECK(release_in(std::string(200, '\xff')).empty());
    CHECK(release_in(std::string(200, '\0')).empty());
}
