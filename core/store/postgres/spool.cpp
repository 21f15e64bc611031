#include "core/store/postgres/spool.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/base/error.h"

namespace ysdb::postgres {

struct Spool::File {
    explicit File(const std::string& directory) : place(directory) {
        std::string name = directory + "/ysdb_spool_XXXXXX";
        std::vector<char> path(name.begin(), name.end());
        path.push_back('\0');
        const int fd = mkostemp(path.data(), O_CLOEXEC);
        if (fd < 0) fail("open a file");
        remove(path.data());
        stream = fdopen(fd, "w+b");
        std::setvbuf(stream, nullptr, _IOFBF, 1 << 18);
    }
    ~File() {
        if (stream != nullptr) std::fclose(stream);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    [[noreturn]] void fail(const std::string& doing) const {
        throw Error(Code::refused, "cannot " + doing + " in " + place + " for transactions that are not committed yet: " + std::strerror(errno),
                    "free space there, or name another directory with --spool-dir");
    }

    std::string place;
    FILE* stream = nullptr;
    std::set<std::uint32_t> aborted;
};

Spool::Reader::Reader(std::unique_ptr<File> file) : file_(std::move(file)) {
    if (std::fflush(file_->stream) != 0) file_->fail("write");
    std::rewind(file_->stream);
}
Spool::Reader::~Reader() = default;

std::optional<std::string_view> Spool::Reader::next() {
    std::uint32_t size = 0;
    if (std::fread(&size, sizeof size, 1, file_->stream) != 1) {
        if (std::ferror(file_->stream) != 0) file_->fail("read");
        return std::nullopt;
    }
    message_.resize(size);
    if (std::fread(message_.data(), 1, size, file_->stream) != size) file_->fail("read");
    return message_;
}

bool Spool::Reader::aborted(std::uint32_t subtransaction) const { return file_->aborted.contains(subtransaction); }

Spool::Spool(std::string directory) : directory_(std::move(directory)) {}
Spool::~Spool() = default;

void Spool::add(std::uint32_t transaction, std::string_view message) {
    auto& file = open_[transaction];
    if (file == nullptr) file = std::make_unique<File>(directory_);
    const auto size = static_cast<std::uint32_t>(message.size());
    if (std::fwrite(&size, sizeof size, 1, file->stream) != 1 || std::fwrite(message.data(), 1, size, file->stream) != size) file->fail("write");
}

void Spool::abort(std::uint32_t transaction, std::uint32_t subtransaction) {
    if (transaction == subtransaction) open_.erase(transaction);
    else if (const auto found = open_.find(transaction); found != open_.end()) found->second->aborted.insert(subtransaction);
}

std::unique_ptr<Spool::Reader> Spool::committed(std::uint32_t transaction) {
    const auto found = open_.find(transaction);
    if (found == open_.end()) return nullptr;
    auto reader = std::make_unique<Reader>(std::move(found->second));
    open_.erase(found);
    return reader;
}

}  // namespace ysdb::postgres
