#include "core/store/clickhouse/follow.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>

#include "core/base/embedded.h"
#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/store/clickhouse/part_check.h"
#include "core/store/clickhouse/sink.h"
#include "core/store/clickhouse/source.h"
#include "core/store/clickhouse/statement.h"
#include "core/store/clickhouse/sync_table.h"
#include "core/store/store.h"
#include "core/value/columns.h"

namespace ysdb::clickhouse {

namespace {

constexpr std::string_view access_denied = "497";
constexpr Millis full_before{120'000};   // a disk was full, before an insert of ours said so
constexpr Millis look_again{50};   // a server ends a statement at its next block

std::string text_of(UInt128 value) {
    std::string digits;
    do digits += static_cast<char>('0' + static_cast<int>(value % 10));
    while ((value /= 10) != 0);
    std::reverse(digits.begin(), digits.end());
    return digits;
}

// What older rows hold in a column that was added with a constant default.
std::string default_clause(const ColumnChange& change) {
    if (!change.fill) return "";
    const std::string type = column_type(change.type);
    switch (change.type.kind) {
        case TypeKind::boolean: return " DEFAULT CAST(" + literal(*change.fill == "t" || *change.fill == "true" ? "true" : "false") + ", " + literal(type) + ")";
        case TypeKind::int16:
        case TypeKind::int32:
        case TypeKind::int64:
        case TypeKind::float32:
        case TypeKind::float64:
        case TypeKind::decimal:
        case TypeKind::numeric:
        case TypeKind::text:
        case TypeKind::uuid:
        case TypeKind::date:
        case TypeKind::time:
        case TypeKind::interval:
        case TypeKind::json:
        case TypeKind::enumeration:
        case TypeKind::other: return " DEFAULT CAST(" + literal(*change.fill) + ", " + literal(type) + ")";
        case TypeKind::timestamp:
        case TypeKind::timestamptz: return " DEFAULT parseDateTime64BestEffort(" + literal(*change.fill) + ", 6, 'UTC')";
        default: throw Error(Code::refused, "column " + change.column + " was added with a default of the type " + change.type.native + ", which ClickHouse cannot be told");
    }
}

class Follower final : public ChangeWriter {
public:
    Follower(Transport& transport, const Catalog& catalog, QueryIds& ids, const Landing& landing)
        : transport_(transport), catalog_(catalog), ids_(ids), live_(catalog.full(landing.target)), label_("ysdb-sync-" + landing.set) {}

    void reshape(const TableInfo& source, std::span<const ColumnChange> changes, Deadline deadline) override {
        flush(deadline);
        encoder_.reset();
        source_ = source;
        pending_.rows = Batch(&source_);
        const auto facts = catalog_.find(live_, deadline);
        live_exists_ = facts.has_value();
        if (!facts && !staging_) {
            fault::point("clickhouse.follow.create.before");
            catalog_.run(create_statement(source, live_), deadline);
            fault::point("clickhouse.follow.create.after");
            live_exists_ = true;
        }
        for (const TableRef& table : targets()) alter(table, changes, deadline);
        freeze_what_cannot_follow(deadline);
        if (live_exists_ && !live_frozen_) {
            const auto now = catalog_.find(live_, deadline);
            if (now && !made_here(*now)) check_structure(source, catalog_.describe(live_, deadline), *now);
            create_current_view(catalog_, source, live_, deadline);
        }
    }

    void apply(const ChangeBatch& changes, Deadline, const std::function<void(std::size_t, RejectedRow)>& rejected) override {
        told_.push_back({pending_.rows.rows(), rejected});
        pending_.rows.append(changes.rows);
        for (std::size_t row = 0; row < changes.rows.rows(); ++row) {
            pending_.ops.push_back(changes.op(row));
            pending_.versions.push_back(changes.version(row));
        }
    }

    void truncate(const Version& version, Deadline deadline) override {
        flush(deadline);
        for (const TableRef& table : targets()) remove_older(table, version, deadline);
        if (staging_) truncated_ = std::max(truncated_, version);
    }

    void flush(Deadline deadline) override {
        if (!pending_.rows.empty()) {
            if (!encoder_) prepare(deadline);
            const auto pieces = encoder_->encode(pending_, [&](const RejectedRow& row) { reject(row); });
            for (std::size_t i = 0; i < inserts_.size() && !pieces.empty(); ++i) {
                Request request;
                request.sql = inserts_[i];
                request.payload = pieces;
                request.query_id = ids_.next(label_);
                request.settings = pinned_insert_settings;
                request.settings.emplace_back("insert_deduplicate", "0");  // versions tell what is there already; tokens would outlive repairs (law 7)
                fault::point("clickhouse.follow.insert.before");
                send(request, deadline);
                fault::point("clickhouse.follow.insert.after");
            }
            if (full_since_) check_parts(deadline);
        }
        discard();
    }

    void discard() override {
        pending_.rows.clear();
        pending_.ops.clear();
        pending_.versions.clear();
        told_.clear();
    }

    bool written_since(const TableInfo& keys, const Version& from, Deadline deadline, const std::function<void(Batch&)>& consume) override {
        if (!catalog_.find(live_, deadline)) return false;
        // A copy's rows have the ordinal 0, and what the copy did not hold has left no trace.
        const Version next_epoch{from.epoch + 1, 0, 0};
        const std::string since = quote(version_column) + " >= " + text_of(from.packed()) + "::UInt128";
        const SqlResult copied = query(transport_, "SELECT count() > 0 FROM " + quote(live_) + " WHERE " + since + " AND " + quote(version_column) + " < " + text_of(next_epoch.packed()) + "::UInt128 AND bitAnd(" +
                                                       quote(version_column) + ", 4294967295::UInt128) = 0", {}, {}, ids_.next(label_), deadline);
        if (copied.row(0).truth(0)) return false;
        TableInfo here = keys;
        here.ref = live_;
        read_where(transport_, catalog_, ids_, here, since, deadline, consume);
        return true;
    }

    bool takes_copies() const override { return true; }

    std::unique_ptr<RowWriter> begin_copy(const TableInfo& source, const std::string& run, Deadline deadline) override {
        flush(deadline);
        auto writer = begin_replace(transport_, catalog_, ids_, source, live_, run, deadline);
        truncated_ = {};
        go_on_beside(source, run, deadline);
        return writer;
    }

    std::unique_ptr<RowWriter> resume_copy(const TableInfo& source, const std::string& run, Deadline deadline) override {
        flush(deadline);
        auto writer = resume_replace(transport_, catalog_, ids_, source, live_, run, deadline);
        if (writer != nullptr) go_on_beside(source, run, deadline);
        return writer;
    }

    void finish_copy(const std::string& run, Deadline deadline) override {
        flush(deadline);
        if (truncated_ != Version{}) remove_older(*staging_, truncated_, deadline);
        finish_replace(catalog_, source_, live_, run, deadline);
        staging_.reset();
        live_exists_ = true;
        live_frozen_ = false;
        encoder_.reset();
    }

private:
    void send(const Request& request, Deadline deadline) {
        try {
            transport_.run(request, {deadline, {}, {}}, [](std::string_view) {});
        } catch (const Error& error) {
            if (disk_was_full(error) && !full_since_) full_since_ = SteadyClock::now();
            throw;
        }
    }

    // After a full disk. What was acknowledged last before, and what merges made of older parts, may be cut off: then rows are gone that nobody tells again.
    void check_parts(Deadline deadline) {
        const Millis since = std::chrono::duration_cast<Millis>(SteadyClock::now() - *full_since_) + full_before;
        for (const TableRef& table : targets()) {
            const auto part = damaged_part(transport_, ids_, label_, table, since, deadline);
            if (part) throw Error(Code::refused, "the server's disk was full, and part " + *part + " of " + table.text() + " is damaged although its rows were acknowledged");
        }
        full_since_.reset();
    }

    // From here on changes go into the copy, too.
    void go_on_beside(const TableInfo& source, const std::string& run, Deadline deadline) {
        encoder_.reset();
        live_exists_ = catalog_.find(live_, deadline).has_value();
        live_frozen_ = false;
        staging_ = staging_of(live_, run);
        if (source_.columns.empty()) {
            source_ = source;
            pending_.rows = Batch(&source_);
        }
        freeze_what_cannot_follow(deadline);
    }

    std::vector<TableRef> targets() const {
        std::vector<TableRef> tables;
        if (live_exists_ && !live_frozen_) tables.push_back(live_);
        if (staging_) tables.push_back(*staging_);
        return tables;
    }

    // A table that is copied anew since it could not follow a change of columns: the live one stays as it is until the copy takes its place. It lacks
    // a column, or has one of a type that does not hold what the copy's does: the server would refuse values, or make others of them.
    void freeze_what_cannot_follow(Deadline deadline) {
        if (!staging_ || !live_exists_ || live_frozen_) return;
        const TableInfo live = catalog_.describe(live_, deadline), copy = catalog_.describe(*staging_, deadline);
        live_frozen_ = std::any_of(source_.columns.begin(), source_.columns.end(), [&](const ColumnInfo& wanted) {
            const ColumnInfo *here = find_column(live.columns, wanted.name), *there = find_column(copy.columns, wanted.name);
            return here == nullptr || (there != nullptr && !holds(parse_type(here->type.native), parse_type(there->type.native)));
        });
    }

    void prepare(Deadline deadline) {
        inserts_.clear();
        std::vector<TargetColumn> columns;
        for (const TableRef& table : targets()) {
            columns = targets_of(source_, catalog_.describe(table, deadline));
            inserts_.push_back("INSERT INTO " + quote(table) + " (" + column_list(columns, true) + ") FORMAT Native");
        }
        encoder_ = std::make_unique<Encoder>(source_, columns, true);
    }

    void reject(const RejectedRow& row) {
        const auto after = std::upper_bound(told_.begin(), told_.end(), row.row, [](std::size_t wanted, const Told& told) { return wanted < told.first_row; });
        const Told& told = *std::prev(after);
        told.rejected(row.row - told.first_row, row);
    }

    // Each statement may have been run before: by this run before it was killed, or by a person who prepared the target.
    void alter(const TableRef& table, std::span<const ColumnChange> changes, Deadline deadline) {
        for (const ColumnChange& change : changes) {
            const TableInfo now = catalog_.describe(table, deadline);
            const auto has = [&](std::string_view name) { return find_column(now.columns, name) != nullptr; };
            std::string what;
            switch (change.kind) {
                case ColumnChange::Kind::added:
                    what = "ADD COLUMN IF NOT EXISTS " + quote(change.column) + " " + column_type(change.type) + default_clause(change) + (has(version_column) ? " " + before_version(now) : "");
                    break;
                case ColumnChange::Kind::dropped:
                    // What it held stays readable, out of the way of a column that may get its name.
                    if (!has(change.column)) continue;
                    what = "RENAME COLUMN " + quote(change.column) + " TO " + quote(free_name(now, change.column));
                    break;
                case ColumnChange::Kind::renamed:
                    if (!has(change.before) && has(change.column)) continue;
                    what = "RENAME COLUMN " + quote(change.before) + " TO " + quote(change.column);
                    break;
                case ColumnChange::Kind::retyped: what = "MODIFY COLUMN " + quote(change.column) + " " + column_type(change.type); break;
            }
            fault::point("clickhouse.follow.alter.before");
            end_late_inserts(table, deadline);
            try {
                catalog_.run("ALTER TABLE " + quote(table) + " " + what, deadline, {{"alter_sync", "2"}, {"mutations_sync", "2"}});
            } catch (const Error& error) {
                if (error.retryable()) throw;
                throw Error(Code::refused, table.text() + " cannot follow the source's new definition (" + what + "): " + error.message());
            }
            fault::point("clickhouse.follow.alter.after");
        }
    }

    // An insert lands with the columns the table had when it began. One that outlives a change of columns, of a run that was stopped in the middle or
    // given up after a deadline, has rows that were told again since, with the same versions: of equal versions the last wins, and a renamed column
    // has its default there (seen with 26.5: told values became NULL). So nobody's insert goes on: this table's writer waits for none of its own, and
    // whoever else writes it is a run of before. Each server knows only what it runs itself: of a cluster's, the one that is spoken to is asked.
    void end_late_inserts(const TableRef& table, Deadline deadline) {
        // A copy's rows come on other threads of this process.
        const std::string late = " WHERE startsWith(query, " + literal("INSERT INTO " + quote(table) + " (") + ") AND (startsWith(query_id, " + literal(label_ + "-") +
                                 ") OR (startsWith(query_id, 'ysdb-') AND position(query_id, " + literal("-" + ids_.random() + "-") + ") = 0))";
        try {
            for (;; std::this_thread::sleep_for(look_again)) {
                if (query(transport_, "SELECT count() FROM system.processes" + late, {}, {}, "", deadline).row(0).integer(0) == 0) return;
                catalog_.run("KILL QUERY" + late + " ASYNC", deadline);
                if (deadline.passed()) throw Error(Code::connect, "store '" + catalog_.store() + "': an earlier insert into " + table.text() + ", whose columns are to change, goes on").with_retryable();
            }
        } catch (const Error& error) {
            if (error.server_code() != access_denied) throw;   // a role that may not look: docs/guarantees.md says what that leaves
        }
    }

    // New columns stand before the two of our own.
    static std::string before_version(const TableInfo& now) {
        std::string last;
        for (const ColumnInfo& column : now.columns) {
            if (column.name == version_column) break;
            last = column.name;
        }
        return last.empty() ? "FIRST" : "AFTER " + quote(last);
    }

    static std::string free_name(const TableInfo& now, const std::string& column) {
        for (int n = 1;; ++n) {
            std::string name = "_dropped_" + column + (n == 1 ? "" : "_" + std::to_string(n));
            if (find_column(now.columns, name) == nullptr) return name;
        }
    }

    // A removal of each row older than the version.
    void remove_older(const TableRef& table, const Version& version, Deadline deadline) {
        std::string keys;
        for (const std::uint32_t k : source_.key) keys += quote(source_.columns[k].name) + ", ";
        fault::point("clickhouse.follow.truncate.before");
        catalog_.run("INSERT INTO " + quote(table) + " (" + keys + quote(version_column) + ", " + quote(deleted_column) + ") SELECT " + keys + text_of(version.packed()) + "::UInt128, 1 FROM " + quote(table) +
                         " FINAL WHERE " + quote(deleted_column) + " = 0 AND " + quote(version_column) + " < " + text_of(version.packed()) + "::UInt128",
                     deadline, {{"insert_deduplicate", "0"}});
        fault::point("clickhouse.follow.truncate.after");
    }

    struct Told {
        std::size_t first_row;
        std::function<void(std::size_t, RejectedRow)> rejected;
    };

    Transport& transport_;
    const Catalog& catalog_;
    QueryIds& ids_;
    TableRef live_;
    std::string label_;
    TableInfo source_;
    bool live_exists_ = false;
    std::optional<TableRef> staging_;
    bool live_frozen_ = false;           // cannot take the rows of the copy that is being made
    Version truncated_;                  // while copying: the last truncation
    std::optional<SteadyClock::time_point> full_since_;   // an insert met a full disk; none: all that was written since has been read
    ChangeBatch pending_{Batch(), {}, {}};
    std::vector<Told> told_;
    std::unique_ptr<Encoder> encoder_;   // null: to be made for the tables as they are
    std::vector<std::string> inserts_;
};

class Sink final : public ChangeSink {
public:
    Sink(Transport& transport, const Catalog& catalog, QueryIds& ids) : transport_(transport), catalog_(catalog), ids_(ids) {}

    std::unique_ptr<ChangeWriter> follow(const Landing& landing, Deadline) override { return std::make_unique<Follower>(transport_, catalog_, ids_, landing); }

    std::uint32_t epoch(const std::string& set, Deadline deadline) override {
        make_tables(deadline);
        return static_cast<std::uint32_t>(query(transport_, "SELECT max(epoch) FROM ysdb.sync_epochs WHERE set_name = {p1:String}", std::vector<std::optional<std::string>>{set}, {}, ids_.next("ysdb-sync"), deadline)
                                              .row(0).integer(0));
    }

    void begin_epoch(const std::string& set, std::uint32_t epoch, Deadline deadline) override {
        make_tables(deadline);
        query(transport_, "INSERT INTO ysdb.sync_epochs (set_name, epoch) SELECT {p1:String}, {p2:UInt32}", std::vector<std::optional<std::string>>{set, std::to_string(epoch)}, {}, ids_.next("ysdb-sync"), deadline);
    }

    std::uint64_t noted(const std::string& set, const std::string& name, Deadline deadline) override {
        make_tables(deadline);
        return std::stoull(query(transport_, "SELECT toString(max(value)) FROM ysdb.sync_notes WHERE set_name = {p1:String} AND name = {p2:String}", std::vector<std::optional<std::string>>{set, name}, {},
                                 ids_.next("ysdb-sync"), deadline).row(0).text(0));
    }
    void note(const std::string& set, const std::string& name, std::uint64_t number, Deadline deadline) override {
        make_tables(deadline);
        query(transport_, "INSERT INTO ysdb.sync_notes (set_name, name, value) SELECT {p1:String}, {p2:String}, {p3:UInt64}",
              std::vector<std::optional<std::string>>{set, name, std::to_string(number)}, {}, ids_.next("ysdb-sync"), deadline);
    }

    // Each insert makes a part, which the server has to merge.
    Millis batch_age() const override { return Millis(500); }

private:
    // Once a sink: statements that do nothing are round trips all the same.
    void make_tables(Deadline deadline) {
        if (made_) return;
        for (const std::string& statement : split(embedded_file("sql/ysdb/clickhouse/sync.sql"), ';')) {
            if (!trim(statement).empty()) catalog_.run(statement, deadline);
        }
        made_ = true;
    }

    Transport& transport_;
    const Catalog& catalog_;
    QueryIds& ids_;
    std::atomic<bool> made_{false};
};

}  // namespace

std::unique_ptr<ChangeSink> change_sink(Transport& transport, const Catalog& catalog, QueryIds& ids) { return std::make_unique<Sink>(transport, catalog, ids); }

}  // namespace ysdb::clickhouse
