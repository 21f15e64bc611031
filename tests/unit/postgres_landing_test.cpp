#include "core/store/postgres/landing_table.h"

#include <doctest/doctest.h>

using namespace ysdb;
using namespace ysdb::postgres;

namespace {

Type type(TypeKind kind, const std::string& native, int precision = 0, int scale = 0) {
    Type made;
    made.kind = kind;
    made.native = native;
    made.precision = static_cast<std::uint8_t>(precision);
    made.scale = static_cast<std::uint8_t>(scale);
    return made;
}

const Type small = type(TypeKind::int16, "smallint"), integer = type(TypeKind::int32, "integer"), big = type(TypeKind::int64, "bigint"), text = type(TypeKind::text, "text"),
           five = type(TypeKind::text, "character varying(5)"), json = type(TypeKind::json, "jsonb"), money = type(TypeKind::decimal, "numeric(10,2)", 10, 2),
           more = type(TypeKind::decimal, "numeric(12,2)", 12, 2), any = type(TypeKind::numeric, "numeric");

// Whether column c, of the type `there`, stays when the source's is `now` and its values were sent as `before`.
bool column_stays(const Type& now, const Type& there, const SentTypes& before) {
    TableInfo table;
    table.columns.push_back({"c", there, false, {}, 0});
    return stays({"c", now, false, {}, 0}, table, before);
}

}  // namespace

TEST_CASE("a column that somebody chose stays while the source tells what it was chosen for; a change of that undoes the choice, unless every value fits") {
    CHECK(column_stays(text, json, {}));
    CHECK(column_stays(text, json, {{"c", "text"}}));
    CHECK(column_stays(text, five, {{"c", "text"}}));
    CHECK(column_stays(big, integer, {{"c", "bigint"}}));
    CHECK_FALSE(column_stays(text, integer, {{"c", "integer"}}));
    CHECK_FALSE(column_stays(big, integer, {{"c", "integer"}}));
    CHECK_FALSE(column_stays(more, money, {{"c", "numeric(10,2)"}}));
    CHECK(column_stays(small, integer, {{"c", "integer"}}));
    CHECK(column_stays(big, any, {{"c", "integer"}}));
    CHECK(column_stays(money, more, {{"c", "numeric(12,2)"}}));
    CHECK(column_stays(text, text, {{"c", "integer"}}));
    CHECK_FALSE(column_stays(integer, text, {}));   // never: no such assignment
    CHECK_FALSE(stays({"d", text, false, {}, 0}, TableInfo{}, {}));
}
