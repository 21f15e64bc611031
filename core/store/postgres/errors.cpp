#include "core/store/postgres/errors.h"

#include <string_view>

#include "core/base/text.h"

namespace ysdb::postgres {

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// One line: libpq separates the attempts on several hosts, and its own hints, by newlines.
std::string one_line(const std::string& message) {
    std::string line;
    for (const std::string& part : split(message, '\n')) {
        const auto text = trim(part);
        if (text.empty()) continue;
        if (!line.empty()) line += "; ";
        line += text;
    }
    return line;
}

}  // namespace

Error connect_error(const std::string& store, const std::string& url, const std::string& reason) {
    std::string hint = "is the server running, and is the url right? try: ysdb doctor";
    bool retryable = true;
    if (has(reason, "password authentication failed") || has(reason, "invalid username/password") || has(reason, "no password supplied") || has(reason, "role \"") ||
        has(reason, "no pg_hba.conf entry")) {
        hint = "check the user and password_file of [stores." + store + "]";
        retryable = false;
    } else if (has(reason, "database \"") && has(reason, "does not exist")) {
        hint = "create the database, or correct the last part of the url";
        retryable = false;
    } else if (has(reason, "SSL") || has(reason, "certificate")) {
        // An expired certificate and one of a strange authority look the same to libpq.
        hint = has(reason, "does not support SSL")      ? "the server speaks no TLS: set ssl = on there, or say sslmode=disable in the url where the network is trusted"
               : has(reason, "does not match host name") ? "write the host in the url as the certificate names it; its address may go into hostaddr="
                                                         : "has the server's certificate expired? else name the authority that signed it with sslrootcert=FILE";
        retryable = false;
    }
    if (has(reason, "server is in hot standby mode")) hint = "a failover may be under way: run the same command again";
    if (has(reason, "expected authentication request") || has(reason, "invalid response to SSL negotiation") ||
        has(reason, "server closed the connection unexpectedly")) {
        hint = "is that a PostgreSQL server? check host and port of the url";
    }
    return Error(Code::connect, "store '" + store + "': cannot connect to " + url + ": " + one_line(reason), hint).with_retryable(retryable);
}

Error statement_error(const std::string& store, const std::string& sqlstate, const std::string& message) {
    const std::string_view state = sqlstate;
    const std::string text = "store '" + store + "': " + one_line(message);
    if (state.empty() || state.starts_with("08") || state == "57P01" || state == "57P02" || state == "57P03" || state == "53300") {
        return Error(Code::connect, text, "run the same command again").with_server_code(sqlstate).with_retryable();
    }
    if (state == "40001" || state == "40P01" || state == "55P03") return Error(Code::rejected, text).with_server_code(sqlstate).with_retryable();
    std::string hint;
    if (state == "42501") hint = "grant the right to the user of [stores." + store + "]";
    if (state == "25006") hint = "this server is read-only: is it a replica? point the url at the primary";
    if (state == "53100") hint = "the server's disk is full: free space, then run the same command again";
    return Error(Code::rejected, text, hint).with_server_code(sqlstate);
}

Error timeout_error(const std::string& store, const std::string& doing) {
    return Error(Code::connect, "store '" + store + "': no answer in time while " + doing, "is the server hanging? raise --timeout if it is only slow").with_retryable();
}

}  // namespace ysdb::postgres
