#include "core/store/postgres/wal_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "core/store/lsn.h"
#include "core/store/postgres/catalog.h"
#include "core/store/postgres/fields.h"
#include "core/store/postgres/followed_table.h"
#include "core/store/postgres/pgoutput.h"
#include "core/store/postgres/replication_stream.h"
#include "core/store/postgres/row_lookup.h"
#include "core/store/postgres/spool.h"
#include "core/store/postgres/sql_build.h"
#include "core/store/postgres/table_facts.h"
#include "core/store/segment_builder.h"
#include "core/value/show.h"

namespace ysdb::postgres {

namespace {

constexpr Millis look_every{2'000};           // whether every table is still published
constexpr std::string_view own_origin = "ysdb_partition";  // rows moved between partitions are no changes (law 11)

// A relation as this connection was told of it. Ids are the connection's.
struct Relation {
    std::shared_ptr<const TableInfo> table;   // null: not followed
    std::vector<Field> binary, text;
    bool halted = false;
    std::uint32_t id = 0;
    // Described where nobody wants it yet: told with the first change that somebody wants, unless that halts the table.
    bool untold = false;
    std::string cannot;                       // why not, then
    std::map<std::string, AddedColumn> added;
    SegmentBuilder::Open open;
};

class WalSource final : public ChangeSource {
public:
    WalSource(const Target& target, CaptureOptions options, Deadline deadline)
        : options_(std::move(options)), catalog_(Connection::open(target, "ysdb sync " + options_.set + " catalog", deadline)), lookup_(*catalog_), spool_(options_.spool_directory), shapes_(std::move(options_.known)) {
        use_text_settings(*catalog_, deadline);
        for (const TableRef& table : options_.tables) followed_.insert(table);
        told_ = options_.start;
        told_in_place_ = tells_tables(*catalog_, deadline);
        start(target, deadline);
    }

    Segment read(Millis wait, std::stop_token stop) override {
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
        if (!in_transaction_ && !replay_) look_for_tables();
        resolve_unsent(stop);
        if (segment.complete <= told_) segment.complete = 0;
        else told_ = segment.complete;
        builder_.end();
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
        if (version >= 140000 && !any_as_text(deadline)) sql += ", binary 'true'";
        const Millis patience(catalog_->query("SELECT setting::bigint FROM pg_settings WHERE name = 'wal_sender_timeout'", deadline).row(0).integer(0));
        auto connection = Connection::open(replication_target(target), "ysdb sync " + options_.set, deadline);
        use_text_settings(*connection, deadline);
        stream_.emplace(std::move(connection), sql + ")", options_.start, patience, options_.answer_within, deadline);
    }

    static bool tells_tables(Connection& session, Deadline deadline) {
        return session.query("SELECT 1 FROM pg_event_trigger WHERE evtname = $1 AND evtenabled <> 'D'", std::vector<std::optional<std::string>>{std::string(event_trigger)}, deadline).rows() > 0;
    }

    bool any_as_text(Deadline deadline) {
        for (const TableRef& table : options_.tables) {
            try {
                for (const ColumnInfo& column : describe(*catalog_, "", table, deadline).columns) {
                    const TypeKind kind = column.type.kind == TypeKind::array ? column.type.element->kind : column.type.kind;
                    if (kind == TypeKind::other) return true;
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
        sub = message.integer<std::uint32_t>();
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
        truncated_.clear();
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
            case 'R': return relation(read_relation(message));
            case 'I':
                ++message_;
                if (!truncated_.empty()) truncated_.clear();
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

    Relation* changed(MessageReader& message) {
        const auto found = relations_.find(message.integer<std::uint32_t>());
        if (found == relations_.end()) throw Error(Code::internal, "the server told a change of a relation that it had not described");
        Relation& relation = found->second;
        if (relation.table == nullptr || relation.halted || skipped_ || !wanted(relation.table->ref)) return nullptr;
        if (std::exchange(relation.untold, false)) tell_shape(relation);
        return relation.halted ? nullptr : &relation;
    }

    // Whether anybody wants what this transaction did to the table.
    bool wanted(const TableRef& table) const {
        const auto from = options_.from.find(table);
        return from == options_.from.end() || position_ >= from->second;
    }

    // Two ordinals a message, for the row that goes and the row that comes; also of tables that are not followed, so that a replay counts the
    // same when others are.
    Version version_going() const { return {options_.epoch, position_, 2 * message_ - 1}; }
    Version version_coming() const { return {options_.epoch, position_, 2 * message_}; }

    ChangeBatch& open_part(Relation& relation) { return builder_.rows(relation.open, relation.table); }

    // Adds the row in fields_, with NULL for what is not there. `old`: the row before, where unsent values come from. False when it has no
    // canonical form: it was noted.
    bool add_row(Relation& relation, ChangeBatch& changes, Op op, const Batch* old) {
        Batch& rows = changes.rows;
        const TableInfo& table = *relation.table;
        if (fields_.size() != table.columns.size()) throw Error(Code::internal, table.ref.text() + ": a row has not the columns that were told");
        const std::size_t row = rows.rows();
        const std::size_t before = rows.byte_size();
        const Version version = version_coming();
        bool unsent = false;
        for (std::size_t c = 0; c < fields_.size(); ++c) {
            const TupleField& field = fields_[c];
            if (field.kind == 'u' && old != nullptr) {
                rows.append_cell(*old, old->cell(0, c));
                continue;
            }
            unsent = unsent || field.kind == 'u';
            if (field.kind != 't' && field.kind != 'b') {
                rows.add_null();
                continue;
            }
            const auto* data = reinterpret_cast<const std::uint8_t*>(field.bytes.data());
            const auto size = static_cast<std::uint32_t>(field.bytes.size());
            const Type& type = table.columns[c].type;
            if ((field.kind == 'b' ? relation.binary : relation.text)[c](data, size, type, rows)) [[likely]] continue;
            rows.drop_rows_from(row);
            reject(relation, c, field.kind == 'b' ? why_not_binary(type, data, size) : why_not_text(type, field.bytes), version);
            return false;
        }
        builder_.added(changes, before, op, version);
        if (unsent) note_unsent(relation, row);
        return true;
    }

    // What can be read of the row in fields_, for its key.
    void reject(Relation& relation, std::size_t column, std::string reason, const Version& version) {
        Batch row(relation.table.get());
        for (std::size_t c = 0; c < fields_.size(); ++c) {
            const auto* data = reinterpret_cast<const std::uint8_t*>(fields_[c].bytes.data());
            const auto size = static_cast<std::uint32_t>(fields_[c].bytes.size());
            const std::size_t cells = row.cells().size();
            const bool sent = fields_[c].kind == 't' || fields_[c].kind == 'b';
            if (sent && (fields_[c].kind == 'b' ? relation.binary : relation.text)[c](data, size, relation.table->columns[c].type, row)) continue;
            row.drop_cells_from(cells);
            row.add_null();
        }
        builder_.reject({relation.table->ref, show_key(row, 0), relation.table->columns[column].name, std::move(reason), version});
    }

    void insert(Relation& relation, MessageReader& message) {
        message.byte();  // 'N'
        read_tuple(message, fields_);
        add_row(relation, open_part(relation), Op::insert, nullptr);
    }

    // The tuple in fields_ as one row of old_, for what it tells: a key, or all.
    bool read_old(Relation& relation) {
        old_ = Batch(relation.table.get());
        for (std::size_t c = 0; c < fields_.size(); ++c) {
            const TupleField& field = fields_[c];
            const auto* data = reinterpret_cast<const std::uint8_t*>(field.bytes.data());
            const auto size = static_cast<std::uint32_t>(field.bytes.size());
            const std::size_t cells = old_.cells().size();
            if (field.kind == 't' || field.kind == 'b') {
                if ((field.kind == 'b' ? relation.binary : relation.text)[c](data, size, relation.table->columns[c].type, old_)) continue;
                old_.drop_cells_from(cells);
            }
            old_.add_null();
        }
        return std::none_of(relation.table->key.begin(), relation.table->key.end(), [&](std::uint32_t k) { return old_.cell(0, k).is_null(); });
    }

    void remove_old(Relation& relation) { builder_.remove(relation.open, relation.table, old_, version_going()); }

    void update(Relation& relation, MessageReader& message) {
        char kind = message.byte();
        const bool whole = kind == 'O';
        bool moved = false;
        if (kind == 'K' || kind == 'O') {
            read_tuple(message, fields_);
            moved = read_old(relation);
            kind = message.byte();
        }
        read_tuple(message, fields_);
        moved = moved && !same_key(relation);
        if (moved) remove_old(relation);
        add_row(relation, open_part(relation), moved ? Op::insert : Op::upsert, whole ? &old_ : nullptr);
    }

    // Whether the new tuple in fields_ has the key of old_.
    bool same_key(Relation& relation) {
        Batch fresh(relation.table.get());
        for (std::size_t c = 0; c < fields_.size(); ++c) {
            const TupleField& field = fields_[c];
            const bool in_key = std::find(relation.table->key.begin(), relation.table->key.end(), c) != relation.table->key.end();
            if (in_key && field.kind == 'u') fresh.append_cell(old_, old_.cell(0, c));
            else if (!in_key || (field.kind != 't' && field.kind != 'b')) fresh.add_null();
            else if (!(field.kind == 'b' ? relation.binary : relation.text)[c](reinterpret_cast<const std::uint8_t*>(field.bytes.data()), static_cast<std::uint32_t>(field.bytes.size()),
                                                                             relation.table->columns[c].type, fresh)) {
                return true;  // the new row is going to be rejected: the old one stays until somebody looks
            }
        }
        return std::all_of(relation.table->key.begin(), relation.table->key.end(), [&](std::uint32_t k) { return std::ranges::equal(fresh.value(0, k), old_.value(0, k)); });
    }

    void remove(Relation& relation, MessageReader& message) {
        message.byte();  // 'K' or 'O'
        read_tuple(message, fields_);
        if (!read_old(relation)) throw Error(Code::refused, relation.table->ref.text() + ": a removal came without the primary key", "ALTER TABLE " + quote(relation.table->ref) + " REPLICA IDENTITY DEFAULT");
        remove_old(relation);
    }

    void truncate(MessageReader& message) {
        const auto count = message.integer<std::uint32_t>();
        message.byte();
        for (std::uint32_t i = 0; i < count; ++i) {
            ++message_;
            Relation* relation = changed(message);
            if (relation == nullptr) continue;
            builder_.truncate(relation->open, relation->table, version_coming());
            truncated_.insert(relation->table->ref);
        }
    }

    // --- shapes ---

    void relation(const RelationMessage& told) {
        Relation& relation = relations_[told.id];
        const TableRef ref{told.schema, told.name};
        const auto before = relation.table;
        relation = {};
        relation.id = told.id;
        if (!followed_.contains(ref)) {
            if (before != nullptr && wanted(before->ref)) {
                halt(relation, before, "the table is now called " + ref.text());
                relation.table = nullptr;
            }
            return;
        }
        const Deadline deadline = Deadline::after(Millis(30'000));
        const auto message = facts_told_.find(told.id);
        const bool in_place = message != facts_told_.end();
        const TableFacts facts = in_place ? message->second : table_facts(*catalog_, ref, deadline);
        auto table = std::make_shared<TableInfo>(shape_of(told, facts, in_place, deadline));
        relation.table = table;
        for (const ColumnInfo& column : table->columns) {
            relation.binary.push_back(binary_field(column.type));
            relation.text.push_back(text_field(column.type));
        }
        relation.cannot = cannot_follow(told, *table);
        relation.added = facts.added;
        if (!wanted(ref)) relation.untold = true;
        else tell_shape(relation);
    }

    // Of the change before: a description is none, and comes as the connection pleases.
    void tell_shape(Relation& relation) {
        if (!relation.cannot.empty()) return halt(relation, relation.table, relation.cannot);
        SegmentPart part = shapes_.tell(relation.table, relation.added, version_coming());
        relation.halted = part.kind == SegmentPart::Kind::halt;
        builder_.add(relation.open, std::move(part));
    }

    // The catalog may be ahead of the stream: where definitions are told in the stream, a known name is the column it was, as long as nothing
    // else was told; elsewhere the catalog is all there is, and only a name it does not have any more is taken for what it was.
    TableInfo shape_of(const RelationMessage& told, const TableFacts& facts, bool in_place, Deadline deadline) {
        const TableRef ref{told.schema, told.name};
        std::vector<ToldColumn> columns;
        for (const RelationColumn& each : told.columns) {
            ToldColumn column{each.name, {each.type, each.modifier}};
            const int known = in_place ? 0 : shapes_.number(ref, column.name);
            const auto fact = facts.columns.find(column.name);
            if (fact != facts.columns.end()) {
                column.number = fact->second.number;
                column.nullable = fact->second.nullable;
                column.comment = fact->second.comment;
            }
            if (known != 0 && (told_in_place_ || fact == facts.columns.end())) column.number = known;
            columns.push_back(std::move(column));
        }
        return told_table(*catalog_, ref, columns, key_of(told, columns, facts), deadline);
    }

    // The primary key's columns as the stream calls them. The catalog may know them by other names by now, or have another key: with the default
    // identity the description says what the key was.
    static std::vector<std::string> key_of(const RelationMessage& told, const std::vector<ToldColumn>& columns, const TableFacts& facts) {
        std::vector<std::string> key, flagged;
        for (const std::string& name : facts.key) {
            const auto fact = facts.columns.find(name);
            const auto column = std::find_if(columns.begin(), columns.end(), [&](const ToldColumn& c) { return fact != facts.columns.end() && c.number != 0 && c.number == fact->second.number; });
            key.push_back(column == columns.end() ? name : column->name);
        }
        for (const RelationColumn& column : told.columns) {
            if (told.identity == 'd' && column.identifies) flagged.push_back(column.name);
        }
        return flagged.empty() || std::is_permutation(flagged.begin(), flagged.end(), key.begin(), key.end()) ? key : flagged;
    }

    static std::string cannot_follow(const RelationMessage& told, const TableInfo& table) {
        if (table.key.empty()) return "it has no primary key any more, or changes are told without a column of it";
        if (told.identity == 'n') return "its REPLICA IDENTITY is NOTHING: updates and removals do not say which row they are of";
        for (const std::uint32_t k : table.key) {
            const auto column = std::find_if(told.columns.begin(), told.columns.end(), [&](const RelationColumn& c) { return c.name == table.columns[k].name; });
            if (!column->identifies) return "its REPLICA IDENTITY does not hold the primary key's column " + column->name;
        }
        return "";
    }

    void halt(Relation& relation, const std::shared_ptr<const TableInfo>& table, const std::string& why) {
        relation.halted = true;
        builder_.halt(relation.open, table, version_coming(), why);
    }

    // Told here and not when the next row is described: that may come in another run, when the catalog has forgotten what older rows hold.
    void definition_told(Relation& relation, const TableFacts& facts) {
        if (relation.halted || !wanted(facts.ref)) return;
        std::map<int, ToldColumn> columns;
        for (const auto& [name, fact] : facts.columns) {
            if (!fact.generated && fact.type.oid != 0) columns[fact.number] = {name, fact.type, fact.number, fact.nullable, fact.comment};
        }
        std::vector<ToldColumn> ordered;
        for (auto& [_, column] : columns) ordered.push_back(std::move(column));
        const auto table = std::make_shared<TableInfo>(told_table(*catalog_, facts.ref, ordered, facts.key, Deadline::after(Millis(30'000))));
        if (const std::string why = shapes_.rewritten(facts); !why.empty()) return halt(relation, table, why);
        if (ordered.empty() || table->key.empty()) return;   // the next row's description says why
        SegmentPart part = shapes_.tell(table, facts.added, version_coming());
        relation.halted = part.kind == SegmentPart::Kind::halt;
        if (relation.halted || !part.columns.empty()) builder_.add(relation.open, std::move(part));
    }

    // A partition was truncated by itself, unless its table was just now: the trigger on it fires for that, too.
    void partition_truncated(std::string_view message) {
        const auto json = nlohmann::json::parse(message);
        const TableRef ref{json.at("schema"), json.at("name")};
        if (!followed_.contains(ref) || truncated_.contains(ref) || !wanted(ref)) return;
        Relation& relation = relations_[json.at("relation").get<std::uint32_t>()];
        if (relation.halted) return;
        const auto table = std::make_shared<TableInfo>();
        table->ref = ref;
        halt(relation, table, "its partition " + json.at("partition").get<std::string>() + " was truncated by itself: which rows that took, no change tells");
    }

    // A table under a known name, or a partition of one, that came with rows which no change tells.
    void came_with_rows(std::string_view prefix, std::string_view message) {
        const auto json = nlohmann::json::parse(message);
        const TableRef ref{json.at("schema"), json.at("name")};
        if (!followed_.contains(ref) || !wanted(ref) || skipped_) return;
        Relation& relation = relations_[json.at("relation").get<std::uint32_t>()];
        if (relation.halted) return;
        const auto table = std::make_shared<TableInfo>();
        table->ref = ref;
        halt(relation, table, prefix == joined_prefix ? "it is another table than the one that was copied (dropped and made anew, or swapped by renames), or was not published for a time: what happened meanwhile, no change tells"
                                                      : "its partition " + json.at("partition").get<std::string>() + " was attached with rows in it, which no change tells");
    }

    // A table that was dropped, or has another name now, is not published any more under its own, and the stream is silent about it.
    void look_for_tables() {
        if (SteadyClock::now() - looked_ < look_every) return;
        looked_ = SteadyClock::now();
        const SqlResult found = catalog_->query("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1", std::vector<std::optional<std::string>>{publication_name(options_.set)},
                                                Deadline::after(options_.answer_within));   // a server that has gone silent is given up no later than by the stream
        std::set<TableRef> published;
        for (std::size_t i = 0; i < found.rows(); ++i) published.insert({found.row(i).text(0), found.row(i).text(1)});
        for (const TableRef& ref : followed_) {
            if (published.contains(ref) || !gone_.insert(ref).second) continue;
            const auto table = std::make_shared<TableInfo>();
            table->ref = ref;
            SegmentBuilder::Open open;
            builder_.halt(open, table, {options_.epoch, std::max(position_, told_), 2 * message_}, "it was dropped, or has another name now: the publication has no table of that name");
            builder_.segment().whole = builder_.segment().parts.size();
        }
    }

    // What the event trigger of `sync install` says of a table's new definition, in its place in the stream.
    void told(MessageReader& message) {
        message.byte();
        message.integer<std::uint64_t>();
        const std::string_view prefix = message.text();
        if (prefix != facts_prefix && prefix != truncate_prefix && prefix != attach_prefix && prefix != joined_prefix) return;
        const auto size = message.integer<std::uint32_t>();
        if (prefix == truncate_prefix) return partition_truncated(message.bytes(size));
        if (prefix != facts_prefix) return came_with_rows(prefix, message.bytes(size));
        auto [relation, facts] = parse_facts(message.bytes(size));
        if (const auto before = facts_told_.find(relation); before != facts_told_.end()) keep_fills(before->second, facts);
        ++message_;   // a change of columns has a version of its own, whoever is followed
        if (followed_.contains(facts.ref)) definition_told(relations_[relation], facts);
        facts_told_[relation] = std::move(facts);
    }

    // --- values that an update left out because they did not change and are stored apart (TOAST) ---

    void note_unsent(Relation& relation, std::size_t row) {
        std::vector<std::uint32_t> columns;
        for (std::uint32_t c = 0; c < fields_.size(); ++c) {
            if (fields_[c].kind == 'u') columns.push_back(c);
        }
        unsent_.push_back({relation.open.part, row, std::move(columns), relation.id});
        unsent_by_.insert(xid_);
    }

    // The source has them. A row that is not there any more gets a removal later in the stream: its update is left out.
    void resolve_unsent(std::stop_token stop) {
        if (unsent_.empty()) return;
        lookup_.wait_visible(unsent_by_, stop, [this] { stream_->keep_alive(); });
        std::map<std::size_t, std::vector<UnsentCells>> by_part;
        for (UnsentCells& cells : unsent_) by_part[cells.part].push_back(std::move(cells));
        for (auto& [part, cells] : by_part) lookup_.fill(builder_.segment().parts[part].changes, cells, Deadline::after(Millis(60'000)), [this](RejectedChange row) { builder_.reject(std::move(row)); });
        unsent_.clear();
        unsent_by_.clear();
    }

    CaptureOptions options_;
    std::unique_ptr<Connection> catalog_;
    std::optional<ReplicationStream> stream_;
    RowLookup lookup_;
    Spool spool_;
    ToldShapes shapes_;
    std::unique_ptr<Spool::Reader> replay_;
    std::set<TableRef> followed_;
    std::unordered_map<std::uint32_t, Relation> relations_;
    std::map<std::uint32_t, TableFacts> facts_told_;
    std::set<TableRef> truncated_;            // in this transaction, with nothing inserted since
    std::set<TableRef> gone_;                 // and told to be
    SteadyClock::time_point looked_ = SteadyClock::now();
    SegmentBuilder builder_;
    std::vector<TupleField> fields_;
    Batch old_;
    std::vector<UnsentCells> unsent_;
    std::set<std::uint32_t> unsent_by_;

    bool told_in_place_ = false;       // the event trigger is there
    bool in_transaction_ = false;
    bool skipped_ = false;             // the transaction moves rows, it changes none
    std::uint32_t streaming_ = 0;      // the transaction whose changes come before its commit; 0: none
    std::uint32_t xid_ = 0;
    std::uint32_t message_ = 0;        // of the transaction: inserts, updates, removals, truncated tables
    std::uint64_t position_ = 0;       // of the commit
    std::uint64_t end_position_ = 0;
    std::int64_t commit_micros_ = 0;

    std::uint64_t told_ = 0;
};

}  // namespace

std::string slot_name(const std::string& set) { return "ysdb_" + set; }
std::string publication_name(const std::string& set) { return "ysdb_" + set; }

Target replication_target(Target target) {
    target.keywords.emplace_back("replication", "database");
    return target;
}

std::unique_ptr<ChangeSource> open_wal_source(const Target& target, const CaptureOptions& options, Deadline deadline) {
    return std::make_unique<WalSource>(target, options, deadline);
}

}  // namespace ysdb::postgres
