#include "core/reconcile/scan.h"

#include <atomic>
#include <mutex>
#include <thread>

namespace ysdb::reconcile {

namespace {
constexpr std::size_t batch_bytes = 2u << 20;  // stays in the cache between decoding and hashing
}

void scan(Context& context, Side& side, const std::function<Visitor()>& make, const std::function<void(RejectedRow)>& rejected, ProgressTask& progress) {
    std::stop_source halt;
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::exception_ptr error;
    std::vector<Visitor> visitors;
    for (int i = 0; i < side.workers; ++i) visitors.push_back(make());
    {
        const std::stop_callback on_stop(context.stop, [&] { halt.request_stop(); });
        std::vector<std::jthread> workers;
        for (Visitor& visitor : visitors) {
            workers.emplace_back([&] {
                try {
                    for (std::size_t i = next++; i < side.ranges.size() && !halt.stop_requested(); i = next++) {
                        side.store->rows()->read(side.table, side.ranges[i], *side.snapshot, batch_bytes, context.timeout, halt.get_token(),
                                                 [&](Batch& batch) {
                                                     visitor(batch);
                                                     progress.add(batch.rows());
                                                 },
                                                 rejected);
                    }
                } catch (...) {
                    const std::lock_guard lock(mutex);
                    if (!error) error = std::current_exception();
                    halt.request_stop();
                }
            });
        }
    }
    if (error) std::rethrow_exception(error);
    if (context.stop.stop_requested()) throw Error(Code::interrupted, "interrupted while reading " + side.table.ref.text() + " of store '" + side.store->name() + "'");
}

}  // namespace ysdb::reconcile
