#include "core/lab/directory.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <thread>
#include <vector>

#include "core/base/error.h"
#include "core/base/fault.h"
#include "core/base/hash.h"
#include "core/base/text.h"
#include "core/lab/state.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

constexpr const char* root_labs = "/var/lib/ysdb/labs";
constexpr const char* lock_name = "lab.lock";

bool is_root() { return geteuid() == 0; }

[[noreturn]] void fail(const char* what, const fs::path& path) {
    throw Error(Code::refused, fmt::format("cannot {} '{}': {}", what, path.string(), std::strerror(errno)), "choose another place: --dir DIR");
}

fs::path absolute_name(const fs::path& dir) {
    fs::path path = fs::absolute(dir).lexically_normal();
    return path.has_filename() ? path : path.parent_path();  // "lab/" is "lab"
}

bool may_enter(const fs::path& dir, const Owner& who) {
    struct stat info{};
    if (stat(dir.c_str(), &info) != 0) return false;
    if (info.st_uid == who.uid) return (info.st_mode & S_IXUSR) != 0;
    return (info.st_mode & (info.st_gid == who.gid ? S_IXGRP : S_IXOTH)) != 0;
}

// Whether the user can reach what lies in `dir`, made or still to be made (then its nearest ancestor counts).
bool reachable(fs::path dir, const Owner& who) {
    while (!fs::exists(dir)) dir = dir.parent_path();
    for (fs::path at = fs::canonical(dir);; at = at.parent_path()) {
        if (!may_enter(at, who)) return false;
        if (at == at.parent_path()) return true;
    }
}

void make_directory(const fs::path& dir) {
    fs::create_directories(dir.parent_path());
    if (mkdir(dir.c_str(), is_root() ? 0711 : 0700) != 0 && errno != EEXIST) fail("make", dir);
    if (is_root() && chmod(dir.c_str(), 0711) != 0) fail("make", dir);  // whatever the umask
}

fs::path relocated(const fs::path& dir) { return fs::path(root_labs) / sha256_hex(dir.string()).substr(0, 12); }

// A lab, or a directory that can become one: empty, but for what a ysdb killed in its first moment leaves (the lock, a draft of lab.json).
bool may_hold_lab(const fs::path& dir) {
    for (const auto& entry : fs::directory_iterator(dir)) {
        if (!entry.path().filename().string().starts_with("lab.")) return fs::exists(state_file(dir));
    }
    return true;
}

// Nothing in it but what a ysdb killed before it wrote lab.json, or after it removed it, leaves.
bool is_unrecorded(const fs::path& dir) {
    const std::string draft = state_file(dir).filename().string() + ".";
    for (const auto& entry : fs::directory_iterator(dir)) {
        const std::string name = entry.path().filename().string();
        if (name != lock_name && !name.starts_with(draft)) return false;
    }
    return true;
}

// The last of a lab: its lock, the directory, the link to it. A directory that is not empty is another's `up`, which has begun anew.
void remove_shell(const fs::path& dir, const fs::path& real) {
    std::error_code error;
    fs::remove(real / lock_name, error);
    if (!fs::remove(real, error)) return;
    if (fs::is_symlink(dir)) fs::remove(dir, error);
    if (real.parent_path() == root_labs) {
        rmdir(root_labs);  // only when empty
        rmdir(fs::path(root_labs).parent_path().c_str());
    }
}

}  // namespace

fs::path make_lab_directory(const fs::path& given) try {
    const fs::path dir = absolute_name(given);
    if (!fs::exists(dir)) {
        const auto owner = server_owner(dir);
        if (owner && !reachable(dir.parent_path(), *owner)) {
            make_directory(relocated(dir));
            if (fs::is_symlink(dir)) fs::remove(dir);  // its target is gone
            fs::create_directories(dir.parent_path());
            fs::create_directory_symlink(relocated(dir), dir);
        } else {
            make_directory(dir);
        }
    }
    if (!fs::is_directory(dir)) throw Error(Code::refused, fmt::format("'{}' is not a directory", dir.string()), "choose another place: --dir DIR");
    if (!may_hold_lab(dir)) {
        throw Error(Code::refused, fmt::format("'{}' holds something that is not a lab", dir.string()), "choose another place: --dir DIR");
    }
    return fs::canonical(dir);
} catch (const fs::filesystem_error& error) {
    throw Error(Code::refused, fmt::format("cannot make the lab directory '{}': {}", given.string(), error.code().message()),
                "choose another place: --dir DIR");
}

fs::path find_lab_directory(const fs::path& given) {
    const fs::path dir = absolute_name(given);
    std::error_code ignored;
    if (!fs::exists(state_file(dir), ignored)) {
        throw Error(Code::refused, fmt::format("there is no lab in '{}'", dir.string()), "start one: ysdb lab up --dir " + given.string());
    }
    return fs::canonical(dir);
}

void remove_lab_directory(const fs::path& given) {
    const fs::path dir = absolute_name(given);
    std::error_code error;
    const fs::path real = fs::canonical(dir, error);
    fault::point("lab.destroy.before");
    // The state file goes last, and the lock after it: a destroy that is killed half way can be repeated, and nobody begins a lab in what is being removed.
    for (const auto& entry : fs::directory_iterator(real, error)) {
        if (entry.path() != state_file(real) && entry.path() != real / lock_name) fs::remove_all(entry.path(), error);
        if (error) break;
    }
    if (!error) fs::remove(state_file(real), error);
    if (error) throw Error(Code::partial, fmt::format("cannot remove all of '{}': {}", real.string(), error.message()), "run the command again");
    fault::point("lab.destroy.after");
    remove_shell(dir, real);
}

bool remove_lab_remains(const fs::path& given) {
    const fs::path dir = absolute_name(given);
    if (fs::is_symlink(dir) && !fs::exists(dir) && fs::read_symlink(dir) == relocated(dir)) return fs::remove(dir);
    if (!fs::is_directory(dir)) return false;
    const fs::path real = fs::canonical(dir);
    if (!is_unrecorded(real)) return false;
    const FileLock lock = lock_lab(real, Deadline::after(Millis(10'000)));
    if (!is_unrecorded(real)) return false;  // an `up` has got there meanwhile
    std::vector<fs::path> drafts;
    for (const auto& entry : fs::directory_iterator(real)) {
        if (entry.path().filename() != lock_name) drafts.push_back(entry.path());
    }
    for (const fs::path& draft : drafts) fs::remove(draft);
    remove_shell(dir, real);
    return true;
}

FileLock lock_lab(const fs::path& dir, Deadline deadline) {
    const fs::path path = dir / lock_name;
    while (true) {
        if (auto lock = FileLock::try_acquire(path)) {
            // A destroy may have removed the file between opening and locking it.
            struct stat held{}, named{};
            if (fstat(lock->fd(), &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino) return std::move(*lock);
        } else if (deadline.passed()) {
            throw Error(Code::locked, fmt::format("another ysdb lab command works in '{}'", dir.string()), "wait for it, then try again")
                .with_retryable();
        }
        std::this_thread::sleep_for(Millis(20));
    }
}

std::optional<Owner> server_owner(const fs::path& dir) {
    if (!is_root()) return std::nullopt;
    struct stat info{};
    for (const fs::path& witness : {dir / "postgres" / "data", dir.parent_path()}) {
        if (stat(witness.c_str(), &info) == 0 && info.st_uid != 0) return Owner{info.st_uid, info.st_gid};
    }
    const passwd* nobody = getpwnam("nobody");
    if (nobody == nullptr) throw Error(Code::refused, "PostgreSQL refuses to run as root, and there is no user 'nobody'", "run ysdb as another user");
    return Owner{nobody->pw_uid, nobody->pw_gid};
}

void give_to_owner(const Site& site, const fs::path& made_by_lab) {
    if (!site.owner) return;
    const auto give = [&](const fs::path& path) {
        if (lchown(path.c_str(), site.owner->uid, site.owner->gid) != 0) fail("hand over", path);
    };
    give(made_by_lab);
    if (!fs::is_directory(made_by_lab)) return;
    for (const auto& entry : fs::recursive_directory_iterator(made_by_lab)) give(entry.path());
}

std::string ensure_password(const fs::path& file) {
    if (!fs::exists(file)) write_file_atomically(file, random_hex(16) + "\n", 0600);
    return std::string(trim(read_file(file)));
}

}  // namespace ysdb::lab
