#include "core/reconcile/compare.h"

#include <algorithm>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "core/reconcile/digest.h"
#include "core/value/show.h"

namespace ysdb::reconcile {

namespace {

// Bounds the memory of the second pass: about 150 bytes an entry and side.
constexpr std::uint64_t entries_a_pass = 250'000;

// Runs both sides at once; the first error wins.
void both(const std::function<void()>& first, const std::function<void()>& second) {
    std::exception_ptr error;
    {
        std::jthread other([&] {
            try {
                second();
            } catch (...) {
                error = std::current_exception();
            }
        });
        first();
    }
    if (error) std::rethrow_exception(error);
}

struct Unreadable {
    std::mutex mutex;
    std::vector<RejectedRow> rows;
    std::uint64_t limit;
    void add(RejectedRow row) {
        const std::lock_guard lock(mutex);
        if (rows.size() < limit) rows.push_back(std::move(row));
    }
};

Digest digest(Context& context, Side& side, std::size_t columns, Unreadable& unreadable, ProgressTask& progress) {
    std::vector<std::unique_ptr<Digest>> parts;
    scan(context, side,
         [&]() -> Visitor {
             Digest* part = parts.emplace_back(std::make_unique<Digest>()).get();
             return [part, hasher = RowHasher(side.table, columns)](const Batch& batch) mutable {
                 for (std::size_t row = 0; row < batch.rows(); ++row) part->add(hasher.hash(batch, row));
             };
         },
         [&](RejectedRow row) { unreadable.add(std::move(row)); }, progress);
    Digest whole;
    for (const auto& part : parts) whole.merge(*part);
    return whole;
}

struct HashOfKey {
    std::size_t operator()(const Hash128& key) const { return key.low; }
};

// A row of an unequal bucket. The same key may stand several times in a table without a primary key.
struct Entry {
    Hash128 row;
    std::string key;                       // as people read it
    std::vector<std::uint32_t> columns;    // a hash of each column
    UInt128 version = 0;
    bool matched = false;
};
using Entries = std::unordered_multimap<Hash128, Entry, HashOfKey>;

Entries collect(Context& context, Side& side, std::size_t columns, const std::vector<bool>& wanted, ProgressTask& progress) {
    std::mutex mutex;
    Entries entries;
    const bool versioned = side.table.columns.size() > columns;
    scan(context, side,
         [&]() -> Visitor {
             return [&, hasher = RowHasher(side.table, columns)](const Batch& batch) mutable {
                 for (std::size_t row = 0; row < batch.rows(); ++row) {
                     const RowHashes hashes = hasher.hash(batch, row);
                     if (!wanted[Digest::bucket_of(hashes.key)]) continue;
                     Entry entry{hashes.row, show_key(batch, row), {}, 0, false};
                     for (std::size_t c = 0; c < columns; ++c) {
                         const auto value = batch.value(row, c);
                         entry.columns.push_back(batch.cell(row, c).is_null() ? 1u : static_cast<std::uint32_t>(xxh128(value.data(), value.size()).low) | 2u);
                     }
                     if (versioned && batch.value(row, columns).size() == sizeof entry.version) std::memcpy(&entry.version, batch.value(row, columns).data(), sizeof entry.version);
                     const std::lock_guard lock(mutex);
                     entries.emplace(hashes.key, std::move(entry));
                 }
             };
         },
         [](RejectedRow) {}, progress);
    return entries;
}

class Judge {
public:
    Judge(Comparison& result, const TableInfo& table, std::uint64_t position, std::uint64_t limit)
        : result_(result), table_(table), beyond_(Version{1, position, 0xffffffffu}.packed()), limit_(limit) {}

    void judge(Entries& source, Entries& sink) {
        // Equal rows first: with keys that repeat, each row of one side answers for one of the other.
        for (auto& [key, mine] : source) {
            auto [at, end] = sink.equal_range(key);
            for (; at != end; ++at) {
                if (!at->second.matched && at->second.row == mine.row) {
                    at->second.matched = mine.matched = true;
                    break;
                }
            }
        }
        for (auto& [key, mine] : source) {
            if (mine.matched) continue;
            auto [at, end] = sink.equal_range(key);
            while (at != end && at->second.matched) ++at;
            if (at == end) {
                add(Verdict::missing, mine.key, "");
                continue;
            }
            at->second.matched = true;
            add(at->second.version > beyond_ ? Verdict::unsettled : Verdict::different, mine.key, columns(mine, at->second));
        }
        for (const auto& [key, theirs] : sink) {
            if (!theirs.matched) add(theirs.version > beyond_ ? Verdict::unsettled : Verdict::extra, theirs.key, "");
        }
    }

private:
    std::string columns(const Entry& a, const Entry& b) const {
        std::string names;
        for (std::size_t c = 0; c < a.columns.size(); ++c) {
            if (a.columns[c] != b.columns[c]) names += (names.empty() ? "" : ", ") + table_.columns[c].name;
        }
        return names;
    }

    void add(Verdict verdict, const std::string& key, const std::string& columns) {
        switch (verdict) {
            case Verdict::missing: ++result_.missing; break;
            case Verdict::extra: ++result_.extra; break;
            case Verdict::different: ++result_.different; break;
            case Verdict::unsettled: ++result_.unsettled; break;
        }
        if (result_.differences.size() < limit_) result_.differences.push_back({key, verdict, columns});
    }

    Comparison& result_;
    const TableInfo& table_;
    UInt128 beyond_;
    std::uint64_t limit_;
};

}  // namespace

std::string verdict_text(Verdict verdict) {
    switch (verdict) {
        case Verdict::missing: return "missing in the sink";
        case Verdict::extra: return "extra in the sink";
        case Verdict::different: return "different";
        case Verdict::unsettled: return "unsettled";
    }
    return "";
}

Comparison compare(Context& context, Side& source, Side& sink, std::uint64_t limit) {
    const std::size_t columns = source.table.columns.size();
    Comparison result;
    Unreadable unreadable{.limit = limit};
    Digest of_source, of_sink;
    {
        auto progress = context.progress.begin(source.table.ref.text() + " on both sides", ProgressUnit::rows, 2 * source.table.estimated_rows);
        both([&] { of_source = digest(context, source, columns, unreadable, *progress); }, [&] { of_sink = digest(context, sink, columns, unreadable, *progress); });
    }
    result.source_rows = of_source.rows();
    result.sink_rows = of_sink.rows();
    result.unreadable = std::move(unreadable.rows);

    const auto unequal = differing_buckets(of_source, of_sink);
    std::size_t next = 0;
    while (next < unequal.size()) {
        if (result.differences.size() >= limit) {
            result.at_least = true;
            break;
        }
        std::vector<bool> wanted(Digest::buckets, false);
        std::uint64_t entries = 0;
        for (; next < unequal.size() && (entries == 0 || entries < entries_a_pass); ++next) {
            wanted[unequal[next]] = true;
            entries += of_source[unequal[next]].rows + of_sink[unequal[next]].rows;
        }
        auto progress = context.progress.begin(source.table.ref.text() + ": finding what differs", ProgressUnit::rows, 2 * result.source_rows);
        Entries mine, theirs;
        both([&] { mine = collect(context, source, columns, wanted, *progress); }, [&] { theirs = collect(context, sink, columns, wanted, *progress); });
        Judge(result, source.table, source.snapshot->position(), limit).judge(mine, theirs);
    }
    std::sort(result.differences.begin(), result.differences.end(), [](const Difference& a, const Difference& b) { return a.key < b.key; });
    return result;
}

}  // namespace ysdb::reconcile
