#include "core/store/postgres/wal_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "core/base/time.h"
#include "core/store/lsn.h"
#include "core/store/postgres/catalog.h"
#include "core/store/postgres/pgoutput.h"
#include "core/store/postgres/replication_stream.h"
#include "core/store/postgres/row_lookup.h"
#include "core/store/postgres/spool.h"
#include "core/store/postgres/sql_build.h"
#include "core/store/postgres/table_facts.h"
#include "core/store/postgres/told_relations.h"
#include "core/store/postgres/tuple_rows.h"
#include "core/store/segment_builder.h"

namespace ysdb::postgres {

namespace {

// A busy stream would wake this process, and everybody behind it, for each of its transactions: what comes within a millisecond is told at once.
constexpr std::chrono::microseconds breath{1'000};
constexpr std::size_t little_bytes = 64u << 10;   // more than that of changes at once is not told for want of more

constexpr std::string_view own_origin = "ysdb_partition";  // rows moved between partitions are no changes (law 11)

class WalSource final : public ChangeSource {
public:
    WalSource(const Target& target, CaptureOptions options, std::atomic<bool>& as_text, Deadline deadline)
        : options_(std::move(options)), as_text_(as_text), catalog_(Connection::open(target, "ysdb sync " + options_.set + " catalog", deadline)), lookup_(*catalog_), spool_(options_.spool_directory), relations_(options_, *catalog_, builder_, deadline) {
        use_text_settings(*catalog_, deadline);
        told_ = options_.start;
        start(target, deadline);
    }

    Segment read(Millis wait, std::stop_token stop) override {
        std::this_thread::sleep_until(rests_until_);
        const auto began = SteadyClock::now();
        Segment segment;
        builder_.begin(segment);
        const Deadline deadline = Deadline::after(wait);
        while (segment.bytes < options_.segment_bytes) {
            if (replay_) {
                replay_next();
                continue;
            }
            const bool whole = !in_transaction_ && (!segment.parts.empty() || segment.complete > told_);
            const auto message = stream_->next(whole ? Millis(0) : deadline.left(), stop);
            if (message) {
                take(*message);
            } else if (whole || deadline.passed()) {
                break;
            }
        }
        stream_->check();
        if (!in_transaction_ && !replay_) relations_.look_for_tables({options_.epoch, std::max(position_, told_), 2 * message_});
        resolve_unsent(stop);
        if (segment.complete <= told_) segment.complete = 0;
        else told_ = segment.complete;
        builder_.end();
        rests_until_ = segment.complete != 0 && segment.bytes < little_bytes ? began + breath : SteadyClock::time_point{};
        return segment;
    }

    void acknowledge(std::uint64_t position, bool at_once) override { stream_->acknowledge(position, at_once); }

private:
    void start(const Target& target, Deadline deadline) {
        const auto version = catalog_->query("SELECT current_setting('server_version_num')::int", deadline).row(0).integer(0);
        std::string sql = fmt::format("START_REPLICATION SLOT {} LOGICAL {} (proto_version '{}', publication_names {}", quote(slot_name(options_.set)), lsn_text(options_.start),
                                      version >= 160000 ? 4 : version >= 150000 ? 3 : version >= 140000 ? 2 : 1, literal(quote(publication_name(options_.set))));
        if (version >= 140000) sql += ", messages 'true', streaming 'on'";
        // Types we have no binary reading of (ranges, composite types, addresses) come as text, and then everything does: the choice is the
        // whole stream's.
        if (!as_text_ && any_as_text(deadline)) as_text_ = true;
        binary_ = version >= 140000 && !as_text_;
        if (binary_) sql += ", binary 'true'";
        const Millis patience(catalog_->query("SELECT setting::bigint FROM pg_settings WHERE name = 'wal_sender_timeout'", deadline).row(0).integer(0));
        auto connection = Connection::open(replication_target(target), "ysdb sync " + options_.set, deadline);
        use_text_settings(*connection, deadline);
        stream_.emplace(std::move(connection), sql + ")", options_.start, patience, options_.answer_within, deadline);
    }

    bool any_as_text(Deadline deadline) {
        for (const TableRef& table : options_.tables) {
            try {
                for (const ColumnInfo& column : describe(*catalog_, "", table, deadline).columns) {
                    if (told_as_text(column.type) && !(options_.left_out && options_.left_out(table, column.name))) return true;
                }
            } catch (const Error& error) {
                if (error.code() != Code::refused) throw;  // a table that is gone has no columns
            }
        }
        return false;
    }

    void take(const ReplicationStream::Message& message) {
        if (!message.change.empty()) return take_change(message.change);
        if (in_transaction_) return;
        builder_.segment().complete = std::max(builder_.segment().complete, message.end);
        builder_.segment().whole = builder_.segment().parts.size();
    }

    void take_change(std::string_view bytes) {
        MessageReader message(bytes);
        const char kind = message.byte();
        switch (kind) {
            case 'S':
                streaming_ = message.integer<std::uint32_t>();
                return;
            case 'E':
                streaming_ = 0;
                return;
            case 'c': return stream_commit(message);
            case 'A': {
                const auto top = message.integer<std::uint32_t>();
                const auto sub = message.integer<std::uint32_t>();
                spool_.abort(top, sub);
                return;
            }
            default:
                if (streaming_ != 0) spool_.add(streaming_, bytes);
                else apply(kind, message);
        }
    }

    void stream_commit(MessageReader& message) {
        const auto xid = message.integer<std::uint32_t>();
        message.byte();
        begin(message.integer<std::uint64_t>(), xid);
        end_position_ = message.integer<std::uint64_t>();
        commit_micros_ = message.integer<std::int64_t>() + epoch_micros;
        builder_.committed(commit_micros_);
        replay_ = spool_.committed(xid);
        if (!replay_) commit();
    }

    // One message of a transaction that was told before its commit.
    void replay_next() {
        std::uint32_t sub = 0;
        const auto bytes = replay_->next();
        if (!bytes) {
            replay_.reset();
            commit();
            return;
        }
        MessageReader message(*bytes);
        const char kind = message.byte();
        if (kind != 'O') sub = message.integer<std::uint32_t>();   // the one message that does not say whose it is: the transaction's
        if (!replay_->aborted(sub)) apply(kind, message);
    }

    // --- what happened ---

    void begin(std::uint64_t position, std::uint32_t xid) {
        in_transaction_ = true;
        builder_.committed(commit_micros_);
        skipped_ = false;
        position_ = position;
        xid_ = xid;
        message_ = 0;
        relations_.begin();
    }

    void commit() {
        in_transaction_ = false;
        builder_.segment().complete = end_position_;
        builder_.segment().whole = builder_.segment().parts.size();
        builder_.segment().commit_micros = commit_micros_;
        if (builder_.segment().first_commit_micros == 0) builder_.segment().first_commit_micros = commit_micros_;
    }

    void apply(char kind, MessageReader& message) {
        switch (kind) {
            case 'B': {
                const auto position = message.integer<std::uint64_t>();
                commit_micros_ = message.integer<std::int64_t>() + epoch_micros;
                begin(position, message.integer<std::uint32_t>());
                return;
            }
            case 'C':
                message.byte();
                message.integer<std::uint64_t>();
                end_position_ = message.integer<std::uint64_t>();
                commit_micros_ = message.integer<std::int64_t>() + epoch_micros;
                commit();
                return;
            case 'O':
                message.integer<std::uint64_t>();
                skipped_ = message.text() == own_origin;
                return;
            case 'R': return described(message);
            case 'I':
                ++message_;
                relations_.inserted();
                if (Relation* relation = changed(message)) insert(*relation, message);
                return;
            case 'U':
                ++message_;
                if (Relation* relation = changed(message)) update(*relation, message);
                return;
            case 'D':
                ++message_;
                if (Relation* relation = changed(message)) remove(*relation, message);
                return;
            case 'T': return truncate(message);
            case 'M': return told(message);
            case 'b': case 'P': case 'K': case 'r': case 'p':
                throw Error(Code::internal, "the server tells prepared transactions before they are committed, which was not asked for");
            default: return;  // types
        }
    }

    // Two ordinals a message, for the row that goes and the row that comes; also of tables that are not followed, so that a replay counts the
    // same when others are.
    Version version_going() const { return {options_.epoch, position_, 2 * message_ - 1}; }
    Version version_coming() const { return {options_.epoch, position_, 2 * message_}; }

    // The relation that the message is about; null where nobody wants to be told.
    Relation* changed(MessageReader& message) {
        const auto id = message.integer<std::uint32_t>();
        return skipped_ ? nullptr : relations_.changed(id, version_coming());
    }

    void described(MessageReader& message) {
        const Relation& relation = relations_.described(read_relation(message), version_coming());
        if (!binary_ || !relation.layout.only_text) return;
        as_text_ = true;
        throw Error(Code::connect, relation.layout.table->ref.text() + " has a column now that only its text tells: changes are read again from here on, as text").with_retryable();
    }

    // The tuple in hand. One that has no canonical form is noted.
    void add_row(Relation& relation, Op op, bool from_old) {
        ChangeBatch& changes = builder_.rows(relation.open, relation.layout.table);
        const std::size_t row = changes.rows.rows(), before = changes.rows.byte_size();
        if (auto rejected = tuple_.add(relation.layout, changes.rows, from_old)) {
            builder_.reject({relation.layout.table->ref, std::move(rejected->key), std::move(rejected->column), std::move(rejected->reason), version_coming()});
            return;
        }
        builder_.added(changes, before, op, version_coming());
        if (!from_old) note_unsent(relation, row);
    }

    void insert(Relation& relation, MessageReader& message) {
        message.byte();  // 'N'
        tuple_.take(message);
        add_row(relation, Op::insert, false);
    }

    void remove_old(Relation& relation) { builder_.remove(relation.open, relation.layout.table, tuple_.old(), version_going()); }

    void update(Relation& relation, MessageReader& message) {
        char kind = message.byte();
        const bool whole = kind == 'O';
        bool moved = false;
        if (kind == 'K' || kind == 'O') {
            tuple_.take(message);
            moved = tuple_.take_old(relation.layout);
            kind = message.byte();
        }
        tuple_.take(message);
        moved = moved && !tuple_.same_key(relation.layout);
        if (moved) remove_old(relation);
        add_row(relation, moved ? Op::insert : Op::upsert, whole);
    }

    void remove(Relation& relation, MessageReader& message) {
        message.byte();  // 'K' or 'O'
        tuple_.take(message);
        if (!tuple_.take_old(relation.layout)) {
            const TableRef& ref = relation.layout.table->ref;
            throw Error(Code::refused, ref.text() + ": a removal came without the primary key", "ALTER TABLE " + quote(ref) + " REPLICA IDENTITY DEFAULT");
        }
        remove_old(relation);
    }

    void truncate(MessageReader& message) {
        const auto count = message.integer<std::uint32_t>();
        message.byte();
        for (std::uint32_t i = 0; i < count; ++i) {
            ++message_;
            Relation* relation = changed(message);
            if (relation == nullptr) continue;
            builder_.truncate(relation->open, relation->layout.table, version_coming());
            relations_.truncated(*relation);
        }
    }

    // What the event trigger of `sync install` says of a table's new definition, in its place in the stream.
    void told(MessageReader& message) {
        message.byte();
        message.integer<std::uint64_t>();
        const std::string_view prefix = message.text();
        if (prefix != facts_prefix && prefix != truncate_prefix && prefix != attach_prefix && prefix != joined_prefix) return;
        const std::string_view bytes = message.bytes(message.integer<std::uint32_t>());
        // Before the commit all that the stream says of a message is the transaction as a whole, whichever part of it was rolled back.
        if (replay_) {
            if (const auto teller = teller_of(bytes); teller && replay_->aborted(*teller)) return;
        }
        if (prefix == facts_prefix) ++message_;   // a change of columns has a version of its own, whoever is followed
        if (skipped_ && (prefix == attach_prefix || prefix == joined_prefix)) return;
        relations_.message(prefix, bytes, version_coming());
    }

    // --- values that an update left out because they did not change and are stored apart (TOAST) ---

    void note_unsent(Relation& relation, std::size_t row) {
        std::vector<std::uint32_t> columns = tuple_.unsent(relation.layout);
        if (columns.empty()) return;
        unsent_.push_back({relation.open.part, row, std::move(columns), relation.id});
        unsent_by_.insert(xid_);
    }

    // The source has them. A row that is not there any more gets a removal later in the stream: its update is left out.
    void resolve_unsent(std::stop_token stop) {
        if (unsent_.empty()) return;
        lookup_.wait_visible(unsent_by_, options_.timeout, stop, [this] { stream_->keep_alive(); });
        std::map<std::size_t, std::vector<UnsentCells>> by_part;
        for (UnsentCells& cells : unsent_) by_part[cells.part].push_back(std::move(cells));
        for (auto& [part, cells] : by_part) lookup_.fill(builder_.segment().parts[part].changes, cells, Deadline::after(options_.answer_within), [this](RejectedChange row) { builder_.reject(std::move(row)); });
        unsent_.clear();
        unsent_by_.clear();
    }

    CaptureOptions options_;
    std::atomic<bool>& as_text_;       // the stream has to come as text
    std::unique_ptr<Connection> catalog_;
    std::optional<ReplicationStream> stream_;
    RowLookup lookup_;
    Spool spool_;
    std::unique_ptr<Spool::Reader> replay_;
    SegmentBuilder builder_;
    ToldRelations relations_;
    TupleRows tuple_;
    std::vector<UnsentCells> unsent_;
    std::set<std::uint32_t> unsent_by_;

    bool binary_ = false;              // the stream comes so
    bool in_transaction_ = false;
    bool skipped_ = false;             // the transaction moves rows, it changes none
    std::uint32_t streaming_ = 0;      // the transaction whose changes come before its commit; 0: none
    std::uint32_t xid_ = 0;
    std::uint32_t message_ = 0;        // of the transaction: inserts, updates, removals, truncated tables
    std::uint64_t position_ = 0;       // of the commit
    std::uint64_t end_position_ = 0;
    std::int64_t commit_micros_ = 0;

    std::uint64_t told_ = 0;
    SteadyClock::time_point rests_until_{};   // after little was told
};

}  // namespace

std::string slot_name(const std::string& set) { return "ysdb_" + set; }
std::string publication_name(const std::string& set) { return "ysdb_" + set; }

Target replication_target(Target target) {
    target.keywords.emplace_back("replication", "database");
    return target;
}

std::unique_ptr<ChangeSource> open_wal_source(const Target& target, const CaptureOptions& options, std::atomic<bool>& as_text, Deadline deadline) {
    return std::make_unique<WalSource>(target, options, as_text, deadline);
}

}  // namespace ysdb::postgres
