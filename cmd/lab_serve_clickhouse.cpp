// `ysdb lab serve-clickhouse`: what `lab up` starts where there is no clickhouse program. Not for people: hidden.
#include <fmt/core.h>

#include <condition_variable>
#include <mutex>

#include "cmd/commands.h"
#include "core/store/clickhouse/gateway.h"

namespace ysdb {

namespace {

constexpr Millis drain_time{10'000};

clickhouse::GatewayOptions options_from(const Invocation& invocation) {
    clickhouse::GatewayOptions options;
    options.directory = invocation.text_or("--path", "");
    options.library = invocation.text_or("--library", "");
    if (options.directory.empty() || options.library.empty()) throw Error(Code::usage, "serve-clickhouse needs --path and --library");
    const std::string listen = invocation.text_or("--listen", "127.0.0.1:8123");
    const auto colon = listen.rfind(':');
    options.host = listen.substr(0, colon);
    try {
        options.port = std::stoi(listen.substr(colon + 1));
    } catch (const std::exception&) {
        throw Error(Code::usage, "--listen: '" + listen + "' is not host:port");
    }
    options.config_file = invocation.text_or("--engine-config", "");
    options.max_memory_bytes = invocation.size("--max-memory").value_or(0);
    return options;
}

Report serve(const Invocation& invocation, Context& context, Operator&) {
    clickhouse::Gateway gateway(options_from(invocation));
    context.log.info("clickhouse.ready", {{"port", gateway.port()}, {"path", invocation.text_or("--path", "")}});
    std::mutex mutex;
    std::unique_lock lock(mutex);
    std::condition_variable_any().wait(lock, context.stop, [] { return false; });
    context.log.info("clickhouse.stopping");
    gateway.stop(drain_time);
    return {};
}

}  // namespace

CommandSpec lab_serve_clickhouse_command() {
    CommandSpec spec;
    spec.name = "serve-clickhouse";
    spec.summary = "serve ClickHouse's HTTP interface over the embedded engine";
    spec.description = "Started by lab up. Listens on a loopback address without a password until SIGTERM, then lets running statements end.";
    spec.flags = {{.name = "--path", .value = "DIR", .help = "directory of the engine's files", .fallback = "", .choices = {}},
                  {.name = "--listen", .value = "HOST:PORT", .help = "loopback address; port 0: a free one", .fallback = "127.0.0.1:8123", .choices = {}},
                  {.name = "--library", .value = "FILE", .help = "libchdb.so", .fallback = "", .choices = {}},
                  {.name = "--engine-config", .value = "FILE", .help = "settings of the engine, as ClickHouse's config.xml", .fallback = "", .choices = {}},
                  {.name = "--max-memory", .value = "SIZE", .help = "limit of the engine's memory", .fallback = "", .choices = {}}};
    spec.needs_config = false;
    spec.hidden = true;
    spec.run = serve;
    return spec;
}

}  // namespace ysdb
