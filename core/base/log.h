// Log lines on stderr: an event name and fields, never prose, never a secret.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ysdb {

enum class LogLevel { debug, info, warn, error };
enum class LogFormat { text, json };

struct LogField {
    std::string key;
    std::string value;
    bool number = false;  // rendered without quotes in JSON
    LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
    LogField(std::string_view k, const char* v) : key(k), value(v) {}
    LogField(std::string_view k, const std::string& v) : key(k), value(v) {}
    template <class Number>
        requires std::is_arithmetic_v<Number>
    LogField(std::string_view k, Number v) : key(k), value(std::to_string(v)), number(true) {}
};

// Thread-safe. Created by main; passed in Context. A line: `time level event key=value ...` or one JSON object (NDJSON).
class Log {
public:
    Log(LogLevel threshold, LogFormat format, bool color);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    // Called before each line is written, by the thread that writes it. Set it before threads start.
    void before_each_line(std::function<void()> hook);

    void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
    void debug(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::debug, event, fields); }
    void info(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::info, event, fields); }
    void warn(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::warn, event, fields); }
    void error(std::string_view event, std::initializer_list<LogField> fields = {}) { write(LogLevel::error, event, fields); }

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ysdb
