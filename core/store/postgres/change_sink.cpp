#include "core/store/postgres/change_sink.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "core/base/embedded.h"
#include "core/base/fault.h"
#include "core/base/hash.h"
#include "core/base/hex.h"
#include "core/base/text.h"
#include "core/store/postgres/catalog.h"
#include "core/store/postgres/change_rows.h"
#include "core/store/postgres/connection.h"
#include "core/store/postgres/copy_writer.h"
#include "core/store/postgres/landing_table.h"
#include "core/store/postgres/sql_build.h"
#include "core/store/store.h"
#include "core/value/columns.h"
#include "core/value/version_text.h"

namespace ysdb::postgres {

namespace {

using Params = std::vector<std::optional<std::string>>;

// The last one that the file makes stands for all: what is there may be another role's, who alone may make them once more.
void make_tables(Connection& connection, Deadline deadline) {
    if (connection.query("SELECT to_regclass('ysdb.sync_landing_types') IS NOT NULL", deadline).row(0).truth(0)) return;
    connection.query("BEGIN; SELECT pg_advisory_xact_lock(hashtext('ysdb sync tables'))", deadline);   // two sets may prepare at once
    connection.query(embedded_file("sql/ysdb/postgres/landings.sql"), deadline);
    connection.query("COMMIT", deadline);
}

class Follower final : public ChangeWriter {
public:
    Follower(const SinkPlace& place, const Landing& landing) : place_(place), landing_(landing), label_("ysdb sync " + landing.set + " " + landing.target.text()) {}

    void reshape(const TableInfo& source, std::span<const ColumnChange> changes, Deadline deadline) override {
        flush(deadline);
        Connection& connection = open(deadline);
        live_exists_ = exists(connection, deadline);
        if (!live_exists_ && !copy_ && applied_ != Version{}) throw Error(Code::refused, "store '" + place_.store + "': " + live_.text() + " is gone, and the rows it had");
        if (!live_exists_ && !copy_) {
            fault::point("postgres.follow.create.before");
            run_all(connection, create_statements(source, live_, {}, {}), deadline);
            fault::point("postgres.follow.create.after");
            live_exists_ = true;
        }
        if (live_frozen_) alter_frozen(connection, changes, deadline);
        else if (live_exists_) alter(connection, place_.store, live_, changes, deadline);
        if (copy_) alter_copy(connection, changes, deadline);
        take_shape(connection, source, deadline);
    }

    void apply(const ChangeBatch& changes, Deadline, const std::function<void(std::size_t, RejectedRow)>& rejected) override {
        for (std::size_t row = 0; row < changes.rows.rows(); ++row) {
            const bool removal = changes.op(row) == Op::remove;
            if (auto why = unsendable_row(changes.rows, row, removal)) {
                rejected(row, std::move(*why));
                continue;
            }
            pending_.rows.append(changes.rows, row, row + 1);
            pending_.ops.push_back(changes.op(row));
            pending_.versions.push_back(changes.version(row));
        }
    }

    void truncate(const Version& version, Deadline deadline) override {
        flush(deadline);
        Connection& connection = open(deadline);
        guarded([&] {
            begin(connection, deadline);
            std::vector<std::string> statements;
            if (copy_) statements.push_back("DELETE FROM " + quote(copy_->staging) + " WHERE " + quote(version_column) + " < " + uuid_literal(version));
            if (follows_live() && version > applied_) {
                statements.push_back("DELETE FROM " + quote(live_));   // TRUNCATE would lock readers out
                // What was told ahead of it is gone, too: the changes that follow bring those rows back.
                statements.push_back("DELETE FROM ysdb.sync_ahead WHERE set_name = " + literal(landing_.set) + " AND target = " + literal(live_.text()));
                statements.push_back(applied_statement(version));
            }
            statements.emplace_back("COMMIT");
            fault::point("postgres.follow.truncate.before");
            run_all(connection, statements, deadline);
            fault::point("postgres.follow.truncate.after");
        });
        if (copy_) truncated_ = std::max(truncated_, version);
    }

    void flush(Deadline deadline) override {
        if (pending_.rows.empty()) return discard();
        Connection& connection = open(deadline);
        guarded([&] {
            const auto ahead = begin(connection, deadline);
            Version last = applied_;
            Batch rows(&shape_.sent);
            std::string keys_ahead, versions_ahead;
            std::unordered_map<std::string, std::size_t> newest;
            std::vector<const std::string*> keys;   // of the rows: what the map has
            for (std::size_t row = 0; row < pending_.rows.rows(); ++row) {
                const auto entry = newest.try_emplace(key_bytes(pending_.rows, row)).first;
                entry->second = row;
                keys.push_back(&entry->first);
            }
            const bool follows = follows_live();
            for (std::size_t row = 0; row < pending_.rows.rows(); ++row) {
                const Version& version = pending_.versions[row];
                if (version.ordinal != 0) last = std::max(last, version);
                if (newest[*keys[row]] != row) continue;
                bool live = follows && (version.ordinal == 0 || version > applied_);
                if (live && !ahead.empty()) {
                    const auto found = ahead.find(to_hex(*keys[row]));
                    live = found == ahead.end() || version_text(version) > found->second;
                }
                if (version.ordinal == 0 && version > applied_) {
                    keys_ahead += (keys_ahead.empty() ? "'\\x" : ", '\\x") + to_hex(*keys[row]) + "'";
                    versions_ahead += (versions_ahead.empty() ? "'" : ", '") + version_text(version) + "'";
                }
                if (live || copy_) append_row(rows, pending_.rows, row, version, pending_.ops[row] == Op::remove, live);
            }
            if (!rows.empty()) send_rows(connection, shape_, rows, deadline);
            std::vector<std::string> statements;
            if (follows) {
                statements.push_back(delete_statement(shape_, live_));
                statements.push_back(insert_statement(shape_, live_));
            }
            if (copy_) statements.push_back(staging_statement(shape_, copy_->staging));
            if (!keys_ahead.empty()) {
                statements.push_back("INSERT INTO ysdb.sync_ahead SELECT " + literal(landing_.set) + ", " + literal(live_.text()) + ", told.* FROM unnest(ARRAY[" + keys_ahead + "]::bytea[], ARRAY[" + versions_ahead +
                                     "]::text[]) told ON CONFLICT (set_name, target, row_key) DO UPDATE SET version = excluded.version");
            }
            // Not moved while only a copy has them: readers are not there yet.
            if (follows && last > applied_) statements.push_back(applied_statement(last));
            if (!ahead.empty()) statements.push_back("DELETE FROM ysdb.sync_ahead WHERE set_name = " + literal(landing_.set) + " AND target = " + literal(live_.text()) + " AND version <= '" + version_text(last) + "'");
            statements.emplace_back("COMMIT");
            fault::point("postgres.follow.insert.before");
            run_all(connection, statements, deadline);
            fault::point("postgres.follow.insert.after");
            if (copy_) staged_ = std::max(staged_, last);
        });
        discard();
    }

    void discard() override {
        pending_.rows.clear();
        pending_.ops.clear();
        pending_.versions.clear();
    }

    bool takes_copies() const override { return true; }

    std::unique_ptr<RowWriter> begin_copy(const TableInfo& source, const std::string&, Deadline deadline) override {
        flush(deadline);
        copy_.reset();
        Connection& connection = open(deadline);
        live_exists_ = exists(connection, deadline);
        staged_ = truncated_ = {};
        auto copy = std::make_shared<CopyShape>();
        copy->staging = staging_name();
        std::vector<std::string> statements{"DROP TABLE IF EXISTS " + quote(copy->staging)};
        TableInfo like;
        live_frozen_ = live_exists_ && applied_ != Version{} && !fits(connection, place_.store, live_, source, sent_, deadline);
        if (live_exists_) like = postgres::describe(connection, place_.store, live_, deadline);
        for (std::string& statement : create_statements(source, copy->staging, like, sent_)) statements.push_back(std::move(statement));
        statements.push_back("ALTER TABLE " + quote(copy->staging) + " ADD COLUMN " + quote(version_column) + " uuid NOT NULL, ADD COLUMN " + quote(removed_column) + " boolean NOT NULL");
        fault::point("postgres.copy.create.before");
        run_all(connection, statements, deadline);
        fault::point("postgres.copy.create.after");
        copy_ = copy;
        if (shape_.source.columns.empty() || live_frozen_) take_shape(connection, source, deadline);
        copy->shape = shape_of(source, postgres::describe(connection, place_.store, copy->staging, deadline));
        return std::make_unique<CopyWriter>(place_, copy, label_ + " copy");
    }

    // As long as the table is: no deadline but that of the connection.
    void finish_copy(const std::string&, Deadline deadline) override {
        flush(deadline);
        Connection& connection = open(deadline);
        const Deadline whole = Deadline::never();
        guarded([&] {
            begin(connection, deadline);
            const std::string staging = quote(copy_->staging), removed = quote(removed_column);
            std::vector<std::string> statements{"DELETE FROM " + staging + " WHERE " + quote(version_column) + " < " + uuid_literal(truncated_)};
            if (live_exists_) {
                if (live_frozen_) make_like(connection, place_.store, live_, copy_->staging, shape_, sent_, whole);
                std::string same, ours, theirs;
                for (const std::string& name : shape_.key) same += (same.empty() ? "" : " AND ") + ("s." + quote(name)) + " = t." + quote(name);
                for (const std::string& name : shape_.names) {
                    ours += (ours.empty() ? "" : ", ") + ("t." + quote(name));
                    theirs += (theirs.empty() ? "" : ", ") + ("excluded." + quote(name));
                }
                const std::string set = excluded_list(shape_);
                statements.push_back("ANALYZE " + staging);
                statements.push_back("DELETE FROM " + quote(live_) + " t WHERE NOT EXISTS (SELECT FROM " + staging + " s WHERE NOT s." + removed + " AND " + same + ")");
                statements.push_back("INSERT INTO " + quote(live_) + " AS t (" + quoted_list(shape_.names) + ") SELECT " + quoted_list(shape_.names) + " FROM " + staging + " WHERE NOT " + removed + " ON CONFLICT (" +
                                     quoted_list(shape_.key) + ") " + (set.empty() ? "DO NOTHING" : "DO UPDATE SET " + set + " WHERE ROW(" + ours + ")::text IS DISTINCT FROM ROW(" + theirs + ")::text"));
                statements.push_back("DROP TABLE " + staging);
            } else {
                statements.push_back("DELETE FROM " + staging + " WHERE " + removed);
                statements.push_back("ALTER TABLE " + staging + " DROP COLUMN " + quote(version_column) + ", DROP COLUMN " + removed);
                for (const std::string& column : dropped_meanwhile_) statements.push_back("ALTER TABLE " + staging + " RENAME COLUMN " + quote(column) + " TO " + quote("_dropped_" + column));
                statements.push_back("ALTER TABLE " + staging + " RENAME CONSTRAINT " + quote(copy_->staging.table + "_pkey") + " TO " + quote(live_.table + "_pkey"));
                statements.push_back("ALTER TABLE " + staging + " RENAME TO " + quote(live_.table));
                statements.push_back("ALTER TABLE " + quote(TableRef{copy_->staging.schema, live_.table}) + " SET SCHEMA " + quote(live_.schema));
            }
            Version last = std::max(applied_, staged_);
            {
                const std::lock_guard lock(copy_->mutex);
                last = std::max(last, copy_->version);
            }
            statements.push_back(applied_statement(last));
            statements.emplace_back("COMMIT");
            fault::point("postgres.copy.finish.before");
            run_all(connection, statements, whole);
            fault::point("postgres.copy.finish.after");
            applied_ = last;
        });
        copy_.reset();
        dropped_meanwhile_.clear();
        live_exists_ = true;
        live_frozen_ = false;
        take_shape(connection, TableInfo(shape_.source), deadline);
    }

private:
    // The table there is written while a copy is made only if readers know it already.
    bool follows_live() const { return live_exists_ && !live_frozen_ && (!copy_ || applied_ != Version{}); }

    TableRef staging_name() const {
        const std::string name = landing_.set + "\n" + live_.text();
        return {"ysdb", "copy_" + sha256_hex(name).substr(0, 16)};
    }

    // A connection that failed may have lost its transaction, or not: it is left, and whatever it held with it.
    template <class Work>
    void guarded(const Work& work) {
        try {
            work();
        } catch (...) {
            connection_.reset();
            throw;
        }
    }

    Connection& open(Deadline deadline) {
        if (connection_ != nullptr) return *connection_;
        auto connection = place_.connect(label_, deadline);
        make_tables(*connection, deadline);
        live_ = landing_.target;
        if (live_.schema.empty()) {
            const SqlResult schema = connection->query("SELECT current_schema()", deadline);
            if (schema.row(0).null(0)) throw Error(Code::refused, "store '" + place_.store + "': none of the schemas in search_path exists", "into = \"schema." + live_.table + "\"");
            live_.schema = schema.row(0).text(0);
        }
        connection->query("INSERT INTO ysdb.sync_landings (set_name, target) SELECT $1, $2 WHERE to_regclass($3) IS NULL ON CONFLICT DO NOTHING", Params{landing_.set, live_.text(), quote(live_)}, deadline);
        connection_ = std::move(connection);
        guarded([&] {
            adopt(deadline);
            if (!shape_.source.columns.empty()) run_all(*connection_, {changes_statement(shape_)}, deadline);
        });
        return *connection_;
    }

    // A table that is there and that no set has written may hold somebody's rows: a copy would remove them.
    void adopt(Deadline deadline) {
        const Params mine{landing_.set, live_.text()};
        const SqlResult known = connection_->query("SELECT applied FROM ysdb.sync_landings WHERE set_name = $1 AND target = $2", mine, deadline);
        if (known.rows() > 0) {
            applied_ = parse_version(known.row(0).text(0)).value_or(Version{});
            const SqlResult types = connection_->query("SELECT column_name, sent FROM ysdb.sync_landing_types WHERE set_name = $1 AND target = $2", mine, deadline);
            sent_.clear();
            for (std::size_t i = 0; i < types.rows(); ++i) sent_[types.row(i).text(0)] = types.row(i).text(1);
            return;
        }
        if (connection_->query("SELECT EXISTS (SELECT FROM " + quote(live_) + ")", deadline).row(0).truth(0)) {
            throw Error(Code::refused, fmt::format("store '{}': {} holds rows that sync {} did not write, and would remove", place_.store, live_.text(), landing_.set), "TRUNCATE it, or write another table: into = \"...\"");
        }
        connection_->query("INSERT INTO ysdb.sync_landings (set_name, target) VALUES ($1, $2) ON CONFLICT DO NOTHING", mine, deadline);
        applied_ = {};
    }

    bool exists(Connection& connection, Deadline deadline) const { return connection.query("SELECT to_regclass($1) IS NOT NULL", Params{quote(live_)}, deadline).row(0).truth(0); }

    // Begins the transaction; what other changes than those of the stream are ahead of it, by key.
    std::map<std::string, std::string> begin(Connection& connection, Deadline deadline) {
        connection.query("BEGIN", deadline);
        const Params mine{landing_.set, live_.text()};
        const SqlResult at = connection.query("SELECT applied, EXISTS (SELECT FROM ysdb.sync_ahead a WHERE a.set_name = $1 AND a.target = $2) FROM ysdb.sync_landings WHERE set_name = $1 AND target = $2 FOR UPDATE", mine, deadline);
        if (at.rows() == 0) throw Error(Code::connect, "store '" + place_.store + "': what is known of " + live_.text() + " is gone").with_retryable();
        applied_ = parse_version(at.row(0).text(0)).value_or(Version{});
        std::map<std::string, std::string> ahead;
        if (!at.row(0).truth(1)) return ahead;
        const SqlResult rows = connection.query("SELECT encode(row_key, 'hex'), version FROM ysdb.sync_ahead WHERE set_name = $1 AND target = $2", mine, deadline);
        for (std::size_t i = 0; i < rows.rows(); ++i) ahead[rows.row(i).text(0)] = rows.row(i).text(1);
        return ahead;
    }

    std::string applied_statement(const Version& version) const {
        return "UPDATE ysdb.sync_landings SET applied = '" + version_text(version) + "' WHERE set_name = " + literal(landing_.set) + " AND target = " + literal(live_.text());
    }

    void take_shape(Connection& connection, const TableInfo& source, Deadline deadline) {
        const bool live = live_exists_ && !live_frozen_;
        const TableInfo target = postgres::describe(connection, place_.store, live ? live_ : copy_->staging, deadline);
        Shape shape = shape_of(source, target);
        if (live) check_key(connection, place_.store, live_, shape, deadline);
        shape_ = std::move(shape);
        pending_.rows = Batch(&shape_.source);
        pending_.ops.clear();
        pending_.versions.clear();
        if (live) remember_types(connection, deadline);
        run_all(connection, {"DROP TABLE IF EXISTS pg_temp.ysdb_changes", changes_statement(shape_)}, deadline);
    }

    void remember_types(Connection& connection, Deadline deadline) {
        std::string rows;
        for (std::size_t i = 0; i < shape_.names.size(); ++i) {
            const std::string &column = shape_.names[i], &type = shape_.sent.columns[i].type.native;
            if (std::exchange(sent_[column], type) == type) continue;
            rows += (rows.empty() ? "(" : ", (") + literal(landing_.set) + ", " + literal(live_.text()) + ", " + literal(column) + ", " + literal(type) + ")";
        }
        if (!rows.empty()) run_all(connection, {"INSERT INTO ysdb.sync_landing_types VALUES " + rows + " ON CONFLICT (set_name, target, column_name) DO UPDATE SET sent = excluded.sent"}, deadline);
    }

    // What is to come is added when the copy is whole.
    void alter_frozen(Connection& connection, std::span<const ColumnChange> changes, Deadline deadline) {
        for (const ColumnChange& change : changes) {
            const bool dropped = change.kind == ColumnChange::Kind::dropped;
            if (dropped || (change.kind == ColumnChange::Kind::renamed && find_column(postgres::describe(connection, place_.store, live_, deadline).columns, change.before) != nullptr)) alter(connection, place_.store, live_, std::span(&change, 1), deadline);
        }
    }

    // The copier goes on with the columns it began with: dropped ones keep their place until it is done.
    void alter_copy(Connection& connection, std::span<const ColumnChange> changes, Deadline deadline) {
        for (const ColumnChange& change : changes) {
            if (change.kind == ColumnChange::Kind::dropped) {
                dropped_meanwhile_.push_back(change.column);
                continue;
            }
            alter(connection, place_.store, copy_->staging, std::span(&change, 1), deadline);
            if (change.kind != ColumnChange::Kind::renamed) continue;
            const std::lock_guard lock(copy_->mutex);
            for (auto* names : {&copy_->shape.names, &copy_->shape.key}) std::replace(names->begin(), names->end(), change.before, change.column);
        }
    }

    const SinkPlace& place_;
    Landing landing_;
    std::string label_;
    std::unique_ptr<Connection> connection_;
    TableRef live_;
    bool live_exists_ = false;
    bool live_frozen_ = false;             // cannot take the rows as they are now: left alone until its copy is whole
    Version applied_;                      // in the table
    Shape shape_;
    SentTypes sent_;                       // when the table was found to take what is sent
    std::shared_ptr<CopyShape> copy_;      // null: no copy is being made
    Version staged_, truncated_;           // of changes that the copy has; of the last truncation meanwhile
    std::vector<std::string> dropped_meanwhile_;
    ChangeBatch pending_{Batch(), {}, {}};
};

class Sink final : public ChangeSink {
public:
    explicit Sink(SinkPlace place) : place_(std::move(place)) {}

    std::unique_ptr<ChangeWriter> follow(const Landing& landing, Deadline) override { return std::make_unique<Follower>(place_, landing); }

    std::uint32_t epoch(const std::string& set, Deadline deadline) override {
        const auto connection = place_.connect("ysdb sync " + set + " epoch", deadline);
        make_tables(*connection, deadline);
        return static_cast<std::uint32_t>(connection->query("SELECT coalesce(max(epoch), 0) FROM ysdb.sync_epochs WHERE set_name = $1", Params{set}, deadline).row(0).integer(0));
    }

    void begin_epoch(const std::string& set, std::uint32_t epoch, Deadline deadline) override {
        const auto connection = place_.connect("ysdb sync " + set + " epoch", deadline);
        make_tables(*connection, deadline);
        connection->query("INSERT INTO ysdb.sync_epochs (set_name, epoch) VALUES ($1, $2) ON CONFLICT DO NOTHING", Params{set, std::to_string(epoch)}, deadline);
    }

    // Each flush is a commit, which waits for the disk.
    Millis batch_age() const override { return Millis(100); }
    // What is not beyond the version of the last flush is taken for known.
    bool needs_order() const override { return true; }

private:
    SinkPlace place_;
};

}  // namespace

std::unique_ptr<ChangeSink> change_sink(std::string store, const Locator& locator, Millis connect_timeout) { return std::make_unique<Sink>(SinkPlace{std::move(store), locator, connect_timeout}); }

}  // namespace ysdb::postgres
