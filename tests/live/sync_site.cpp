#include "tests/live/sync_site.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ysdb::test {

Running::Running(const std::string& directory, std::vector<std::string> arguments, std::map<std::string, std::string> environment) : base_(directory + "/run_" + unique_name()) {
    arguments.insert(arguments.begin(), YSDB_BINARY);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const std::string out = base_ + ".out", err = base_ + ".err";
    std::vector<std::string> values;
    for (char** each = environ; *each != nullptr; ++each) values.emplace_back(*each);
    for (const auto& [name, value] : environment) values.push_back(name + "=" + value);
    std::vector<char*> envp;
    for (std::string& value : values) envp.push_back(value.data());
    envp.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
        const int out_fd = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644), err_fd = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
        dup2(out_fd, 1);
        dup2(err_fd, 2);
        if (chdir(directory.c_str()) != 0) _exit(127);
        execve(argv[0], argv.data(), envp.data());
        _exit(127);
    }
}

Running::~Running() {
    if (code_ >= 0) return;
    kill(pid_, SIGCONT);
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
}

void Running::signal(int number) const { kill(pid_, number); }

bool Running::ended() {
    if (code_ >= 0) return true;
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) != pid_) return false;
    code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return true;
}

namespace {

// Where its threads are, if there is a debugger to tell.
std::string stacks_of(int pid) {
    try {
        return run_command({{"gdb", "-p", std::to_string(pid), "-batch", "-ex", "thread apply all bt 12"}}, Deadline::after(Millis(30'000))).out;
    } catch (const Error& error) {
        return error.message();
    }
}

}  // namespace

int Running::wait(Millis limit) {
    const bool done = wait_until([this] { return ended(); }, limit);
    REQUIRE_MESSAGE(done, "ysdb did not end: " << log() << "\n" << (done ? "" : stacks_of(pid_)));
    return code_;
}

std::string Running::output() const { return std::filesystem::exists(base_ + ".out") ? read_file(base_ + ".out") : ""; }
std::string Running::log() const { return std::filesystem::exists(base_ + ".err") ? read_file(base_ + ".err") : ""; }

}  // namespace ysdb::test
