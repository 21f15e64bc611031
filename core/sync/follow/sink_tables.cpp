#include "core/sync/follow/sink_tables.h"

#include <algorithm>
#include <utility>

#include "core/base/fault.h"
#include "core/value/show.h"
#include "core/value/version_text.h"

namespace ysdb::sync {

namespace {

// A batch of which this many rows in a row are refused one by one has a table that cannot be followed, not some bad rows.
constexpr std::uint64_t hopeless = 100;

std::string describe(const std::vector<ColumnChange>& changes) {
    std::string text;
    for (const ColumnChange& change : changes) {
        if (!text.empty()) text += ", ";
        switch (change.kind) {
            case ColumnChange::Kind::added: text += "added " + change.column + " " + change.type.native; break;
            case ColumnChange::Kind::dropped: text += "dropped " + change.column; break;
            case ColumnChange::Kind::renamed: text += "renamed " + change.before + " to " + change.column; break;
            case ColumnChange::Kind::retyped: text += change.column + " is " + change.type.native; break;
        }
    }
    return text;
}

ChangeBatch slice(const ChangeBatch& changes, std::size_t from, std::size_t to) {
    ChangeBatch some;
    some.rows = Batch(&changes.rows.table());
    some.rows.append(changes.rows, from, to);
    some.ops.clear();
    some.versions.clear();
    some.committed.clear();
    for (std::size_t row = from; row < to; ++row) {
        some.ops.push_back(changes.op(row));
        some.versions.push_back(changes.version(row));
        some.committed.push_back(changes.committed_at(row));
    }
    return some;
}

// The first row that is not in the sink, in older columns, already.
std::size_t first_beyond(const ChangeBatch& changes, const Version& reshaped) {
    std::size_t first = 0;
    while (first < changes.rows.rows() && changes.version(first) <= reshaped) ++first;
    return first;
}

}  // namespace

SinkTables::SinkTables(Context& context, SyncState& state, Store& sink, const std::vector<Route>& routes, std::function<bool()> ours)
    : context_(context), state_(state), sink_(sink), ours_(std::move(ours)) {
    for (const Route& route : routes) tables_[route.table].route = route;
}

ChangeWriter& SinkTables::writer_of(Table& table) {
    if (table.writer == nullptr) table.writer = sink_.changes()->follow(table.route.landing, context_.deadline());
    return *table.writer;
}

// As late as can be: whoever has it by now may have changed the table's columns, which rows of before would end up in.
void SinkTables::check_ours() const {
    if (!ours_ || ours_()) return;
    throw Error(Code::connect, "sync: whether what waits for " + sink_.name() + " is still this process's to write is not certain just now").with_retryable();
}

bool SinkTables::touched() const {
    return std::any_of(tables_.begin(), tables_.end(), [](const auto& entry) { return entry.second.touched; });
}

std::optional<TableRef> SinkTables::blamed() {
    Table* const table = std::exchange(current_, nullptr);
    return table == nullptr ? std::nullopt : std::optional(table->route.table);
}

// --- changes ---

void SinkTables::apply(const SegmentPart& part) {
    const auto found = tables_.find(part.table->ref);
    if (found == tables_.end()) return;
    Table& table = found->second;
    if (part.kind == SegmentPart::Kind::shape) table.shape = part.table;
    if (part.kind != SegmentPart::Kind::rows) check_ours();
    if (part.kind == SegmentPart::Kind::renew && !table.active) follow_again(table, part);
    if (!table.active || table.isolated) return;
    current_ = &table;
    switch (part.kind) {
        case SegmentPart::Kind::rows: apply_rows(table, part.changes); break;
        case SegmentPart::Kind::shape: reshape(table, part); break;
        case SegmentPart::Kind::truncate: truncate(table, part); break;
        case SegmentPart::Kind::halt: halt_by_source(table, part); break;
        case SegmentPart::Kind::renew: table.reshaped = {}; break;
    }
    current_ = nullptr;
}

void SinkTables::apply_rows(Table& table, const ChangeBatch& changes) {
    const auto tell = [&](const ChangeBatch& batch) {
        table.touched = true;
        writer_of(table).apply(batch, context_.deadline(), [this, &table, versions = batch.versions](std::size_t row, const RejectedRow& rejected) {
            dead_letter(table.route.table, rejected, versions.size() == 1 ? versions[0] : versions[row]);
        });
    };
    const std::size_t first = first_beyond(changes, table.reshaped);
    if (first == changes.rows.rows()) return;
    if (first == 0) tell(changes);
    else tell(slice(changes, first, changes.rows.rows()));
}

void SinkTables::truncate(Table& table, const SegmentPart& part) {
    if (part.version <= table.reshaped) return;
    if (table.shape == nullptr) writer_of(table).reshape(*(table.shape = part.table), {}, context_.deadline());   // a writer that was told nothing has no table
    fault::point("sync.truncate.before");
    writer_of(table).truncate(part.version, context_.deadline());
    fault::point("sync.truncate.after");
}

// What came before is in the sink before its table changes, and that is written down: a replay must not tell older rows in columns that are no
// longer there.
void SinkTables::reshape(Table& table, const SegmentPart& part) {
    if (part.version < table.reshaped) return;  // a replay: the sink's table is past this shape, and its rows are not told again
    ChangeWriter& writer = writer_of(table);
    if (!part.columns.empty() && part.version > table.reshaped) {
        const std::string name = table.route.table.text();
        context_.log.info("sync.reshape", {{"table", name}, {"sink", sink_.name()}, {"changes", describe(part.columns)}});
        writer.flush(context_.deadline());
        table.touched = false;
        fault::point("sync.reshape.before");
        // For the day when the source has forgotten it: see Standing::go_on().
        sink_.changes()->note(table.route.set, "reshaped " + name, part.version.position, context_.deadline());
        state_.set_reshaped(name, sink_.name(), part.version, context_.deadline());
        table.reshaped = part.version;
        fault::point("sync.reshape.after");
    }
    writer.reshape_at(part.version);
    writer.reshape(*part.table, part.columns, context_.deadline());
}

void SinkTables::flush() {
    for (auto& [ref, table] : tables_) {
        if (!table.touched) continue;
        check_ours();
        current_ = &table;
        fault::point("sync.flush.before");
        writer_of(table).flush(context_.deadline());
        fault::point("sync.flush.after");
        table.touched = false;
        current_ = nullptr;
    }
}

void SinkTables::discard() {
    for (auto& [ref, table] : tables_) {
        if (table.writer != nullptr) table.writer->discard();
        table.touched = false;
    }
}

void SinkTables::settled() {
    for (auto& [ref, table] : tables_) table.isolated = false;
}

// --- what a sink refuses ---

void SinkTables::isolate(const TableRef& ref, Segments segments) {
    Table& table = tables_.at(ref);
    ChangeWriter& writer = writer_of(table);
    try {
        for (const auto& segment : segments) {
            for (const SegmentPart& part : segment->parts) {
                if (part.table->ref != ref || !table.active) continue;
                writer.discard();
                check_ours();
                switch (part.kind) {
                    case SegmentPart::Kind::shape: reshape(table, part); break;
                    case SegmentPart::Kind::truncate: truncate(table, part); break;
                    case SegmentPart::Kind::halt: halt_by_source(table, part); break;
                    case SegmentPart::Kind::renew: table.reshaped = {}; break;
                    case SegmentPart::Kind::rows: {
                        const std::size_t first = first_beyond(part.changes, table.reshaped);
                        if (isolate_rows(table, part.changes, first, part.changes.rows.rows()) >= hopeless) throw Error(Code::refused, "the sink refuses every row; the last: " + refused_);
                    }
                }
            }
        }
    } catch (const Error& error) {
        if (error.retryable() || error.code() == Code::connect || error.code() == Code::interrupted) throw;
        halt(table, error.message());
    }
    writer.discard();
    table.touched = false;
    table.isolated = true;
}

// How many were refused one after the other at the end of it.
std::uint64_t SinkTables::isolate_rows(Table& table, const ChangeBatch& changes, std::size_t from, std::size_t to) {
    ChangeWriter& writer = writer_of(table);
    if (from == to) return 0;
    check_ours();
    try {
        const ChangeBatch some = slice(changes, from, to);
        writer.apply(some, context_.deadline(), [&](std::size_t row, const RejectedRow& rejected) { dead_letter(table.route.table, rejected, some.version(row)); });
        writer.flush(context_.deadline());
        return 0;
    } catch (const Error& error) {
        writer.discard();
        if (error.retryable() || error.code() != Code::rejected) throw;
        if (to - from == 1) {
            refused_ = error.message();
            dead_letter(table.route.table, {show_key(changes.rows, from), "", error.message()}, changes.version(from));
            return 1;
        }
    }
    const std::size_t middle = from + (to - from) / 2;
    const std::uint64_t left = isolate_rows(table, changes, from, middle);
    if (left >= hopeless) return left;
    const std::uint64_t right = isolate_rows(table, changes, middle, to);
    return right == to - middle ? left + right : right;
}

void SinkTables::dead_letter(const TableRef& table, const RejectedRow& rejected, const Version& version) const {
    check_ours();
    fault::point("sync.dead_letter.before");
    state_.add_dead_letter({sink_.name(), table.text(), rejected.key, rejected.column, rejected.reason, version_text(version)}, context_.deadline());
    fault::point("sync.dead_letter.after");
}

// --- what is followed ---

void SinkTables::activate(const TableRef& ref, const Version& reshaped) {
    Table& table = tables_.at(ref);
    table.active = true;
    table.reshaped = reshaped;
}

void SinkTables::halt(const TableRef& table, const std::string& reason) { halt(tables_.at(table), reason); }

void SinkTables::halt_by_source(Table& table, const SegmentPart& part) {
    writer_of(table).halt(*part.table, part.version, part.reason, context_.deadline());
    halt(table, part.reason, part.version.position);
}

void SinkTables::halt_by_source(const TableRef& ref, const std::string& reason, std::uint64_t position) {
    Table& table = tables_.at(ref);
    if (table.active || !table.anew) halt(table, reason, position);   // unless its changes said so before
}

// Written down first: a table that is left out here and followed there would lose what comes.
void SinkTables::halt(Table& table, const std::string& reason, std::optional<std::uint64_t> by_source) {
    check_ours();
    TableState state{table.route.table.text(), sink_.name(), "halted", by_source.value_or(0)};
    state.reason = reason;
    state.halted_by = by_source ? "source" : "";
    state_.set_table(state, context_.deadline());
    if (by_source) {
        table.anew = true;
        table.shape = nullptr;
    }
    table.active = false;
    table.touched = false;
    if (table.writer != nullptr) table.writer->discard();
    context_.log.error("sync.halted", {{"table", state.table}, {"sink", state.sink}, {"reason", reason}});
}

// What it missed meanwhile is in the copy that follows.
void SinkTables::follow_again(Table& table, const SegmentPart& part) {
    state_.set_table({table.route.table.text(), sink_.name(), "following", part.version.position}, context_.deadline());
    table.active = true;
    context_.log.info("sync.renewed", {{"table", table.route.table.text()}, {"sink", sink_.name()}});
}

// --- new copies ---

bool SinkTables::takes_copies(const TableRef& table) { return writer_of(tables_.at(table)).takes_copies(); }

std::unique_ptr<RowWriter> SinkTables::begin_copy(const TableInfo& info, const std::string& run) {
    Table& table = tables_.at(info.ref);
    if (std::exchange(table.anew, false)) table.writer.reset();
    fault::point("sync.copy.begin.before");
    auto writer = writer_of(table).begin_copy(info, run, context_.deadline());
    fault::point("sync.copy.begin.after");
    table.active = true;
    table.reshaped = {};
    if (table.shape != nullptr) writer_of(table).reshape(*table.shape, {}, context_.deadline());
    return writer;
}

std::unique_ptr<RowWriter> SinkTables::resume_copy(const TableInfo& info, const std::string& run, bool fed) {
    Table& table = tables_.at(info.ref);
    if (fed && !table.active) return nullptr;
    auto writer = writer_of(table).resume_copy(info, run, context_.deadline());
    if (writer != nullptr) table.active = true;
    return writer;
}

void SinkTables::finish_copy(const TableRef& ref, const std::string& run, const TableState& followed) {
    Table& table = tables_.at(ref);
    if (!table.active) throw Error(Code::refused, ref.text() + " was halted while it was copied: its copy begins anew").with_retryable();
    fault::point("sync.copy.finish.before");
    writer_of(table).finish_copy(run, context_.deadline());
    fault::point("sync.copy.finish.after");
    state_.set_table(followed, context_.deadline());
    fault::point("sync.copy.state.after");
}

void SinkTables::reject_copied(const TableRef& table, const RejectedRow& row, const Version& version) const { dead_letter(table, row, version); }

}  // namespace ysdb::sync
