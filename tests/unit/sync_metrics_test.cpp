#include <doctest/doctest.h>

#include "core/sync/follow/vitals.h"

using namespace ysdb;
using namespace ysdb::sync;

TEST_CASE("metrics say of each sink whether it takes changes, how far it is, what waits for it, and how late it was") {
    VitalSigns now{3, 900, 500, 4096, {}};
    for (const char* state : {"working", "retrying", "given up"}) {
        SinkState sink;
        sink.sink = state;
        sink.state = state;
        sink.position = 700;
        sink.changes = 12;
        sink.lag_ms = 1500;
        sink.waiting_bytes = 10;
        sink.spilled_bytes = 20;
        now.sinks.push_back(sink);
    }
    const std::string text = metrics_text("yield", now);
    const auto says = [&](const std::string& line) { return ("\n" + text).find("\n" + line + "\n") != std::string::npos; };
    CHECK(says("ysdb_sync_sink_up{set=\"yield\",sink=\"working\"} 1"));
    CHECK(says("ysdb_sync_sink_up{set=\"yield\",sink=\"retrying\"} 0"));
    CHECK(says("ysdb_sync_sink_up{set=\"yield\",sink=\"given up\"} 0"));
    CHECK(says("ysdb_sync_sink_position{set=\"yield\",sink=\"working\"} 700"));
    CHECK(says("ysdb_sync_changes_total{set=\"yield\",sink=\"working\"} 12"));
    CHECK(says("ysdb_sync_lag_seconds{set=\"yield\",sink=\"working\"} 1.5"));
    CHECK(says("ysdb_sync_waiting_bytes{set=\"yield\",sink=\"working\"} 10"));
    CHECK(says("ysdb_sync_spilled_bytes{set=\"yield\",sink=\"working\"} 20"));
    CHECK(says("ysdb_sync_epoch{set=\"yield\"} 3"));
    CHECK(says("ysdb_sync_read_position{set=\"yield\"} 900"));
    CHECK(says("ysdb_sync_confirmed_position{set=\"yield\"} 500"));
    CHECK(says("ysdb_sync_retained_bytes{set=\"yield\"} 4096"));
}
