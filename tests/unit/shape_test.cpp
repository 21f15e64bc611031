#include <doctest/doctest.h>

#include "core/value/shape.h"

using namespace ysdb;

namespace {

ColumnInfo column(const std::string& name, const std::string& native, int number = 0) {
    ColumnInfo info;
    info.name = name;
    info.type.native = native;
    info.number = number;
    return info;
}

std::string told(const std::vector<ColumnInfo>& before, const std::vector<ColumnInfo>& now, const std::map<std::string, AddedColumn>& added = {}) {
    const ShapeVerdict verdict = compare_shapes(before, now, added);
    std::string text;
    for (const ColumnChange& change : verdict.changes) {
        if (!text.empty()) text += ", ";
        switch (change.kind) {
            case ColumnChange::Kind::added: text += "+" + change.column; break;
            case ColumnChange::Kind::dropped: text += "-" + change.column; break;
            case ColumnChange::Kind::renamed: text += change.before + ">" + change.column; break;
            case ColumnChange::Kind::retyped: text += change.column + ":" + change.type.native; break;
        }
    }
    return verdict.halt.empty() ? text : text + "!";
}

}  // namespace

TEST_CASE("columns with numbers are told apart by them: renames, and a name that comes again") {
    CHECK(told({column("a", "integer", 1), column("b", "text", 2)}, {column("a", "integer", 1), column("b", "text", 2)}) == "");
    CHECK(told({column("a", "integer", 1)}, {column("a", "integer", 1), column("c", "text", 3)}) == "+c");
    CHECK(told({column("a", "integer", 1), column("b", "text", 2)}, {column("a", "integer", 1)}) == "-b");
    CHECK(told({column("b", "text", 2)}, {column("c", "text", 2)}) == "b>c");
    CHECK(told({column("b", "text", 2)}, {column("b", "text", 5)}) == "-b, +b");
    CHECK(told({column("b", "text", 2), column("c", "text", 3)}, {column("c", "text", 2), column("b", "text", 3)}) == "b>c, c>b");
}

TEST_CASE("without numbers a column that went and one that came may be one that was renamed: that halts") {
    CHECK(told({column("a", "integer")}, {column("a", "integer"), column("c", "text")}) == "+c");
    CHECK(told({column("a", "integer"), column("b", "text")}, {column("a", "integer")}) == "-b");
    CHECK(told({column("b", "text")}, {column("c", "text")}) == "-b, +c!");
}

TEST_CASE("an added column whose older rows each have their own value halts; one value for all is told") {
    CHECK(told({column("a", "integer", 1)}, {column("a", "integer", 1), column("r", "float8", 2)}, {{"r", {std::nullopt, true}}}) == "+r!");
    const ShapeVerdict verdict = compare_shapes(std::vector{column("a", "integer", 1)}, std::vector{column("a", "integer", 1), column("d", "integer", 2)}, {{"d", {"7", false}}});
    CHECK(verdict.halt.empty());
    CHECK(verdict.changes.at(0).fill == "7");
}

TEST_CASE("a type that holds every value of the old one is followed, any other change of type halts") {
    CHECK(told({column("a", "integer", 1)}, {column("a", "bigint", 1)}) == "a:bigint");
    CHECK(told({column("a", "bigint", 1)}, {column("a", "integer", 1)}) == "a:integer!");
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"smallint", "bigint"}, {"real", "double precision"}, {"numeric(10,2)", "numeric(20,4)"}, {"numeric(10,2)", "numeric"},
                                                                                   {"character varying(5)", "text"}, {"character varying(5)", "character varying(9)"}, {"timestamp(3) without time zone", "timestamp without time zone"}}) {
        CAPTURE(from);
        CAPTURE(to);
        CHECK(widens(from, to));
        CHECK_FALSE(widens(to, from));
    }
    CHECK_FALSE(widens("numeric(10,2)", "numeric(10,4)"));  // fewer digits before the point
    CHECK_FALSE(widens("text", "integer"));
    CHECK_FALSE(widens("timestamp without time zone", "timestamp with time zone"));
    CHECK_FALSE(widens("character(5)", "character(9)"));    // padded anew
}
