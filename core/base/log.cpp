#include "core/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace ysdb {

struct Log::Impl {
    spdlog::logger logger;
    LogFormat format;
    std::function<void()> before_line;
};

namespace {

spdlog::level::level_enum level_of(LogLevel level) {
    switch (level) {
        case LogLevel::debug: return spdlog::level::debug;
        case LogLevel::info: return spdlog::level::info;
        case LogLevel::warn: return spdlog::level::warn;
        case LogLevel::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

void append_json_string(std::string& out, std::string_view text) {
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            static constexpr char digits[] = "0123456789abcdef";
            out += "\\u00";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += c;
        }
    }
    out += '"';
}

}  // namespace

Log::Log(LogLevel threshold, LogFormat format, bool color) {
    spdlog::sink_ptr sink;
    if (color && format == LogFormat::text) {
        sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>(spdlog::color_mode::always);
    } else {
        sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    }
    impl_ = std::make_unique<Impl>(Impl{spdlog::logger("ysdb", sink), format, {}});
    impl_->logger.set_level(level_of(threshold));
    // JSON lines are objects of their own: the pattern closes what write() opens after the time.
    impl_->logger.set_pattern(format == LogFormat::json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})" : "%H:%M:%S %^%-5l%$ %v",
                              format == LogFormat::json ? spdlog::pattern_time_type::utc : spdlog::pattern_time_type::local);
    impl_->logger.flush_on(spdlog::level::debug);
}

Log::~Log() = default;

void Log::before_each_line(std::function<void()> hook) { impl_->before_line = std::move(hook); }

void Log::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    if (!impl_->logger.should_log(level_of(level))) return;
    std::string line;
    if (impl_->format == LogFormat::json) {
        line = "\"event\":";
        append_json_string(line, event);
        for (const LogField& field : fields) {
            line += ',';
            append_json_string(line, field.key);
            line += ':';
            if (field.number) line += field.value;
            else append_json_string(line, field.value);
        }
    } else {
        line = event;
        for (const LogField& field : fields) {
            line += ' ';
            line += field.key;
            line += '=';
            if (field.value.empty() || field.value.find_first_of(" \"\n=") != std::string::npos) append_json_string(line, field.value);
            else line += field.value;
        }
    }
    if (impl_->before_line) impl_->before_line();
    impl_->logger.log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace ysdb
