// Tuples of pgoutput as rows of a table: what the server sends of a row, cell by cell, binary or as text, into canonical cells; what can be shown of a
// row that has a value without a canonical form.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/store/changes.h"
#include "core/store/postgres/fields.h"
#include "core/store/postgres/pgoutput.h"
#include "core/store/store.h"
#include "core/value/batch.h"

namespace ysdb::postgres {

// Whether values of the type are read from their text only: ranges, composite types, addresses.
bool told_as_text(const Type& type);

// How the cells of one table's tuples are read. Made once a description of the table.
struct TupleLayout {
    std::shared_ptr<const TableInfo> table;   // null: nobody reads them
    std::vector<Field> binary, text;          // by column
    std::vector<bool> wanted;                 // by column: the others are NULL in every row
    bool only_text = false;                   // one that is wanted has a type whose binary form is not read

    TupleLayout() = default;
    TupleLayout(std::shared_ptr<const TableInfo> table, const LeftOut& left_out);
};

// The tuple in hand, and the row that was there before it. What take() was given must live as long as its tuple is in hand. Not thread-safe.
class TupleRows {
public:
    // The next tuple of the message. Throws Error(internal) when the message is too short.
    void take(MessageReader& message) { read_tuple(message, fields_); }
    // The tuple in hand is the row before: a key, or all of it; what it does not tell, or cannot be read, is NULL. False: it lacks a part of the key.
    bool take_old(const TupleLayout& layout);
    const Batch& old() const { return old_; }   // one row
    // Whether the tuple in hand has the key of old(). One whose key cannot be read has: the old row stays until somebody looks.
    bool same_key(const TupleLayout& layout) const;
    // Adds the tuple in hand as a row. What it left out because it did not change comes from old() or, without `from_old`, is NULL. A row that has no
    // canonical form is not added: what can be told of it. Throws Error(internal) when it has not the table's columns.
    std::optional<RejectedRow> add(const TupleLayout& layout, Batch& rows, bool from_old) const;
    // The columns that the tuple in hand left out, of those that are wanted.
    std::vector<std::uint32_t> unsent(const TupleLayout& layout) const;

private:
    bool read_cell(const TupleLayout& layout, std::size_t column, Batch& rows) const;
    // Adds what can be read of the tuple in hand; the rest is NULL.
    void add_readable(const TupleLayout& layout, Batch& rows) const;

    std::vector<TupleField> fields_;
    Batch old_;
};

}  // namespace ysdb::postgres
