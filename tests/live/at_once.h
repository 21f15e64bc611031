// Cases that have nothing in common but the servers, side by side: what each of them waits for, they wait for together. For cases that wait for most of
// their time (a broker that gives up a member, a server's own clock); those that compute are no quicker for it.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace ysdb::test {

// A failed REQUIRE ends that one case, and the test once the others are done. What is captured outside is not shown with a failure in here.
template <class Case, class Work>
void at_once(const std::vector<Case>& cases, const Work& work, std::size_t most = 4) {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::exception_ptr failure;
    {
        std::vector<std::jthread> workers;
        for (std::size_t i = 0; i < std::min(most, cases.size()); ++i) {
            workers.emplace_back([&] {
                for (std::size_t at = next++; at < cases.size(); at = next++) {
                    try {
                        work(cases[at]);
                    } catch (...) {
                        const std::lock_guard lock(mutex);
                        failure = std::current_exception();
                    }
                }
            });
        }
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace ysdb::test
