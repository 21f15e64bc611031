// ClickHouse's manual: "Distributed DDL Queries", settings distributed_ddl_output_mode and distributed_ddl_task_timeout, system.distributed_ddl_queue.
#include "core/plan/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"

namespace ysdb::plan {

namespace {

constexpr std::size_t longest_error = 300;

// The column's place in the result, or npos.
std::size_t column(const SqlResult& result, std::string_view name) {
    const auto found = std::find(result.columns.begin(), result.columns.end(), name);
    return found == result.columns.end() ? std::string::npos : static_cast<std::size_t>(found - result.columns.begin());
}

std::string cell(const SqlRow& row, std::size_t at) { return at == std::string::npos ? "" : row.text_or(at, ""); }

// A database of engine Replicated names shard and replica instead of host and port.
std::string host_of(const SqlResult& result, const SqlRow& row) {
    const std::string host = cell(row, column(result, "host")), port = cell(row, column(result, "port"));
    if (!host.empty()) return port.empty() ? host : host + ":" + port;
    return cell(row, column(result, "shard")) + "/" + cell(row, column(result, "replica"));
}

std::string names(const std::vector<HostState>& hosts, bool (*wanted)(const HostState&)) {
    std::vector<std::string> found;
    for (const HostState& host : hosts) {
        if (wanted(host)) found.push_back(host.host);
    }
    return join(found, ", ");
}

bool is_done(const HostState& host) { return host.done(); }
bool is_at_work(const HostState& host) { return !host.code && host.at_work; }
bool is_waiting(const HostState& host) { return !host.code && !host.at_work; }

std::string first_line(const std::string& text) {
    const std::string line(trim(text.substr(0, text.find('\n'))));
    return line.size() > longest_error ? line.substr(0, longest_error) + "..." : line;
}

}  // namespace

std::string cluster_settings(const std::string& label) {
    return "SET distributed_ddl_output_mode = 'never_throw', log_comment = '" + label + "-cluster'";  // a label holds no quote
}

const char* const cluster_defaults = "SET distributed_ddl_output_mode = DEFAULT, log_comment = DEFAULT";

std::vector<HostState> hosts_answered(const SqlResult& result) {
    std::vector<HostState> hosts;
    const std::size_t status = column(result, "status"), error = column(result, "error");
    if (status == std::string::npos) return hosts;
    for (std::size_t i = 0; i < result.rows(); ++i) {
        const SqlRow row = result.row(i);
        HostState host;
        host.host = host_of(result, row);
        const std::string word = cell(row, status);
        if (word == "OK") host.code = 0;  // of a database of engine Replicated, in words
        else if (word == "IN_PROGRESS") host.at_work = true;
        else if (!word.empty() && word.find_first_not_of("0123456789") == std::string::npos) host.code = std::stoll(word);
        host.error = first_line(cell(row, error));
        hosts.push_back(std::move(host));
    }
    return hosts;
}

SqlText find_in_queue(const std::string& label) {
    // Tried again, it stands there once for each try.
    return {"SELECT host, port, status, exception_code, exception_text FROM system.distributed_ddl_queue WHERE settings['log_comment'] = {p1:String} ORDER BY entry DESC LIMIT 1 WITH TIES", {label + "-cluster"}};
}

std::vector<HostState> hosts_queued(const SqlResult& result) {
    std::vector<HostState> hosts;
    for (std::size_t i = 0; i < result.rows(); ++i) {
        const SqlRow row = result.row(i);
        HostState host;
        host.host = host_of(result, row);
        const std::string status = cell(row, column(result, "status"));
        if (status == "Finished") host.code = std::stoll(row.text_or(column(result, "exception_code"), "0"));
        host.at_work = status == "Active";
        host.error = first_line(cell(row, column(result, "exception_text")));
        hosts.push_back(std::move(host));
    }
    return hosts;
}

bool all_answered(const std::vector<HostState>& hosts) {
    return std::all_of(hosts.begin(), hosts.end(), [](const HostState& host) { return host.code.has_value(); });
}

std::string describe(const std::vector<HostState>& hosts) {
    const auto done = std::count_if(hosts.begin(), hosts.end(), is_done);
    std::string text = fmt::format("{} of {} hosts have done it", done, hosts.size());
    if (const std::string busy = names(hosts, is_at_work); !busy.empty()) text += "; at work: " + busy;
    if (const std::string idle = names(hosts, is_waiting); !idle.empty()) text += "; not begun: " + idle;
    for (const HostState& host : hosts) {
        if (host.code && !host.done()) text += fmt::format("; {} failed: {}", host.host, host.error.empty() ? fmt::format("code {}", *host.code) : host.error);
    }
    return text;
}

std::optional<Error> judge(const std::string& cluster, const std::vector<HostState>& hosts) {
    if (std::all_of(hosts.begin(), hosts.end(), is_done)) return std::nullopt;
    Error error(Code::rejected, "ON CLUSTER " + cluster + ": " + describe(hosts), all_answered(hosts) ? "correct what these hosts say" : "are these hosts up? what is not begun stands in the cluster's queue and is done later");
    const bool alike = std::all_of(hosts.begin(), hosts.end(), [&](const HostState& host) { return host.code == hosts.front().code; });
    if (alike && hosts.front().code) error.with_server_code(std::to_string(*hosts.front().code));
    return error;
}

}  // namespace ysdb::plan
