#include <doctest/doctest.h>

#include "core/base/error.h"
#include "core/migrate/batch.h"

using namespace ysdb;
using namespace ysdb::migrate;

namespace {

std::string cut(const std::string& sql) {
    const Batched batched = in_batches(sql, "");
    return batched.batches.table + " | " + batched.batches.rows + " | " + batched.sql;
}

std::string changes(const std::string& sql) {
    std::string text;
    for (const std::string& column : in_batches(sql, "").batches.changes) text += (text.empty() ? "" : " ") + column;
    return text;
}

}  // namespace

TEST_CASE("a statement is made to take one more condition, wherever its WHERE stands") {
    CHECK(cut("UPDATE t SET a = 1") == "t | t | UPDATE t SET a = 1 WHERE true");
    CHECK(cut("UPDATE t SET a = 1 WHERE b OR c") == "t | t | UPDATE t SET a = 1 WHERE(b OR c)");
    CHECK(cut("UPDATE t SET a = (SELECT 1 FROM x WHERE y) WHERE(b)") == "t | t | UPDATE t SET a = (SELECT 1 FROM x WHERE y) WHERE((b))");
    CHECK(cut("update only (s.\"T\") AS x set a = 1 where\n/* where */ b") == "s.\"T\" | x | update only (s.\"T\") AS x set a = 1 where(/* where */ b)");
    CHECK(cut("DELETE FROM s.t y USING z WHERE y.id = z.id") == "s.t | y | DELETE FROM s.t y USING z WHERE(y.id = z.id)");
    CHECK(cut("DELETE FROM t") == "t | t | DELETE FROM t WHERE true");
    CHECK(cut("UPDATE t SET a = 'where' || $$ where $$, \"where\" = 2") == "t | t | UPDATE t SET a = 'where' || $$ where $$, \"where\" = 2 WHERE true");
}

TEST_CASE("the columns that are set are found, and nothing else is taken for one") {
    CHECK(changes("UPDATE t SET a = b, \"C d\" = e(f, g = h), i[1] = 2, (j, k) = (SELECT l, m) FROM n WHERE o = p") == "a C d i j k");
    CHECK(changes("UPDATE t SET A = CASE WHEN b = 1 THEN 2 ELSE 3 END, d.e = 5") == "a d");
    CHECK(changes("DELETE FROM t WHERE a = 1").empty());
}

TEST_CASE("options are read, and what is none is refused") {
    const plan::Batches batches = in_batches("DELETE FROM t", "size:5000  target:2s pause:50% rate:200 lag:1m key:A,\"B\"").batches;
    CHECK(batches.size == 5000);
    CHECK(batches.target == Millis(2'000));
    CHECK(batches.pause == 0.5);
    CHECK(*batches.rate == 200);
    CHECK(*batches.lag == Millis(60'000));
    CHECK(batches.key == std::vector<std::string>{"a", "B"});
    CHECK_FALSE(in_batches("DELETE FROM t", "lag:off").batches.lag.has_value());
    for (const char* bad : {"size:x", "size:-1", "size", "pause:5", "pause:-1%", "lag:soon", "key:", "what:1"}) CHECK_THROWS_AS(in_batches("DELETE FROM t", bad), Error);
    for (const char* bad : {"SELECT 1", "UPDATE", "UPDATE t", "DELETE t", "UPDATE t SET a = 1 WHERE CURRENT OF c", "DELETE FROM t RETURNING a"}) CHECK_THROWS_AS(in_batches(bad, ""), Error);
}
