#include "core/store/redis/key_template.h"

#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <vector>

#include "core/base/error.h"

using namespace ysdb;
using redis::KeyTemplate;

namespace {

struct Rows {
    TableInfo table;
    Batch batch;
    Rows() {
        table.ref = {"public", "t"};
        table.columns = {{"user_id", {TypeKind::int64}}, {"coin", {TypeKind::text}}, {"note", {TypeKind::text}}};
        batch = Batch(&table);
    }
    void add(std::int64_t user, const std::string& coin, const std::string& note) {
        batch.add(&user, sizeof user);
        batch.add(coin.data(), coin.size());
        batch.add(note.data(), note.size());
    }
    KeyTemplate bound(const std::string& text) const {
        KeyTemplate key(text);
        key.bind(table, "sync s: public.t");
        return key;
    }
};

std::string message_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.message();
    }
    return {};
}

}  // namespace

TEST_CASE("a key is made of the row's columns, whole, however long") {
    Rows rows;
    rows.add(-7, std::string(500, 'x'), "n");
    std::string key;
    CHECK_FALSE(rows.bound("p:{user_id}:{coin}:end").append(key, rows.batch, 0));
    CHECK(key == "p:-7:" + std::string(500, 'x') + ":end");
    CHECK(rows.bound("p:{user_id}:{coin}:{user_id}").names() == std::vector<std::string>{"user_id", "coin"});
    CHECK(rows.bound("p:{user_id}:{coin}:end").fill_in(std::vector<std::string>{"1", "eth"}) == "p:1:eth:end");
}

TEST_CASE("the pattern of a landing's keys means its own characters as they are") {
    CHECK(KeyTemplate("a*[b]?:{x}:{y}^").pattern() == "a\\*\\[b\\]\\?:*:*\\^");
    CHECK(KeyTemplate("{x}").pattern() == "*");
}

TEST_CASE("two rows never get one key: text that holds the separator is refused, and columns need one") {
    Rows rows;
    rows.add(1, "a:b", "c");
    rows.add(1, "a", "b:c");
    std::string first, second;
    const auto refusal = rows.bound("{coin}:{note}").append(first, rows.batch, 0);
    REQUIRE(refusal);
    CHECK(rows.table.columns[refusal->column].name == "coin");
    CHECK(refusal->reason.find("holds ':'") == 0);
    CHECK_FALSE(rows.bound("{coin}:{note}").append(second, rows.batch, 1));  // the last one may hold what it likes
    CHECK(message_of([] { KeyTemplate("{a}{b}"); }).find("nothing between two columns") != std::string::npos);
}

TEST_CASE("NULL is no part of a key") {
    Rows rows;
    const std::int64_t user = 1;
    rows.batch.add(&user, sizeof user);
    rows.batch.add_null();
    rows.batch.add_null();
    std::string key;
    const auto refusal = rows.bound("{user_id}:{coin}").append(key, rows.batch, 0);
    REQUIRE(refusal);
    CHECK(refusal->reason.find("is NULL") == 0);
}

TEST_CASE("a template with unmatched braces, or a column that is not there, is refused with the nearest") {
    for (const std::string bad : {"a:{b", "a:b}", "a:{}", "a:{b{c}", "}{", "a:{{b}", "{{{b}}}", "a:{{}}"}) {
        CAPTURE(bad);
        CHECK(message_of([&] { KeyTemplate{bad}; }).find("unmatched braces") != std::string::npos);
    }
    const Rows rows;
    CHECK(message_of([&] { rows.bound("p:{user}"); }).find("'user'") != std::string::npos);
    CHECK(message_of([&] { rows.bound("p:{user_i}"); }).find("did you mean 'user_id'?") != std::string::npos);
}

TEST_CASE("braces around columns stay in the key, as its hash tag") {
    Rows rows;
    rows.add(7, "eth", "n");
    for (const auto& [text, expected, tag, filled] : std::vector<std::array<std::string, 4>>{
             {"p:{{user_id}}:{coin}", "p:{7}:eth", "7", "{user_id}"},
             {"{u{user_id}}:{coin}", "{u7}:eth", "u7", "u{user_id}"},
             {"p:{{user_id}:{coin}}", "p:{7:eth}", "7:eth", "{user_id}:{coin}"},
             {"p:{user_id}", "p:7", "", ""},
         }) {
        CAPTURE(text);
        const KeyTemplate key = rows.bound(text);
        std::string made, made_tag;
        CHECK_FALSE(key.append(made, rows.batch, 0));
        CHECK(made == expected);
        CHECK(key.hash_tag() == filled);
        CHECK_FALSE(key.append_hash_tag(made_tag, rows.batch, 0));
        CHECK(made_tag == tag);
    }
    CHECK(rows.bound("p:{{user_id}}:{coin}").fill_in(std::vector<std::string>{"7", "eth"}) == "p:{7}:eth");
    CHECK(rows.bound("p:{{user_id}}:{coin}").hash_tag_columns() == std::vector<std::uint32_t>{0});
    CHECK(KeyTemplate("p:{{user_id}}:{coin}").pattern() == "p:{*}:*");
    CHECK(message_of([] { KeyTemplate("{{a}}:{{b}}"); }).find("two hash tags") != std::string::npos);
}
