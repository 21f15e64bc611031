#include "core/store/postgres/copy_writer.h"

#include <optional>
#include <utility>

#include "core/base/fault.h"
#include "core/value/show.h"

namespace ysdb::postgres {

void CopyWriter::apply(const ChangeBatch& batch, const std::string&, Deadline deadline, const std::function<void(RejectedRow)>& rejected) {
    Shape shape;
    {
        const std::lock_guard lock(copy_->mutex);
        if (!batch.versions.empty() && (copy_->version == Version{} || batch.versions[0] < copy_->version)) copy_->version = batch.versions[0];
        shape = copy_->shape;
    }
    Batch rows(&shape.sent);
    std::vector<std::size_t> origin;
    for (std::size_t row = 0; row < batch.rows.rows(); ++row) {
        if (auto why = unsendable_row(batch.rows, row, false)) {
            rejected(std::move(*why));
            continue;
        }
        append_row(rows, batch.rows, row, batch.version(row), false, false);
        origin.push_back(row);
    }
    send(shape, rows, batch.rows, origin, 0, origin.size(), deadline, rejected);
}

// In halves, where the server refuses some of it.
void CopyWriter::send(const Shape& shape, const Batch& rows, const Batch& told, const std::vector<std::size_t>& origin, std::size_t from, std::size_t to, Deadline deadline,
                      const std::function<void(RejectedRow)>& rejected) {
    if (from == to) return;
    try {
        auto connection = take(shape, deadline);
        Batch some(&shape.sent);
        some.append(rows, from, to);
        run_all(*connection, {"BEGIN"}, deadline);
        send_rows(*connection, shape, some, deadline);
        fault::point("postgres.copy.insert.before");
        run_all(*connection, {staging_statement(shape, copy_->staging), "COMMIT"}, deadline);
        fault::point("postgres.copy.insert.after");
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(connection));
    } catch (const Error& error) {
        if (error.retryable() || error.code() != Code::rejected) throw;
        if (to - from == 1) return rejected({show_key(told, origin[from]), "", error.message(), origin[from]});
        const std::size_t middle = from + (to - from) / 2;
        send(shape, rows, told, origin, from, middle, deadline, rejected);
        send(shape, rows, told, origin, middle, to, deadline, rejected);
    }
}

std::unique_ptr<Connection> CopyWriter::take(const Shape& shape, Deadline deadline) {
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            auto connection = std::move(idle_.back());
            idle_.pop_back();
            return connection;
        }
    }
    auto connection = place_.connect(label_, deadline);
    run_all(*connection, {changes_statement(shape)}, deadline);
    return connection;
}

}  // namespace ysdb::postgres
