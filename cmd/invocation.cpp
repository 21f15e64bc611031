#include <charconv>

#include "cmd/command.h"
#include "core/base/error.h"

namespace ysdb {

std::optional<std::string> Invocation::text(const std::string& flag) const {
    if (const auto found = values.find(flag); found != values.end() && !found->second.empty()) return found->second.back();
    if (const auto found = fallbacks.find(flag); found != fallbacks.end()) return found->second;
    return std::nullopt;
}

std::string Invocation::text_or(const std::string& flag, const std::string& fallback) const {
    return text(flag).value_or(fallback);
}

std::optional<std::int64_t> Invocation::integer(const std::string& flag) const {
    const auto value = text(flag);
    if (!value) return std::nullopt;
    std::int64_t number = 0;
    const auto [end, failed] = std::from_chars(value->data(), value->data() + value->size(), number);
    if (failed != std::errc() || end != value->data() + value->size()) {
        throw Error(Code::usage, flag + ": '" + *value + "' is not a whole number", "write it like 1000000");
    }
    return number;
}

std::int64_t Invocation::integer_between(const std::string& flag, std::int64_t low, std::int64_t high) const {
    const std::int64_t number = integer(flag).value_or(low);
    if (number < low || number > high) {
        throw Error(Code::usage, flag + ": " + std::to_string(number) + " is not between " + std::to_string(low) + " and " +
                                     std::to_string(high));
    }
    return number;
}

std::optional<Millis> Invocation::duration(const std::string& flag) const {
    const auto value = text(flag);
    return value ? std::optional(parse_duration(*value, flag)) : std::nullopt;
}

std::optional<std::uint64_t> Invocation::size(const std::string& flag) const {
    const auto value = text(flag);
    return value ? std::optional(parse_size(*value, flag)) : std::nullopt;
}

std::vector<std::string> Invocation::all(const std::string& flag) const {
    const auto found = values.find(flag);
    return found == values.end() ? std::vector<std::string>{} : found->second;
}

std::optional<std::string> Invocation::argument(std::size_t index) const {
    return index < arguments.size() ? std::optional(arguments[index]) : std::nullopt;
}

}  // namespace ysdb
