#include "core/sync/poll/row_spool.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "core/base/error.h"

namespace ysdb::sync {

RowSpool::RowSpool(std::string directory, TableInfo table) : directory_(std::move(directory)), table_(std::move(table)) {
    const std::string name = directory_ + "/ysdb_spool_XXXXXX";
    std::vector<char> path(name.begin(), name.end());
    path.push_back('\0');
    const int fd = mkostemp(path.data(), O_CLOEXEC);
    if (fd < 0) fail("open a file");
    std::remove(path.data());
    stream_ = fdopen(fd, "w+b");
    std::setvbuf(stream_, nullptr, _IOFBF, 1 << 18);
}

RowSpool::~RowSpool() {
    if (stream_ != nullptr) std::fclose(stream_);
}

void RowSpool::fail(const std::string& doing) const {
    throw Error(Code::refused, "cannot " + doing + " in " + directory_ + " for the rows of " + table_.ref.text() + ": " + std::strerror(errno), "free space there, or name another directory with --spool-dir");
}

void RowSpool::write(const void* data, std::size_t size) {
    if (size > 0 && std::fwrite(data, 1, size, stream_) != size) fail("write");
}

// Cells one after the other: their size, then their bytes.
void RowSpool::add(const Batch& rows) {
    for (const Cell& cell : rows.cells()) {
        write(&cell.size, sizeof cell.size);
        if (!cell.is_null()) write(rows.data() + cell.offset, cell.size);
    }
    rows_ += rows.rows();
}

void RowSpool::close() {
    if (std::fflush(stream_) != 0) fail("write");
}

void RowSpool::read(const TableInfo& table, std::size_t batch_bytes, std::stop_token stop, const std::function<void(Batch&)>& consume) const {
    // A place in the file of its own for each reader.
    const auto close = [](FILE* file) { std::fclose(file); };
    const std::unique_ptr<FILE, decltype(close)> file(std::fopen(("/proc/self/fd/" + std::to_string(fileno(stream_))).c_str(), "rb"), close);
    if (file == nullptr) fail("read");
    Batch batch(&table);
    for (std::uint64_t row = 0; row < rows_; ++row) {
        for (std::size_t column = 0; column < table.columns.size(); ++column) {
            std::uint32_t size = 0;
            if (std::fread(&size, sizeof size, 1, file.get()) != 1) fail("read");
            if (size == Cell::null_size) {
                batch.add_null();
                continue;
            }
            std::uint8_t* to = batch.grow(size);
            if (size > 0 && std::fread(to, 1, size, file.get()) != size) fail("read");
        }
        if (batch.byte_size() < batch_bytes) continue;
        if (stop.stop_requested()) throw Error(Code::interrupted, "interrupted while reading " + table.ref.text());
        consume(batch);
        batch.clear();
    }
    if (!batch.empty()) consume(batch);
}

}  // namespace ysdb::sync
