#include "core/report/live_progress.h"

#include <fmt/format.h>

#include "core/report/text_layout.h"

namespace ysdb {

namespace {

constexpr Millis repaint_every{200};

std::string amount(ProgressUnit unit, std::uint64_t value) {
    return unit == ProgressUnit::bytes ? human_bytes(static_cast<double>(value)) : human_count(static_cast<double>(value));
}

std::string_view unit_name(ProgressUnit unit) {
    return unit == ProgressUnit::rows ? " rows" : unit == ProgressUnit::steps ? " steps" : "";
}

std::string rate(ProgressUnit unit, double per_second) {
    if (unit == ProgressUnit::bytes) return human_bytes(per_second) + "/s";
    return human_count(per_second) + std::string(unit_name(unit)) + "/s";
}

}  // namespace

std::optional<double> eta_seconds(const ProgressState& state) {
    if (!state.total || state.done >= *state.total || state.recent_rate <= 0) return std::nullopt;
    return static_cast<double>(*state.total - state.done) / state.recent_rate;
}

std::string progress_line(const ProgressState& state) {
    std::string line = printable(state.label);
    if (state.total && *state.total > 0) {
        // An estimated total may be passed; then it says nothing more.
        const bool known = state.done <= *state.total;
        if (known) line += fmt::format("  {:.0f} %", 100.0 * static_cast<double>(state.done) / static_cast<double>(*state.total));
        line += "  " + amount(state.unit, state.done) + (known ? " of " + amount(state.unit, *state.total) : "");
    } else {
        line += "  " + amount(state.unit, state.done);
    }
    line += unit_name(state.unit);
    if (state.recent_rate > 0 && state.unit != ProgressUnit::steps) line += "  " + rate(state.unit, state.recent_rate);
    if (const auto eta = eta_seconds(state)) line += "  " + human_duration(*eta) + " left";
    if (!state.note.empty()) line += "  " + printable(state.note);
    return line;
}

class LiveProgress::Task final : public ProgressTask {
public:
    Task(LiveProgress& owner, std::string label, ProgressUnit unit, std::optional<std::uint64_t> total)
        : owner_(owner), label_(std::move(label)), unit_(unit), total_(total.value_or(0)), sampled_at_(began_) {}

    ~Task() override {
        const std::lock_guard lock(owner_.mutex_);
        owner_.tasks_.remove(this);
        if (owner_.tasks_.empty() && owner_.line_shown_) {
            owner_.terminal_->write("\r\x1b[K");
            owner_.line_shown_ = false;
        }
    }

    void add(std::uint64_t more) override { done_.fetch_add(more, std::memory_order_relaxed); }
    void set_total(std::uint64_t total) override { total_.store(total, std::memory_order_relaxed); }
    void note(std::string_view text) override {
        const std::lock_guard lock(owner_.mutex_);
        note_ = text;
    }

    // With the owner's mutex held. The rate is smoothed over some seconds, so that neither it nor the ETA jumps.
    ProgressState state() {
        const auto now = SteadyClock::now();
        const double span = std::chrono::duration<double>(now - sampled_at_).count();
        const std::uint64_t done = done_.load(std::memory_order_relaxed);
        if (span >= 0.1) {
            const double current = static_cast<double>(done - sampled_done_) / span;
            const double weight = rate_ == 0 ? 1 : std::min(1.0, span / 3);
            rate_ += weight * (current - rate_);
            sampled_done_ = done;
            sampled_at_ = now;
        }
        const std::uint64_t total = total_.load(std::memory_order_relaxed);
        return {label_,
                unit_,
                done,
                total > 0 ? std::optional(total) : std::nullopt,
                std::chrono::duration<double>(now - began_).count(),
                rate_,
                note_};
    }

private:
    LiveProgress& owner_;
    std::string label_;
    ProgressUnit unit_;
    std::atomic<std::uint64_t> done_{0};
    std::atomic<std::uint64_t> total_;
    SteadyClock::time_point began_ = SteadyClock::now();
    SteadyClock::time_point sampled_at_;
    std::uint64_t sampled_done_ = 0;
    double rate_ = 0;
    std::string note_;
};

LiveProgress::LiveProgress(Log& log, std::optional<Terminal> terminal, Millis log_every)
    : log_(log), terminal_(std::move(terminal)), log_every_(log_every) {}

LiveProgress::~LiveProgress() {
    {
        const std::lock_guard lock(mutex_);
        finished_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
    clear_line();
}

std::unique_ptr<ProgressTask> LiveProgress::begin(std::string label, ProgressUnit unit, std::optional<std::uint64_t> total) {
    auto task = std::make_unique<Task>(*this, std::move(label), unit, total);
    const std::lock_guard lock(mutex_);
    tasks_.push_back(task.get());
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
    return task;
}

void LiveProgress::clear_line() {
    const std::lock_guard lock(mutex_);
    if (!line_shown_) return;
    terminal_->write("\r\x1b[K");
    line_shown_ = false;
}

void LiveProgress::run() {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, terminal_ ? repaint_every : log_every_, [this] { return finished_; })) {
        if (tasks_.empty()) continue;
        if (terminal_) {
            show_line();
        } else {
            log_tasks();
        }
    }
}

void LiveProgress::show_line() {
    std::string line = progress_line(tasks_.front()->state());
    if (tasks_.size() > 1) line += fmt::format("  (and {} more)", tasks_.size() - 1);
    if (terminal_->width > 1) line = wrap(line, terminal_->width - 1).front();
    terminal_->write("\r" + line + "\x1b[K");
    line_shown_ = true;
}

void LiveProgress::log_tasks() {
    for (Task* task : tasks_) {
        const ProgressState state = task->state();
        log_.info("progress", {{"task", state.label},
                               {"done", state.done},
                               {"total", state.total.value_or(0)},
                               {"per_second", static_cast<std::uint64_t>(state.recent_rate)},
                               {"eta_s", static_cast<std::int64_t>(eta_seconds(state).value_or(-1))},
                               {"note", state.note}});
    }
}

}  // namespace ysdb
