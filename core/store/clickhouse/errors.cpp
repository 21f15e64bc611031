#include "core/store/clickhouse/errors.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "core/base/text.h"

namespace ysdb::clickhouse {

namespace {

constexpr std::size_t longest_message = 600;

// Wrong or missing login: UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, IP_ADDRESS_NOT_ALLOWED, AUTHENTICATION_FAILED.
constexpr std::array login_codes{192, 193, 194, 195, 516};
// The same call may succeed later: TIMEOUT_EXCEEDED, TOO_MANY_SIMULTANEOUS_QUERIES, SOCKET_TIMEOUT, NETWORK_ERROR, NO_ZOOKEEPER,
// MEMORY_LIMIT_EXCEEDED, TABLE_IS_READ_ONLY, NOT_ENOUGH_SPACE, TOO_MANY_PARTS, TOO_FEW_LIVE_REPLICAS, UNKNOWN_STATUS_OF_INSERT, KEEPER_EXCEPTION.
constexpr std::array passing_codes{159, 202, 209, 210, 225, 241, 242, 243, 252, 285, 319, 999};

bool contains(std::span<const int> codes, int code) { return std::find(codes.begin(), codes.end(), code) != codes.end(); }

std::string one_line(std::string_view text) {
    std::string line;
    for (const char c : trim(text.substr(0, longest_message))) line += c == '\n' || c == '\r' || c == '\t' ? ' ' : c;
    return line;
}

// Without "Code: N. DB::Exception: " in front and "(version ...)" behind.
std::string_view bare(std::string_view text) {
    constexpr std::string_view mark = "DB::Exception: ";
    if (const auto at = text.find(mark); at != std::string_view::npos && at < 40) text.remove_prefix(at + mark.size());
    if (const auto at = text.find("\n\n0. "); at != std::string_view::npos) text = text.substr(0, at);  // a stack trace
    if (const auto at = text.rfind(" (version "); at != std::string_view::npos) text = text.substr(0, at);
    return text;
}

// "Syntax error: failed at position 28 (...)" -> 28; 0 when it says no place.
std::size_t position_in(std::string_view text) {
    constexpr std::string_view mark = "failed at position ";
    const auto at = text.find(mark);
    std::size_t position = 0;
    if (at != std::string_view::npos) std::from_chars(text.data() + at + mark.size(), text.data() + text.size(), position);
    return position;
}

std::string hint_for(int code) {
    switch (code) {
        case 60: return "see what is there: SHOW TABLES";
        case 81: return "create it: CREATE DATABASE, or name another one in the store's url";
        case 241: return "raise max_memory_usage, or send less at once";
        case 243: return "free space on the server's disk";
        case 341: return "it goes on in the background: correct what it says, then run the same command again; KILL MUTATION ends it";
        case 359: return "the server refuses to drop so much: write SETTINGS max_table_size_to_drop = 0 (max_partition_size_to_drop = 0) at the end of the statement";
        case 252: return "wait for merges, or send larger batches";
        default: return {};
    }
}

}  // namespace

int error_number(std::string_view text) {
    const auto at = text.find("Code: ");
    if (at == std::string_view::npos) return 0;
    int code = 0;
    std::from_chars(text.data() + at + 6, text.data() + text.size(), code);
    return code;
}

Error server_error(const std::string& store, std::string_view text, int code) {
    if (code == 0) code = error_number(text);
    if (contains(login_codes, code)) {
        return Error(Code::connect, "store '" + store + "': the server did not accept user or password", "check the user in the url and password_file")
            .with_server_code(std::to_string(code));
    }
    const std::string message = one_line(bare(text));
    Error error(Code::rejected, "store '" + store + "': " + (message.empty() ? "the server failed without saying why" : message), hint_for(code));
    if (code != 0) error.with_server_code(std::to_string(code));
    // A disk that fills while a part is written is told by the system's words, under several codes.
    error.with_retryable(contains(passing_codes, code) || message.find("No space left on device") != std::string::npos).with_position(position_in(text));
    return error;
}

std::optional<std::string> trailing_exception(std::string_view tail, std::string_view tag) {
    // "__exception__\r\n<tag>\r\n<text>\n<length> <tag>\r\n__exception__\r\n" since 25.x; the bare text before that.
    constexpr std::string_view mark = "__exception__";
    if (!tag.empty()) {
        const std::string opening = std::string(mark) + "\r\n" + std::string(tag) + "\r\n";
        const auto at = tail.rfind(opening);
        if (at == std::string_view::npos) return std::nullopt;
        const std::string_view text = tail.substr(at + opening.size());
        return std::string(text.substr(0, text.rfind('\n', text.rfind(std::string(" ") + std::string(tag)))));
    }
    const auto at = tail.rfind("Code: ");
    if (at == std::string_view::npos || tail.find("DB::Exception", at) == std::string_view::npos) return std::nullopt;
    return std::string(tail.substr(at));
}

}  // namespace ysdb::clickhouse
