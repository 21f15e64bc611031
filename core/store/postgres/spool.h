// Transactions that the server tells before their commit, kept in files until it is known how they end.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace ysdb::postgres {

// Files have no name and go with the process. Not thread-safe. Throws Error(refused) when the disk is full, naming the directory.
class Spool {
    struct File;

public:
    // Reads one committed transaction's messages in order.
    class Reader {
    public:
        explicit Reader(std::unique_ptr<File> file);
        ~Reader();
        std::optional<std::string_view> next();  // valid until the next call
        bool aborted(std::uint32_t subtransaction) const;

    private:
        std::unique_ptr<File> file_;
        std::string message_;
    };

    explicit Spool(std::string directory);
    ~Spool();
    void add(std::uint32_t transaction, std::string_view message);
    // A subtransaction, or, with its own id, the whole.
    void abort(std::uint32_t transaction, std::uint32_t subtransaction);
    // Null when nothing was kept of it.
    std::unique_ptr<Reader> committed(std::uint32_t transaction);

private:
    std::string directory_;
    std::map<std::uint32_t, std::unique_ptr<File>> open_;
};

}  // namespace ysdb::postgres
