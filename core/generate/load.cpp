#include "core/generate/load.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <thread>

#include "core/base/text.h"
#include "core/base/time.h"
#include "core/generate/generate.h"
#include "core/generate/load_checks.h"
#include "core/generate/tokens.h"
#include "core/plan/refusals.h"
#include "core/value/show.h"

namespace ysdb {

namespace {

using generate::holds_rows;

// A batch is a piece of one COPY in PostgreSQL, but an insert, hence a part, of its own in ClickHouse.
constexpr std::uint64_t copy_rows = 4096;
constexpr std::uint64_t insert_rows = 65536;
// After-load statements scan whole tables; --timeout is for single calls of ordinary size.
constexpr Millis scan_limit{3'600'000};

using Fill = std::function<void(std::uint64_t first, std::uint64_t count, Batch& out)>;

// One load into one table: generated rows or a token list's.
struct Job {
    std::string label;          // "transaction_history", "assets from Uniswap Labs Default"
    std::string store;
    TableInfo info;
    std::uint64_t first = 0;
    std::uint64_t rows = 0;     // from `first` on
    Fill fill;
    std::uint64_t preceding = 0;  // rows of other jobs that come before these in the same table
    double seconds = 0;
};

struct Work {
    std::unique_ptr<Generator> generator;
    std::optional<TokenList> list;
    std::vector<Job> jobs;
    std::vector<std::string> skipped;   // tables whose store is not configured
};

bool chosen(const LoadOptions& options, const std::string& table) {
    return options.tables.empty() || std::find(options.tables.begin(), options.tables.end(), table) != options.tables.end();
}

void refuse_unknown_tables(const LoadOptions& options, const std::vector<std::string>& known) {
    for (const std::string& table : options.tables) {
        if (std::find(known.begin(), known.end(), table) != known.end()) continue;
        throw Error(Code::usage, "no generated table '" + table + "'" + did_you_mean(table, known), "tables of " + options.schema + ": " + join(known, ", "));
    }
}

TableInfo located(TableInfo info, const std::string& store) {
    if (store == "main") info.ref.schema = "public";
    return info;
}

Work plan_work(Context& context, const LoadOptions& options) {
    Work work;
    if (options.token_list) work.list = read_token_list(options.token_list->content, options.token_list->path);
    const bool solana = options.schema == "solana";
    GenerateOptions generate{options.seed, options.rows, options.until, {}};
    if (work.list && !solana) {
        for (const Token& token : work.list->tokens) generate.listed_assets.push_back(asset_id(token));
    }
    work.generator = std::make_unique<Generator>(options.schema, generate);

    std::vector<std::string> known;
    for (const GeneratedTable& table : work.generator->tables()) known.push_back(table.info.ref.table);
    const std::string list_table = solana ? "tokens" : "assets";
    if (solana) known.insert(known.begin(), list_table);
    refuse_unknown_tables(options, known);

    std::uint64_t generated_assets = 0;
    const auto add_list = [&] {
        if (!work.list || !chosen(options, list_table)) return;
        const TokenList& list = *work.list;
        Job job{list_table + " from " + list.name, "main", located(solana ? listed_token_columns() : listed_asset_columns(), "main"), 0, list.tokens.size(), {}};
        job.fill = [&list, solana, until = options.until](std::uint64_t first, std::uint64_t count, Batch& out) {
            for (std::uint64_t i = first; i < first + count; ++i) {
                if (solana) add_listed_token(list.tokens[i], out);
                else add_listed_asset(list.tokens[i], list.name + " " + list.version, until, out);
            }
        };
        if (!solana) job.preceding = generated_assets;
        work.jobs.push_back(std::move(job));
    };
    if (solana) add_list();
    for (std::size_t i = 0; i < work.generator->tables().size(); ++i) {
        const GeneratedTable& table = work.generator->tables()[i];
        if (!chosen(options, table.info.ref.table)) continue;
        if (options.tables.empty() && context.config.stores.count(table.store) == 0) {
            work.skipped.push_back(table.info.ref.table);
            continue;
        }
        Job job{table.info.ref.table, table.store, located(table.info, table.store), 0, table.rows, {}};
        job.fill = [generator = work.generator.get(), i](std::uint64_t first, std::uint64_t count, Batch& out) { generator->fill(i, first, count, out); };
        work.jobs.push_back(std::move(job));
        if (!solana && table.info.ref.table == list_table) {
            generated_assets = table.rows;
            add_list();
        }
    }
    return work;
}

// Empty tables, or with --append: where each table's rows go on.
void find_start(Context& context, const LoadOptions& options, Work& work) {
    std::vector<std::string> full;
    for (Job& job : work.jobs) {
        Store& store = context.stores.get(job.store);
        try {
            if (!holds_rows(store, job.info.ref, context.deadline())) continue;
        } catch (const Error& error) {
            if (!plan::is_missing_table(error)) throw;
            throw Error(Code::refused, "store '" + job.store + "': there is no table " + job.info.ref.text() + ", nothing was loaded",
                        "make the tables first: ysdb init --schema " + options.schema + ", then: ysdb migrate up");
        }
        if (!options.append) {
            if (std::find(full.begin(), full.end(), job.info.ref.table) == full.end()) full.push_back(job.info.ref.table);
            continue;
        }
        const std::uint64_t there = generate::count_rows(store, job.info.ref, Deadline::after(scan_limit));
        job.first = std::min(there - std::min(there, job.preceding), job.rows);
        job.rows -= job.first;
    }
    if (!full.empty()) {
        throw Error(Code::refused, join(full, ", ") + (full.size() == 1 ? " holds rows" : " hold rows") + ", nothing was loaded",
                    "empty them first, or go on after what is there: --append with a larger --rows");
    }
}

// Children of tables that this run does not fill need the rows an earlier run with the same seed and size has made.
void require_parents(Context& context, const LoadOptions& options, const Work& work) {
    const std::vector<std::string> parents = options.schema == "solana" ? std::vector<std::string>{"trader_config"} : std::vector<std::string>{"users", "protocols", "assets"};
    const auto loads = [&](const std::string& table) {
        return std::any_of(work.jobs.begin(), work.jobs.end(), [&](const Job& job) { return job.info.ref.table == table; });
    };
    const std::vector<std::string> children{"portfolio_holdings", "portfolio_snapshots", "transaction_history", "order_rules"};
    if (std::none_of(children.begin(), children.end(), loads)) return;
    for (std::size_t i = 0; i < work.generator->tables().size(); ++i) {
        const GeneratedTable& table = work.generator->tables()[i];
        if (std::find(parents.begin(), parents.end(), table.info.ref.table) == parents.end() || loads(table.info.ref.table)) continue;
        Batch ends(&table.info);
        work.generator->fill(i, 0, 1, ends);
        work.generator->fill(i, table.rows - 1, 1, ends);
        for (std::size_t row = 0; row < 2; ++row) {
            if (generate::holds_id(context.stores.get("main"), located(table.info, "main").ref, table.info.columns[0].name, show_uuid(ends.value(row, 0)), context.deadline())) continue;
            throw Error(Code::refused, table.info.ref.table + " does not hold the rows of this seed and size, which the chosen tables refer to",
                        "load it too, or load with the --seed and --rows it was filled with");
        }
    }
}

void run_job(Context& context, Store& store, Job& job, int workers) {
    if (store.loader() == nullptr) throw Error(Code::refused, "store '" + store.name() + "' cannot load rows");
    const auto start = SteadyClock::now();
    const auto progress = context.progress.begin(job.label, ProgressUnit::rows, job.rows);
    const std::uint64_t chunk_rows = job.store == "main" ? copy_rows : insert_rows;
    std::atomic<std::uint64_t> next{0};
    std::stop_source stop;
    const std::stop_callback chained(context.stop, [&] { stop.request_stop(); });
    std::mutex mutex;
    std::exception_ptr failure;
    const auto work = [&] {
        try {
            store.loader()->load(
                job.info,
                [&](Batch& batch) {
                    const std::uint64_t at = next.fetch_add(chunk_rows);
                    if (at >= job.rows) return false;
                    const std::uint64_t count = std::min(chunk_rows, job.rows - at);
                    job.fill(job.first + at, count, batch);
                    progress->add(count);
                    return true;
                },
                context.timeout, stop.get_token());
        } catch (...) {
            const std::lock_guard lock(mutex);
            if (!failure) failure = std::current_exception();  // the first one; the others were stopped because of it
            stop.request_stop();
        }
    };
    {
        const auto count = static_cast<int>(std::clamp<std::uint64_t>((job.rows + chunk_rows - 1) / chunk_rows, 1, static_cast<std::uint64_t>(workers)));
        std::vector<std::jthread> threads;
        for (int i = 1; i < count; ++i) threads.emplace_back(work);
        work();
    }
    if (failure) std::rethrow_exception(failure);
    job.seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
}

void add_tables(Report& report, const Work& work, bool done) {
    std::vector<Column> columns{{"table"}, {"store"}, {"rows", Unit::count}};
    if (done) columns.insert(columns.end(), {{"seconds", Unit::seconds}, {"rate", Unit::rows_per_s}});
    Table& table = report.add_table("tables", "", columns);
    for (const Job& job : work.jobs) {
        table.rows.push_back({job.label, job.store, static_cast<std::int64_t>(job.rows)});
        if (done) table.rows.back().insert(table.rows.back().end(), {job.seconds, job.seconds > 0 ? static_cast<double>(job.rows) / job.seconds : 0.0});
    }
    if (!work.skipped.empty()) report.warnings.push_back("not loaded, their store is not configured: " + join(work.skipped, ", "));
}

void add_list_account(Report& report, const Work& work) {
    if (!work.list) return;
    const TokenList& list = *work.list;
    Table& table = report.add_table("token_list", list.name + (list.version.empty() ? "" : " " + list.version), {{"outcome"}, {"entries", Unit::count}, {"example"}});
    table.rows.push_back({"taken", static_cast<std::int64_t>(list.tokens.size()), {}});
    if (list.trimmed > 0) table.rows.push_back({"of these, white space around a name removed", static_cast<std::int64_t>(list.trimmed), {}});
    for (const LeftOut& group : list.left_out) table.rows.push_back({"left out: " + group.reason, static_cast<std::int64_t>(group.count), group.example});
}

void finish_postgres(Context& context, const Work& work, bool keys_unchecked, Report& report) {
    std::vector<TableRef> tables;
    for (const Job& job : work.jobs) {
        if (job.store == "main" && std::find(tables.begin(), tables.end(), job.info.ref) == tables.end()) tables.push_back(job.info.ref);
    }
    if (tables.empty()) return;
    Store& store = context.stores.get("main");
    const auto progress = context.progress.begin("statistics and foreign keys", ProgressUnit::steps, std::nullopt);
    if (!generate::settle(store, tables, Deadline::after(scan_limit))) {
        report.warnings.push_back("the summaries were not refreshed: only their owner may, with SELECT refresh_summaries()");
    }
    if (!keys_unchecked) return;
    for (const auto& check : generate::count_orphans(store, tables, Deadline::after(scan_limit))) {
        const bool sound = check.orphans == 0;
        report.checks.push_back({check.table + " " + check.name, sound ? CheckState::ok : CheckState::fail,
                                 sound ? "every reference has its row" : human_count(static_cast<double>(check.orphans)) + " rows refer to nothing", ""});
        if (!sound) report.code = Code::differences;
    }
}

}  // namespace

Report load_schema(Context& context, const LoadOptions& options) {
    Work work = plan_work(context, options);
    find_start(context, options, work);
    require_parents(context, options, work);

    Report report;
    report.add_figure("seed", static_cast<std::int64_t>(options.seed));
    report.add_figure("until", show_timestamp(options.until) + "Z");
    if (context.dry_run) {
        report.title = "would load " + options.schema;
        add_tables(report, work, false);
        add_list_account(report, work);
        return report;
    }

    std::vector<TableRef> main_tables;
    for (const Job& job : work.jobs) {
        if (job.store == "main") main_tables.push_back(job.info.ref);
    }
    std::unique_ptr<Store> fast;
    if (!main_tables.empty()) {
        if (const auto config = generate::without_foreign_key_checks(context.stores.get("main"), main_tables, context.deadline())) fast = open_store(*config);
    }
    const auto start = SteadyClock::now();
    std::uint64_t rows = 0;
    for (Job& job : work.jobs) {
        if (job.rows == 0) continue;
        run_job(context, job.store == "main" && fast ? *fast : context.stores.get(job.store), job, options.workers);
        rows += job.rows;
    }
    finish_postgres(context, work, fast != nullptr, report);
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    report.title = "loaded " + options.schema;
    report.add_figure("rows", static_cast<std::int64_t>(rows), Unit::count);
    report.add_figure("seconds", seconds, Unit::seconds);
    add_tables(report, work, true);
    add_list_account(report, work);
    if (!context.config.syncs.empty()) report.next = "ysdb sync snapshot";
    return report;
}

}  // namespace ysdb
