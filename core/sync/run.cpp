#include "core/sync/run.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>

#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/plan/runner_lock.h"
#include "core/store/lines/lines.h"
#include "core/sync/copy/copies.h"
#include "core/sync/follow/vitals.h"
#include "core/sync/follow/watermark.h"
#include "core/sync/keeper.h"
#include "core/sync/outcome.h"
#include "core/sync/renewals.h"
#include "core/sync/sets.h"
#include "core/sync/standing.h"
#include "core/sync/state.h"

namespace ysdb::sync {

namespace {

constexpr Millis read_wait{100};
constexpr Millis renew_every{500}, renew_postponed_every{5'000};

class Runner {
public:
    // `told`: how far another run in this process has told changes, before the source failed over.
    Runner(Context& context, const RunOptions& options, std::optional<std::uint64_t> told)
        : context_(context), options_(options), told_before_(told), set_(options.to.empty() ? open_set(context, options.set) : open_set_to(context, options.set, options.to, options.partitions)), state_(set_.home, set_.name), watermark_(context, state_), renewals_(context, set_, state_, watermark_),
          vitals_(context, state_, set_.name, options.vitals) {}

    // None: the source failed over while this ran; begin anew there.
    std::optional<Report> run() {
        take_lock(options_.lock_wait);
        state_.prepare(context_.deadline());
        Standing standing(context_, set_, state_);
        settled_ = standing.settle(told_before_);
        told_before_ = standing.told();
        copies_.emplace(context_, set_, state_, settled_.epoch, options_.copy);
        start_followers();
        open_stream();
        keeper_.emplace(context_, set_, watermark_, vitals_, followers_, settled_.epoch);
        copies_->start();
        vitals_.ready();
        keeper_->start();
        try {
            follow();
        } catch (...) {
            keeper_->stop();
            end_copies();
            throw;
        }
        keeper_->stop();
        copies_->request_stop();
        if (failed_over_) {
            end_copies();
            followers_.clear();
            return std::nullopt;
        }
        return end();
    }

    // The position of the last change that was told to any sink; none: what was told before is not known.
    std::optional<std::uint64_t> told() const {
        if (!told_before_) return std::nullopt;
        return std::max({*told_before_, watermark_.highest(), copies_ ? copies_->highest_view() : 0});
    }

private:
    // They may be waiting for a sink: the sinks end first, and are taken apart only when nobody uses them.
    void end_copies() {
        copies_->request_stop();
        for (const auto& follower : followers_) follower->stop();
        stream_.reset();   // a copy may be waiting for it, too
        copies_->join();
    }

    void take_lock(Millis wait) {
        lock_.reset();
        session_ = set_.home.sql()->open_session("ysdb sync " + set_.name + " " + context_.run_id, context_.deadline());
        lock_.emplace(plan::RunnerLock::acquire(context_, *set_.home.sql(), *session_, "sync " + set_.name, wait));
    }

    // --- the parts at work ---

    void start_followers() {
        for (const std::string& sink : set_.sinks) {
            FollowPolicy policy = options_.policy;
            policy.spill_bytes = set_.config.spill;
            policy.spill_directory = options_.spool_directory;
            followers_.push_back(follow_into(context_, state_, set_, sink, std::move(policy)));
        }
        const std::uint64_t now = set_.capture.look(set_.name, context_.deadline()).position;
        std::set<TableRef> followed;   // by a sink that knows its columns
        const auto want = [&](const TableRef& table, std::uint64_t position) {
            const auto [known, fresh] = from_.emplace(table, position);
            if (!fresh) known->second = std::min(known->second, position);
        };
        for (const TableState& table : state_.tables(context_.deadline())) {
            const Route* const route = set_.route_of(table.table, table.sink);
            if (route == nullptr) continue;
            Follower& follower = follower_of(table.sink);
            if (table.state == "following") {
                follower.activate(route->table, table.reshaped);
                followed.insert(route->table);
                want(route->table, table.position);
            } else if (table.state != "halted" && follower.takes_copies(route->table)) {
                want(route->table, copies_->add(follower, route->table, table.state == "copying", now));
            } else if (table.state != "halted") {
                follower.activate(route->table, {});
                want(route->table, settled_.confirmed);
                state_.set_table({table.table, table.sink, "following", settled_.confirmed}, context_.deadline());
            }
        }
        std::map<TableRef, std::vector<ColumnInfo>> known;
        for (auto& [table, columns] : state_.shapes(context_.deadline())) {
            if (followed.contains(table)) known[table] = std::move(columns);
        }
        for (const TableRef& table : set_.tables) {
            want(table, std::numeric_limits<std::uint64_t>::max());   // halted everywhere
            if (known.contains(table)) continue;
            // Of a moment behind `now`: what it has more than the stream tells there, the copies have as well.
            const TableInfo info = set_.capture.describe(table, context_.deadline());
            known[table] = info.columns;
            state_.set_shape(info, context_.deadline());
        }
        watermark_.begin(settled_.confirmed, std::move(known));
    }

    Follower& follower_of(const std::string& sink) {
        return **std::find_if(followers_.begin(), followers_.end(), [&](const auto& follower) { return follower->name() == sink; });
    }

    void open_stream() {
        CaptureOptions options;
        options.set = set_.name;
        options.tables = set_.tables;
        options.epoch = settled_.epoch;
        options.start = watermark_.start();
        options.known = watermark_.known();
        options.from = from_;
        options.answer_within = context_.timeout * 2;
        options.timeout = context_.timeout;
        options.spool_directory = options_.spool_directory;
        stream_ = set_.capture.open(options, context_.deadline());
        renewals_.told_anew();
        whole_ = true;
    }

    // Reads until it is told to stop, or everything is everywhere.
    void follow() {
        const auto progress = context_.progress.begin("sync " + set_.name, ProgressUnit::rows, std::nullopt);
        while (!context_.stop.stop_requested()) {
            try {
                if (stream_ == nullptr) reopen();
                if (failed_over_) break;
                auto segment = std::make_shared<Segment>(stream_->read(read_wait, context_.stop));
                if (segment->complete != 0 || !segment->parts.empty() || !segment->rejected.empty()) {
                    progress->add(segment->rows);
                    hand_out(std::move(segment));
                }
                hold_back();
                stream_->acknowledge(watermark_.confirmed());
                vitals_.alive();
                lock_->check();
                pause_ = Millis(200);
                renew_halted(renewals_.soon() ? renew_every : renew_postponed_every);
                if (options_.until_caught_up && caught_up()) break;
            } catch (const Error& error) {
                if (error.code() == Code::interrupted) break;
                if (!error.retryable()) throw;
                context_.log.warn("sync.source", {{"store", set_.source.name()}, {"error", error.message()}, {"again_ms", pause_.count()}});
                stream_.reset();
                vitals_.alive();
                if (!pause_for(pause_, context_.stop)) break;
                pause_ = std::min(pause_ * 2, Millis(10'000));
            }
            if (copies_->failure()) break;
        }
    }

    // The server was away: it must be the one it was.
    void reopen() {
        const CaptureState now = set_.capture.look(set_.name, context_.deadline());
        if (now.system == settled_.system && now.timeline != settled_.timeline) {
            context_.log.warn("sync.failover", {{"store", set_.source.name()}, {"was", settled_.timeline}, {"is", now.timeline}});
            failed_over_ = true;
            return;
        }
        Standing(context_, set_, state_).check(settled_, now, std::max(settled_.confirmed, watermark_.confirmed()));
        // The lock went with the server's sessions; somebody else may have taken it.
        try {
            session_->query("SELECT 1", Deadline::after(std::min(context_.timeout, Millis(5'000))));
        } catch (const Error&) {
            take_lock(std::max(options_.lock_wait, Millis(5'000)));
        }
        open_stream();
        context_.log.info("sync.source", {{"store", set_.source.name()}, {"from", position_text(set_.capture_kind, watermark_.start())}});
    }

    void hand_out(std::shared_ptr<Segment> segment) {
        add_rejected(context_, state_, set_.configured, *segment);
        for (const SegmentPart& part : segment->parts) {
            // A polled table that is halted says so to whoever asks for a copy of it.
            if (part.kind != SegmentPart::Kind::halt || set_.capture_kind == "poll") continue;
            const TableRef& table = part.table->ref;
            renewals_.halted(table, copies_->wanted_by(table));
            copies_->cancel(table, part.reason, part.version.position);
        }
        watermark_.tell(*segment);
        for (const auto& follower : followers_) follower->push(segment);
        // What a source halts for what it sees in the catalog stands between two transactions.
        const bool halts_only = std::all_of(segment->parts.begin(), segment->parts.end(), [](const SegmentPart& part) { return part.kind == SegmentPart::Kind::halt; });
        if (segment->complete != 0 || !halts_only) whole_ = segment->complete != 0 && segment->whole >= segment->parts.size();
    }

    // A source tells nothing more of a table behind the halt: it is asked to, from there on where new copies of it begin. Others that follow are told on from
    // where they are.
    void renew_halted(Millis every) {
        if (!renewals_.looks() || !whole_ || set_.capture_kind == "poll" || SteadyClock::now() - renewed_at_ < every) return;
        const auto copying = [this](const TableRef& table) { return copies_->wants(table); };
        while (const auto due = renewals_.next(copying)) {
            if (due->tell_anew) {
                from_[due->table] = due->from;
                stream_.reset();
            }
            for (const std::string& sink : due->sinks) copies_->add_now(follower_of(sink), due->table);
        }
        renewed_at_ = SteadyClock::now();
    }

    // What a sink cannot take waits for it in memory, then on disk; what happens then is the set's to say. Whoever waits here still tells the
    // source that this side lives.
    void hold_back() {
        while (!context_.stop.stop_requested()) {
            for (const auto& follower : followers_) {
                if (const auto failure = follower->failure()) throw *failure;
            }
            if (Follower* const heavy = keeper_->too_heavy()) give_up(*heavy, "the source kept more than max_slot_wal for it");
            // Of several, one that is stuck: it is the one that something can be done about.
            auto full = followers_.end();
            for (auto each = followers_.begin(); each != followers_.end(); ++each) {
                if ((*each)->full() && (full == followers_.end() || (*each)->status().state == "retrying")) full = each;
            }
            if (full == followers_.end()) return;
            // One that is only slower than reading is waited for, whatever the policy.
            const bool stuck = (*full)->status().state == "retrying";
            if (stuck && set_.config.when_full == "shed") {
                give_up(**full, "more changes waited for it than fit into --buffer and spill");
                continue;
            }
            if (stuck && set_.config.when_full == "stop") {
                throw Error(Code::partial, fmt::format("sync {}: more changes wait for '{}' than fit into --buffer and spill", set_.name, (*full)->name()), "ysdb sync run   (goes on where it was)");
            }
            pause_for(Millis(20), context_.stop);
            vitals_.alive();
            stream_->acknowledge(watermark_.confirmed());
        }
    }

    // The others go on without it; what it has is copied anew one day. Written down before its position counts no more.
    void give_up(Follower& follower, const std::string& reason) {
        context_.log.error("sync.shed", {{"sink", follower.name()}, {"reason", reason}});
        follower.stop();
        copies_->give_up(follower);
        fault::point("sync.shed.before");
        for (const Route& route : follower.routes()) {
            TableState state{route.table.text(), follower.name(), "halted"};
            state.reason = "given up: " + reason;
            state_.set_table(state, context_.deadline());
        }
        fault::point("sync.shed.after");
        follower.give_up(reason);
    }

    bool caught_up() {
        if (copies_->working()) return false;
        if (target_ == 0) target_ = set_.capture.look(set_.name, context_.deadline()).position;
        if (keeper_->durable() < target_) return false;
        renew_halted(Millis(0));
        return set_.capture_kind == "poll" || (!copies_->working() && !renewals_.soon());
    }

    // --- the end ---

    Report end() {
        bool whole = true;
        for (const auto& follower : followers_) whole = follower->drain(context_.timeout) && whole;
        try {
            keeper_->keep_last();
            if (stream_ != nullptr) stream_->acknowledge(watermark_.confirmed(), true);
            for (const auto& follower : followers_) {
                if (whole) note_confirmed(*follower);
            }
            vitals_.tell(keeper_->vital_signs(), true);
        } catch (const Error& error) {
            context_.log.warn("sync.source", {{"store", set_.source.name()}, {"error", error.message()}});
            whole = false;
        }
        Report report;
        report.title = "sync " + set_.name;
        report.beside_data = std::any_of(set_.sinks.begin(), set_.sinks.end(), [&](const std::string& sink) { return lines::writes_stdout(set_.sink(context_, sink).config()); });
        add_outcome(context_, state_, set_.capture_kind, keeper_->vital_signs().sinks, "the next run copies it anew", report);
        report.add_figure("confirmed", position_text(set_.capture_kind, watermark_.confirmed()));
        if (!whole) {
            report.code = Code::partial;
            report.warnings.push_back("not everything that was read is in every store");
            report.next = "ysdb sync run   (goes on where it was)";
        }
        end_copies();
        followers_.clear();
        if (const auto error = copies_->failure()) {
            report.code = error->code();
            report.warnings.push_back(error->message() + (error->hint().empty() ? "" : "; " + error->hint()));
        }
        if (context_.stop.stop_requested()) report.code = Code::interrupted;
        return report;
    }

    // Of use only should the source go back one day.
    void note_confirmed(Follower& follower) {
        try {
            follower.note_confirmed();
        } catch (const Error& error) {
            context_.log.warn("sync.notes", {{"sink", follower.name()}, {"error", error.message()}});
        }
    }

    Context& context_;
    const RunOptions& options_;
    std::optional<std::uint64_t> told_before_;
    SyncSet set_;
    SyncState state_;
    std::unique_ptr<SqlSession> session_;
    std::optional<plan::RunnerLock> lock_;   // after the session that holds it
    SetState settled_;
    std::map<TableRef, std::uint64_t> from_;               // CaptureOptions
    bool whole_ = true;                                    // what was handed out last, since the source was opened, ends with a whole transaction
    Watermark watermark_;
    Renewals renewals_;
    Vitals vitals_;
    std::uint64_t target_ = 0;       // until_caught_up
    SteadyClock::time_point renewed_at_{};
    bool failed_over_ = false;
    Millis pause_{200};
    std::unique_ptr<ChangeSource> stream_;
    std::vector<std::unique_ptr<Follower>> followers_;
    std::optional<Copies> copies_;   // from settling on; after what it uses
    std::optional<Keeper> keeper_;   // likewise
};

}  // namespace

Report plan_run(Context& context, const RunOptions& options) {
    SyncSet set = options.to.empty() ? open_set(context, options.set) : open_set_to(context, options.set, options.to, options.partitions);
    SyncState state(set.home, set.name);
    Report report;
    report.title = "sync plan: nothing is changed";
    Table& statements = report.add_table("install", "what is to be made in " + set.source.name(), {{"statement"}});
    for (const std::string& statement : set.capture.plan_install(set.name, set.tables, context.deadline())) statements.rows.push_back({statement});
    std::map<std::pair<std::string, std::string>, TableState> states;
    for (const TableState& table : state.tables(context.deadline())) states[{table.table, table.sink}] = table;
    Table& tables = report.add_table("tables", "", {{"table"}, {"to"}, {"state"}, {"rows", Unit::count, "rows (estimate)"}, {"bytes", Unit::bytes}, {"then"}});
    for (const Route& route : set.routes) {
        const TableInfo info = set.capture.describe(route.table, context.deadline());
        const auto known = states.find({route.table.text(), route.sink});
        const std::string now = known == states.end() ? "new" : known->second.state;
        const bool stays = now == "halted" && !(known->second.halted_by == "source" && set.config.when_halted == "copy");
        const bool copies = set.takes_copies(context, route);
        tables.rows.push_back({route.table.text(), route.sink, now, static_cast<std::int64_t>(info.estimated_rows), static_cast<std::int64_t>(info.bytes),
                               now == "following" ? "follow" : stays ? "nothing until ysdb sync reset" : copies ? "copy, then follow" : "follow"});
    }
    report.next = "ysdb sync run";
    return report;
}

Report run(Context& context, const RunOptions& options) {
    bool failed_over = false;
    std::optional<std::uint64_t> told;
    for (Millis pause{200};; pause = std::min(pause * 2, Millis(10'000))) {
        try {
            Runner runner(context, options, told);
            if (std::optional<Report> report = runner.run()) return std::move(*report);
            told = runner.told();
            failed_over = true;
            pause = Millis(200);
        } catch (const Error& error) {
            // The sessions of before are still found to be dead, and the new primary may need a moment.
            if (!failed_over || !error.retryable() || error.code() == Code::interrupted) throw;
            context.log.warn("sync.source", {{"error", error.message()}, {"again_ms", pause.count()}});
            options.vitals.manager.tell("WATCHDOG=1");
            if (!pause_for(pause, context.stop)) throw;
        }
    }
}

}  // namespace ysdb::sync
