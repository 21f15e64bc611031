#include <algorithm>
#include <map>

#include "core/base/text.h"
#include "core/migrate/lint/judge.h"
#include "core/migrate/lint/lint.h"

namespace ysdb::migrate {

namespace {

// Reading so much tells how fast the store reads now, and takes no time worth a word.
constexpr std::uint64_t sample_pages = 8192;
constexpr std::uint64_t smallest_estimated = 16'000'000;

// Bytes a second, read now from the largest part of the table; nullopt where no short read can tell.
std::optional<double> read_rate(SqlStore& store, const std::string& table, Deadline deadline) {
    if (store.query("SELECT current_setting('server_version_num')::int >= 140000", deadline).row(0).text(0) != "t") return std::nullopt;  // no range scan by page
    const std::vector<std::optional<std::string>> params{table};
    const SqlResult part = store.query(
        "SELECT c.oid::regclass::text, least(pg_relation_size(c.oid), 8192 * current_setting('block_size')::bigint) FROM pg_class c"
        " WHERE c.relkind IN ('r', 'm') AND (c.oid = to_regclass($1) OR c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1)))) ORDER BY pg_relation_size(c.oid) DESC LIMIT 1",
        params, deadline);
    if (part.rows() == 0 || part.row(0).integer(1) == 0) return std::nullopt;
    const auto start = SteadyClock::now();
    store.query("SELECT count(*) FROM ONLY " + part.row(0).text(0) + " WHERE ctid < '(" + std::to_string(sample_pages) + ",0)'", deadline);
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
    return seconds > 0 ? std::optional(static_cast<double>(part.row(0).integer(1)) / seconds) : std::nullopt;
}

void estimate(plan::Plan& plan, Context& context) {
    std::map<std::string, plan::Step*> largest;  // by store
    const auto concerned = [](const plan::Step& step) { return step.bytes >= smallest_estimated && (step.rewrites.value_or(false) || step.scans.value_or(false)); };
    for (plan::Unit& unit : plan.units) {
        for (plan::Step& step : unit.steps) {
            if (!concerned(step)) continue;
            plan::Step*& found = largest[unit.store];
            if (found == nullptr || found->bytes < step.bytes) found = &step;
        }
    }
    for (const auto& [name, step] : largest) {
        SqlStore& store = *context.stores.get(name).sql();
        if (store.dialect() != Dialect::postgres) continue;
        std::optional<double> rate;
        try {
            rate = read_rate(store, step->store_object, context.deadline());
        } catch (const Error& error) {
            context.log.debug("no estimate", {{"store", name}, {"error", error.message()}});  // not allowed to read it, for one
        }
        if (!rate) continue;
        for (plan::Unit& unit : plan.units) {
            for (plan::Step& one : unit.steps) {
                if (unit.store == name && concerned(one)) one.least_seconds = static_cast<double>(one.bytes) / *rate;
            }
        }
    }
}

}  // namespace

void explain(plan::Plan& plan, const std::vector<Standing>& standings, Context& context) {
    std::vector<const Migration*> before, pending;
    for (const Standing& standing : standings) {
        if (standing.file != nullptr) (standing.applied() ? before : pending).push_back(standing.file);
    }
    std::map<std::string, lint::Judged> by_key;
    for (lint::Judged& judged : lint::judge(before, pending, true)) by_key.emplace(unit_key(judged.file->version, Direction::up), std::move(judged));
    for (plan::Unit& unit : plan.units) {
        const auto found = by_key.find(unit.key);
        if (found == by_key.end()) continue;
        for (plan::Step& step : unit.steps) {
            const auto index = static_cast<std::size_t>(step.number) - 1;
            if (index >= found->second.up.size() || !found->second.up[index].known) continue;
            const lint::Verdict& verdict = found->second.up[index];
            step.rewrites = std::any_of(verdict.touches.begin(), verdict.touches.end(), [](const lint::Touch& touch) { return touch.rewrites; });
            step.scans = std::any_of(verdict.touches.begin(), verdict.touches.end(), [](const lint::Touch& touch) { return touch.scans; });
            step.loses = verdict.loses;
            if (found->second.file->dialect != Dialect::postgres) continue;
            std::vector<std::string> locks;
            for (const lint::Touch& touch : verdict.touches) {
                if (const std::string text = lint::lock_text(touch.lock, touch.table); !text.empty()) locks.push_back(text);
            }
            step.locks = join(locks, "; ");
        }
    }
    estimate(plan, context);
}

}  // namespace ysdb::migrate
