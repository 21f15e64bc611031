#include "core/store/questdb/line_protocol.h"

#include <doctest/doctest.h>

#include "core/base/error.h"
#include "core/base/text.h"

using namespace ysdb;
using questdb::LineEncoder;
using questdb::TargetColumn;

namespace {

TableInfo table_of(const std::vector<std::pair<std::string, TypeKind>>& columns) {
    TableInfo table;
    table.ref.table = "my trades";
    for (const auto& [name, kind] : columns) table.columns.push_back({name, {kind}, false, {}});
    table.key = {0};
    return table;
}

const std::vector<TargetColumn> target{{"ts", "TIMESTAMP", true}, {"price", "DOUBLE", false}, {"who", "SYMBOL", false}, {"note", "VARCHAR", false}, {"ok", "BOOLEAN", false}};

}  // namespace

TEST_CASE("a row becomes a line: symbols first, then fields, then the timestamp in microseconds") {
    const TableInfo table = table_of({{"ts", TypeKind::timestamptz}, {"price", TypeKind::float64}, {"who", TypeKind::text}, {"note", TypeKind::text}});
    const LineEncoder encoder("ticks", table, target);
    Batch batch(&table);
    const std::int64_t ts = 1'700'000'000'000'001;
    const double price = 1.25;
    for (const bool full : {true, false}) {
        batch.add(&ts, sizeof ts);
        batch.add(&price, sizeof price);
        if (full) {
            batch.add("a,b c", 5);
            batch.add("say \"x\"\n", 8);
        } else {
            batch.add_null();
            batch.add_null();
        }
    }
    std::string lines;
    encoder.encode(batch, lines);
    CHECK(lines == "my\\ trades,who=a\\,b\\ c price=1.25,note=\"say \\\"x\\\"\\\n\" 1700000000000001\nmy\\ trades price=1.25 1700000000000001\n");
}

TEST_CASE("columns that the target lacks or cannot hold, and rows without a timestamp, are refused before anything is sent") {
    const auto refused = [](const TableInfo& table) {
        try {
            LineEncoder("ticks", table, target);
        } catch (const Error& error) {
            return error.code() == Code::refused ? error.message() : "";
        }
        return std::string();
    };
    CHECK(refused(table_of({{"ts", TypeKind::timestamptz}, {"nope", TypeKind::text}})).find("no column nope") != std::string::npos);
    CHECK(refused(table_of({{"ts", TypeKind::timestamptz}, {"ok", TypeKind::text}})).find("column ok of type BOOLEAN") != std::string::npos);
    CHECK(refused(table_of({{"price", TypeKind::float64}})).find("timestamp") != std::string::npos);
}

TEST_CASE("base64 pads what is left over") {
    CHECK(base64("").empty());
    CHECK(base64("f") == "Zg==");
    CHECK(base64("fo") == "Zm8=");
    CHECK(base64("foo") == "Zm9v");
    CHECK(base64("\xff\xfe\xfd\x00") == "//79");
}
