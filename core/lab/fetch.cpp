#include "core/lab/fetch.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "core/base/error.h"
#include "core/base/file.h"
#include "core/base/hash.h"
#include "core/base/process.h"
#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/lab/clients.h"
#include "core/lab/state.h"

namespace ysdb::lab {

namespace {

namespace fs = std::filesystem;

// Removed with all that is in it, whatever happens.
class Draft {
public:
    explicit Draft(fs::path path) : path_(std::move(path)) { fs::create_directories(path_); }
    ~Draft() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

std::uint64_t bytes_below(const fs::path& dir) {
    std::uint64_t sum = 0;
    std::error_code changing;  // the client works in there
    for (fs::recursive_directory_iterator at(dir, fs::directory_options::skip_permission_denied, changing), end; at != end; at.increment(changing)) {
        if (changing) break;
        std::error_code gone;
        const auto size = at->is_regular_file(gone) ? at->file_size(gone) : 0;
        if (!gone) sum += size;
    }
    return sum;
}

// Shows what the client has written so far as the download's progress.
class DownloadProgress {
public:
    DownloadProgress(const Pin& pin, ProgressSink& sink, std::vector<fs::path> places)
        : task_(sink.begin("fetching " + pin.name, ProgressUnit::bytes, pin.bytes)), thread_([this, places, total = pin.bytes](std::stop_token done) {
              const auto size = [&] {
                  std::uint64_t sum = 0;
                  for (const fs::path& place : places) sum += bytes_below(place);
                  return sum;
              };
              const std::uint64_t before = size();
              std::uint64_t shown = 0;
              while (pause_for(Millis(300), done)) {
                  const std::uint64_t now = std::min(std::max(size(), before) - before, total);
                  if (now > shown) task_->add(now - shown);
                  shown = std::max(shown, now);
              }
          }) {}

private:
    std::unique_ptr<ProgressTask> task_;
    std::jthread thread_;
};

FileLock lock_cache(const fs::path& cache, ProgressSink& progress, const std::stop_token& stop) {
    if (auto lock = FileLock::try_acquire(cache / "fetch.lock")) return std::move(*lock);
    const auto task = progress.begin("fetching", ProgressUnit::steps, std::nullopt);
    task->note("waiting for another ysdb lab fetch");
    while (pause_for(Millis(200), stop)) {
        if (auto lock = FileLock::try_acquire(cache / "fetch.lock")) return std::move(*lock);
    }
    throw Error(Code::interrupted, "interrupted while another ysdb lab fetch was at work");
}

void check_machine(const Pin& pin, const fs::path& cache) {
    utsname machine{};
    uname(&machine);
    if (!pin.architecture.empty() && pin.architecture != machine.machine) {
        throw Error(Code::refused, fmt::format("{} is pinned for {} only; this machine is {}", pin.name, pin.architecture, machine.machine),
                    "install the server yourself: ysdb lab uses what is on PATH");
    }
    const std::uint64_t needed = pin.bytes * 2 + pin.unpacked;  // the client keeps a copy for itself
    const std::uint64_t available = fs::space(cache).available;
    if (available < needed) {
        throw Error(Code::refused, fmt::format("{} needs {} in '{}', which has {} left", pin.name, human_bytes(static_cast<double>(needed)), cache.string(),
                                               human_bytes(static_cast<double>(available))),
                    "make room, or choose another place: --cache DIR");
    }
}

fs::path only_file(const fs::path& raw) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(raw)) files.push_back(entry.path());
    if (files.size() != 1) throw Error(Code::internal, fmt::format("expected one downloaded file, found {}", files.size()));
    return files.front();
}

void verify(const Pin& pin, const fs::path& raw) {
    if (pin.client == "go") return;  // run_client compared the module's sum
    const std::string found = checksum_of(pin, raw);
    if (found == pin.checksum) return;
    throw Error(Code::refused, fmt::format("the checksum of {} {} is {}, pinned is {}", pin.package, pin.version, found, pin.checksum),
                "it was thrown away: what the registry or a mirror serves is not what was tested");
}

void unpack(const Pin& pin, const fs::path& raw, const fs::path& draft, const fs::path& place, const fs::path& cache, const std::stop_token& stop) {
    const auto tool = [&](const char* package, std::vector<std::string> argv) { run_tool("unpack " + pin.name, package, std::move(argv), {}, Code::refused, stop); };
    const auto untar = [&](const fs::path& archive, const char* strip) {
        tool("apt-get install tar xz-utils", {"tar", "-xf", archive.string(), "--no-same-owner", strip, "-C", place.string()});
    };
    fs::create_directories(place);
    if (pin.client == "npm" || pin.artifact.starts_with("tar.gz")) {
        untar(only_file(raw), "--strip-components=1");
    } else if (pin.client == "pypi") {
        install_wheel(only_file(raw), place, cache, stop);
    } else if (!pin.inner.empty()) {
        tool("apt-get install python3", {"python3", "-m", "zipfile", "-e", only_file(raw).string(), draft.string()});
        untar(draft / pin.inner, "--strip-components=0");
    } else {
        for (const auto& entry : fs::directory_iterator(raw)) fs::rename(entry.path(), place / entry.path().filename());
    }
    // Whatever the umask: as root, PostgreSQL runs as another user.
    for (const auto& entry : fs::recursive_directory_iterator(place)) {
        if (entry.is_symlink()) continue;
        const bool enter = entry.is_directory() || (entry.status().permissions() & fs::perms::owner_exec) != fs::perms::none;
        fs::permissions(entry.path(), fs::perms(enter ? 0555 : 0444), fs::perm_options::add);
    }
    fs::permissions(place, fs::perms(0755));
}

FetchResult fetch_locked(const Pin& pin, const fs::path& cache, ProgressSink& progress, const std::stop_token& stop) {
    const auto begin = SteadyClock::now();
    const fs::path place = place_of(pin, cache);
    if (fs::exists(place)) return {place, false, 0};
    check_machine(pin, cache);
    fs::path npm;
    if (pin.client == "npm" && !find_program("npm")) npm = fetch_locked(lab::pin("npm"), cache, progress, stop).place;

    const Draft draft(cache / ("draft-" + random_hex(6)));
    const fs::path raw = draft.path() / "raw";
    fs::create_directories(raw);
    {
        const DownloadProgress shown(pin, progress, {draft.path(), cache / "clients"});
        run_client({pin, cache, raw, draft.path(), npm, stop});
    }
    verify(pin, raw);
    unpack(pin, raw, draft.path(), draft.path() / "place", cache, stop);
    fs::rename(draft.path() / "place", place);
    return {place, true, std::chrono::duration<double>(SteadyClock::now() - begin).count()};
}

}  // namespace

FetchResult fetch(const Pin& pin, const fs::path& cache, ProgressSink& progress, std::stop_token stop) try {
    fs::create_directories(cache);
    const FileLock lock = lock_cache(cache, progress, stop);
    for (const auto& entry : fs::directory_iterator(cache)) {  // of runs that were killed
        if (entry.path().filename().string().starts_with("draft-")) fs::remove_all(entry.path());
    }
    return fetch_locked(pin, cache, progress, stop);
} catch (const fs::filesystem_error& error) {
    throw Error(Code::refused, fmt::format("cannot write to '{}': {}", cache.string(), error.code().message()), "make room, or choose another place: --cache DIR");
}

std::string checksum_of(const Pin& pin, const fs::path& raw) {
    if (pin.dependencies.empty()) return sha256_file_hex(only_file(raw).string());
    std::vector<std::string> lines;
    for (const auto& entry : fs::directory_iterator(raw)) {
        lines.push_back(sha256_file_hex(entry.path().string()) + "  " + entry.path().filename().string() + "\n");
    }
    std::sort(lines.begin(), lines.end());
    return sha256_hex(join(lines, ""));
}

}  // namespace ysdb::lab
