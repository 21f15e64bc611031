// `ysdb lab load`: a verb of lab.
#include <algorithm>
#include <chrono>

#include "cmd/commands.h"
#include "cmd/lab_places.h"
#include "core/base/file.h"
#include "core/generate/load.h"
#include "core/generate/timeline.h"
#include "core/lab/pins.h"

namespace ysdb {

namespace {

// "2026-01-31" or "2026-01-31T12:00:00Z" as microseconds.
std::int64_t parse_until(const std::string& text) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
    const bool date = std::sscanf(text.c_str(), "%4d-%2d-%2d%n", &year, &month, &day, &used) == 3;
    bool whole = date && static_cast<std::size_t>(used) == text.size();
    if (date && !whole) {
        int more = 0;
        whole = std::sscanf(text.c_str() + used, "T%2d:%2d:%2dZ%n", &hour, &minute, &second, &more) == 3 && static_cast<std::size_t>(used + more) == text.size();
    }
    const std::chrono::year_month_day ymd{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)), std::chrono::day(static_cast<unsigned>(day))};
    if (!whole || !ymd.ok() || hour > 23 || minute > 59 || second > 59 || hour < 0 || minute < 0 || second < 0) {
        throw Error(Code::usage, "--until: '" + text + "' is not a time", "write it like 2026-01-31 or 2026-01-31T12:00:00Z (UTC)");
    }
    return generate::days_from_civil({year, month, day}) * generate::day + hour * generate::hour + minute * generate::minute + second * generate::second;
}

// The list that --token-list names. Generated transactions refer to its tokens, so its absence must not pass silently:
// the same command would make other rows.
std::optional<TokenListFile> token_list(const Invocation& line, const LoadOptions& options) {
    const std::string chosen = line.text("--token-list").value_or("pinned");
    if (chosen == "none") return std::nullopt;
    if (chosen != "pinned") return TokenListFile{chosen, read_file(chosen)};
    const auto uses_list = [](const std::string& table) { return table == "assets" || table == "tokens" || table == "transaction_history"; };
    if (!options.tables.empty() && std::none_of(options.tables.begin(), options.tables.end(), uses_list)) return std::nullopt;
    const bool solana = options.schema == "solana";
    const auto place = lab::find_fetched(solana ? "tokens-solana" : "tokens-ethereum", line.text_or("--cache", default_cache_dir()));
    if (!place) {
        throw Error(Code::refused, "the token list is not on this machine",
                    std::string("ysdb lab fetch ") + (solana ? "tokens-solana" : "tokens-ethereum") + ", or load without it: --token-list none");
    }
    const std::string path = (*place / (solana ? "dist/main/tokens/solana.tokenlist.json" : "build/uniswap-default.tokenlist.json")).string();
    return TokenListFile{path, read_file(path)};
}

Report load(const Invocation& line, Context& context, Operator&) {
    LoadOptions options;
    options.schema = line.argument(0).value_or("");
    options.rows = static_cast<std::uint64_t>(line.integer_between("--rows", 1, 10'000'000'000));
    options.seed = static_cast<std::uint64_t>(line.integer_between("--seed", 0, INT64_MAX));
    options.until = line.has("--until") ? parse_until(*line.text("--until")) : unix_micros_now() / generate::hour * generate::hour;
    options.tables = line.all("--tables");
    options.append = line.has("--append");
    options.workers = static_cast<int>(line.integer_between("--workers", 1, 64));
    options.token_list = token_list(line, options);
    return load_schema(context, options);
}

}  // namespace

CommandSpec lab_load_command() {
    CommandSpec spec;
    spec.name = "load";
    spec.summary = "fill a shipped schema with generated rows and real token lists";
    spec.description =
        "Loads users, what they hold and did, and the market around them, at the stores' bulk speed. The same schema, --rows, --seed, --until "
        "and token list make the same rows everywhere, on any number of workers. --rows is the number of transactions and of market samples; the other tables "
        "follow in proportion. Users, assets and kinds follow Zipf's law, amounts are log-normal, prices random walks; NULLs, text in many "
        "scripts and the numeric limits of the columns occur.\n\n"
        "Refuses tables that hold rows unless --append is given: then --rows is the size to grow to. The report counts each entry of a token list that was left "
        "out under its reason.";
    spec.arguments = {{"SCHEMA", "yieldsensei or solana", true, false}};
    spec.flags = {{"--rows", "N", "transactions, and market samples", "1000000"},
                  {"--seed", "S", "which of the endless worlds", "1"},
                  {"--until", "TIME", "no row is later (UTC); the full hour before now when not given", ""},
                  {"--tables", "NAME", "only this table", "", {}, true},
                  {"--append", "", "go on after the rows that are there"},
                  {"--workers", "N", "loads of one table at once", "2"},
                  {"--token-list", "FILE", "a token list in JSON for assets (yieldsensei) or tokens (solana), or pinned, or none", "pinned"},
                  {"--cache", "DIR", "where downloads are kept, instead of $XDG_CACHE_HOME/ysdb", ""}};
    spec.examples = {{"ysdb lab load yieldsensei --rows 1000000 --seed 42", "a million transactions and all around them"},
                     {"ysdb lab load yieldsensei --tables price_data_raw --rows 5000000", "market data alone"},
                     {"ysdb lab load solana", "Solana's token registry, traders and their rules"}};
    spec.changes = true;
    spec.run = load;
    return spec;
}

}  // namespace ysdb
