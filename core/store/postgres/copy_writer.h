// The rows of a copy on their way into the table beside the one that readers see.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/store/changes.h"
#include "core/store/postgres/change_rows.h"
#include "core/store/postgres/connection.h"
#include "core/store/postgres/patroni.h"

namespace ysdb::postgres {

// The store, and how it is connected to.
struct SinkPlace {
    std::string store;
    const Locator& locator;
    Millis connect_timeout;

    std::unique_ptr<Connection> connect(const std::string& label, Deadline deadline) const {
        return Connection::open(locator.target(deadline), label, Deadline::after(std::min(deadline.left(), connect_timeout)));
    }
};

// The columns of a copy that is being made, which may be renamed under way.
struct CopyShape {
    std::mutex mutex;
    Shape shape;
    TableRef staging;
    Version version;                      // of the copied rows, the oldest should they be of several views: what is told beyond it is applied again
};

// Thread-safe: each batch is a transaction of a connection that nobody else uses meanwhile. `place` must outlive it.
class CopyWriter final : public RowWriter {
public:
    CopyWriter(const SinkPlace& place, std::shared_ptr<CopyShape> copy, std::string label) : place_(place), copy_(std::move(copy)), label_(std::move(label)) {}

    void apply(const ChangeBatch& batch, const std::string& token, Deadline deadline, const std::function<void(RejectedRow)>& rejected) override;
    void flush(Deadline) override {}   // each batch is a transaction

private:
    void send(const Shape& shape, const Batch& rows, const Batch& told, const std::vector<std::size_t>& origin, std::size_t from, std::size_t to, Deadline deadline,
              const std::function<void(RejectedRow)>& rejected);
    std::unique_ptr<Connection> take(const Shape& shape, Deadline deadline);

    const SinkPlace& place_;
    std::shared_ptr<CopyShape> copy_;
    std::string label_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace ysdb::postgres
