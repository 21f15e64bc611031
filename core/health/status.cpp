#include <thread>

#include "core/config/secrets.h"
#include "core/health/health.h"

namespace ysdb {

namespace {

StoreHealth probe(Context& context, const std::string& name) {
    StoreHealth health;
    health.url = redact_url(context.config.stores.at(name).url);
    try {
        Store& store = context.stores.get(name);
        health.url = store.redacted_url();
        health.probe = store.probe(context.deadline());
    } catch (const Error& error) {
        health.error = error;
    } catch (const std::exception& error) {
        health.error = Error(Code::internal, "store '" + name + "': " + error.what());
    }
    return health;
}

Value text_or_null(const std::string& text) { return text.empty() ? Value() : Value(text); }

Code code_of(const std::map<std::string, StoreHealth>& stores) {
    std::size_t reached = 0;
    for (const auto& [name, health] : stores) {
        if (health.error && health.error->code() == Code::config) return Code::config;
        if (health.probe) ++reached;
    }
    return reached == stores.size() ? Code::ok : reached == 0 ? Code::connect : Code::differences;
}

}  // namespace

std::map<std::string, StoreHealth> probe_stores(Context& context, const std::vector<std::string>& names) {
    if (context.config.stores.empty()) {
        throw Error(Code::config, "no store is configured", "write a configuration with: ysdb init; or set YSDB_STORES_MAIN_URL");
    }
    std::map<std::string, StoreHealth> result;
    for (const std::string& name : names) {
        context.stores.config(name);  // refuses an unknown name
        result[name];
    }
    if (names.empty()) {
        for (const auto& [name, _] : context.config.stores) result[name];
    }
    std::vector<std::jthread> threads;
    for (auto& [name, health] : result) {
        threads.emplace_back([&context, &name = name, &health = health] { health = probe(context, name); });
    }
    threads.clear();  // joins
    return result;
}

Report status_report(Context& context, const std::vector<std::string>& names) {
    const auto stores = probe_stores(context, names);
    Report report;
    Table& table = report.add_table("stores", "",
                                    {{"store"},
                                     {"reachable"},
                                     {"product"},
                                     {"version"},
                                     {"role"},
                                     {"lag_s", Unit::seconds, "lag"},
                                     {"latency_s", Unit::seconds, "latency"},
                                     {"url"},
                                     {"detail"},
                                     {"error", Unit::none, "", true},
                                     {"hint", Unit::none, "", true}});
    for (const auto& [name, health] : stores) {
        if (health.probe) {
            const ProbeResult& probe = *health.probe;
            table.rows.push_back({name, true, probe.product, probe.version, text_or_null(probe.role),
                                  probe.lag_s ? Value(*probe.lag_s) : Value(), probe.latency_s, health.url,
                                  text_or_null(probe.detail), Value(), Value()});
        } else {
            table.rows.push_back({name, false, Value(), Value(), Value(), Value(), Value(), health.url, Value(),
                                  health.error->message(), text_or_null(health.error->hint())});
            report.checks.push_back({name, CheckState::fail, health.error->message(), health.error->hint()});
        }
    }
    report.code = code_of(stores);
    if (report.code != Code::ok) report.next = "ysdb doctor";
    return report;
}

}  // namespace ysdb
