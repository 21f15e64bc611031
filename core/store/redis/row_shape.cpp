#include "core/store/redis/row_shape.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/store/redis/slots.h"
#include "core/value/show.h"
#include "core/value/version_text.h"

namespace ysdb::redis {

namespace {

const char* const not_utf8 = "is not UTF-8: JSON cannot hold it";

// A row and its tags change in one transaction, and that touches one slot.
void check_tags(const Layout& layout, const std::string& what) {
    for (const KeyTemplate& tag : layout.tags) {
        if (!tag.hash_tag().empty() && tag.hash_tag() == layout.key.hash_tag()) continue;
        std::string shared;
        for (const std::string& name : tag.names()) {
            const auto& names = layout.key.names();
            if (shared.empty() && std::find(names.begin(), names.end(), name) != names.end()) shared = name;
        }
        throw Error(Code::config, what + ": the tag '" + tag.text() + "' lies in another slot of the cluster than the rows at '" + layout.key.text() + "'",
                    shared.empty() ? "give the key and the tag the same hash tag, a column of both: {{user_id}}, or leave the tag out"
                                   : "give the key and the tag the same hash tag: {{" + shared + "}} instead of {" + shared + "} in both");
    }
}

}  // namespace

Layout layout_of(const Landing& landing, bool cluster) {
    const std::string what = "sync " + landing.set + ": " + landing.source.text();
    if (landing.key.empty()) throw Error(Code::config, what + ": Redis needs a key", "key = \"portfolio:{user_id}:{asset_id}\" in [[sync.to]]");
    static const std::vector<std::string> formats{"hash", "json"};
    if (!landing.format.empty() && std::find(formats.begin(), formats.end(), landing.format) == formats.end()) {
        throw Error(Code::config, what + ": Redis has no format '" + landing.format + "'" + did_you_mean(landing.format, formats), "one of: hash, json");
    }
    Layout layout{KeyTemplate(landing.key)};
    layout.json = landing.format == "json";
    layout.ttl = landing.ttl;
    layout.cluster = cluster;
    for (const std::string& tag : landing.tags) {
        if (tag.starts_with("ysdb:")) throw Error(Code::config, what + ": the tag '" + tag + "' cannot be", "keys that begin with ysdb: are ysdb's own");
        layout.tags.emplace_back(tag);
    }
    if (layout.key.names().empty()) throw Error(Code::config, what + ": the key '" + landing.key + "' names no column: all rows would be one", "write it like portfolio:{user_id}");
    if (landing.key.starts_with("ysdb:") || landing.key.find('|') != std::string::npos) {
        throw Error(Code::config, what + ": the key '" + landing.key + "' cannot be", "keys that begin with ysdb: are ysdb's own, and no key holds a '|'");
    }
    if (cluster) check_tags(layout, what);
    return layout;
}

Shape::Shape(const Landing& landing, const TableInfo& table, bool cluster)
    : layout_(layout_of(landing, cluster)), columns_(table.columns), key_(table.key), json_(table), notice_(table) {
    const std::string what = "sync " + landing.set + ": " + table.ref.text();
    if (table.key.empty()) throw Error(Code::refused, what + " has no primary key: which row changed cannot be told", "add one to the table");
    for (const ColumnInfo& column : columns_) {
        if (column.name == version_field) throw Error(Code::refused, what + " has a column _version, which Redis rows have from ysdb", "rename it");
    }
    layout_.key.bind(table, what);
    for (KeyTemplate& tag : layout_.tags) tag.bind(table, what + ": tag");
    const auto in_key = [&](std::uint32_t column) { return std::find(key_.begin(), key_.end(), column) != key_.end(); };
    const auto& used = layout_.key.columns();
    layout_.pointers = !std::all_of(used.begin(), used.end(), in_key);
    if (!layout_.pointers && used.size() < key_.size()) {
        std::string missing;
        for (const std::uint32_t column : key_) {
            if (std::find(used.begin(), used.end(), column) == used.end()) missing += (missing.empty() ? "{" : ":{") + columns_[column].name + "}";
        }
        throw Error(Code::refused, what + ": several rows would share the key '" + landing.key + "'", "name the rest of the primary key, too: " + landing.key + ":" + missing);
    }
    if (cluster && layout_.pointers) check_pointers(what);
    if (landing.channel.empty()) return;
    channel_.emplace(landing.channel);
    channel_->bind(table, what + ": channel");
    if (!std::all_of(channel_->columns().begin(), channel_->columns().end(), in_key)) {
        throw Error(Code::refused, what + ": the channel '" + landing.channel + "' names a column outside the primary key: a removal does not tell it", "use columns of the primary key");
    }
}

// A removal tells the primary key only, and has to find the slot of the row and its pointer by it.
void Shape::check_pointers(const std::string& what) const {
    const auto tag = layout_.key.hash_tag_columns();
    if (!tag.empty() && std::all_of(tag.begin(), tag.end(), [&](std::uint32_t column) { return std::find(key_.begin(), key_.end(), column) != key_.end(); })) return;
    std::string primary, shared;
    for (const std::uint32_t column : key_) {
        primary += (primary.empty() ? "{" : ":{") + columns_[column].name + "}";
        const auto& used = layout_.key.columns();
        if (shared.empty() && std::find(used.begin(), used.end(), column) != used.end()) shared = columns_[column].name;
    }
    throw Error(Code::refused, what + ": the key '" + layout_.key.text() + "' has columns outside the primary key: in a cluster a row and its pointer would lie in different slots",
                shared.empty() ? "make the key of the primary key: " + layout_.key.text().substr(0, layout_.key.text().find('{')) + primary
                               : "put a column of the primary key into a hash tag: {{" + shared + "}} instead of {" + shared + "}, or make the key of the primary key, " + primary);
}

bool Shape::fits(const TableInfo& table) const {
    return table.key == key_ && std::equal(table.columns.begin(), table.columns.end(), columns_.begin(), columns_.end(), [](const ColumnInfo& a, const ColumnInfo& b) {
               return a.name == b.name && a.type.kind == b.type.kind && a.type.scale == b.type.scale;
           });
}

std::optional<GuardedChange> Shape::change(const ChangeBatch& changes, std::size_t row, bool notify, std::optional<RejectedRow>& rejected) {
    const Batch& rows = changes.rows;
    GuardedChange change;
    change.removal = changes.op(row) == Op::remove;
    append_version(change.version, changes.version(row));
    const auto reject = [&](std::uint32_t column, const std::string& reason) {
        rejected = RejectedRow{show_key(rows, row), columns_[column].name, reason};
        return std::nullopt;
    };
    if (layout_.pointers) {
        if (layout_.cluster) {  // the row's slot is known from its primary key
            scratch_.clear();
            if (const auto refusal = layout_.key.append_hash_tag(scratch_, rows, row)) return reject(refusal->column, refusal->reason);
            change.slot = key_slot("{" + scratch_ + "}");
        }
        change.guard = layout_.pointer_prefix(change.slot) + "[";
        for (const std::uint32_t column : key_) {
            if (change.guard.back() != '[') change.guard += ',';
            if (rows.cell(row, column).is_null()) return reject(column, "is NULL, and part of the primary key");
            if (!append_json(change.guard, rows.value(row, column), columns_[column].type)) return reject(column, not_utf8);
        }
        change.guard += ']';
    }
    if (!layout_.pointers || !change.removal) {
        if (const auto refusal = layout_.key.append(change.key, rows, row)) return reject(refusal->column, refusal->reason);
    }
    if (!layout_.pointers) {
        change.slot = layout_.slot_of(change.key);
        change.guard = layout_.tombstone_prefix(change.slot) + change.key;
    } else if (!change.key.empty() && layout_.slot_of(change.key) != change.slot) {
        return reject(layout_.key.columns().front(), "holds braces that put the key '" + layout_.key.text() + "' into another slot of the cluster");
    }
    std::optional<std::uint32_t> inexact;
    if (!change.removal) add_row(changes, row, change, inexact);
    if (inexact) return reject(*inexact, not_utf8);
    for (const KeyTemplate& tag : layout_.tags) {
        const auto& columns = tag.columns();
        // Nobody's: a row without a user belongs to no user.
        if (change.removal || std::any_of(columns.begin(), columns.end(), [&](std::uint32_t column) { return rows.cell(row, column).is_null(); })) continue;
        std::string name;
        if (const auto refusal = tag.append(name, rows, row)) return reject(refusal->column, refusal->reason);
        if (name.find('\n') != std::string::npos) return reject(columns.front(), "holds a line break, and is part of the tag '" + tag.text() + "'");
        if (layout_.slot_of(name) != change.slot) return reject(columns.front(), "holds braces that put the tag '" + tag.text() + "' into another slot of the cluster than the row");
        change.tags.push_back(std::move(name));
    }
    if (channel_ && notify) {
        std::string channel;
        if (const auto refusal = channel_->append(channel, rows, row)) return reject(refusal->column, refusal->reason);
        scratch_.clear();
        if (const auto column = notice_.append(scratch_, changes, row)) return reject(*column, not_utf8);
        change.notice.add("PUBLISH", channel, scratch_);
    }
    return change;
}

void Shape::add_row(const ChangeBatch& changes, std::size_t row, GuardedChange& change, std::optional<std::uint32_t>& inexact) {
    const Batch& rows = changes.rows;
    CommandBytes& out = change.row;
    if (layout_.json) {
        scratch_ = "{\"_version\":\"" + change.version + "\"";
        if (!columns_.empty()) scratch_ += ',';
        inexact = json_.append_members(scratch_, rows, row);
        scratch_ += '}';
        if (layout_.ttl) out.add("SET", change.key, scratch_, "PX", std::to_string(layout_.ttl->count()));
        else out.add("SET", change.key, scratch_);
        return;
    }
    std::size_t fields = 1;
    for (std::uint32_t column = 0; column < columns_.size(); ++column) fields += rows.cell(row, column).is_null() ? 0 : 1;
    out.add("DEL", change.key);  // no field outlives its value, or its column
    out.begin(2 + 2 * fields);
    for (const std::string_view word : {std::string_view("HSET"), std::string_view(change.key), version_field, std::string_view(change.version)}) out.word(word);
    for (std::uint32_t column = 0; column < columns_.size(); ++column) {
        if (rows.cell(row, column).is_null()) continue;
        scratch_.clear();
        append_plain(scratch_, rows.value(row, column), columns_[column].type);
        out.word(columns_[column].name);
        out.word(scratch_);
    }
    if (layout_.ttl) out.add("PEXPIRE", change.key, std::to_string(layout_.ttl->count()));
}

CommandBytes Shape::truncation(const Version& version) const {
    CommandBytes commands;
    if (!channel_ || !channel_->names().empty()) return commands;
    std::string message;
    notice_.append_truncate(message, version);
    commands.add("PUBLISH", channel_->text(), message);
    return commands;
}

}  // namespace ysdb::redis
