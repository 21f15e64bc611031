// What an examination found, check by check.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/report/report.h"

namespace ysdb {

class Findings {
public:
    void ok(const std::string& name, const std::string& detail) { checks.push_back({name, CheckState::ok, detail, ""}); }
    void warn(const std::string& name, const std::string& detail, const std::string& hint) { checks.push_back({name, CheckState::warn, detail, hint}); }
    void fail(const std::string& name, const std::string& detail, const std::string& hint) { checks.push_back({name, CheckState::fail, detail, hint}); }
    void skip(const std::string& name, const std::string& detail) { checks.push_back({name, CheckState::skipped, detail, ""}); }

    std::vector<Check> checks;
};

// Runs `work` and turns a refusal of the server into a failed check instead of the end of the examination.
template <class Work>
void examine(const std::string& check, Findings& findings, Work work) {
    try {
        work();
    } catch (const Error& error) {
        findings.fail(check, error.message(), error.hint());
    }
}

}  // namespace ysdb
