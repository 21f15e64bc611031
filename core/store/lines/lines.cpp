#include "core/store/lines/lines.h"

#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <optional>

#include "core/store/change_json.h"
#include "core/store/changes.h"

namespace ysdb::lines {

namespace {

// Whole lines, from whichever thread. A reader that went away ends the process as it ends any writer of a pipe.
void write_all(std::string_view text) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    while (!text.empty()) {
        const ssize_t written = write(STDOUT_FILENO, text.data(), text.size());
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EPIPE) {
            std::signal(SIGPIPE, SIG_DFL);
            std::raise(SIGPIPE);
        } else if (errno != EINTR && errno != EAGAIN) {
            throw Error(Code::connect, std::string("cannot write to stdout: ") + std::strerror(errno)).with_retryable();
        }
    }
}

class Writer final : public ChangeWriter {
public:
    explicit Writer(bool silent) : silent_(silent) {}

    void reshape(const TableInfo& source, std::span<const ColumnChange>, Deadline) override {
        if (!silent_) json_.emplace(source);
    }
    void apply(const ChangeBatch& changes, Deadline, const std::function<void(std::size_t, RejectedRow)>& rejected) override {
        if (silent_) return;
        for (std::size_t row = 0; row < changes.rows.rows(); ++row) {
            const std::size_t before = lines_.size();
            if (const auto column = json_->append(lines_, changes, row)) {
                lines_.resize(before);
                rejected(row, {"", changes.rows.table().columns[*column].name, "is not UTF-8: JSON cannot hold it", row});
                continue;
            }
            lines_ += '\n';
        }
    }
    void truncate(const Version& version, Deadline) override {
        if (silent_) return;
        json_->append_truncate(lines_, version);
        lines_ += '\n';
    }
    void flush(Deadline) override {
        write_all(lines_);
        lines_.clear();
    }
    void discard() override { lines_.clear(); }

private:
    bool silent_;
    std::optional<ChangeJson> json_;
    std::string lines_;
};

class Lines final : public Store, ChangeSink {
public:
    explicit Lines(const StoreConfig& config) : Store(config), silent_(!writes_stdout(config)) {}

    std::string redacted_url() const override { return config_.url; }
    ProbeResult probe(Deadline) override {
        ProbeResult result;
        result.product = silent_ ? "nothing" : "standard output";
        result.role = "sink";
        return result;
    }
    ChangeSink* changes() override { return this; }

    std::unique_ptr<ChangeWriter> follow(const Landing&, Deadline) override { return std::make_unique<Writer>(silent_); }
    std::uint32_t epoch(const std::string&, Deadline) override { return 0; }
    void begin_epoch(const std::string&, std::uint32_t, Deadline) override {}

private:
    bool silent_;
};

}  // namespace

std::unique_ptr<Store> open(const StoreConfig& config) { return std::make_unique<Lines>(config); }

bool writes_stdout(const StoreConfig& config) { return config.url.starts_with("stdout:"); }

}  // namespace ysdb::lines
