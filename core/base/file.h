// Files: whole reads, atomic writes, advisory locks.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace ysdb {

// Throws Error(config) naming the path and the reason.
std::string read_file(const std::filesystem::path& path);
// Temporary file in the same directory, fsync, rename. `mode` as chmod.
void write_file_atomically(const std::filesystem::path& path, std::string_view content, unsigned mode = 0644);

// An flock held for the object's life. The file stays.
class FileLock {
public:
    // nullopt when another process holds it.
    static std::optional<FileLock> try_acquire(const std::filesystem::path& path);
    FileLock(FileLock&& other) noexcept;
    FileLock& operator=(FileLock&& other) noexcept;
    ~FileLock();
    int fd() const { return fd_; }

private:
    explicit FileLock(int fd) : fd_(fd) {}
    int fd_ = -1;
};

}  // namespace ysdb
