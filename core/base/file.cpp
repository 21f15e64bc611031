#include "core/base/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/base/error.h"

namespace ysdb {

namespace {
[[noreturn]] void fail(const char* what, const std::filesystem::path& path) {
    throw Error(Code::config, std::string("cannot ") + what + " '" + path.string() + "': " + std::strerror(errno));
}
}  // namespace

std::string read_file(const std::filesystem::path& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) fail("read", path);
    std::string content;
    char buffer[65536];
    ssize_t got = 0;
    while ((got = read(fd, buffer, sizeof buffer)) > 0) content.append(buffer, static_cast<std::size_t>(got));
    const int error = errno;
    close(fd);
    if (got < 0) {
        errno = error;
        fail("read", path);
    }
    return content;
}

void write_file_atomically(const std::filesystem::path& path, std::string_view content, unsigned mode) {
    std::string temporary = path.string() + ".XXXXXX";
    const int fd = mkstemp(temporary.data());
    if (fd < 0) fail("write", path);
    const auto abandon = [&](const char* what) {
        const int error = errno;
        close(fd);
        unlink(temporary.c_str());
        errno = error;
        fail(what, path);
    };
    while (!content.empty()) {
        const ssize_t put = write(fd, content.data(), content.size());
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) abandon("write");
        content.remove_prefix(static_cast<std::size_t>(put));
    }
    if (fchmod(fd, mode) != 0 || fsync(fd) != 0) abandon("write");
    close(fd);
    if (rename(temporary.c_str(), path.c_str()) != 0) {
        const int error = errno;
        unlink(temporary.c_str());
        errno = error;
        fail("write", path);
    }
}

std::optional<FileLock> FileLock::try_acquire(const std::filesystem::path& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) fail("open", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        close(fd);
        if (error == EWOULDBLOCK) return std::nullopt;
        errno = error;
        fail("lock", path);
    }
    return FileLock(fd);
}

FileLock::FileLock(FileLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
FileLock& FileLock::operator=(FileLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}
FileLock::~FileLock() {
    if (fd_ >= 0) close(fd_);
}

}  // namespace ysdb
