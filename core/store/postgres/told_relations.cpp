#include "core/store/postgres/told_relations.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "core/store/postgres/catalog.h"
#include "core/store/postgres/wal_source.h"

namespace ysdb::postgres {

namespace {

constexpr Millis look_every{2'000};           // whether every table is still published

bool tells_tables(Connection& session, Deadline deadline) {
    return session.query("SELECT 1 FROM pg_event_trigger WHERE evtname = $1 AND evtenabled <> 'D'", std::vector<std::optional<std::string>>{std::string(event_trigger)}, deadline).rows() > 0;
}

// The primary key's columns as the stream calls them. The catalog may know them by other names by now, or have another key: with the default
// identity the description says what the key was.
std::vector<std::string> key_of(const RelationMessage& told, const std::vector<ToldColumn>& columns, const TableFacts& facts) {
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

std::string cannot_follow(const RelationMessage& told, const TableInfo& table) {
    if (table.key.empty()) return "it has no primary key any more, or changes are told without a column of it";
    if (told.identity == 'n') return "its REPLICA IDENTITY is NOTHING: updates and removals do not say which row they are of";
    for (const std::uint32_t k : table.key) {
        const auto column = std::find_if(told.columns.begin(), told.columns.end(), [&](const RelationColumn& c) { return c.name == table.columns[k].name; });
        if (!column->identifies) return "its REPLICA IDENTITY does not hold the primary key's column " + column->name;
    }
    return "";
}

std::shared_ptr<const TableInfo> named(const TableRef& ref) {
    auto table = std::make_shared<TableInfo>();
    table->ref = ref;
    return table;
}

}  // namespace

ToldRelations::ToldRelations(const CaptureOptions& options, Connection& catalog, SegmentBuilder& builder, Deadline deadline)
    : options_(options), catalog_(catalog), builder_(builder), shapes_(options.known, options.left_out), told_in_place_(tells_tables(catalog, deadline)), followed_(options.tables.begin(), options.tables.end()) {}

bool ToldRelations::wanted(const TableRef& table, const Version& at) const {
    const auto from = options_.from.find(table);
    return from == options_.from.end() || at.position >= from->second;
}

Relation* ToldRelations::changed(std::uint32_t id, const Version& at) {
    const auto found = relations_.find(id);
    if (found == relations_.end()) throw Error(Code::internal, "the server told a change of a relation that it had not described");
    Relation& relation = found->second;
    if (relation.layout.table == nullptr || relation.halted || !wanted(relation.layout.table->ref, at)) return nullptr;
    if (std::exchange(relation.untold, false)) tell_shape(relation, at);
    return relation.halted ? nullptr : &relation;
}

const Relation& ToldRelations::described(const RelationMessage& told, const Version& at) {
    Relation& relation = relations_[told.id];
    const TableRef ref{told.schema, told.name};
    const auto before = relation.layout.table;
    relation = {};
    relation.id = told.id;
    if (!followed_.contains(ref)) {
        if (before != nullptr && wanted(before->ref, at)) halt(relation, before, at, "the table is now called " + ref.text());
        return relation;
    }
    const Deadline deadline = Deadline::after(options_.timeout);
    const auto message = facts_told_.find(told.id);
    // Somebody else's event trigger may write rows before ysdb's tells the definition: then the message at hand is of the one before.
    const bool in_place = message != facts_told_.end() && std::all_of(told.columns.begin(), told.columns.end(), [&](const RelationColumn& c) { return message->second.columns.contains(c.name); });
    const TableFacts facts = in_place ? message->second : table_facts(catalog_, ref, deadline);
    relation.layout = TupleLayout(std::make_shared<TableInfo>(shape_of(told, facts, in_place, deadline)), options_.left_out);
    relation.cannot = cannot_follow(told, *relation.layout.table);
    const std::string renamed = in_place ? "" : shapes_.renamed_since(*relation.layout.table, facts);
    if (relation.cannot.empty() && !renamed.empty()) relation.cannot = "column " + renamed + " was added, and has another name by now, or is gone: what older rows hold in it cannot be told without the event triggers of sync install";
    relation.added = facts.added;
    if (!wanted(ref, at)) relation.untold = true;
    else tell_shape(relation, at);
    return relation;
}

// Of the change before: a description is none, and comes as the connection pleases.
void ToldRelations::tell_shape(Relation& relation, const Version& at) {
    if (!relation.cannot.empty()) return halt(relation, relation.layout.table, at, relation.cannot);
    SegmentPart part = shapes_.tell(relation.layout.table, relation.added, at);
    relation.halted = part.kind == SegmentPart::Kind::halt;
    builder_.add(relation.open, std::move(part));
}

// The catalog may be ahead of the stream: where definitions are told in the stream, a known name is the column it was, as long as nothing
// else was told; elsewhere the catalog is all there is, and only a name it does not have any more is taken for what it was.
TableInfo ToldRelations::shape_of(const RelationMessage& told, const TableFacts& facts, bool in_place, Deadline deadline) {
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
    return told_table(catalog_, ref, columns, key_of(told, columns, facts), deadline);
}

void ToldRelations::halt(Relation& relation, const std::shared_ptr<const TableInfo>& table, const Version& at, const std::string& why) {
    relation.halted = true;
    builder_.halt(relation.open, table, at, why);
}

void ToldRelations::message(std::string_view prefix, std::string_view bytes, const Version& at) {
    if (prefix == truncate_prefix) return partition_truncated(bytes, at);
    if (prefix != facts_prefix) return came_with_rows(prefix, bytes, at);
    auto [id, facts] = parse_facts(bytes);
    if (const auto before = facts_told_.find(id); before != facts_told_.end()) keep_fills(before->second, facts);
    if (followed_.contains(facts.ref)) definition_told(relations_[id], facts, at);
    facts_told_[id] = std::move(facts);
}

// Told here and not when the next row is described: that may come in another run, when the catalog has forgotten what older rows hold.
void ToldRelations::definition_told(Relation& relation, const TableFacts& facts, const Version& at) {
    if (relation.halted || !wanted(facts.ref, at)) return;
    std::map<int, ToldColumn> columns;
    for (const auto& [name, fact] : facts.columns) {
        if (!fact.generated && fact.type.oid != 0) columns[fact.number] = {name, fact.type, fact.number, fact.nullable, fact.comment};
    }
    std::vector<ToldColumn> ordered;
    for (auto& [_, column] : columns) ordered.push_back(std::move(column));
    const auto table = std::make_shared<TableInfo>(told_table(catalog_, facts.ref, ordered, facts.key, Deadline::after(options_.timeout)));
    if (const std::string why = shapes_.rewritten(facts); !why.empty()) return halt(relation, table, at, why);
    if (ordered.empty() || table->key.empty()) return;   // the next row's description says why
    SegmentPart part = shapes_.tell(table, facts.added, at);
    relation.halted = part.kind == SegmentPart::Kind::halt;
    if (relation.halted || !part.columns.empty()) builder_.add(relation.open, std::move(part));
}

// A partition was truncated by itself, unless its table was just now: the trigger on it fires for that, too.
void ToldRelations::partition_truncated(std::string_view message, const Version& at) {
    const auto json = nlohmann::json::parse(message);
    const TableRef ref{json.at("schema"), json.at("name")};
    if (!followed_.contains(ref) || truncated_.contains(ref) || !wanted(ref, at)) return;
    Relation& relation = relations_[json.at("relation").get<std::uint32_t>()];
    if (relation.halted) return;
    halt(relation, named(ref), at, "its partition " + json.at("partition").get<std::string>() + " was truncated by itself: which rows that took, no change tells");
}

// A table under a known name, or a partition of one, that came with rows which no change tells.
void ToldRelations::came_with_rows(std::string_view prefix, std::string_view message, const Version& at) {
    const auto json = nlohmann::json::parse(message);
    const TableRef ref{json.at("schema"), json.at("name")};
    if (!followed_.contains(ref) || !wanted(ref, at)) return;
    Relation& relation = relations_[json.at("relation").get<std::uint32_t>()];
    if (relation.halted) return;
    halt(relation, named(ref), at, prefix == joined_prefix ? "it is another table than the one that was copied (dropped and made anew, or swapped by renames), or was not published for a time: what happened meanwhile, no change tells"
                                                           : "its partition " + json.at("partition").get<std::string>() + " was attached with rows in it, which no change tells");
}

void ToldRelations::look_for_tables(const Version& at) {
    if (SteadyClock::now() - looked_ < look_every) return;
    looked_ = SteadyClock::now();
    const SqlResult found = catalog_.query("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1", std::vector<std::optional<std::string>>{publication_name(options_.set)},
                                           Deadline::after(options_.timeout));
    std::set<TableRef> published;
    for (std::size_t i = 0; i < found.rows(); ++i) published.insert({found.row(i).text(0), found.row(i).text(1)});
    for (const TableRef& ref : followed_) {
        if (published.contains(ref) || !gone_.insert(ref).second) continue;
        SegmentBuilder::Open open;
        builder_.halt(open, named(ref), at, "it was dropped, or has another name now: the publication has no table of that name");
        builder_.segment().whole = builder_.segment().parts.size();
    }
}

}  // namespace ysdb::postgres
