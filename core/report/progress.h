// Progress of long work. Jobs say how far they are; the sink decides how to show it (one rewritten line with rate and ETA on a
// terminal, a log line every 10 s otherwise, nothing with --quiet).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace ysdb {

enum class ProgressUnit { rows, bytes, steps };

// Thread-safe: worker threads call add() at any time.
class ProgressTask {
public:
    virtual ~ProgressTask() = default;  // ends the task
    virtual void add(std::uint64_t amount) = 0;
    virtual void set_total(std::uint64_t total) = 0;
    virtual void note(std::string_view text) = 0;  // what is happening now ("waiting for lock held by pid 77")
};

class ProgressSink {
public:
    virtual ~ProgressSink() = default;
    // `label`: "public.transaction_history". `total`: when known or estimated.
    virtual std::unique_ptr<ProgressTask> begin(std::string label, ProgressUnit unit, std::optional<std::uint64_t> total) = 0;
};

// Shows nothing: --quiet and unit tests.
class NoProgress final : public ProgressSink {
public:
    std::unique_ptr<ProgressTask> begin(std::string, ProgressUnit, std::optional<std::uint64_t>) override;
};

}  // namespace ysdb
