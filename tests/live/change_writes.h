// What tests of sinks have a ChangeWriter do.
#pragma once

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/store/changes.h"
#include "tests/live/change_rows.h"
#include "tests/live/support.h"

namespace ysdb::test {

inline void none_rejected(std::size_t, const RejectedRow& row) { FAIL_CHECK("rejected: " << row.key << " " << row.column << " " << row.reason); }

inline void write(ChangeWriter& writer, const TableInfo& table, const std::vector<HoldingChange>& changes) {
    writer.apply(batch_of(table, changes), Deadline::after(Millis(30'000)), none_rejected);
    writer.flush(Deadline::after(Millis(30'000)));
}

// The same, tried again for as long as that fails as something that passes. How often it failed.
inline int write_through_outage(ChangeWriter& writer, const TableInfo& table, const std::vector<HoldingChange>& changes) {
    int failed = 0;
    CHECK(wait_until([&] {
        try {
            const Deadline deadline = Deadline::after(Millis(5'000));
            writer.apply(batch_of(table, changes), deadline, none_rejected);
            writer.flush(deadline);
            return true;
        } catch (const Error& error) {
            CAPTURE(error.message());
            CHECK(error.retryable());
            ++failed;
            writer.discard();
            return false;
        }
    }));
    return failed;
}

// Rows 0 to 599 ("old", of position 10), then a copy of the first 300 ("copy", of position 50) by three workers. Before it and while it is made rows 3, 4
// and 9000 become "since", and row 5 is removed, all of them later than what is copied.
inline void copy_among_changes(ChangeWriter& writer, const TableInfo& table) {
    const auto soon = [] { return Deadline::after(Millis(30'000)); };
    std::vector<HoldingChange> before;
    for (std::int64_t id = 0; id < 600; ++id) before.push_back({at(10), {id, id, "old", {}}});
    write(writer, table, before);
    write(writer, table, {{at(60), {9000, 9000, "since", {}}}, {at(60, 2), {3, 3, "since", {}}}});
    const auto copy = writer.begin_copy(table, "run1", soon());
    {
        std::vector<std::jthread> workers;
        for (std::int64_t w = 0; w < 3; ++w) {
            workers.emplace_back([&, w] {
                std::vector<HoldingChange> rows;
                for (std::int64_t id = w; id < 300; id += 3) rows.push_back({at(50, 0), {id, id, "copy", {}}});
                ChangeBatch batch = batch_of(table, rows);
                batch.ops = {Op::upsert};
                batch.versions = {at(50, 0)};
                copy->apply(batch, "token", soon(), [](RejectedRow) { FAIL_CHECK("rejected"); });
            });
        }
        write(writer, table, {{at(61), {4, 4, "since", {}}}, {at(62), {5, 5, "", {}}, Op::remove}});
    }
    copy->flush(soon());
    writer.finish_copy("run1", soon());
}

}  // namespace ysdb::test
