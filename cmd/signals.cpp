#include "cmd/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd/console.h"

namespace ysdb {

Signals::Signals() {
    signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of write(), not the end of the process
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGINT);
    sigaddset(&both, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &both, nullptr);
    signals_ = signalfd(-1, &both, SFD_CLOEXEC);
    finished_ = eventfd(0, EFD_CLOEXEC);
    listener_ = std::thread([this] { listen(); });
}

Signals::~Signals() {
    const std::uint64_t one = 1;
    if (write(finished_, &one, sizeof one) == sizeof one)
        listener_.join();
    else
        listener_.detach();
    close(signals_);
    close(finished_);
}

void Signals::listen() {
    while (true) {
        pollfd waiting[2] = {{signals_, POLLIN, 0}, {finished_, POLLIN, 0}};
        if (poll(waiting, 2, -1) < 0) continue;
        if (waiting[1].revents != 0) return;
        signalfd_siginfo info{};
        if (read(signals_, &info, sizeof info) != sizeof info) continue;
        const int number = static_cast<int>(info.ssi_signo);
        if (first_.load() != 0) _exit(128 + number);
        first_.store(number);
        write_out(STDERR_FILENO, "\nysdb: stopping after the work in hand; once more to abort\n");
        stop_.request_stop();
    }
}

}  // namespace ysdb
