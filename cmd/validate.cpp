#include "cmd/commands.h"
#include "core/reconcile/validate.h"

namespace ysdb {

namespace {

double share_of(const std::string& text) {
    std::size_t used = 0;
    double number = -1;
    try {
        number = std::stod(text, &used);
    } catch (const std::exception&) {
        used = 0;
    }
    if (used == 0 || (text.substr(used) != "%" && !text.substr(used).empty()) || !(number >= 0) || number > 100) {
        throw Error(Code::usage, "--tolerance: '" + text + "' is not a percentage", "write it like 1% or 0.5%");
    }
    return number / 100;
}

Report run(const Invocation& line, Context& context, Operator&) {
    reconcile::ValidateOptions options;
    options.filter = {line.all("--set"), line.arguments, line.all("--to")};
    const std::string mode = line.text_or("--mode", "exact");
    options.mode = mode == "exact" ? reconcile::ValidateMode::exact : mode == "count" ? reconcile::ValidateMode::count : reconcile::ValidateMode::tolerance;
    options.tolerance = share_of(line.text_or("--tolerance", "1%"));
    options.source_workers = static_cast<int>(line.integer_between("--source-workers", 1, 64));
    options.sink_workers = static_cast<int>(line.integer_between("--sink-workers", 1, 64));
    options.limit = static_cast<std::uint64_t>(line.integer_between("--limit", 1, 1'000'000));
    options.at_watermark = line.text_or("--at", "now") == "watermark";
    options.wait = *line.duration("--wait");
    if (options.at_watermark && options.mode != reconcile::ValidateMode::exact) {
        throw Error(Code::usage, "--at watermark compares rows; counts have none to look at again", "leave out --mode, or --at");
    }
    return reconcile::validate(context, options);
}

}  // namespace

CommandSpec validate_command() {
    CommandSpec command;
    command.name = "validate";
    command.summary = "compare the stores with their source, row for row";
    command.description =
        "Reads every row of the synced tables from both sides and compares them by 128-bit digests of all columns. When something differs, "
        "the rows are named by key, with what is wrong (missing, extra, different) and the columns that differ; the exit code is then 1. "
        "Rows that the sink has in a newer version than the source's snapshot are unsettled, not different.\n\n"
        "With --at watermark this is done while the source is written and `sync run` follows: the sink is read once it has everything that the source's "
        "snapshot has, rows that differ are looked at again in the same way, and differ when neither side has touched them in between. What changes "
        "faster than it can be looked at is unsettled.\n\n"
        "Reads only; the source is read through one snapshot. --mode count and --mode tolerance compare row counts.";
    command.flags = {{"--at", "WHEN", "compare the stores as they are, or beside a running sync", "now", {"now", "watermark"}},
                     {"--wait", "DURATION", "how long a sink may take to get to the watermark", "1m"},
                     {"--mode", "MODE", "how closely to look", "exact", {"exact", "count", "tolerance"}},
                     {"--tolerance", "PERCENT", "allowed difference of row counts with --mode tolerance", "1%"},
                     {"--set", "NAME", "only this sync set", "", {}, true},
                     {"--to", "STORE", "only this target store", "", {}, true},
                     {"--source-workers", "N", "readers of the source", "1"},
                     {"--sink-workers", "N", "readers of the sink", "1"},
                     {"--limit", "N", "differences to list for each table", "100"}};
    command.arguments = {{"TABLE", "schema.table of the source; all synced tables when none is named", false, true}};
    command.examples = {{"ysdb validate", "compare every synced table"},
                        {"ysdb validate public.protocols --output json", "one table, for a program"},
                        {"ysdb validate --at watermark", "while the source is written and sync run follows it"},
                        {"ysdb validate --mode tolerance --tolerance 0.5%", "row counts only, half a percent apart is fine"}};
    command.run = run;
    return command;
}

}  // namespace ysdb
