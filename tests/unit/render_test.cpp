#include "core/report/render.h"

#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "core/report/text_layout.h"

using namespace ysdb;

namespace {

Report example() {
    Report report;
    report.title = "copied";
    report.add_figure("rows_copied", std::int64_t{1'234'567}, Unit::count);
    report.add_figure("took_s", 12.44, Unit::seconds, "took");
    Table& table = report.add_table(
        "tables", "",
        {{"table"}, {"bytes", Unit::bytes, "size"}, {"lag_s", Unit::seconds, "lag"}, {"secret_id", Unit::none, "", true}});
    table.rows.push_back({std::string("public.a"), std::int64_t{1536}, Value(), std::int64_t{7}});
    table.rows.push_back({std::string("public.long_name"), std::int64_t{12}, Value(), std::int64_t{8}});
    report.checks.push_back({"stores.main", CheckState::ok, "PostgreSQL 15", ""});
    report.checks.push_back({"wal", CheckState::fail, "wal_level is replica", "set it to logical"});
    report.warnings.push_back("one thing");
    report.next = "ysdb validate";
    return report;
}

}  // namespace

TEST_CASE("text is aligned, humanised, without empty columns, and ends with the next command") {
    CHECK(render_text(example()) ==
          "copied\n"
          "\n"
          "rows copied  1,234,567\n"
          "took         12.4 s\n"
          "\n"
          "table                size\n"
          "public.a          1.5 KiB\n"
          "public.long_name     12 B\n"
          "\n"
          "ok    stores.main  PostgreSQL 15\n"
          "fail  wal          wal_level is replica\n"
          "                   hint: set it to logical\n"
          "\n"
          "next: ysdb validate\n");
    CHECK(render_warnings(example()) == "warning: one thing\n");
}

TEST_CASE("a table is wrapped to the terminal, not cut") {
    Report report;
    Table& table = report.add_table("t", "", {{"a"}, {"b"}});
    table.rows.push_back({std::string("one"), std::string("words that need a second line")});
    CHECK(render_text(report, {false, 24}) ==
          "a    b\n"
          "one  words that need a\n"
          "     second line\n");
}

TEST_CASE("data cannot steer the terminal") {
    Report report;
    Table& table = report.add_table("t", "", {{"a"}});
    table.rows.push_back({std::string("x\x1b[2J\nnew\u202eline\xff")});
    CHECK(render_text(report) == "a\nx\\x1b[2J new\\xe2\\x80\\xaeline\\xff\n");
}

TEST_CASE("an empty table says so") {
    Report report;
    report.add_table("pending_migrations", "", {{"version"}});
    CHECK(render_text(report) == "no pending migrations\n");
}

TEST_CASE("a document is printed as it is and nothing else") {
    Report report = example();
    report.document = "a = 1\n";
    CHECK(render_text(report) == "a = 1\n");
}

TEST_CASE("JSON keeps raw numbers, nulls and names") {
    const auto json = nlohmann::json::parse(render_json(example()));
    CHECK(json["schema"] == 1);
    CHECK(json["rows_copied"] == 1234567);
    CHECK(json["took_s"] == doctest::Approx(12.44));
    CHECK(json["tables"][0]["bytes"] == 1536);
    CHECK(json["tables"][0]["lag_s"].is_null());
    CHECK(json["tables"][1]["secret_id"] == 8);
    CHECK(json["checks"][1] == nlohmann::json{{"name", "wal"},
                                              {"ok", false},
                                              {"state", "fail"},
                                              {"detail", "wal_level is replica"},
                                              {"hint", "set it to logical"}});
    CHECK(json["warnings"][0] == "one thing");
    CHECK(json["next"] == "ysdb validate");
}

TEST_CASE("a keyed table is an object by its first column") {
    Report report;
    Table& table = report.add_table("stores", "", {{"store"}, {"url"}});
    table.rows.push_back({std::string("main"), std::string("postgres://h")});
    table.keyed = true;
    report.document = "for people";
    CHECK(nlohmann::json::parse(render_json(report)) ==
          nlohmann::json::parse(R"({"schema":1,"stores":{"main":{"url":"postgres://h"}}})"));
}

TEST_CASE("a report that is only a document carries it in JSON") {
    Report report;
    report.document = "text";
    CHECK(nlohmann::json::parse(render_json(report))["document"] == "text");
}

TEST_CASE("numbers and bytes that JSON cannot hold do not break it") {
    Report report;
    report.add_figure("rate", std::numeric_limits<double>::infinity());
    report.add_figure("bad", std::string("a\xff"));
    const auto json = nlohmann::json::parse(render_json(report));
    CHECK(json["rate"].is_null());
    CHECK(json["bad"] == "a\xEF\xBF\xBD");
}

TEST_CASE("an error in JSON has code, exit code, message and hint") {
    const auto json = nlohmann::json::parse(
        render_json(Error(Code::connect, "cannot connect", "start it").with_server_code("57P03").with_retryable()));
    CHECK(json["schema"] == 1);
    CHECK(json["error"]["code"] == "connect");
    CHECK(json["error"]["exit_code"] == 4);
    CHECK(json["error"]["message"] == "cannot connect");
    CHECK(json["error"]["hint"] == "start it");
    CHECK(json["error"]["server_code"] == "57P03");
    CHECK(json["error"]["retryable"] == true);
}

TEST_CASE("CSV quotes what needs it and keeps raw numbers") {
    Report report;
    Table& table = report.add_table("t", "", {{"name"}, {"bytes", Unit::bytes, "size"}});
    table.rows.push_back({std::string("a,\"b\"\nc"), std::int64_t{1536}});
    table.rows.push_back({Value(), true});
    CHECK(render_csv(report) == "name,bytes\n\"a,\"\"b\"\"\nc\",1536\n,true\n");
    report.add_table("u", "", {{"x"}});
    CHECK(render_csv(report) == "name,bytes\n\"a,\"\"b\"\"\nc\",1536\n,true\n\nx\n");
}

TEST_CASE("CSV of a report without tables gives checks, else figures") {
    Report report;
    report.add_figure("rows", std::int64_t{3}, Unit::count);
    CHECK(render_csv(report) == "name,value\nrows,3\n");
    report.checks.push_back({"a", CheckState::warn, "b", ""});
    CHECK(render_csv(report) == "name,state,detail,hint\na,warn,b,\n");
}

TEST_CASE("HTML escapes everything that came from outside") {
    Report report;
    report.title = "<script>alert(1)</script>";
    Table& table = report.add_table("t", "", {{"a", Unit::none, "<b>"}});
    table.rows.push_back({std::string("<img src=x onerror='y'> & \"z\"")});
    report.checks.push_back({"<i>", CheckState::fail, "<i>", "<i>"});
    report.warnings.push_back("<i>");
    report.next = "<i>";
    const std::string html = render_html(report);
    for (const char* tag : {"<script>", "<img", "<i>", "<b>"}) CHECK(html.find(tag) == std::string::npos);
    CHECK(html.find("&lt;img src=x onerror=&#39;y&#39;&gt; &amp; &quot;z&quot;") != std::string::npos);
    CHECK(html.find("http") == std::string::npos);  // self-contained
}

TEST_CASE("values are shown in their unit") {
    CHECK(human_value(0.834, Unit::ratio) == "0.83x");
    CHECK(human_value(12.5, Unit::percent) == "12.5 %");
    CHECK(human_value(410233.4, Unit::rows_per_s) == "410,233 rows/s");
    CHECK(human_value(2048.0, Unit::bytes_per_s) == "2.0 KiB/s");
    CHECK(human_value(true, Unit::none) == "yes");
    CHECK(human_value(Value(), Unit::count) == "-");
    CHECK(human_value(std::int64_t{1234}, Unit::none) == "1234");
}

TEST_CASE("width on a terminal is counted in columns, not bytes") {
    CHECK(display_width("abc") == 3);
    CHECK(display_width("Zürich") == 6);
    CHECK(display_width("日本") == 4);
    CHECK(display_width("e\u0301") == 1);
    CHECK(wrap("日本語", 4) == std::vector<std::string>{"日本", "語"});
    CHECK(wrap("one two three", 7) == std::vector<std::string>{"one two", "three"});
    CHECK(wrap("", 7) == std::vector<std::string>{""});
}
