#include "core/store/clickhouse/decode.h"

#include "core/store/clickhouse/decode_column.h"
#include "core/value/show.h"

namespace ysdb::clickhouse {

namespace {

// Sizes beyond these are not a table's: the bytes are no Native block.
constexpr std::uint64_t most_columns = 100'000;
constexpr std::uint64_t most_rows = std::uint64_t{1} << 32;
constexpr std::uint64_t longest_name = 1u << 20;

struct Column {
    TakePlan plan;
    ColumnSlice slice;
};

}  // namespace

struct Decoder::Impl {
    const TableInfo& wanted;
    std::size_t batch_bytes;
    std::function<void(Batch&)> consume;
    std::function<void(RejectedRow)> rejected;
    Batch batch;
    std::vector<Column> columns;
    std::string pending;          // the block that is not whole yet
    std::size_t begin = 0;        // where it starts
    std::size_t at = 0;           // how far it was looked through, from `begin`
    std::size_t rows = 0;
    std::size_t column = 0;       // the next to look for
    bool in_block = false, in_column = false;

    Impl(const TableInfo& w, std::size_t bytes, std::function<void(Batch&)> c, std::function<void(RejectedRow)> r)
        : wanted(w), batch_bytes(bytes), consume(std::move(c)), rejected(std::move(r)), batch(&w), columns(w.columns.size()) {}

    static Error malformed() { return Error(Code::internal, "the server sent something that is not format Native"); }

    std::string_view block() const { return std::string_view(pending).substr(begin); }

    bool read_number(std::uint64_t& number) {
        const std::string_view bytes = block();
        number = 0;
        std::size_t from = at;
        for (int shift = 0; shift < 64; shift += 7) {
            if (from >= bytes.size()) return false;
            const auto byte = static_cast<std::uint8_t>(bytes[from++]);
            number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if ((byte & 0x80) == 0) {
                at = from;
                return true;
            }
        }
        throw malformed();
    }

    bool read_text(std::string& text) {
        const std::size_t start = at;
        std::uint64_t size = 0;
        if (!read_number(size)) return false;
        if (size > longest_name) throw malformed();
        if (block().size() - at < size) {
            at = start;
            return false;
        }
        text = block().substr(at, size);
        at += size;
        return true;
    }

    bool read_block_head() {
        const std::size_t start = at;
        std::uint64_t column_count = 0, row_count = 0;
        if (!read_number(column_count) || !read_number(row_count)) {
            at = start;
            return false;
        }
        if (column_count > most_columns || row_count > most_rows) throw malformed();
        if (column_count != columns.size() && !(column_count == 0 && row_count == 0)) throw malformed();
        rows = row_count;
        column = column_count == 0 ? columns.size() : 0;
        in_block = true;
        return true;
    }

    // Name and type; the type of the first block decides how the column is read.
    bool read_column_head() {
        const std::size_t start = at;
        std::string name, type;
        if (!read_text(name) || !read_text(type)) {
            at = start;
            return false;
        }
        Column& each = columns[column];
        if (each.plan.take == nullptr || each.plan.wire.name != parse_type(type).name) {
            try {
                each.plan = plan_take(parse_type(type), wanted.columns[column].type);
            } catch (const Error& error) {
                throw Error(Code::refused, wanted.ref.text() + "." + wanted.columns[column].name + ": " + error.message());
            }
        }
        each.slice.reset();
        in_column = true;
        return true;
    }

    // Takes one block out of what has come; false when it is not whole.
    bool next_block() {
        if (!in_block && !read_block_head()) return false;
        for (; column < columns.size(); ++column) {
            if (!in_column && !read_column_head()) return false;
            if (!columns[column].slice.scan(columns[column].plan.wire, rows, block(), at)) return false;
            in_column = false;
        }
        const auto* bytes = reinterpret_cast<const std::uint8_t*>(pending.data()) + begin;
        if (rows > 0) {
            for (Column& each : columns) each.slice.resolve(each.plan.wire, bytes);
        }
        for (std::size_t row = 0; row < rows; ++row) take_row(row);
        begin += at;
        at = 0;
        in_block = false;
        return true;
    }

    void take_row(std::size_t row) {
        const std::size_t first_cell = batch.cells().size();
        for (std::size_t c = 0; c < columns.size(); ++c) {
            const Column& each = columns[c];
            if (each.slice.null(row)) {
                batch.add_null();
            } else if (!each.plan.take(each.slice, each.plan, row, batch)) [[unlikely]] {
                batch.drop_cells_from(first_cell);
                return reject(row, c);
            }
        }
        if (batch.byte_size() < batch_bytes) [[likely]] return;
        consume(batch);
        batch.clear();
    }

    void reject(std::size_t row, std::size_t bad_column) {
        Batch one(&wanted);
        for (const Column& each : columns) {
            if (each.slice.null(row) || !each.plan.take(each.slice, each.plan, row, one)) one.add_null();
        }
        rejected({show_key(one, 0), wanted.columns[bad_column].name,
                  "the value has no form as " + wanted.columns[bad_column].type.native + ", read from " + columns[bad_column].plan.wire.name});
    }
};

Decoder::Decoder(const TableInfo& wanted, std::size_t batch_bytes, std::function<void(Batch&)> consume, std::function<void(RejectedRow)> rejected)
    : impl_(std::make_unique<Impl>(wanted, batch_bytes, std::move(consume), std::move(rejected))) {}

Decoder::~Decoder() = default;

void Decoder::feed(std::string_view bytes) {
    Impl& self = *impl_;
    self.pending += bytes;
    while (self.begin < self.pending.size() && self.next_block()) {
    }
    if (self.begin == 0) return;
    self.pending.erase(0, self.begin);
    self.begin = 0;
}

void Decoder::finish() {
    if (!impl_->pending.empty()) throw Impl::malformed();
    if (impl_->batch.empty()) return;
    impl_->consume(impl_->batch);
    impl_->batch.clear();
}

}  // namespace ysdb::clickhouse
