#include "core/sync/rewind.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/fault.h"
#include "core/value/version_text.h"

namespace ysdb::sync {

namespace {

constexpr std::uint64_t most_rows = 500'000;   // more are copied faster than they are looked up
constexpr std::size_t batch_bytes = 8u << 20;

TableInfo key_of(const TableInfo& table) {
    TableInfo key;
    key.ref = table.ref;
    for (const std::uint32_t k : table.key) {
        key.key.push_back(static_cast<std::uint32_t>(key.columns.size()));
        key.columns.push_back(table.columns[k]);
    }
    return key;
}

// Removals of all these keys.
ChangeBatch removals(const TableInfo& table, const Batch& keys, const Version& version) {
    ChangeBatch gone;
    gone.rows = Batch(&table);
    gone.ops = {Op::remove};
    gone.versions = {version};
    for (std::size_t row = 0; row < keys.rows(); ++row) {
        for (std::uint32_t c = 0; c < table.columns.size(); ++c) {
            const auto at = std::find(table.key.begin(), table.key.end(), c);
            if (at == table.key.end()) gone.rows.add_null();
            else gone.rows.append_cell(keys, keys.cell(row, static_cast<std::size_t>(at - table.key.begin())));
        }
    }
    return gone;
}

}  // namespace

std::optional<Rewound> rewind(Context& context, const SyncSet& set, SyncState& state, const Route& route, const Version& from, std::uint32_t epoch) {
    ChangeSink& sink = *set.sink(context, route.sink).changes();
    if (sink.noted(set.name, "reshaped " + route.table.text(), context.deadline()) >= from.position) return std::nullopt;
    const TableInfo table = set.capture.describe(route.table, context.deadline()), key = key_of(table);
    const auto writer = sink.follow(route.landing, context.deadline());
    Batch keys(&key);
    std::uint64_t rows = 0;
    const bool known = writer->written_since(key, from, context.deadline(), [&](Batch& some) {
        rows += some.rows();
        if (rows <= most_rows) keys.append(some);
    });
    if (!known || rows > most_rows) return std::nullopt;
    if (rows == 0) return Rewound{};

    RowSource& source = *set.source.rows();
    const auto ranges = source.ranges_of(table, keys);
    if (ranges.empty()) return std::nullopt;
    const auto view = set.capture.snapshot(set.name, std::vector{route.table}, context.deadline());
    // Everything below the view's position is in it. A removal that is a little older than the row wins where there is no row.
    const Version there{epoch, view->position(), 0}, gone{epoch, view->position() - 1, 0};
    try {
        writer->reshape(table, {}, context.deadline());
        const auto reject = [&](const RejectedRow& row) {
            state.add_dead_letter({route.sink, route.table.text(), row.key, row.column, row.reason, version_text(there)}, context.deadline());
        };
        const ChangeBatch none = removals(table, keys, gone);
        fault::point("sync.rewind.before");
        writer->apply(none, context.deadline(), [&](std::size_t, const RejectedRow& row) { reject(row); });
        writer->flush(context.deadline());
        ChangeBatch found;
        found.versions = {there};
        for (const ReadRange& range : ranges) {
            source.read(table, range, *view, batch_bytes, context.timeout, context.stop,
                        [&](Batch& batch) {
                            std::swap(found.rows, batch);
                            writer->apply(found, context.deadline(), [&](std::size_t, const RejectedRow& row) { reject(row); });
                            writer->flush(context.deadline());
                            std::swap(found.rows, batch);
                        },
                        reject);
        }
        fault::point("sync.rewind.after");
    } catch (const Error& error) {
        if (error.code() == Code::refused) return std::nullopt;
        throw;
    }
    return Rewound{rows, view->position()};
}

}  // namespace ysdb::sync
