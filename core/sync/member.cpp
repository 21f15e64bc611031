#include "core/sync/member.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/base/fault.h"
#include "core/base/retry.h"
#include "core/base/text.h"
#include "core/plan/runner_lock.h"
#include "core/store/lines/lines.h"
#include "core/sync/outcome.h"
#include "core/sync/sets.h"
#include "core/sync/state.h"

namespace ysdb::sync {

namespace {

constexpr Millis read_wait{100};
constexpr Millis say_every{2'000};
constexpr Millis settle_within{5'000};   // others wait for the partitions that go
// For so long after a read of the bus began the partitions are this member's, also if the process was stopped meanwhile: with the three seconds
// between two signs of life to the broker it is less than a session of kafka/bus.h.
constexpr Millis ours_for{4'000};

class Member {
public:
    Member(Context& context, const MemberOptions& options)
        : context_(context), options_(options), set_(open_set(context, options.set)), state_(set_.home, set_.name), vitals_(context, state_, set_.name, options.vitals), group_(options.group.empty() ? group_of(set_.name) : options.group) {}
    ~Member() {
        for (const auto& follower : followers_) follower->stop();
    }
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    Report run() {
        settle();
        start_followers();
        BusOptions bus;
        bus.set = set_.name;
        bus.group = group_;
        bus.tables = set_.tables;
        bus.format = options_.format;
        bus.topic = options_.topic;
        bus.epoch = epoch_;
        bus.describe = [this](const TableRef& table) { return set_.capture.describe(table, context_.deadline()); };
        bus.settle = [this] {
            drain(settle_within);
            return durable();
        };
        reader_ = bus_at(context_, set_.name, options_.from).open(bus, context_.deadline());
        begun_ = true;
        vitals_.ready();
        context_.log.info("sync.member", {{"set", set_.name}, {"from", options_.from}, {"group", group_}});
        follow();
        return end();
    }
    // Whether the bus could be read, be there anything or not: then a failure is one of the way, not of the configuration.
    bool begun() const { return begun_; }

private:
    // Whether somebody tells this set to the bus, and the same tables.
    void settle() {
        bus_at(context_, set_.name, options_.from);
        if (!options_.format.empty()) return settle_with_others();
        const auto saved = state_.prepared(context_.deadline()) ? state_.set(context_.deadline()) : std::nullopt;
        if (!saved || bus_of(saved->capture) != options_.from) {
            throw Error(Code::refused, "sync " + set_.name + " is not told to the bus of store '" + options_.from + "'", "ysdb sync run --to " + options_.from + "   (once, beside the members)");
        }
        for (const TableState& table : state_.tables(context_.deadline())) {
            if (table.sink != bus_sink_name(options_.from)) continue;
            const bool here = std::any_of(set_.tables.begin(), set_.tables.end(), [&](const TableRef& t) { return t.text() == table.table; });
            if (!here) throw Error(Code::refused, "sync " + set_.name + ": " + table.table + " is told to the bus, and not configured here", "give this member the configuration that sync run --to has");
        }
        refuse_ordered_sinks(context_, set_);
        state_.prepare(context_.deadline());
        begin_epoch(saved->epoch);
    }

    // Nobody of ours tells: the first member writes down that the set goes this way.
    void settle_with_others() {
        if (set_.config.when_halted == "copy") throw Error(Code::config, "sync " + set_.name + ": when_halted = \"copy\" needs a source that ysdb reads itself: what Debezium tells is copied by Debezium", "take when_halted out of its [[sync]]");
        refuse_ordered_sinks(context_, set_);
        const std::string way = options_.format + ">" + options_.from;
        const auto session = set_.home.sql()->open_session("ysdb sync " + set_.name + " " + context_.run_id, context_.deadline());
        const auto lock = plan::RunnerLock::acquire(context_, *set_.home.sql(), *session, "sync " + set_.name + " columns", context_.timeout);
        state_.prepare(context_.deadline());
        auto saved = state_.set(context_.deadline());
        if (saved && saved->capture != way) {
            throw Error(Code::refused, "sync " + set_.name + " has been followed in another way (" + saved->capture + ")", "give what is to come from Debezium a set of its own, or begin anew: ysdb sync remove");
        }
        if (!saved) {
            const CaptureState now = set_.capture.look(set_.name, context_.deadline());
            std::uint32_t epoch = 0;
            for (const std::string& sink : set_.sinks) epoch = std::max(epoch, context_.stores.get(sink).changes()->epoch(set_.name, context_.deadline()));
            saved = SetState{way, now.system, now.timeline, epoch + 1, 0};
            state_.save(*saved, context_.deadline());
        }
        begin_epoch(saved->epoch);
    }

    void begin_epoch(std::uint32_t epoch) {
        if (epoch <= epoch_) return;
        for (const std::string& sink : set_.sinks) {
            ChangeSink& changes = *context_.stores.get(sink).changes();
            if (changes.epoch(set_.name, context_.deadline()) < epoch) changes.begin_epoch(set_.name, epoch, context_.deadline());
        }
        epoch_ = epoch;
    }

    void start_followers() {
        std::map<std::pair<std::string, std::string>, TableState> states;
        for (const TableState& table : state_.tables(context_.deadline())) states[{table.table, table.sink}] = table;
        for (const std::string& sink : set_.sinks) {
            FollowPolicy policy = options_.policy;
            policy.ours = [this] { return SteadyClock::now() - heard_.load() < ours_for; };
            followers_.push_back(follow_into(context_, state_, set_, sink, std::move(policy)));
            for (const Route& route : set_.routes_to(sink)) {
                const auto known = states.find({route.table.text(), sink});
                if (known != states.end() && known->second.state == "halted") continue;   // until its next copy
                if (known == states.end() || known->second.state != "following") state_.set_table({route.table.text(), sink, "following"}, context_.deadline());
                followers_.back()->activate(route.table, known == states.end() ? Version{} : known->second.reshaped);
            }
        }
    }

    void follow() {
        const auto progress = context_.progress.begin("sync " + set_.name + " from " + options_.from, ProgressUnit::rows, std::nullopt);
        while (!context_.stop.stop_requested()) {
            const bool full = std::any_of(followers_.begin(), followers_.end(), [&](const auto& f) { return f->full(); });
            for (const auto& follower : followers_) {
                if (const auto failure = follower->failure()) throw *failure;
            }
            vitals_.alive();
            try {
                auto segment = read(read_wait, full, context_.stop);
                if (segment->complete != 0) {
                    progress->add(segment->rows);
                    hand_out(std::move(segment));
                }
            } catch (const Error& error) {
                if (error.code() == Code::interrupted || (error.retryable() && context_.stop.stop_requested())) break;
                throw;
            }
            reader_->acknowledge(durable());
            say_status();
            if (options_.until_caught_up && durable() == told_) {
                reader_->acknowledge(durable(), true);
                if (reader_->caught_up(context_.deadline())) break;
            }
        }
    }

    std::shared_ptr<Segment> read(Millis wait, bool full, std::stop_token stop) {
        const auto now = SteadyClock::now();
        auto segment = std::make_shared<Segment>(reader_->read(wait, full, std::move(stop)));
        heard_ = now;
        return segment;
    }

    void hand_out(std::shared_ptr<const Segment> segment) {
        bool shapes = false;
        std::uint64_t position = positions_.empty() ? position_ : positions_.back().second;
        for (const SegmentPart& part : segment->parts) {
            shapes = shapes || part.kind == SegmentPart::Kind::shape;
            const Version version = part.kind == SegmentPart::Kind::rows && !part.changes.rows.empty() ? part.changes.version(part.changes.rows.rows() - 1) : part.version;
            position = std::max(position, version.position);
            begin_epoch(version.epoch);
        }
        add_rejected(context_, state_, set_.routes, *segment);
        told_ = segment->complete;
        positions_.emplace_back(segment->complete, position);
        fault::point("sync.member.tell.before");
        if (!shapes) {
            for (const auto& follower : followers_) follower->push(segment);
            return;
        }
        std::vector<std::shared_ptr<const Segment>> behind;
        tell_shapes(segment, behind);
        for (auto& more : behind) hand_out(std::move(more));
    }

    // Several members may be the first to tell of a table: each in its turn makes it, or finds it made. What comes meanwhile, of partitions that have
    // only just come, is put into `behind`.
    void tell_shapes(const std::shared_ptr<const Segment>& segment, std::vector<std::shared_ptr<const Segment>>& behind) {
        const auto session = set_.home.sql()->open_session("ysdb sync " + set_.name + " " + context_.run_id, context_.deadline());
        const auto lock = plan::RunnerLock::acquire(context_, *set_.home.sql(), *session, "sync " + set_.name + " columns", context_.timeout);
        const auto still_a_member = [&] {
            auto more = read(Millis(0), true, context_.stop);
            if (more->complete != 0) behind.push_back(std::move(more));
        };
        still_a_member();   // the lock may have taken long
        take_reshaped();
        for (const auto& follower : followers_) follower->push(segment);
        while (!drain(Millis(1'000)) && !context_.stop.stop_requested()) {
            still_a_member();
            say_status();
        }
    }

    // What was told before a table's columns changed is in its sink: also where another member has changed them, or could not and has halted the table.
    void take_reshaped() {
        for (const TableState& table : state_.tables(context_.deadline())) {
            const Route* const route = set_.route_of(table.table, table.sink);
            if (route == nullptr) continue;
            Follower& follower = **std::find_if(followers_.begin(), followers_.end(), [&](const auto& each) { return each->name() == table.sink; });
            if (table.state == "following") follower.activate(route->table, table.reshaped);
            if (table.state == "halted" && !halted_.contains({table.table, table.sink})) {
                if (table.halted_by == "source") follower.halt_by_source(route->table, table.reason, table.position);
                else follower.halt(route->table, table.reason);
            }
            if (table.state == "halted") halted_.emplace(table.table, table.sink);
            else halted_.erase({table.table, table.sink});
        }
    }

    bool drain(Millis span) {
        const Deadline deadline = Deadline::after(span);
        bool whole = true;
        for (const auto& follower : followers_) whole = follower->drain(deadline.left()) && whole;
        return whole;
    }

    std::uint64_t durable() const {
        std::uint64_t least = told_;
        for (const auto& follower : followers_) least = std::min(least, follower->durable());
        return least;
    }

    // Of all members the one that said something last is seen in the source.
    void say_status(bool now = false) {
        if (!now && SteadyClock::now() - said_at_ < say_every) return;
        said_at_ = SteadyClock::now();
        while (!positions_.empty() && positions_.front().first <= durable()) {
            position_ = std::max(position_, positions_.front().second);
            positions_.pop_front();
        }
        try {
            vitals_.tell({epoch_, position_, position_, 0, sink_states()}, now);
        } catch (const Error& error) {
            context_.log.warn("sync.source", {{"store", set_.home.name()}, {"error", error.message()}});   // rows go on without it
        }
    }

    // With the source's position, not the number of a segment.
    std::vector<SinkState> sink_states() const {
        std::vector<SinkState> states;
        for (const auto& follower : followers_) {
            states.push_back(follower->status());
            states.back().position = position_;
        }
        return states;
    }

    // What was read by now. What is read besides, to stay a member, is told to nobody and committed by nobody.
    bool drain_at_end() {
        const Deadline deadline = Deadline::after(context_.timeout);
        while (!drain(std::min(Millis(1'000), deadline.left()))) {
            if (deadline.passed()) return false;
            try {
                read(Millis(0), true, {});
            } catch (const Error& error) {
                context_.log.warn("sync.source", {{"store", options_.from}, {"error", error.message()}});
                return false;
            }
        }
        return true;
    }

    Report end() {
        const bool whole = drain_at_end();
        reader_->acknowledge(durable(), true);
        say_status(true);
        reader_.reset();   // leaves the group
        Report report;
        report.title = "sync " + set_.name + " from " + options_.from;
        report.beside_data = std::any_of(set_.sinks.begin(), set_.sinks.end(), [&](const std::string& sink) { return lines::writes_stdout(context_.stores.config(sink)); });
        add_outcome(context_, state_, set_.capture_kind, sink_states(), "the next sync run --to copies it anew", report);
        if (!whole) {
            report.code = Code::partial;
            report.warnings.push_back("not everything that was read is in every store: the group's next owner tells it again");
        }
        if (context_.stop.stop_requested()) report.code = Code::interrupted;
        return report;
    }

    Context& context_;
    const MemberOptions& options_;
    SyncSet set_;
    SyncState state_;
    Vitals vitals_;
    std::string group_;
    bool begun_ = false;
    std::uint32_t epoch_ = 0;
    std::uint64_t told_ = 0, position_ = 0;
    std::deque<std::pair<std::uint64_t, std::uint64_t>> positions_;   // of the source, by segment, until it is durable
    std::set<std::pair<std::string, std::string>> halted_;            // table and sink, elsewhere or here
    SteadyClock::time_point said_at_{};
    std::atomic<SteadyClock::time_point> heard_{};                    // when the last read that returned began
    std::vector<std::unique_ptr<Follower>> followers_;
    std::unique_ptr<BusReader> reader_;
};

}  // namespace

Report plan_member(Context& context, const MemberOptions& options) {
    SyncSet set = open_set(context, options.set);
    Report report;
    report.title = "sync plan: nothing is changed";
    Table& tables = report.add_table("tables", "", {{"table"}, {"to"}});
    for (const Route& route : set.routes) tables.rows.push_back({route.table.text(), route.sink});
    report.next = "ysdb sync run --from " + options.from;
    return report;
}

Report run_member(Context& context, const MemberOptions& options) {
    bool begun = false;
    for (Millis pause{200};; pause = std::min(pause * 2, Millis(10'000))) {
        std::optional<Member> member;
        try {
            return member.emplace(context, options).run();
        } catch (const Error& error) {
            begun = begun || (member && member->begun());
            if (member && member->begun()) pause = Millis(200);
            // A member that never began cannot know whether it will: somebody should hear why.
            const bool passing = error.retryable() || error.code() == Code::locked;
            if (!passing || !begun || context.stop.stop_requested()) throw;
            context.log.warn("sync.source", {{"store", options.from}, {"error", error.message()}, {"again_ms", pause.count()}});
        }
        if (!pause_for(pause, context.stop)) throw Error(Code::interrupted, "interrupted while store '" + options.from + "' could not be read");
    }
}

}  // namespace ysdb::sync
