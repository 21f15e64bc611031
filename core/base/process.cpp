#include "core/base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "core/base/error.h"
#include "core/base/text.h"

extern char** environ;

namespace ysdb {

namespace {

struct ProcessStat {
    std::uint64_t start_ticks = 0;
    bool ended = false;  // a zombie all of whose threads are gone: until then its files and sockets are still open
};

// From /proc/<pid>/stat; the name in parentheses may hold anything, so read from the last ')'.
std::optional<ProcessStat> process_stat(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::stringstream content;
    content << file.rdbuf();
    const std::string text = content.str();
    const auto close = text.rfind(')');
    if (close == std::string::npos) return std::nullopt;
    const auto fields = split(trim(std::string_view(text).substr(close + 1)), ' ');
    if (fields.size() < 20) return std::nullopt;
    return ProcessStat{std::stoull(fields[19]), (fields[0] == "Z" || fields[0] == "X") && std::stol(fields[17]) <= 1};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& extra) {
    std::vector<std::string> merged;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        if (!extra.contains(std::string(text.substr(0, text.find('='))))) merged.emplace_back(text);
    }
    for (const auto& [name, value] : extra) merged.push_back(name + "=" + value);
    return merged;
}

class Pipe {
public:
    Pipe() {
        if (pipe2(ends_, O_CLOEXEC) != 0) throw Error(Code::internal, std::string("cannot make a pipe: ") + std::strerror(errno));
    }
    ~Pipe() { close_end(0); close_end(1); }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    int operator[](int end) const { return ends_[end]; }
    void close_end(int end) {
        if (ends_[end] >= 0) ::close(ends_[end]);
        ends_[end] = -1;
    }

private:
    int ends_[2] = {-1, -1};
};

// `in`, `out`, `err`: descriptors for the child, -1 = as the options say.
pid_t start(const SpawnOptions& options, int in, int out, int err) {
    std::vector<std::string> argv = options.argv;
    if (options.uid) {
        // posix_spawn cannot change the user; setpriv is part of every Debian's essential util-linux.
        std::vector<std::string> prefix{"setpriv", "--reuid=" + std::to_string(*options.uid), "--regid=" + std::to_string(options.gid.value_or(*options.uid)),
                                        "--clear-groups", "--"};
        argv.insert(argv.begin(), prefix.begin(), prefix.end());
    }
    std::vector<std::string> environment = merged_environment(options.env);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    if (!options.cwd.empty()) posix_spawn_file_actions_addchdir_np(&actions, options.cwd.c_str());
    if (in >= 0) posix_spawn_file_actions_adddup2(&actions, in, 0);
    else posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (out >= 0) posix_spawn_file_actions_adddup2(&actions, out, 1);
    if (err >= 0) posix_spawn_file_actions_adddup2(&actions, err, 2);
    if (out < 0 && !options.output_file.empty()) {
        posix_spawn_file_actions_addopen(&actions, 1, options.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
        posix_spawn_file_actions_adddup2(&actions, 1, 2);
    }
    sigset_t none, defaults;
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    if (options.new_session) flags |= POSIX_SPAWN_SETSID;
    posix_spawnattr_setflags(&attributes, flags);
    pid_t pid = 0;
    auto arguments = pointers(argv);
    auto variables = pointers(environment);
    const int failed = posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments.data(), variables.data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (failed != 0) throw Error(Code::internal, "cannot start '" + options.argv[0] + "': " + std::strerror(failed));
    return pid;
}

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

ProcessId spawn(const SpawnOptions& options) {
    const pid_t pid = start(options, -1, -1, -1);
    const auto stat = process_stat(pid);
    return {pid, stat ? stat->start_ticks : 0};
}

ProcessId this_process() {
    const auto stat = process_stat(getpid());
    return {getpid(), stat ? stat->start_ticks : 0};
}

bool alive(const ProcessId& id) {
    if (id.pid <= 0) return false;
    const auto stat = process_stat(id.pid);
    return stat && stat->start_ticks == id.start_ticks && !stat->ended;
}

bool send_signal(const ProcessId& id, int signal) { return alive(id) && kill(id.pid, signal) == 0; }

bool wait_gone(const ProcessId& id, Deadline deadline) {
    while (true) {
        waitpid(id.pid, nullptr, WNOHANG);  // reaps it when it is ours
        if (!alive(id)) return true;
        if (deadline.passed()) return false;
        std::this_thread::sleep_for(Millis(10));
    }
}

CommandResult run_command(const SpawnOptions& options, Deadline deadline, const std::string& input) {
    Pipe in, out, err;
    const pid_t pid = start(options, in[0], out[1], err[1]);
    in.close_end(0);
    out.close_end(1);
    err.close_end(1);
    fcntl(in[1], F_SETFL, O_NONBLOCK);
    std::size_t written = 0;
    if (input.empty()) in.close_end(1);

    CommandResult result;
    bool out_open = true, err_open = true;
    const auto drain = [](int fd, std::string& into) {
        char buffer[65536];
        const ssize_t got = read(fd, buffer, sizeof buffer);
        if (got > 0) into.append(buffer, static_cast<std::size_t>(got));
        return got > 0 || (got < 0 && errno == EINTR);
    };
    while (out_open || err_open) {
        pollfd fds[3] = {{out_open ? out[0] : -1, POLLIN, 0}, {err_open ? err[0] : -1, POLLIN, 0}, {in[1], POLLOUT, 0}};
        const int ready = poll(fds, 3, static_cast<int>(std::min<long long>(deadline.left().count(), 1000)));
        if (ready == 0 && deadline.passed()) {
            kill(options.new_session ? -pid : pid, SIGKILL);
            waitpid(pid, nullptr, 0);
            throw Error(Code::connect, "'" + options.argv[0] + "' did not end in time").with_retryable();
        }
        if (fds[0].revents != 0) out_open = drain(out[0], result.out);
        if (fds[1].revents != 0) err_open = drain(err[0], result.err);
        if (fds[2].revents != 0) {
            const ssize_t put = write(in[1], input.data() + written, input.size() - written);
            if (put > 0) written += static_cast<std::size_t>(put);
            if (written == input.size() || (put < 0 && errno != EAGAIN && errno != EINTR)) in.close_end(1);
        }
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    result.exit_code = exit_code_of(status);
    return result;
}

std::optional<std::string> find_program(const std::string& name, const std::vector<std::string>& extra_dirs) {
    std::vector<std::string> dirs;
    if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? std::optional(name) : std::nullopt;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (std::string_view(*entry).starts_with("PATH=")) dirs = split(std::string_view(*entry).substr(5), ':');
    }
    dirs.insert(dirs.end(), extra_dirs.begin(), extra_dirs.end());
    for (const std::string& dir : dirs) {
        const std::string path = dir + "/" + name;
        if (!dir.empty() && access(path.c_str(), X_OK) == 0) return path;
    }
    return std::nullopt;
}

}  // namespace ysdb
