#include "core/store/clickhouse/query.h"

#include <fmt/core.h>

#include <random>

#include "core/base/text.h"
#include "core/store/clickhouse/statement.h"

namespace ysdb::clickhouse {

namespace {

constexpr Millis kill_timeout{5'000};

char unescaped(char c) {
    switch (c) {
        case 't': return '\t';
        case 'n': return '\n';
        case 'r': return '\r';
        case '0': return '\0';
        case 'b': return '\b';
        case 'f': return '\f';
        default: return c;
    }
}

// A field of TabSeparated; "\N" alone is NULL.
std::optional<std::string> field(std::string_view text) {
    if (text == "\\N") return std::nullopt;
    std::string value;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 1 < text.size()) value += unescaped(text[++i]);
        else value += text[i];
    }
    return value;
}

// TabSeparatedWithNames.
SqlResult parse(std::string_view text) {
    SqlResult result;
    bool names = true;
    while (!text.empty()) {
        const auto end = text.find('\n');
        std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
        while (true) {
            const auto tab = line.find('\t');
            auto value = field(line.substr(0, tab));
            if (names) result.columns.push_back(value.value_or("NULL"));
            else result.cells.push_back(std::move(value));
            if (tab == std::string_view::npos) break;
            line = line.substr(tab + 1);
        }
        names = false;
    }
    return result;
}

}  // namespace

QueryIds::QueryIds() : random_(fmt::format("{:08x}", std::random_device{}())) {}

std::string QueryIds::next(const std::string& label) { return fmt::format("{}-{}-{}", label, random_, ++count_); }

SqlResult query(Transport& transport, std::string_view sql, std::span<const std::optional<std::string>> params, const Settings& settings, const std::string& id,
                Deadline deadline) {
    Request request;
    request.sql = sql;
    request.format = "TabSeparatedWithNames";
    request.whole = true;
    request.query_id = id;
    request.once = lower(trim(sql).substr(0, 6)) != "select";  // WITH may stand before INSERT
    request.settings = settings;
    for (std::size_t i = 0; i < params.size(); ++i) request.params.emplace_back("p" + std::to_string(i + 1), params[i]);
    std::string text;
    const Summary summary = transport.run(request, {deadline, {}, {}}, [&](std::string_view bytes) { text += bytes; });
    SqlResult result = look_at(sql).format.empty() ? parse(text) : SqlResult{{"result"}, {text}, 0};
    result.affected = summary.written_rows;
    return result;
}

SqlResult Session::query(std::string_view sql, std::span<const std::optional<std::string>> params, Deadline deadline) {
    const Statement statement = look_at(sql);
    if (statement.verb == Statement::Verb::set && !statement.several) {
        for (auto& [name, value] : parse_set(statement.sql)) {
            std::erase_if(settings_, [&](const auto& setting) { return setting.first == name; });
            if (value) settings_.emplace_back(name, *value);
        }
        return {};
    }
    const std::string id = ids_.next(label_);
    const auto note = [this](const std::string& running) {
        const std::lock_guard lock(mutex_);
        running_ = running;
    };
    note(id);
    try {
        SqlResult result = clickhouse::query(transport_, sql, params, settings_, id, deadline);
        note("");
        return result;
    } catch (...) {
        note("");
        throw;
    }
}

void Session::cancel() noexcept {
    try {
        std::string id;
        {
            const std::lock_guard lock(mutex_);
            id = running_;
        }
        if (!id.empty()) transport_.kill(id, Deadline::after(kill_timeout));
    } catch (...) {  // nothing runs any more, or the server is gone: the statement's own call says so
    }
}

}  // namespace ysdb::clickhouse
