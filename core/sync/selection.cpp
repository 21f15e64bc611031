#include "core/sync/selection.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/store/store.h"
#include "core/value/columns.h"

namespace ysdb::sync {

namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) { return std::find(names.begin(), names.end(), name) != names.end(); }

const SyncTable* choice_of(const SyncConfig& set, const TableRef& table) {
    for (const SyncTable& said : set.table) {
        if ((!said.columns.empty() || !said.except.empty()) && parse_table_ref(said.name, "[[sync.table]] name") == table) return &said;
    }
    return nullptr;
}

bool chosen(const SyncTable& choice, const std::string& column) { return !contains(choice.except, column) && (choice.columns.empty() || contains(choice.columns, column)); }

const ColumnInfo* find(const std::vector<ColumnInfo>& columns, const ColumnInfo& wanted) {
    const auto found = std::find_if(columns.begin(), columns.end(), [&](const ColumnInfo& c) { return c.number != 0 && wanted.number != 0 ? c.number == wanted.number : c.name == wanted.name; });
    return found == columns.end() ? nullptr : &*found;
}

TableInfo narrowed(const SyncTable& choice, const TableInfo& table) {
    return without_columns(table, [&](const ColumnInfo& column) { return !chosen(choice, column.name); });
}

// The cells of the chosen columns.
void narrow(ChangeBatch& changes, const TableInfo& table) {
    const std::vector<ColumnInfo>& all = changes.rows.table().columns;
    std::vector<std::size_t> places;
    for (const ColumnInfo& column : table.columns) places.push_back(static_cast<std::size_t>(find_column(all, column.name) - all.data()));
    Batch some(&table);
    for (std::size_t row = 0; row < changes.rows.rows(); ++row) {
        for (const std::size_t place : places) some.append_cell(changes.rows, changes.rows.cell(row, place));
    }
    changes.rows = std::move(some);
}

class Selecting final : public ChangeCapture {
public:
    Selecting(ChangeCapture& inner, const SyncConfig& set) : inner_(inner), set_(set) {}

    CaptureState look(const std::string& set, Deadline deadline) override { return inner_.look(set, deadline); }
    std::vector<std::string> plan_install(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override {
        for (const TableRef& table : tables) describe(table, deadline);
        return inner_.plan_install(set, tables, deadline);
    }
    void install(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override {
        for (const TableRef& table : tables) describe(table, deadline);
        inner_.install(set, tables, deadline);
    }
    void remove(const std::string& set, Deadline deadline) override { inner_.remove(set, deadline); }
    std::optional<std::uint64_t> left_timeline(std::uint32_t timeline, Deadline deadline) override { return inner_.left_timeline(timeline, deadline); }
    std::unique_ptr<SourceSnapshot> snapshot(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override { return inner_.snapshot(set, tables, deadline); }
    TableInfo describe(const TableRef& table, Deadline deadline) override { return selected(set_, inner_.describe(table, deadline)); }
    RowSource* rows() override { return inner_.rows(); }
    std::unique_ptr<ChangeSource> open(const CaptureOptions& options, Deadline deadline) override;

private:
    ChangeCapture& inner_;
    const SyncConfig& set_;
};

class Source final : public ChangeSource {
public:
    Source(std::unique_ptr<ChangeSource> inner, const SyncConfig& set, Segment first) : inner_(std::move(inner)), set_(set), first_(std::move(first)) {}

    Segment read(Millis wait, std::stop_token stop) override {
        if (!first_.parts.empty()) return std::exchange(first_, Segment{});
        Segment segment = inner_->read(wait, std::move(stop));
        std::vector<SegmentPart> parts;
        std::size_t whole = 0;
        for (SegmentPart& part : segment.parts) {
            if (static_cast<std::size_t>(&part - segment.parts.data()) == segment.whole) whole = parts.size();
            const SyncTable* choice = choice_of(set_, part.table->ref);
            if (choice == nullptr) parts.push_back(std::move(part));
            else if (auto some = narrow_part(*choice, std::move(part))) parts.push_back(std::move(*some));
        }
        if (segment.whole < segment.parts.size()) segment.whole = whole;
        segment.parts = std::move(parts);
        return segment;
    }
    void acknowledge(std::uint64_t position, bool at_once) override { inner_->acknowledge(position, at_once); }

private:
    std::optional<SegmentPart> narrow_part(const SyncTable& choice, SegmentPart part) {
        Known& known = known_[part.table->ref];
        if (known.whole != part.table) {
            known.whole = part.table;
            known.some = std::make_shared<const TableInfo>(narrowed(choice, *part.table));
        }
        if (part.kind == SegmentPart::Kind::rows) narrow(part.changes, *known.some);
        part.table = known.some;
        if (part.kind != SegmentPart::Kind::shape) return part;
        std::vector<ColumnChange> changes;
        for (ColumnChange& change : part.columns) {
            const bool now = chosen(choice, change.column), before = change.kind == ColumnChange::Kind::renamed ? chosen(choice, change.before) : now;
            if (now && before) changes.push_back(std::move(change));
            else if (before) changes.push_back({ColumnChange::Kind::dropped, change.before});
            else if (now) {
                part.kind = SegmentPart::Kind::halt;
                part.reason = "column " + change.before + " was not told, and is called " + change.column + " now, which is";
                return part;
            }
        }
        for (const std::uint32_t k : known.whole->key) {
            const std::string& name = known.whole->columns[k].name;
            if (chosen(choice, name)) continue;
            part.kind = SegmentPart::Kind::halt;
            part.reason = "column " + name + ", which is part of the key, is left out under that name";
            return part;
        }
        part.columns = std::move(changes);
        return part;
    }

    struct Known {
        std::shared_ptr<const TableInfo> whole, some;
    };
    std::unique_ptr<ChangeSource> inner_;
    const SyncConfig& set_;
    Segment first_;
    std::map<TableRef, Known> known_;
};

// The source compares what it finds with what is known: columns nobody is told of are known to it as they are.
std::unique_ptr<ChangeSource> Selecting::open(const CaptureOptions& options, Deadline deadline) {
    CaptureOptions whole = options;
    whole.left_out = [&set = set_](const TableRef& table, const std::string& column) {
        const SyncTable* choice = choice_of(set, table);
        return choice != nullptr && !chosen(*choice, column);
    };
    Segment first;
    for (auto& [ref, columns] : whole.known) {
        const SyncTable* choice = choice_of(set_, ref);
        if (choice == nullptr) continue;
        const TableInfo now = inner_.describe(ref, deadline);
        SegmentPart part;
        part.kind = SegmentPart::Kind::shape;
        part.version = {options.epoch, options.start, 0};
        part.table = std::make_shared<const TableInfo>(narrowed(*choice, now));
        for (const ColumnInfo& column : columns) {
            // By the name it had: a rename while nobody looked comes with the stream.
            if (!chosen(*choice, column.name)) part.columns.push_back({ColumnChange::Kind::dropped, column.name});
        }
        for (const ColumnInfo& column : now.columns) {
            if (find(columns, column) != nullptr) continue;
            if (!chosen(*choice, column.name)) {
                columns.push_back(column);
            } else {
                part.kind = SegmentPart::Kind::halt;
                part.reason = "column " + column.name + " is told from here on, and what older rows hold in it is not known";
            }
        }
        if (part.kind == SegmentPart::Kind::halt || !part.columns.empty()) first.parts.push_back(std::move(part));
    }
    return std::make_unique<Source>(inner_.open(whole, deadline), set_, std::move(first));
}

}  // namespace

TableInfo selected(const SyncConfig& set, const TableInfo& table) {
    const SyncTable* choice = choice_of(set, table.ref);
    if (choice == nullptr) return table;
    std::vector<std::string> known;
    for (const ColumnInfo& column : table.columns) known.push_back(column.name);
    for (const auto* names : {&choice->columns, &choice->except}) {
        for (const std::string& name : *names) {
            if (!contains(known, name)) throw Error(Code::refused, "[[sync.table]] " + choice->name + " names the column '" + name + "', which is not there" + did_you_mean(name, known), "its columns: " + join(known, ", "));
        }
    }
    for (const std::uint32_t k : table.key) {
        if (!chosen(*choice, table.columns[k].name)) throw Error(Code::refused, "[[sync.table]] " + choice->name + " leaves out " + table.columns[k].name + ", which is part of the key", "name it in columns, or take it out of except");
    }
    return narrowed(*choice, table);
}

TableInfo selected(const Config& config, const std::string& name, const TableInfo& table) {
    const auto set = std::find_if(config.syncs.begin(), config.syncs.end(), [&](const SyncConfig& s) { return s.name == name; });
    return set == config.syncs.end() ? table : selected(*set, table);
}

bool selects(const SyncConfig& set) {
    return std::any_of(set.table.begin(), set.table.end(), [](const SyncTable& table) { return !table.columns.empty() || !table.except.empty(); });
}

std::unique_ptr<ChangeCapture> selecting(ChangeCapture& inner, const SyncConfig& set) { return std::make_unique<Selecting>(inner, set); }

}  // namespace ysdb::sync
