#include "core/sync/follow/spill.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <type_traits>

#include "core/base/error.h"

namespace ysdb::sync {

namespace {

constexpr std::uint64_t chunk_bytes = 64u << 20;   // space is given back in steps of this

template <class T>
void put(std::string& to, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    to.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
void put_all(std::string& to, std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    put(to, static_cast<std::uint64_t>(values.size()));
    to.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

class Record {
public:
    explicit Record(const std::string& bytes) : at_(bytes.data()) {}
    template <class T>
    T get() {
        T value;
        std::memcpy(&value, at_, sizeof value);
        at_ += sizeof value;
        return value;
    }
    template <class T>
    std::vector<T> get_all() {
        std::vector<T> values(get<std::uint64_t>());
        if (!values.empty()) std::memcpy(values.data(), at_, values.size() * sizeof(T));
        at_ += values.size() * sizeof(T);
        return values;
    }
    std::span<const std::uint8_t> bytes() {
        const auto size = get<std::uint64_t>();
        const std::span all(reinterpret_cast<const std::uint8_t*>(at_), size);
        at_ += size;
        return all;
    }

private:
    const char* at_;
};

}  // namespace

struct Spill::Chunk {
    explicit Chunk(const std::string& directory) {
        std::string path = directory + "/ysdb_spill_XXXXXX";
        file = mkostemp(path.data(), O_CLOEXEC);
        if (file >= 0) std::remove(path.c_str());
    }
    ~Chunk() {
        if (file >= 0) close(file);
    }
    Chunk(const Chunk&) = delete;
    Chunk& operator=(const Chunk&) = delete;

    // All of it, or nothing counts.
    bool write(std::string_view bytes) const {
        std::uint64_t at = written;
        while (!bytes.empty()) {
            const ssize_t n = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
            at += static_cast<std::uint64_t>(n);
        }
        return true;
    }
    void read_into(char* to, std::size_t size) {
        while (size > 0) {
            const ssize_t n = pread(file, to, size, static_cast<off_t>(read));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) throw Error(Code::refused, std::string("changes that were kept on disk for a sink cannot be read: ") + (n == 0 ? "the file ends" : std::strerror(errno)), "ysdb sync run   (reads them from the source again)");
            to += n;
            size -= static_cast<std::size_t>(n);
            read += static_cast<std::uint64_t>(n);
        }
    }

    int file = -1;
    std::uint64_t written = 0, read = 0;
};

Spill::Spill(std::string directory, std::uint64_t limit) : directory_(std::move(directory)), limit_(limit) {}
Spill::~Spill() = default;

// The names of all members: one that is added has to be kept as well, or said to be left out.
bool Spill::push(const Segment& segment) {
    const auto& [parts, rejected, complete, commit_micros, first_commit_micros, rows, bytes, whole] = segment;   // the last is of use to who hands it out
    (void)whole;
    record_.clear();
    put(record_, complete);
    put(record_, commit_micros);
    put(record_, first_commit_micros);
    put(record_, rows);
    put(record_, bytes);
    put(record_, parts.size());
    std::size_t others = 0;
    for (const SegmentPart& part : parts) {
        const auto& [kind, table, changes, version, columns, reason] = part;
        put(record_, kind);
        if (kind != SegmentPart::Kind::rows) {
            ++others;
            continue;
        }
        auto known = std::find(tables_.rbegin(), tables_.rend(), table);
        if (known == tables_.rend()) {
            tables_.push_back(table);
            known = tables_.rbegin();
        }
        put(record_, static_cast<std::uint32_t>(std::distance(known, tables_.rend()) - 1));
        const auto& [batch, ops, versions, committed] = changes;
        put_all(record_, std::span(batch.data(), batch.byte_size()));
        put_all(record_, batch.cells());
        put_all(record_, std::span<const Op>(ops));
        put_all(record_, std::span<const Version>(versions));
        put_all(record_, std::span<const std::int64_t>(committed));
    }
    const std::uint64_t size = record_.size();
    if (bytes_ + size + sizeof size > limit_) {
        trouble_ = "it is full";
        return false;
    }
    if (chunks_.empty() || chunks_.back()->written >= chunk_bytes) chunks_.push_back(std::make_unique<Chunk>(directory_));
    Chunk& chunk = *chunks_.back();
    record_.insert(0, reinterpret_cast<const char*>(&size), sizeof size);
    if (chunk.file < 0 || !chunk.write(record_)) {
        trouble_ = directory_ + ": " + std::strerror(errno);
        if (chunk.written == 0) chunks_.pop_back();
        return false;
    }
    chunk.written += record_.size();
    bytes_ += record_.size();
    if (others > 0) {
        for (const SegmentPart& part : parts) {
            if (part.kind != SegmentPart::Kind::rows) others_.push_back({part.kind, part.table, {}, part.version, part.columns, part.reason});
        }
    }
    return true;
}

std::shared_ptr<const Segment> Spill::pop() {
    Chunk& chunk = *chunks_.front();
    std::uint64_t size = 0;
    chunk.read_into(reinterpret_cast<char*>(&size), sizeof size);
    record_.resize(size);
    chunk.read_into(record_.data(), size);
    bytes_ -= size + sizeof size;
    if (chunk.read == chunk.written && (chunk.written >= chunk_bytes || chunks_.size() == 1)) chunks_.pop_front();

    Record record(record_);
    auto segment = std::make_shared<Segment>();
    segment->complete = record.get<std::uint64_t>();
    segment->commit_micros = record.get<std::int64_t>();
    segment->first_commit_micros = record.get<std::int64_t>();
    segment->rows = record.get<std::uint64_t>();
    segment->bytes = record.get<std::size_t>();
    const auto parts = record.get<std::size_t>();
    for (std::size_t i = 0; i < parts; ++i) {
        if (record.get<SegmentPart::Kind>() != SegmentPart::Kind::rows) {
            segment->parts.push_back(std::move(others_.front()));
            others_.pop_front();
            continue;
        }
        SegmentPart part;
        part.table = tables_[record.get<std::uint32_t>()];
        part.changes.rows = Batch(part.table.get());
        const auto bytes = record.bytes();
        part.changes.rows.assign(bytes, record.get_all<Cell>());
        part.changes.ops = record.get_all<Op>();
        part.changes.versions = record.get_all<Version>();
        part.changes.committed = record.get_all<std::int64_t>();
        segment->parts.push_back(std::move(part));
    }
    if (chunks_.empty()) tables_.clear();
    return segment;
}

}  // namespace ysdb::sync
