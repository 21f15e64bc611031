#include "core/store/postgres/trigger_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/store/postgres/fields.h"
#include "core/store/postgres/followed_table.h"
#include "core/store/postgres/row_lookup.h"
#include "core/store/postgres/sql_build.h"
#include "core/store/postgres/table_facts.h"
#include "core/store/postgres/tick_stream.h"
#include "core/store/postgres/trigger_log.h"
#include "core/store/segment_builder.h"
#include "core/value/show.h"

namespace ysdb::postgres {

namespace {

using Params = std::vector<std::optional<std::string>>;

constexpr Millis poll_every{20};
constexpr Millis acknowledge_every{1'000};
constexpr Millis tend_every{60'000};
constexpr Millis watch_every{2'000};
constexpr const char* other_table = "the table is gone, or has another name now";

struct Followed {
    TableRef ref;
    std::uint32_t oid = 0;
    std::int64_t shape = 0;                   // of `table`; 0: nothing was told yet
    std::shared_ptr<const TableInfo> table;
    std::vector<std::optional<std::uint32_t>> columns;   // by place in a printed row; none: generated
    std::vector<Field> fields;                // by column
    bool halted = false;
    bool checked = false;                     // its partitions, in this batch
    std::optional<std::int64_t> noted;        // its shape by the catalog, asked for in this batch
    bool emptied = false;                     // the last that was told of it is its truncation
    std::uint32_t ordinal = 0;                // within the tick
    SegmentBuilder::Open open;
};

class TriggerSource final : public ChangeSource {
public:
    TriggerSource(const Target& target, CaptureOptions options, std::function<void()> mend, Deadline deadline)
        : options_(std::move(options)), mend_(std::move(mend)), ticks_(target, options_.set, options_.start, options_.timeout, deadline), session_(ticks_.session()), shapes_(std::move(options_.known), options_.left_out), acknowledged_(options_.start) {
        find_tables(asking());
        tend_log(session_, asking());
        tended_ = SteadyClock::now();
    }

    Segment read(Millis wait, std::stop_token stop) override {
        Segment segment;
        builder_.begin(segment);
        tell_lost();
        if (ticks_.tick() == 0) watch_triggers();
        const Deadline deadline = Deadline::after(wait);
        while (ticks_.tick() == 0 && !begin_tick()) {
            if (std::exchange(fresh_, false)) {   // nothing below where it goes on
                segment.complete = ticks_.told();
                break;
            }
            if (deadline.passed() || !segment.parts.empty()) break;
            if (!pause_for(std::min(poll_every, deadline.left()), stop)) throw Error(Code::interrupted, "interrupted while waiting for changes");
        }
        while (ticks_.tick() != 0 && segment.bytes < options_.segment_bytes) {
            if (const auto change = ticks_.next(stop)) {
                take(*change);
                continue;
            }
            segment.complete = ticks_.told();
            fresh_ = false;
        }
        builder_.end();
        return segment;
    }

    void acknowledge(std::uint64_t position, bool at_once) override {
        const auto now = SteadyClock::now();
        if (position > acknowledged_ && (at_once || now - acknowledged_at_ > acknowledge_every)) {
            fault::point("sync.trigger.acknowledge.before");
            session_.query("UPDATE cdc.sets SET position = greatest(position, $2) WHERE set_name = $1", Params{options_.set, std::to_string(position)}, asking());
            fault::point("sync.trigger.acknowledge.after");
            acknowledged_ = position;
            acknowledged_at_ = now;
        }
        if (now - tended_ > tend_every) {
            tend_log(session_, asking());
            tended_ = now;
        }
    }

private:
    // Limit of a question.
    Deadline asking() const { return Deadline::after(options_.timeout); }

    void find_tables(Deadline deadline) {
        for (const TableRef& table : options_.tables) {
            const SqlResult found = session_.query("SELECT relation::bigint, relation = coalesce(to_regclass($3)::oid, 0) FROM cdc.captured WHERE set_name = $1 AND table_name = $2",
                                                    Params{options_.set, table.text(), quote(table)}, deadline);
            if (found.rows() == 0) throw Error(Code::refused, "sync " + options_.set + ": " + table.text() + " has no triggers", "ysdb sync install");
            Followed& followed = tables_[static_cast<std::uint32_t>(found.row(0).integer(0))];
            followed.ref = table;
            followed.oid = static_cast<std::uint32_t>(found.row(0).integer(0));
            if (!found.row(0).truth(1)) lost_.push_back(static_cast<std::uint32_t>(found.row(0).integer(0)));
        }
        std::string relations;
        for (const auto& [oid, _] : tables_) relations += (relations.empty() ? "" : ",") + std::to_string(oid);
        ticks_.follow(std::move(relations));
    }

    // Tables whose name is another's now: nothing more can be told of them.
    void tell_lost() {
        for (const std::uint32_t oid : lost_) halt(tables_.at(oid), other_table);
        lost_.clear();
    }

    // Somebody may have taken them away, or switched them off. Made again at once, so that little is missed; the gap is told in its place.
    void watch_triggers() {
        const auto now = SteadyClock::now();
        if (now - watched_at_ < watch_every) return;
        watched_at_ = now;
        // Dropped and made anew, or swapped: it is another table now, though of the same name. Somebody else may have given that one triggers already.
        const SqlResult captured = session_.query(
            "SELECT k.relation::bigint, coalesce(n.nspname || '.' || c.relname = k.table_name, false) FROM cdc.captured k LEFT JOIN pg_class c ON c.oid = k.relation"
            " LEFT JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.set_name = $1",
            Params{options_.set}, asking());
        std::set<std::uint32_t> there;
        for (std::size_t i = 0; i < captured.rows(); ++i) {
            if (captured.row(i).truth(1)) there.insert(static_cast<std::uint32_t>(captured.row(i).integer(0)));
        }
        for (auto& [oid, table] : tables_) {
            if (!table.halted && !there.contains(oid)) halt(table, other_table);
        }
        const SqlResult dead = session_.query("SELECT k.relation::bigint FROM cdc.captured k JOIN pg_class c ON c.oid = k.relation WHERE k.set_name = $1 AND NOT " + std::string(triggers_fire), Params{options_.set},
                                               asking());
        bool any = false;
        for (std::size_t i = 0; i < dead.rows(); ++i) {
            const auto found = tables_.find(static_cast<std::uint32_t>(dead.row(i).integer(0)));
            any = any || (found != tables_.end() && !found->second.halted);
        }
        if (!any) return;
        try {
            mend_();
        } catch (const Error& error) {
            if (error.retryable() || error.code() == Code::connect) throw;
            for (std::size_t i = 0; i < dead.rows(); ++i) {
                const auto found = tables_.find(static_cast<std::uint32_t>(dead.row(i).integer(0)));
                if (found != tables_.end() && !found->second.halted) halt(found->second, "its triggers are switched off, or gone, and could not be made again: " + error.message());
            }
        }
        ticks_.look_again();   // the gap has a tick of its own
    }

    // The next tick, with its changes coming; false when nothing happened.
    bool begin_tick() {
        const std::uint64_t before = ticks_.told();
        if (!ticks_.begin()) return false;
        for (auto& [oid, table] : tables_) {
            table.ordinal = 0;
            table.checked = false;
            table.noted.reset();
        }
        const SqlResult gaps = session_.query("SELECT relation::bigint FROM cdc.captured WHERE set_name = $1 AND gap > $2 AND gap <= $3",
                                              Params{options_.set, std::to_string(before), std::to_string(ticks_.tick())}, asking());
        for (std::size_t i = 0; i < gaps.rows(); ++i) {
            const auto found = tables_.find(static_cast<std::uint32_t>(gaps.row(i).integer(0)));
            if (found != tables_.end() && wanted(found->second)) halt(found->second, "its triggers were gone for a time: changes are missing");
        }
        return true;
    }

    // Whether anybody wants what happened to it in this tick. A view has the changes of its own tick.
    bool wanted(const Followed& table) const {
        const auto from = options_.from.find(table.ref);
        return from == options_.from.end() || ticks_.tick() > from->second;
    }

    // --- one row of the log ---

    void take(const LoggedChange& change) {
        Segment& segment = builder_.segment();
        if (segment.first_commit_micros == 0 || change.changed < segment.first_commit_micros) segment.first_commit_micros = change.changed;
        segment.commit_micros = std::max(segment.commit_micros, change.changed);
        builder_.committed(change.changed);
        Followed& table = tables_.at(change.relation);
        if (table.halted || !wanted(table)) return;
        const bool emptied = std::exchange(table.emptied, change.operation == 'T' || (change.operation == 'P' && table.emptied));
        switch (change.operation) {
            case 'P':
                // Its table's truncation fires the trigger on each partition, too.
                if (!emptied) halt(table, "one of its partitions was truncated by itself: which rows that took, no change tells");
                return;
            case 'A': halt(table, "a partition was attached with rows in it, which no change tells: " + std::string(change.now.value_or(""))); return;
            case 'R': {
                TableFacts facts = parse_facts(change.now.value_or("")).second;
                keep_earlier_fills(table.oid, facts);
                if (const std::string why = shapes_.rewritten(facts); !why.empty()) halt(table, why);
                return;
            }
            default: break;
        }
        if (!in_shape(table, change.shape)) return;
        if (change.operation == 'T') builder_.truncate(table.open, table.table, next_version(table));
        else take_row(table, change);
    }

    void take_row(Followed& table, const LoggedChange& change) {
        bool fresh = !change.before;
        if (change.before) {
            if (!split(table, *change.before)) return;
            old_ = Batch(table.table.get());
            read_row(table, old_);
            if (change.now && !split(table, *change.now)) return;
            fresh = change.now && moved(table);
            if (!change.now || fresh) builder_.remove(table.open, table.table, old_, next_version(table));
        } else if (change.now && !split(table, *change.now)) {
            return;
        }
        if (change.now) upsert(table, fresh ? Op::insert : Op::upsert);
    }

    bool split(Followed& table, std::string_view text) {
        if (split_row(text, bytes_, fields_) && fields_.size() == table.columns.size()) return true;
        halt(table, fmt::format("a row of the log has {} columns, the table has {}", fields_.size(), table.columns.size()));
        return false;
    }

    bool read_field(const Followed& table, std::size_t place, Batch& rows) {
        const Printed& field = fields_[place];
        if (field.null) {
            rows.add_null();
            return true;
        }
        const std::uint32_t c = *table.columns[place];
        return table.fields[c](reinterpret_cast<const std::uint8_t*>(bytes_.data() + field.from), static_cast<std::uint32_t>(field.size), table.table->columns[c].type, rows);
    }

    // What can be read of it; the rest is NULL.
    void read_row(const Followed& table, Batch& row) {
        for (std::size_t place = 0; place < fields_.size(); ++place) {
            if (!table.columns[place]) continue;
            const std::size_t cells = row.cells().size();
            if (read_field(table, place, row)) continue;
            row.drop_cells_from(cells);
            row.add_null();
        }
    }

    // Whether the row in fields_ has another key than old_.
    bool moved(const Followed& table) {
        Batch fresh(table.table.get());
        read_row(table, fresh);
        const auto& key = table.table->key;
        if (std::any_of(key.begin(), key.end(), [&](std::uint32_t k) { return fresh.cell(0, k).is_null(); })) return false;  // it is going to be rejected: the old one stays until somebody looks
        return !std::all_of(key.begin(), key.end(), [&](std::uint32_t k) { return std::ranges::equal(fresh.value(0, k), old_.value(0, k)); });
    }

    Version next_version(Followed& table) { return {options_.epoch, ticks_.tick(), ++table.ordinal}; }

    void upsert(Followed& table, Op op) {
        ChangeBatch& changes = builder_.rows(table.open, table.table);
        Batch& rows = changes.rows;
        const std::size_t row = rows.rows(), before = rows.byte_size();
        const Version version = next_version(table);
        for (std::size_t place = 0; place < fields_.size(); ++place) {
            if (!table.columns[place] || read_field(table, place, rows)) continue;
            rows.drop_rows_from(row);
            const ColumnInfo& column = table.table->columns[*table.columns[place]];
            Batch known(table.table.get());
            read_row(table, known);
            return builder_.reject({table.ref, show_key(known, 0), column.name, why_not_text(column.type, std::string_view(bytes_).substr(fields_[place].from, fields_[place].size)), version});
        }
        builder_.added(changes, before, op, version);
    }

    // --- shapes ---

    // Whether rows of this shape can be read from here on; otherwise the table was halted.
    bool in_shape(Followed& table, std::int64_t shape) {
        if (!table.checked && !partitions_alike(table)) return false;
        if (shape != 0 && shape == table.shape) return true;
        const std::uint32_t oid = table.oid;
        const Deadline deadline = asking();
        // Registered now, should no writer have done so. Once a batch: every row of a transaction that cannot say what it wrote comes here.
        if (!table.noted) table.noted = session_.query("SELECT cdc.note_shape($1::bigint::oid)", Params{std::to_string(oid)}, deadline).row(0).integer(0);
        const std::int64_t now = *table.noted;
        const bool guessed = shape == 0;
        if (guessed) {
            // A transaction that reads the catalog as of an older moment cannot say what it wrote: told only where nothing else is possible.
            if (table.shape != 0 && table.shape == now) return true;
            if (table.shape != 0) return halt(table, "its columns changed while a transaction of isolation repeatable read or serializable wrote: in which of the two it did is not known");
            shape = now;
        }
        const SqlResult known = session_.query("SELECT layout, facts FROM cdc.shapes WHERE relation = $1::bigint::oid AND shape = $2 LIMIT 1", Params{std::to_string(oid), std::to_string(shape)}, deadline);
        if (known.rows() == 0) return halt(table, "rows were written in columns that are not known any more");
        return begin_shape(table, shape, known.row(0), guessed, deadline);
    }

    bool begin_shape(Followed& table, std::int64_t shape, const SqlRow& told, bool guessed, Deadline deadline) {
        const Layout layout = parse_layout(told.text(0));
        TableFacts facts = parse_facts(told.text(1)).second;
        keep_earlier_fills(table.oid, facts);
        std::vector<ToldColumn> columns;
        table.columns.clear();
        table.fields.clear();
        for (const Place& place : layout.places) {
            table.columns.push_back(place.generated ? std::nullopt : std::optional(static_cast<std::uint32_t>(columns.size())));
            if (place.generated) continue;
            const auto fact = facts.columns.find(place.name);
            columns.push_back({place.name, place.type, place.number, place.nullable, fact == facts.columns.end() ? "" : fact->second.comment});
        }
        const auto info = std::make_shared<TableInfo>(told_table(session_, table.ref, columns, layout.key, deadline));
        const std::vector<bool> wanted = wanted_columns(*info, options_.left_out);
        for (std::size_t c = 0; c < wanted.size(); ++c) table.fields.push_back(wanted[c] ? text_field(info->columns[c].type) : unread_field());
        table.table = info;
        if (info->key.empty()) return halt(table, "it has no primary key any more, or changes are told without a column of it");
        const bool other = guessed && shapes_.differs(*info);
        SegmentPart part = shapes_.tell(info, facts.added, {options_.epoch, ticks_.tick(), table.ordinal});   // of the change before
        if (part.kind == SegmentPart::Kind::halt) return halt(table, part.reason);
        if (other) return halt(table, "its columns changed around a transaction of isolation repeatable read or serializable: in which it wrote is not known");
        table.shape = shape;
        builder_.add(table.open, std::move(part));
        return true;
    }

    // A table that is rewritten forgets what its older rows hold in a new column; a shape that was noted before does not.
    void keep_earlier_fills(std::uint32_t oid, TableFacts& facts) {
        const bool unsure = std::any_of(facts.columns.begin(), facts.columns.end(), [&](const auto& column) { return column.second.has_default && !facts.added.contains(column.first); });
        if (!unsure) return;
        const SqlResult noted = session_.query("SELECT facts FROM cdc.shapes WHERE relation = $1::bigint::oid", Params{std::to_string(oid)}, asking());
        for (std::size_t i = 0; i < noted.rows(); ++i) keep_fills(parse_facts(noted.row(i).text(0)).second, facts);
    }

    // Printed rows name no column: a partition's must be in the table's order.
    bool partitions_alike(Followed& table) {
        table.checked = true;
        const SqlResult other = session_.query(
            "SELECT l.relid::regclass::text FROM pg_partition_tree($1::bigint::oid::regclass) l WHERE"
            " (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = l.relid AND attnum > 0 AND NOT attisdropped) IS DISTINCT FROM"
            " (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = $1::bigint::oid AND attnum > 0 AND NOT attisdropped) LIMIT 1",
            Params{std::to_string(table.oid)}, asking());
        return other.rows() == 0 || halt(table, "partition " + other.row(0).text(0) + " has its columns in another order");
    }

    // False, for whoever has to give the table up.
    bool halt(Followed& table, const std::string& why) {
        table.halted = true;
        if (table.table == nullptr) {
            auto info = std::make_shared<TableInfo>();
            info->ref = table.ref;
            table.table = std::move(info);
        }
        builder_.halt(table.open, table.table, {options_.epoch, ticks_.tick() == 0 ? ticks_.told() : ticks_.tick(), table.ordinal}, why);
        return false;
    }

    CaptureOptions options_;
    std::function<void()> mend_;
    TickStream ticks_;
    Connection& session_;                     // for everything that is asked
    std::map<std::uint32_t, Followed> tables_;   // by oid
    std::vector<std::uint32_t> lost_;
    SegmentBuilder builder_;
    ToldShapes shapes_;

    bool fresh_ = true;                       // nothing was told yet

    std::string bytes_;
    std::vector<Printed> fields_;
    Batch old_;

    std::uint64_t acknowledged_;
    SteadyClock::time_point acknowledged_at_{}, tended_{}, watched_at_{};
};

}  // namespace

std::unique_ptr<ChangeSource> open_trigger_source(const Target& target, const CaptureOptions& options, std::function<void()> mend, Deadline deadline) {
    return std::make_unique<TriggerSource>(target, options, std::move(mend), deadline);
}

}  // namespace ysdb::postgres
