#include "core/store/postgres/tuple_rows.h"

#include <algorithm>
#include <utility>

#include "core/store/postgres/followed_table.h"
#include "core/value/show.h"

namespace ysdb::postgres {

namespace {

bool sent(const TupleField& field) { return field.kind == 't' || field.kind == 'b'; }
const std::uint8_t* data_of(const TupleField& field) { return reinterpret_cast<const std::uint8_t*>(field.bytes.data()); }
std::uint32_t size_of(const TupleField& field) { return static_cast<std::uint32_t>(field.bytes.size()); }

}  // namespace

bool told_as_text(const Type& type) { return (type.kind == TypeKind::array ? type.element->kind : type.kind) == TypeKind::other; }

TupleLayout::TupleLayout(std::shared_ptr<const TableInfo> of, const LeftOut& left_out) : table(std::move(of)), wanted(wanted_columns(*table, left_out)) {
    for (std::size_t c = 0; c < table->columns.size(); ++c) {
        const Type& type = table->columns[c].type;
        only_text = only_text || (wanted[c] && told_as_text(type));
        binary.push_back(wanted[c] ? binary_field(type) : unread_field());
        text.push_back(wanted[c] ? text_field(type) : unread_field());
    }
}

inline bool TupleRows::read_cell(const TupleLayout& layout, std::size_t column, Batch& rows) const {
    const TupleField& field = fields_[column];
    return (field.kind == 'b' ? layout.binary : layout.text)[column](data_of(field), size_of(field), layout.table->columns[column].type, rows);
}

void TupleRows::add_readable(const TupleLayout& layout, Batch& rows) const {
    for (std::size_t c = 0; c < fields_.size(); ++c) {
        const std::size_t cells = rows.cells().size();
        if (sent(fields_[c])) {
            if (read_cell(layout, c, rows)) continue;
            rows.drop_cells_from(cells);
        }
        rows.add_null();
    }
}

bool TupleRows::take_old(const TupleLayout& layout) {
    old_ = Batch(layout.table.get());
    add_readable(layout, old_);
    return std::none_of(layout.table->key.begin(), layout.table->key.end(), [&](std::uint32_t k) { return old_.cell(0, k).is_null(); });
}

bool TupleRows::same_key(const TupleLayout& layout) const {
    const TableInfo& table = *layout.table;
    Batch fresh(&table);
    for (std::size_t c = 0; c < fields_.size(); ++c) {
        const bool in_key = std::find(table.key.begin(), table.key.end(), c) != table.key.end();
        if (in_key && fields_[c].kind == 'u') fresh.append_cell(old_, old_.cell(0, c));
        else if (!in_key || !sent(fields_[c])) fresh.add_null();
        else if (!read_cell(layout, c, fresh)) return true;
    }
    return std::all_of(table.key.begin(), table.key.end(), [&](std::uint32_t k) { return std::ranges::equal(fresh.value(0, k), old_.value(0, k)); });
}

std::optional<RejectedRow> TupleRows::add(const TupleLayout& layout, Batch& rows, bool from_old) const {
    const TableInfo& table = *layout.table;
    if (fields_.size() != table.columns.size()) throw Error(Code::internal, table.ref.text() + ": a row has not the columns that were told");
    const std::size_t row = rows.rows();
    for (std::size_t c = 0; c < fields_.size(); ++c) {
        const TupleField& field = fields_[c];
        if (field.kind == 'u' && from_old) {
            rows.append_cell(old_, old_.cell(0, c));
            continue;
        }
        if (!sent(field)) {
            rows.add_null();
            continue;
        }
        if (read_cell(layout, c, rows)) [[likely]] continue;
        rows.drop_rows_from(row);
        Batch readable(&table);
        add_readable(layout, readable);
        const Type& type = table.columns[c].type;
        return RejectedRow{show_key(readable, 0), table.columns[c].name, field.kind == 'b' ? why_not_binary(type, data_of(field), size_of(field)) : why_not_text(type, field.bytes)};
    }
    return std::nullopt;
}

std::vector<std::uint32_t> TupleRows::unsent(const TupleLayout& layout) const {
    std::vector<std::uint32_t> columns;
    for (std::uint32_t c = 0; c < fields_.size(); ++c) {
        if (fields_[c].kind == 'u' && layout.wanted[c]) columns.push_back(c);
    }
    return columns;
}

}  // namespace ysdb::postgres
