#include "core/sync/poll/polled_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/value/columns.h"
#include "core/value/kinds.h"
#include "core/value/show.h"

namespace ysdb::sync {

namespace {

constexpr std::size_t read_bytes = 1u << 20;
constexpr std::size_t notes_at_once = 10'000;
constexpr std::int64_t day_micros = 86'400'000'000;

bool is_time(const Type& type) { return type.kind == TypeKind::timestamp || type.kind == TypeKind::timestamptz; }

std::vector<std::string> names_of(const TableInfo& table) {
    std::vector<std::string> names;
    for (const ColumnInfo& column : table.columns) names.push_back(column.name);
    return names;
}

std::uint32_t place_of(const TableInfo& table, const std::string& name, const std::string& what) {
    if (const ColumnInfo* column = find_column(table.columns, name)) return static_cast<std::uint32_t>(column - table.columns.data());
    const std::vector<std::string> names = names_of(table);
    throw Error(Code::refused, table.ref.text() + " has no column '" + name + "', its " + what + did_you_mean(name, names), "its columns: " + join(names, ", "));
}

// Digests of other columns are never equal.
std::uint64_t seed_of(const TableInfo& table) {
    std::string text;
    for (const ColumnInfo& column : table.columns) text += column.name + '\0' + column.type.native + '\0';
    return xxh128(text.data(), text.size()).low;
}

void append_cell(std::string& out, const Batch& rows, std::size_t row, std::size_t column) {
    const Cell& cell = rows.cell(row, column);
    out.append(reinterpret_cast<const char*>(&cell.size), sizeof cell.size);
    if (!cell.is_null()) out.append(rows.text(row, column));
}

// A read that is told row by row needs names only: whatever else is different, every row is.
std::vector<ColumnChange> changes_between(const std::vector<ColumnInfo>& before, const std::vector<ColumnInfo>& now) {
    std::vector<ColumnChange> changes;
    for (const ColumnInfo& old : before) {
        if (find_column(now, old.name) == nullptr) changes.push_back({ColumnChange::Kind::dropped, old.name});
    }
    for (const ColumnInfo& column : now) {
        const ColumnInfo* old = find_column(before, column.name);
        if (old == nullptr) changes.push_back({ColumnChange::Kind::added, column.name, {}, column.type, {}});
        else if (old->type.native != column.type.native) changes.push_back({ColumnChange::Kind::retyped, column.name, {}, column.type, {}});
    }
    return changes;
}

bool is_number(const std::string& text) { return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; }); }

void check_cursor(const PolledTableOptions& options, const std::string& table, const ColumnInfo& cursor) {
    const std::string place = table + ": column " + cursor.name + " (" + cursor.type.native + ")";
    if (!is_integer(cursor.type.kind) && !is_time(cursor.type) && cursor.type.kind != TypeKind::date) throw Error(Code::refused, place + " cannot be a cursor", "an integer, a date or a time can");
    if (cursor.type.nullable) {
        throw Error(Code::refused, place + " cannot be a cursor: a row that has none would be copied, and nothing told of it afterwards", "poll a view that gives such rows one: SELECT ... coalesce(" + cursor.name + ", ...)");
    }
    if (options.overlap.empty() || options.overlap == "0" || is_number(options.overlap) == is_integer(cursor.type.kind)) return;
    throw Error(Code::refused, fmt::format("{}: overlap = \"{}\" is no distance of its cursor {} ({})", table, options.overlap, cursor.name, cursor.type.native),
                is_integer(cursor.type.kind) ? "a number, of a cursor of integers: overlap = \"1000\"" : "a time, of a date or a time: overlap = \"1m\"");
}

}  // namespace

TableInfo PolledTable::describe(const PolledTableOptions& options, Store& source, Deadline deadline) {
    TableInfo info = source.rows()->describe(options.ref, deadline);
    info = without_columns(info, [](const ColumnInfo& column) { return column.generated || column.name == "_version" || column.name == "_is_deleted"; });
    info.ref = options.ref;
    for (const auto* names : {&options.columns, &options.except}) {
        for (const std::string& name : *names) place_of(info, name, names == &options.columns ? "columns" : "except");
    }
    info = without_columns(info, [&](const ColumnInfo& column) {
        const auto named = [&](const std::vector<std::string>& names) { return std::find(names.begin(), names.end(), column.name) != names.end(); };
        return named(options.except) || (!options.columns.empty() && !named(options.columns));
    });
    for (const ColumnInfo& column : info.columns) {
        if (column.type.native.starts_with("AggregateFunction(")) {
            throw Error(Code::refused, info.ref.text() + ": column " + column.name + " holds an unfinished aggregate", "poll a view that finishes it: SELECT ... " + column.name + "Merge(...) GROUP BY ...");
        }
    }
    if (!options.key.empty()) {
        info.key.clear();
        for (const std::string& name : options.key) info.key.push_back(place_of(info, name, "key"));
    }
    if (info.key.empty()) throw Error(Code::refused, info.ref.text() + " has no key: what is told of its rows needs one", "[[sync.table]] name = \"" + info.ref.text() + "\", key = [\"...\"]");
    if (!options.cursor.empty()) check_cursor(options, info.ref.text(), info.columns[place_of(info, options.cursor, "cursor")]);
    return info;
}

void PolledTable::load(std::uint64_t settled, std::optional<std::vector<ColumnInfo>> known, Millis timeout) {
    known_ = std::move(known);
    const auto progress = state_.progress(ref().text(), Deadline::after(timeout));
    if (!progress) {
        state_.forget(ref().text(), Deadline::after(timeout));   // of a first read that did not come to its end
        return;
    }
    begun_ = true;
    reached_ = progress->reached;
    told_key_ = progress->key;
    state_.load(ref().text(), timeout, [&](const PollNote& note) {
        const bool open = note.tick != 0 && note.tick >= settled;
        if (!note.digest) removed_at_ = std::max(removed_at_, note.tick);
        if (!note.digest && !open) return;
        rows_[note.hash] = {note.digest.value_or(Hash128{}), note.cursor.value_or(0), 0, open, !note.digest};
        if (open && note.cursor) unsettled_from_ = std::min(unsettled_from_.value_or(*note.cursor), *note.cursor);
    });
}

std::int64_t PolledTable::overlap() const {
    const Type& type = info_->columns[*cursor_].type;
    const std::string& text = options_.overlap;
    if (is_number(text)) return std::stoll(text);
    if (is_integer(type.kind)) return 0;
    const std::int64_t micros = (text.empty() ? Millis(60'000) : parse_duration(text, "overlap")).count() * 1000;
    return type.kind == TypeKind::date ? (micros + day_micros - 1) / day_micros : micros;
}

// From where on rows are read: none, everything is.
std::optional<std::int64_t> PolledTable::lowest() const {
    if (!cursor_ || !reached_) return std::nullopt;
    const std::int64_t from = *reached_ - overlap();
    return unsettled_from_ ? std::min(from, *unsettled_from_) : from;
}

std::optional<std::int64_t> PolledTable::cursor_of(const Batch& rows, std::size_t row) const {
    const auto cell = rows.value(row, *cursor_);
    if (cell.empty()) return std::nullopt;
    if (cell.size() == 4) {
        std::int32_t days = 0;
        std::memcpy(&days, cell.data(), 4);
        return days;
    }
    std::int64_t value = 0;
    std::memcpy(&value, cell.data(), 8);
    return value;
}

// In the cursor's unit: a value beyond it is somebody's clock that runs ahead, and must not move what is read past rows that come in time.
std::int64_t PolledTable::server_now(Deadline deadline) const {
    const Type& type = info_->columns[*cursor_].type;
    if (is_integer(type.kind)) return INT64_MAX;
    const std::int64_t micros = source_.sql()->query("SELECT toUnixTimestamp64Micro(now64(6))", deadline).row(0).integer(0);
    return type.kind == TypeKind::date ? micros / day_micros : micros;
}

// None: the table is empty.
std::optional<std::int64_t> PolledTable::highest(Deadline deadline) const {
    const ColumnInfo& column = info_->columns[*cursor_];
    const std::string name = source_.sql()->quote_identifier(column.name);
    std::string table = source_.sql()->quote_identifier(ref().table);
    if (!ref().schema.empty()) table = source_.sql()->quote_identifier(ref().schema) + "." + table;
    const bool time = is_time(column.type), date = column.type.kind == TypeKind::date;
    const std::string value = time ? "toUnixTimestamp64Micro(toDateTime64(max(" + name + "), 6, 'UTC'))" : date ? "toInt64(toInt32(toDate32(max(" + name + "))))" : "max(" + name + ")";
    const std::string limit = time ? " WHERE " + name + " <= fromUnixTimestamp64Micro(toInt64(" + std::to_string(now_) + "), 'UTC')" : date ? " WHERE " + name + " <= toDate32(" + std::to_string(now_) + ")" : "";
    const SqlResult found = source_.sql()->query("SELECT count(), " + value + " FROM " + table + limit, deadline);
    if (found.row(0).text(0) == "0" || found.row(0).null(1)) return std::nullopt;
    return found.row(0).integer(1);
}

// The key's columns as what was told knows them.
std::string PolledTable::key_text() const {
    std::string text;
    for (const std::uint32_t k : info_->key) text += info_->columns[k].name + ' ' + info_->columns[k].type.native + '\n';
    return text;
}

void PolledTable::halt(PollTick& tick, const std::string& reason) {
    send(tick);
    halted_ = reason;
    if (info_ == nullptr) {
        auto nothing = std::make_shared<TableInfo>();
        nothing->ref = ref();
        info_ = std::move(nothing);
    }
    Segment segment;
    SegmentPart part;
    part.kind = SegmentPart::Kind::halt;
    part.table = info_;
    part.version = tick.next();
    part.reason = reason;
    segment.parts.push_back(std::move(part));
    tick.tell(std::move(segment));
}

void PolledTable::look_at_columns(PollTick& tick) {
    auto now = std::make_shared<TableInfo>(describe(options_, source_, Deadline::after(tick.timeout)));
    const std::uint64_t seed = seed_of(*now);
    if (told_shape_ && seed == shape_seed_ && now->key == info_->key) return;
    std::vector<ColumnChange> changes;
    if (info_ != nullptr) changes = changes_between(info_->columns, now->columns);
    else if (known_) changes = changes_between(*known_, now->columns);
    info_ = now;
    shape_seed_ = seed;
    if (begun_ && told_key_ != key_text()) key_changed_ = true;
    cursor_.reset();
    if (!options_.cursor.empty()) cursor_ = place_of(*now, options_.cursor, "cursor");
    if (peeking_) return;
    if (!changes.empty() && cursor_ && begun_) return halt(tick, "its columns changed, and rows behind the cursor are not read again");
    told_shape_ = true;
    Segment segment;
    SegmentPart part;
    part.kind = SegmentPart::Kind::shape;
    part.table = info_;
    part.version = tick.next();
    part.columns = std::move(changes);
    segment.parts.push_back(std::move(part));
    tick.tell(std::move(segment));
}

void PolledTable::poll(PollTick& tick, std::shared_ptr<RowSpool>* copy, const std::string& spool_directory) {
    if (!halted_.empty()) return;
    try {
        look_at_columns(tick);
        if (halted_.empty()) read(tick, copy, spool_directory);
    } catch (const Error& error) {
        // What the server refuses of one table is no reason to keep the others waiting.
        if (error.retryable() || error.code() == Code::interrupted || error.code() == Code::connect || error.code() == Code::internal) throw;
        notes_.clear();
        out_ = {};
        halt(tick, error.message() + (error.hint().empty() ? "" : "; " + error.hint()));
    }
}

void PolledTable::peek(std::shared_ptr<RowSpool>& copy, const std::string& spool_directory, PollTick& tick) {
    peeking_ = true;
    look_at_columns(tick);
    read(tick, &copy, spool_directory);
    peeking_ = false;
}

void PolledTable::read(PollTick& tick, std::shared_ptr<RowSpool>* copy, const std::string& spool_directory) {
    ++round_;
    left_out_ = 0;
    RowSource& source = *source_.rows();
    const Deadline deadline = Deadline::after(tick.timeout);
    if (key_changed_) {
        if (peeking_ || copy != nullptr) throw Error(Code::refused, ref().text() + ": its key is another one than what was told of it had", "ysdb sync reset " + ref().text());
        return halt(tick, "its key is another one than what was told of it had");
    }
    if (cursor_) now_ = server_now(deadline);
    if (cursor_ && !begun_) reached_ = highest(deadline);
    bound_ = lowest();
    out_.rows = Batch(info_.get());
    out_.ops.clear();
    out_.versions.clear();
    if (copy != nullptr) *copy = std::make_shared<RowSpool>(spool_directory, *info_);
    const auto snapshot = source.open_snapshot(std::vector{ref()}, deadline);
    std::vector<ReadRange> ranges;
    if (bound_ && copy == nullptr) ranges.push_back(source.range_from(*info_, *cursor_, *bound_));
    else ranges = source.ranges(*info_, *snapshot, UINT64_MAX, deadline);
    fault::point("sync.poll.read.before");
    for (const ReadRange& range : ranges) {
        source.read(*info_, range, *snapshot, read_bytes, tick.timeout, tick.stop,
                    [&](Batch& batch) {
                        if (copy != nullptr) (*copy)->add(batch);
                        if (halted_.empty()) compare(tick, batch);
                    },
                    [&](const RejectedRow& row) {
                        ++left_out_;
                        if (said_.insert(row.key + "\n" + row.column).second) tick.rejected(row);
                    });
    }
    if (copy != nullptr) (*copy)->close();
    if (!halted_.empty()) return;
    // A row that could not be read is not a row that is gone.
    if (!cursor_ && begun_ && left_out_ == 0) remove_unseen(tick);
    send(tick);
    const bool first = !begun_;
    begun_ = true;
    unsettled_from_.reset();
    const auto from = lowest();
    if (from) std::erase_if(rows_, [&](const auto& entry) { return entry.second.cursor < *from; });
    told_key_ = key_text();
    if (cursor_ || first) state_.set_progress(ref().text(), {key_text(), reached_}, Deadline::after(tick.timeout));
    fault::point("sync.poll.read.after");
}

void PolledTable::compare(PollTick& tick, const Batch& rows) {
    for (std::size_t row = 0; row < rows.rows(); ++row) {
        std::optional<std::int64_t> cursor;
        if (cursor_) {
            cursor = cursor_of(rows, row);
            if (!cursor || (bound_ && *cursor < *bound_)) continue;   // of a whole read: it is not what is told
            if (*cursor <= now_) reached_ = std::max(reached_.value_or(*cursor), *cursor);
        }
        key_.clear();
        whole_.clear();
        for (const std::uint32_t k : info_->key) append_cell(key_, rows, row, k);
        for (std::size_t column = 0; column < info_->columns.size(); ++column) append_cell(whole_, rows, row, column);
        const Hash128 hash = xxh128(key_.data(), key_.size()), digest = xxh128(whole_.data(), whole_.size(), shape_seed_);
        const auto [found, news] = rows_.try_emplace(hash);
        Row& known = found->second;
        if (known.round == round_) {
            if (known.digest == digest) continue;   // the same row twice
            std::vector<std::string> key;
            for (const std::uint32_t k : info_->key) key.push_back(info_->columns[k].name);
            return halt(tick, "several rows of one read have the key " + show_key(rows, row) + ", and differ: (" + join(key, ", ") + ") does not tell rows apart; group them in a view, or name more columns");
        }
        const bool same = !news && !known.removed && !known.unsettled && known.digest == digest;
        known = {digest, cursor.value_or(0), round_, false, false};
        if (same) continue;
        notes_.push_back({hash, key_, digest, begun_ ? tick.version.position : 0, cursor});
        if (begun_ && !peeking_) {
            out_.rows.append(rows, row, row + 1);
            out_.ops.push_back(Op::upsert);
            out_.versions.push_back(tick.next());
        }
        if (out_.rows.byte_size() >= tick.segment_bytes || notes_.size() >= notes_at_once) send(tick);
    }
}

void PolledTable::remove_unseen(PollTick& tick) {
    send(tick);
    std::vector<Hash128> gone;
    for (const auto& [hash, row] : rows_) {
        if (row.round != round_) gone.push_back(hash);
    }
    for (std::size_t from = 0; from < gone.size(); from += notes_at_once) {
        const std::span<const Hash128> some = std::span(gone).subspan(from, std::min(notes_at_once, gone.size() - from));
        for (PollNote& note : state_.keys(ref().text(), some, Deadline::after(tick.timeout))) {
            const char* at = note.key.data();
            std::vector<std::pair<std::uint32_t, std::string_view>> cells(info_->columns.size(), {Cell::null_size, {}});
            for (const std::uint32_t k : info_->key) {
                std::uint32_t size = 0;
                std::memcpy(&size, at, sizeof size);
                at += sizeof size;
                cells[k] = {size, size == Cell::null_size ? std::string_view() : std::string_view(at, size)};
                if (size != Cell::null_size) at += size;
            }
            if (!peeking_) {
                for (const auto& [size, bytes] : cells) {
                    if (size == Cell::null_size) out_.rows.add_null();
                    else out_.rows.add(bytes.data(), size);
                }
                out_.ops.push_back(Op::remove);
                out_.versions.push_back(tick.next());
            }
            note.tick = tick.version.position;
            notes_.push_back(std::move(note));
        }
        removed_at_ = tick.version.position;
        send(tick);
    }
    for (const Hash128& hash : gone) rows_.erase(hash);
}

// Written down first: what was told and then forgotten would not be told again when it changes back.
void PolledTable::send(PollTick& tick) {
    if (notes_.empty()) return;
    fault::point("sync.poll.note.before");
    state_.write(ref().text(), notes_, Deadline::after(tick.timeout));
    fault::point("sync.poll.note.after");
    notes_.clear();
    if (out_.ops.empty()) return;
    Segment segment;
    SegmentPart part;
    part.table = info_;
    segment.rows = out_.rows.rows();
    segment.bytes = out_.rows.byte_size() + out_.rows.cells().size() * sizeof(Cell);
    part.changes = std::move(out_);
    segment.parts.push_back(std::move(part));
    out_ = {};
    out_.rows = Batch(info_.get());
    out_.ops.clear();
    out_.versions.clear();
    tick.tell(std::move(segment));
}

void PolledTable::settle(std::uint64_t position, Deadline deadline) {
    if (!begun_ || ((removed_at_ == 0 || removed_at_ >= position) && !cursor_)) return;
    state_.prune(ref().text(), position, lowest(), deadline);
    if (removed_at_ < position) removed_at_ = 0;
}

}  // namespace ysdb::sync
