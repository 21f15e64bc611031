#include "core/sync/copy/table_copy.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "core/base/fault.h"
#include "core/base/retry.h"

namespace ysdb::sync {

namespace {

constexpr Millis look_every{1'000};   // whether somebody waits for the view
constexpr RetryPolicy insert_retries{5, Millis(200), Millis(5'000)};

class Copier {
public:
    Copier(Context& context, const TableCopy& copy, CopyCount& count, std::stop_token stop) : context_(context), copy_(copy), count_(count), stop_(std::move(stop)) {}

    void run() {
        {
            std::vector<std::jthread> workers;
            const auto workers_wanted = std::min<std::size_t>(static_cast<std::size_t>(copy_.workers), copy_.ranges.size());
            const std::stop_callback on_stop(stop_, [this] { halt_.request_stop(); });
            for (std::size_t i = 0; i < workers_wanted; ++i) workers.emplace_back([this] { work(); });
        }
        if (error_) std::rethrow_exception(error_);
        if (stop_.stop_requested()) throw Error(Code::interrupted, "interrupted while copying " + copy_.table.ref.text());
    }

private:
    void work() {
        try {
            do {
                const std::size_t next = next_++;
                if (next >= copy_.ranges.size() || halt_.stop_requested()) return;
                if (!copy_range_unless_waited_for(next)) return;
            } while (SteadyClock::now() < copy_.until && !in_the_way());
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!error_) error_ = std::current_exception();
            halt_.request_stop();
        }
    }

    // False when the view is in somebody's way who wants the table for himself, and nothing was read: where there may be another view, the range is its.
    bool copy_range_unless_waited_for(std::size_t index) {
        try {
            copy_range(index);
            return true;
        } catch (const Error& error) {
            if (error.code() != Code::locked || !may_give_up_view()) throw;
            give_up_view();
            return false;
        }
    }

    bool may_give_up_view() const { return copy_.until != SteadyClock::time_point::max(); }

    void give_up_view() {
        if (!waited_for_.exchange(true)) context_.log.info("sync.copy", {{"table", copy_.table.ref.text()}, {"view", "given up: somebody waits for a lock that it holds"}});
    }

    // Who waits to alter the table keeps everybody else from it meanwhile.
    bool in_the_way() {
        if (!may_give_up_view() || waited_for_) return waited_for_;
        {
            const std::lock_guard lock(mutex_);
            if (SteadyClock::now() - looked_at_ < look_every) return false;
            looked_at_ = SteadyClock::now();
        }
        try {
            if (copy_.snapshot.waited_for(context_.deadline())) give_up_view();
        } catch (const Error& error) {
            context_.log.debug("sync.copy", {{"table", copy_.table.ref.text()}, {"view", error.message()}});   // no connection to spare, maybe: rows can be read all the same
        }
        return waited_for_;
    }

    void reject(const RejectedRow& row) {
        ++count_.rejected;
        copy_.rejected(row);
    }

    void copy_range(std::size_t index) {
        fault::point("snapshot.range.before");
        int batch_number = 0;
        std::uint64_t rows = 0, rejected = 0;
        ChangeBatch change;
        change.versions = {copy_.version};
        copy_.rows.read(copy_.table, copy_.ranges[index], copy_.snapshot, copy_.batch_bytes, context_.timeout, halt_.get_token(),
                                  [&](Batch& batch) {
                                      std::swap(change.rows, batch);
                                      const std::uint64_t left_out = send(change, fmt::format("{}/{}/{}/{}", copy_.run, copy_.table.ref.text(), index, batch_number++));
                                      rows += change.rows.rows() - left_out;
                                      rejected += left_out;
                                      std::swap(change.rows, batch);  // the buffers go back to be filled again
                                  },
                                  [&](const RejectedRow& row) {
                                      ++rejected;
                                      reject(row);
                                  });
        fault::point("snapshot.range.after");
        if (copy_.range_done) copy_.range_done(index, rows, rejected);
    }

    // The same rows under the same token until the sink has them: a try that arrived unseen is told from a new one by the sink. How many were left out.
    std::uint64_t send(const ChangeBatch& change, const std::string& token) {
        std::vector<RejectedRow> left_out;
        fault::point("snapshot.batch.before");
        retry(insert_retries, Deadline::after(context_.timeout * 3), halt_.get_token(),
              [&] {
                  left_out.clear();
                  copy_.writer.apply(change, token, context_.deadline(), [&](RejectedRow row) { left_out.push_back(std::move(row)); });
              },
              [&](int attempt, const Error& error, Millis) {
                  context_.log.warn("insert.retry", {{"table", copy_.table.ref.text()}, {"attempt", attempt}, {"error", error.message()}});
              });
        fault::point("snapshot.batch.after");
        for (const RejectedRow& row : left_out) reject(row);
        count_.rows += change.rows.rows() - left_out.size();
        count_.bytes += change.rows.byte_size();
        copy_.progress.add(change.rows.rows());
        return left_out.size();
    }

    Context& context_;
    const TableCopy& copy_;
    CopyCount& count_;
    std::stop_token stop_;
    std::stop_source halt_;
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> waited_for_{false};
    std::mutex mutex_;   // guards what follows
    SteadyClock::time_point looked_at_ = SteadyClock::now();
    std::exception_ptr error_;
};

}  // namespace

void copy_rows(Context& context, const TableCopy& copy, CopyCount& count, std::stop_token stop) { Copier(context, copy, count, std::move(stop)).run(); }

}  // namespace ysdb::sync
