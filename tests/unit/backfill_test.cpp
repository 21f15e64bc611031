#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "core/plan/backfill.h"

using namespace ysdb;
using namespace ysdb::plan;

namespace {

// A table of `rows` rows with the keys 1 and on, and a server that takes its time over each batch.
class Server final : public SqlSession {
public:
    Server(std::int64_t rows, Millis batch) : rows_(rows), batch_(batch) {}

    using SqlSession::query;
    SqlResult query(std::string_view sql, std::span<const std::optional<std::string>>, Deadline) override {
        const auto is = [&](std::string_view part) { return sql.find(part) != std::string_view::npos; };
        if (is("FROM pg_index")) return {{"a", "b", "c", "d", "e", "f"}, {"1", "t", "id", "t", "id", "bigint"}};
        if (is("to_regclass") || is("pg_tables")) return {{"x"}, {"1"}};
        if (is("SET label")) return {{"a", "b", "c"}, {}};
        if (is("row_number")) {
            const std::int64_t limit = std::stoll(std::string(sql.substr(sql.find("LIMIT ") + 6)));
            const std::int64_t count = std::min(limit, rows_ - at_);
            sizes.push_back(limit);
            at_ += count;
            if (count == 0) return {{"n", "id"}, {}};
            return {{"n", "id"}, {std::to_string(count), std::to_string(at_)}};
        }
        SqlResult result;
        if (sql.starts_with("UPDATE t ")) {
            std::this_thread::sleep_for(batch_);
            result.affected = static_cast<std::uint64_t>(sizes.back());
        }
        if (sql.starts_with("UPDATE ysdb.backfills")) result.affected = 1;
        return result;
    }
    void cancel() noexcept override {}
    void set_label(const std::string&) override {}

    std::vector<std::int64_t> sizes;      // of the batches that were asked for

private:
    std::int64_t rows_;
    Millis batch_;
    std::int64_t at_ = 0;
};

Deadline soon() { return Deadline::after(Millis(20'000)); }

Batches some(std::int64_t size, Millis target) {
    Batches batches;
    batches.table = batches.rows = "t";
    batches.size = size;
    batches.target = target;
    return batches;
}

void run(Backfill& fill, int batches) {
    fill.begin({"migrate", "0001/up", 1, "hash", "place"}, "label", soon());
    for (int i = 0; i < batches && !fill.finished(); ++i) fill.run_batch("", {}, soon());
}

}  // namespace

TEST_CASE("batches grow while they take less than wanted, at most twofold, and shrink while they take more") {
    Server fast(1'000'000, Millis(0));
    const Batches quick = some(100, Millis(60'000));
    Backfill growing(fast, quick, "UPDATE t SET a = 1 WHERE true");
    run(growing, 4);
    CHECK(fast.sizes == std::vector<std::int64_t>{100, 200, 400, 800});

    Server slow(1'000'000, Millis(20));
    const Batches short_ones = some(800, Millis(1));
    Backfill shrinking(slow, short_ones, "UPDATE t SET a = 1 WHERE true");
    run(shrinking, 3);
    CHECK(slow.sizes == std::vector<std::int64_t>{800, 400, 200});
    for (int i = 0; i < 20; ++i) shrinking.shrink();
    CHECK(shrinking.size() == 1);

    Server any(1'000'000, Millis(5));
    const Batches fixed = some(50, Millis(0));
    Backfill same(any, fixed, "UPDATE t SET a = 1 WHERE true");
    run(same, 3);
    CHECK(any.sizes == std::vector<std::int64_t>{50, 50, 50});
}

TEST_CASE("it ends at the last row, says how far it is, and rests as it was told") {
    Server server(250, Millis(20));
    Batches batches = some(100, Millis(0));
    batches.pause = 2;
    Backfill fill(server, batches, "UPDATE t SET a = 1 WHERE true");
    run(fill, 1);
    CHECK(fill.pause() >= Millis(40));
    const std::string text = fill.progress(250);
    CHECK(text.starts_with("100 of about 250 rows, 100 changed, "));
    CHECK(text.find(" left, batches of 100") != std::string::npos);
    CHECK(fill.progress(std::nullopt).starts_with("100 rows, 100 changed, "));
    while (!fill.finished()) fill.run_batch("", {}, soon());
    CHECK(fill.rows_read() == 250);
    CHECK(server.sizes.size() == 3);

    batches.pause = 0;
    batches.rate = 50;  // 100 rows take 2 s at that rate, the batch itself included
    Server again(250, Millis(20));
    Backfill rated(again, batches, "UPDATE t SET a = 1 WHERE true");
    run(rated, 1);
    CHECK(rated.pause() > Millis(1'000));
    CHECK(rated.pause() < Millis(2'000));
}
