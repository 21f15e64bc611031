// `lab load`: fills a shipped schema with generated rows and real token lists, at the stores' bulk speed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/context.h"
#include "core/report/report.h"

namespace ysdb {

struct TokenListFile {
    std::string path;        // for messages
    std::string content;
};

struct LoadOptions {
    std::string schema;                      // "yieldsensei", "solana"
    std::uint64_t rows = 1'000'000;
    std::uint64_t seed = 1;
    std::int64_t until = 0;                  // microseconds UTC: no generated row is later
    std::vector<std::string> tables;         // names; empty: all whose store is configured
    bool append = false;                     // go on after the rows that are there
    int workers = 2;                         // loads of one table at once
    std::optional<TokenListFile> token_list; // fills `assets` (yieldsensei) or `tokens` (solana)
};

// Loads the tables one after the other, each by several workers, parents before children.
// PostgreSQL: where the role may, foreign keys are not checked row by row but by one query a key after the load; ANALYZE and the summaries'
// refresh follow. Throws Error(refused) when a table holds rows and `append` is not set, or when rows that others refer to are missing.
// With context.dry_run: says what would be loaded.
Report load_schema(Context& context, const LoadOptions& options);

}  // namespace ysdb
