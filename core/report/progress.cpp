#include "core/report/progress.h"

namespace ysdb {

namespace {
class NoTask final : public ProgressTask {
public:
    void add(std::uint64_t) override {}
    void set_total(std::uint64_t) override {}
    void note(std::string_view) override {}
};
}  // namespace

std::unique_ptr<ProgressTask> NoProgress::begin(std::string, ProgressUnit, std::optional<std::uint64_t>) {
    return std::make_unique<NoTask>();
}

}  // namespace ysdb
