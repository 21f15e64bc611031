#include "core/store/redis/slots.h"

#include <doctest/doctest.h>

#include <set>

#include "core/base/error.h"
#include "core/store/redis/command_key.h"
#include "core/store/redis/lanes.h"
#include "core/store/redis/slot_map.h"

using namespace ysdb;
using namespace ysdb::redis;

namespace {

Reply number(std::int64_t value) {
    Reply reply;
    reply.kind = Reply::Kind::integer;
    reply.integer = value;
    return reply;
}
Reply text(const std::string& value) {
    Reply reply;
    reply.kind = Reply::Kind::string;
    reply.text = value;
    return reply;
}
Reply list(std::vector<Reply> elements) {
    Reply reply;
    reply.kind = Reply::Kind::array;
    reply.elements = std::move(elements);
    return reply;
}

const Endpoint seed{"seed", 7000};

}  // namespace

TEST_CASE("keys lie in the slots that the cluster's specification gives them") {
    CHECK(key_slot("123456789") == 0x31c3 % 16384);   // the check value of CRC16/XMODEM
    CHECK(key_slot("foo") == 12182);
    CHECK(key_slot("bar") == 5061);
    CHECK(key_slot("") == 0);
    CHECK(key_slot("{user1000}.following") == key_slot("user1000"));
    CHECK(key_slot("{user1000}.followers") == key_slot("user1000"));
    CHECK(key_slot("foo{}{bar}") != key_slot("bar"));           // an empty tag is none, and the next does not count
    CHECK(key_slot("foo{{bar}}zap") == key_slot("{bar"));       // from the first brace to the first one behind it
    CHECK(key_slot("foo{bar}{zap}") == key_slot("bar"));
    CHECK(key_slot("foo{bar") != key_slot("bar"));              // never closed
    CHECK(key_slot("a}b{c}") == key_slot("c"));
}

TEST_CASE("every slot has a tag that lies in it, whatever stands behind") {
    std::set<std::string> tags;
    for (std::size_t slot = 0; slot < slot_count; ++slot) {
        const std::string& tag = slot_tag(static_cast<std::uint16_t>(slot));
        REQUIRE(key_slot("ysdb:gone:{" + tag + "}a}b{c}{") == slot);
        REQUIRE(tag.size() <= 4);
        tags.insert(tag);
    }
    CHECK(tags.size() == slot_count);
}

TEST_CASE("a map of slots names masters and replicas as they are announced, or where the one asked is") {
    Reply nowhere;
    const SlotMap map = parse_slots(list({list({number(0), number(100), list({text("node1.example"), number(7001), text("id1"), list({text("ip"), text("10.0.0.1")})}), list({text("10.0.0.4"), number(7004), text("id4")})}),
                                          list({number(200), number(16383), list({nowhere, number(7002), text("id2"), list({})})}),
                                          list({number(101), number(101), list({text(""), number(7000), text("id3")})}),
                                          list({number(102), number(102), list({text("?"), number(7005), text("id5"), list({text("ip"), text("10.0.0.5")})})}),
                                          list({number(103), number(103), list({text("?"), number(7006), text("id6"), list({})})})}),
                                    seed);
    CHECK(map.master_of(0)->text() == "node1.example:7001");
    CHECK(map.master_of(16383)->text() == "seed:7002");
    CHECK(map.master_of(101)->text() == "seed:7000");
    CHECK(map.master_of(102)->text() == "10.0.0.5:7005");
    CHECK(map.master_of(103) == nullptr);
    CHECK(map.master_of(150) == nullptr);
    CHECK(map.masters.size() == 4);
    REQUIRE(map.replicas.size() == 1);
    CHECK(map.replicas[0].text() == "10.0.0.4:7004");
    CHECK(map.served == 101 + 16184 + 2);
    CHECK_THROWS_AS(parse_slots(text("PONG"), seed), Error);
    CHECK_THROWS_AS(parse_slots(list({list({number(0), number(16384), list({text("h"), number(1)})})}), seed), Error);
}

TEST_CASE("redirections are read, and nothing else is taken for one") {
    const auto moved = parse_redirection("MOVED 3999 127.0.0.1:6381", seed);
    REQUIRE(moved);
    CHECK_FALSE(moved->ask);
    CHECK(moved->slot == 3999);
    CHECK(moved->to == Endpoint{"127.0.0.1", 6381});
    CHECK(parse_redirection("ASK 3999 node.example:6381", seed)->ask);
    CHECK(parse_redirection("MOVED 3999 :6381", seed)->to == Endpoint{"seed", 6381});
    CHECK(parse_redirection("MOVED 3999 fe80::1:6381", seed)->to == Endpoint{"fe80::1", 6381});
    for (const char* other : {"MOVED 3999 ?:6381", "MOVED 16384 h:1", "MOVED 1 h:0", "MOVED 1 h", "MOVED", "TRYAGAIN Multiple keys request during rehashing of slot", "ERR MOVED 1 h:1"}) CHECK_FALSE(parse_redirection(other, seed));
}

TEST_CASE("slots that are on their way are in a node's own line") {
    CHECK(open_slots("a1 127.0.0.1:7000@17000 master - 0 0 2 connected 5461-10922 [7->-b]\n"
                     "b2 127.0.0.1:7001@17001 myself,master - 0 0 1 connected 0-5460 [93->-a1] [77-<-a1]\n") == std::vector<std::uint16_t>{77, 93});
}

TEST_CASE("a command's key is where the command has it, and some have none") {
    CHECK(command_key({"SET", "k", "v"}) == "k");
    CHECK(command_key({"get", "k"}) == "k");
    CHECK(command_key({"EVAL", "return 1", "1", "k"}) == "k");
    CHECK(command_key({"OBJECT", "ENCODING", "k"}) == "k");
    CHECK(command_key({"XREAD", "COUNT", "1", "STREAMS", "k", "0"}) == "k");
    for (const Command& none : std::vector<Command>{{"PING"}, {"info", "all"}, {"CLUSTER", "SLOTS"}, {"GET"}, {"XREAD", "COUNT", "1"}, {}}) CHECK_FALSE(command_key(none));
}

TEST_CASE("each command gets its ASKING, a transaction one, and the answers come back without them") {
    CommandBytes commands, expected;
    commands.add("UNWATCH");
    commands.add("GET", "a\r\n*1\r\n");
    commands.add("MULTI");
    commands.add("SET", "a", "");
    commands.add("EXEC");
    commands.add("GET", "b");
    for (const char* name : {"UNWATCH", "GET", "MULTI"}) {
        expected.add("ASKING");
        if (std::string(name) == "GET") expected.add("GET", "a\r\n*1\r\n");
        else expected.add(name);
    }
    expected.add("SET", "a", "");
    expected.add("EXEC");
    expected.add("ASKING");
    expected.add("GET", "b");
    std::vector<bool> added;
    const CommandBytes asked = with_asking(commands, added);
    CHECK(asked.bytes() == expected.bytes());
    CHECK(asked.count() == expected.count());
    std::vector<Reply> replies;
    for (std::int64_t i = 0; i < 10; ++i) replies.push_back(number(i));
    std::string left;
    for (const Reply& reply : without_asking(replies, added)) left += std::to_string(reply.integer);
    CHECK(left == "135679");
}
