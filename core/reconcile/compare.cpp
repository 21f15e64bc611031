#include "core/reconcile/compare.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/reconcile/digest.h"
#include "core/value/show.h"

namespace ysdb::reconcile {

namespace {

// Bounds the memory of the second pass: about 150 bytes an entry and side.
constexpr std::uint64_t entries_a_pass = 250'000;
// Rows that are looked at again: about 400 bytes each. What is beyond is not searched for.
constexpr std::size_t most_candidates = 200'000;
constexpr int most_looks = 6;

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

Entries collect(Context& context, Side& side, std::size_t columns, const std::function<bool(const Hash128& key)>& wanted, ProgressTask& progress) {
    std::mutex mutex;
    Entries entries;
    const bool versioned = side.table.columns.size() > columns;
    scan(context, side,
         [&]() -> Visitor {
             return [&, hasher = RowHasher(side.table, columns)](const Batch& batch) mutable {
                 for (std::size_t row = 0; row < batch.rows(); ++row) {
                     const RowHashes hashes = hasher.hash(batch, row);
                     if (!wanted(hashes.key)) continue;
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

// A key of which the two sides do not have the same.
struct Found {
    Difference difference;
    std::optional<Hash128> in_source, in_sink;   // the rows
    UInt128 version = 0;                         // the sink's
};
using FoundRows = std::unordered_multimap<Hash128, Found, HashOfKey>;

std::string differing_columns(const TableInfo& table, const Entry& a, const Entry& b) {
    std::string names;
    for (std::size_t c = 0; c < a.columns.size(); ++c) {
        if (a.columns[c] != b.columns[c]) names += (names.empty() ? "" : ", ") + table.columns[c].name;
    }
    return names;
}

void find_differences(const TableInfo& table, Entries& source, Entries& sink, FoundRows& found) {
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
            found.emplace(key, Found{{mine.key, Verdict::missing, ""}, mine.row, std::nullopt, 0});
            continue;
        }
        at->second.matched = true;
        found.emplace(key, Found{{mine.key, Verdict::different, differing_columns(table, mine, at->second)}, mine.row, at->second.row, at->second.version});
    }
    for (const auto& [key, theirs] : sink) {
        if (!theirs.matched) found.emplace(key, Found{{theirs.key, Verdict::extra, ""}, std::nullopt, theirs.row, theirs.version});
    }
}

class Comparer {
public:
    Comparer(Context& context, Side& source, Side& sink, const CompareOptions& options)
        : context_(context), source_(source), sink_(sink), options_(options), columns_(source.table.columns.size()), unreadable_{.limit = options.limit} {}

    Comparison run() {
        Digest of_source, of_sink;
        {
            auto progress = context_.progress.begin(source_.table.ref.text() + " on both sides", ProgressUnit::rows, 2 * source_.table.estimated_rows);
            both([&] { of_source = digest(context_, source_, columns_, unreadable_, *progress); }, [&] { of_sink = digest(context_, sink_, columns_, unreadable_, *progress); });
        }
        result_.source_rows = of_source.rows();
        result_.sink_rows = of_sink.rows();
        result_.unreadable = std::move(unreadable_.rows);
        search(of_source, of_sink);
        for (int look = 2; !candidates_.empty() && look <= most_looks; ++look) look_again(look);
        for (auto& [key, found] : candidates_) add(Verdict::unsettled, found.difference);
        std::sort(result_.differences.begin(), result_.differences.end(), [](const Difference& a, const Difference& b) { return a.key < b.key; });
        return std::move(result_);
    }

private:
    bool enough() const { return options_.look_again ? candidates_.size() >= most_candidates : result_.differences.size() >= options_.limit; }

    void search(const Digest& of_source, const Digest& of_sink) {
        const auto unequal = differing_buckets(of_source, of_sink);
        for (std::size_t next = 0; next < unequal.size();) {
            if (enough()) {
                result_.at_least = true;
                return;
            }
            std::vector<bool> wanted(Digest::buckets, false);
            std::uint64_t entries = 0;
            for (; next < unequal.size() && (entries == 0 || entries < entries_a_pass); ++next) {
                wanted[unequal[next]] = true;
                entries += of_source[unequal[next]].rows + of_sink[unequal[next]].rows;
            }
            for (auto& [key, found] : look([&](const Hash128& key) { return wanted[Digest::bucket_of(key)]; })) {
                if (options_.look_again) candidates_.emplace(key, std::move(found));
                else add(found.version > options_.beyond ? Verdict::unsettled : found.difference.verdict, found.difference);
            }
        }
    }

    // What differs as it did before, on both sides, differs. A row that goes to and fro between two values looks the same each time, in another version.
    void look_again(int look_number) {
        options_.look_again(source_, sink_);
        context_.log.debug("validate.look", {{"table", source_.table.ref.text()}, {"look", look_number}, {"rows", candidates_.size()}});
        FoundRows before = std::exchange(candidates_, {});
        for (auto& [key, found] : look([&](const Hash128& key) { return before.contains(key); })) {
            const auto [first, last] = before.equal_range(key);
            const bool stood = std::any_of(first, last, [&found = found](const auto& entry) { return entry.second.in_source == found.in_source && entry.second.in_sink == found.in_sink && entry.second.version == found.version; });
            if (stood) add(found.difference.verdict, found.difference);
            else candidates_.emplace(key, std::move(found));
        }
    }

    FoundRows look(const std::function<bool(const Hash128&)>& wanted) {
        auto progress = context_.progress.begin(source_.table.ref.text() + ": finding what differs", ProgressUnit::rows, 2 * result_.source_rows);
        Entries mine, theirs;
        both([&] { mine = collect(context_, source_, columns_, wanted, *progress); }, [&] { theirs = collect(context_, sink_, columns_, wanted, *progress); });
        FoundRows found;
        find_differences(source_.table, mine, theirs, found);
        return found;
    }

    void add(Verdict verdict, const Difference& difference) {
        switch (verdict) {
            case Verdict::missing: ++result_.missing; break;
            case Verdict::extra: ++result_.extra; break;
            case Verdict::different: ++result_.different; break;
            case Verdict::unsettled: ++result_.unsettled; break;
        }
        if (result_.differences.size() < options_.limit) result_.differences.push_back({difference.key, verdict, difference.columns});
    }

    Context& context_;
    Side& source_;
    Side& sink_;
    const CompareOptions& options_;
    std::size_t columns_;
    Unreadable unreadable_;
    Comparison result_;
    FoundRows candidates_;   // differ, and may not have stood still
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

Comparison compare(Context& context, Side& source, Side& sink, const CompareOptions& options) { return Comparer(context, source, sink, options).run(); }

}  // namespace ysdb::reconcile
