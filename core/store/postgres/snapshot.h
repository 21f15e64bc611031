// A shared consistent view, and the COPY that reads ranges of a table through it.
#pragma once

#include <mutex>
#include <vector>

#include "core/store/postgres/connection.h"

namespace ysdb::postgres {

// A snapshot that another connection exported, and the position it fits.
struct ExportedView {
    std::string id;     // for SET TRANSACTION SNAPSHOT
    std::string lsn;
};

// Thread-safe once opened: readers borrow connections that already look through the snapshot.
class Snapshot final : public SourceSnapshot {
public:
    // Of the moment, or, with `export_view`, of what that exports once the tables are locked. It may throw lock_not_available after it has waited for as
    // long as it is told, which grows: whoever it waits for may wait for the tables, and gets them first.
    static std::unique_ptr<Snapshot> open(const Target& target, const std::string& label, std::span<const TableRef> tables, Deadline deadline,
                                          const std::function<ExportedView(Millis patience)>& export_view = {});

    std::uint64_t position() const override { return lsn_; }
    std::string describe() const override { return lsn_text_; }
    bool waited_for(Deadline deadline) override;
    std::vector<ReadRange> ranges(const TableInfo& table, std::uint64_t rows_per_range, Deadline deadline);
    // Throws Error(locked, retryable) before its first row where somebody waits for this view's locks whom the reader would have to wait for: nothing but
    // giving the view up helps.
    void read(const TableInfo& table, const ReadRange& range, std::size_t batch_bytes, Millis idle, std::stop_token stop,
              const std::function<void(Batch&)>& consume, const std::function<void(RejectedRow)>& rejected);

private:
    Snapshot(Target target, std::string label) : target_(std::move(target)), label_(std::move(label)) {}
    std::unique_ptr<Connection> borrow(Deadline deadline);
    void give_back(std::unique_ptr<Connection> reader);
    std::unique_ptr<Connection> start_reading(const std::string& copy, const TableInfo& table, Millis idle);
    void hold(std::span<const TableRef> tables, Deadline deadline);

    Target target_;
    std::string label_;
    std::unique_ptr<Connection> holder_;   // its open transaction keeps the snapshot and the locks
    std::string id_;
    std::string lsn_text_;
    std::uint64_t lsn_ = 0;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Connection>> readers_;
};

// "16/B374D848" -> 64-bit. Throws Error(internal).
std::uint64_t parse_lsn(const std::string& text);

}  // namespace ysdb::postgres
