#include "core/store/clickhouse/encode.h"

#include <algorithm>

#include "core/store/clickhouse/encode_column.h"
#include "core/value/show.h"

namespace ysdb::clickhouse {

namespace {

constexpr std::size_t slice_rows = 512;  // cells and values of a slice stay in the cache while its columns are written one by one

struct Column {
    std::string name;
    std::string header;  // name and type as the block has them
    ColumnPlan plan;
    ColumnOut out;
};

std::string sized(std::string_view text) {
    std::uint8_t size[longest_size];
    const auto end = put_size(size, text.size());
    return std::string(reinterpret_cast<char*>(size), static_cast<std::size_t>(end - size)) + std::string(text);
}

struct BadRow {
    std::size_t row;
    std::size_t column;
    const char* reason;
};

// The same changes without some rows.
ChangeBatch without(const ChangeBatch& changes, const std::vector<BadRow>& bad) {
    ChangeBatch kept;
    kept.rows = Batch(&changes.rows.table());
    if (changes.ops.size() > 1) kept.ops.clear();
    if (changes.versions.size() > 1) kept.versions.clear();
    auto next = bad.begin();
    for (std::size_t row = 0; row < changes.rows.rows(); ++row) {
        if (next != bad.end() && next->row == row) {
            ++next;
            continue;
        }
        for (std::size_t column = 0; column < changes.rows.columns(); ++column) {
            if (changes.rows.cell(row, column).is_null()) kept.rows.add_null();
            else kept.rows.add(changes.rows.value(row, column).data(), changes.rows.value(row, column).size());
        }
        if (changes.ops.size() > 1) kept.ops.push_back(changes.ops[row]);
        if (changes.versions.size() > 1) kept.versions.push_back(changes.versions[row]);
    }
    return kept;
}

void collect_pieces(const ColumnOut& out, const WireType& type, std::vector<std::string_view>& pieces) {
    if (type.kind == WireKind::array) {
        pieces.push_back(out.values.view());
        if (!out.element.empty()) collect_pieces(out.element[0], *type.element, pieces);
        return;
    }
    if (type.nullable) pieces.push_back(out.nulls.view());
    pieces.push_back(out.values.view());
}

}  // namespace

struct Encoder::Impl {
    std::vector<Column> columns;
    bool versioned = false;
    Buffer versions, removed, block_header;
    std::string version_header, deleted_header;
    std::vector<std::string_view> pieces;
    std::vector<Op> ops;

    // First reason of each row that has one, in row order.
    std::vector<BadRow> write(const ChangeBatch& changes) {
        const Batch& rows = changes.rows;
        const std::size_t count = rows.rows();
        std::vector<BadCell> bad;
        std::vector<BadRow> found;
        const Op* all_ops = ops_of(changes, count);
        for (Column& column : columns) column.out.clear();
        for (std::size_t from = 0; from < count; from += slice_rows) {
            const std::size_t size = std::min(slice_rows, count - from);
            for (std::size_t c = 0; c < columns.size(); ++c) {
                Column& column = columns[c];
                column.plan.write({rows.cells().data() + from * rows.columns() + c, rows.data(), rows.columns(), size, all_ops == nullptr ? nullptr : all_ops + from}, column.plan,
                                  column.out, bad);
                if (bad.empty()) [[likely]] continue;
                for (const BadCell& cell : bad) found.push_back({from + cell.row, c, cell.reason});
                bad.clear();
            }
        }
        std::stable_sort(found.begin(), found.end(), [](const BadRow& a, const BadRow& b) { return a.row < b.row; });
        found.erase(std::unique(found.begin(), found.end(), [](const BadRow& a, const BadRow& b) { return a.row == b.row; }), found.end());
        return found;
    }

    // One op a row when any row is removed, else null.
    const Op* ops_of(const ChangeBatch& changes, std::size_t count) {
        if (changes.ops.size() > 1) return changes.ops.data();
        if (changes.ops[0] != Op::remove) return nullptr;
        ops.assign(count, Op::remove);
        return ops.data();
    }

    void write_versions(const ChangeBatch& changes) {
        const std::size_t count = changes.rows.rows();
        versions.clear();
        removed.clear();
        std::uint8_t* to = versions.extend(count * sizeof(UInt128));
        std::uint8_t* flag = removed.extend(count);
        for (std::size_t row = 0; row < count; ++row, to += sizeof(UInt128)) {
            const UInt128 version = changes.version(row).packed();
            std::memcpy(to, &version, sizeof version);
            flag[row] = changes.op(row) == Op::remove;
        }
    }

    std::span<const std::string_view> block(const ChangeBatch& changes) {
        pieces.clear();
        if (changes.rows.rows() == 0) return pieces;
        block_header.clear();
        std::uint8_t* to = block_header.reserve(2 * longest_size);
        block_header.add(static_cast<std::size_t>(put_size(put_size(to, columns.size() + (versioned ? 2 : 0)), changes.rows.rows()) - to));
        pieces.push_back(block_header.view());
        for (const Column& column : columns) {
            pieces.push_back(column.header);
            collect_pieces(column.out, column.plan.target, pieces);
        }
        if (versioned) {
            write_versions(changes);
            for (const std::string_view piece : {std::string_view(version_header), versions.view(), std::string_view(deleted_header), removed.view()}) pieces.push_back(piece);
        }
        return pieces;
    }
};

Encoder::Encoder(const TableInfo& table, std::span<const TargetColumn> targets, bool versioned) : impl_(std::make_unique<Impl>()) {
    impl_->versioned = versioned;
    impl_->version_header = sized(version_column) + sized("UInt128");
    impl_->deleted_header = sized(deleted_column) + sized("UInt8");
    for (std::size_t i = 0; i < targets.size(); ++i) {
        try {
            impl_->columns.push_back({targets[i].name, sized(targets[i].name) + sized(targets[i].type.name), plan_column(table.columns[i].type, targets[i].type), {}});
        } catch (const Error& error) {
            throw Error(Code::refused, table.ref.text() + "." + table.columns[i].name + ": " + error.message(), "give the target column the type " + column_type(table.columns[i].type));
        }
    }
}

Encoder::~Encoder() = default;

std::span<const std::string_view> Encoder::encode(const ChangeBatch& changes, const std::function<void(RejectedRow)>& rejected) {
    const auto bad = impl_->write(changes);
    if (bad.empty()) [[likely]] return impl_->block(changes);
    const Batch& rows = changes.rows;
    for (const BadRow& row : bad) {
        const Type& type = rows.table().columns[row.column].type;
        const auto value = rows.value(row.row, row.column);
        const std::string shown = rows.cell(row.row, row.column).is_null() ? "NULL" : show_cell(value, type);
        rejected({show_key(rows, row.row), impl_->columns[row.column].name, std::string(row.reason) + ": " + shown + " for " + impl_->columns[row.column].plan.target.name, row.row});
    }
    const ChangeBatch kept = without(changes, bad);
    impl_->write(kept);
    return impl_->block(kept);
}

}  // namespace ysdb::clickhouse
