#include "core/migrate/edits.h"

#include <algorithm>
#include <cstdint>

namespace ysdb::migrate {

namespace {

using Hashes = std::vector<std::string>;

// Beyond this the table of common subsequences costs more than its answer is worth: then everything between the ends has changed.
constexpr std::size_t most_cells = 4'000'000;

class Differ {
public:
    Differ(const Hashes& before, const Hashes& now) : before_(before), now_(now) {
        while (begin_ < std::min(before.size(), now.size()) && before[begin_] == now[begin_]) ++begin_;
        before_end_ = before.size();
        now_end_ = now.size();
        while (before_end_ > begin_ && now_end_ > begin_ && before[before_end_ - 1] == now[now_end_ - 1]) --before_end_, --now_end_;
    }

    std::vector<Edit> edits() {
        walk();
        pair_moved();
        return std::move(edits_);
    }

private:
    // Runs of removals and additions between two common statements; as far as they pair up they are changes.
    void flush(std::size_t before_to, std::size_t now_to) {
        while (before_at_ < before_to && now_at_ < now_to) edits_.push_back({Edit::Kind::changed, before_at_++, now_at_++});
        while (before_at_ < before_to) edits_.push_back({Edit::Kind::removed, before_at_++, now_at_});
        while (now_at_ < now_to) edits_.push_back({Edit::Kind::added, before_at_, now_at_++});
    }

    void walk() {
        const std::size_t rows = before_end_ - begin_, columns = now_end_ - begin_;
        before_at_ = now_at_ = begin_;
        if (rows * columns <= most_cells) {
            std::vector<std::uint32_t> common((rows + 1) * (columns + 1));  // of the ends from (i, j) on
            const auto cell = [&](std::size_t i, std::size_t j) -> std::uint32_t& { return common[i * (columns + 1) + j]; };
            for (std::size_t i = rows; i-- > 0;) {
                for (std::size_t j = columns; j-- > 0;) {
                    cell(i, j) = before_[begin_ + i] == now_[begin_ + j] ? cell(i + 1, j + 1) + 1 : std::max(cell(i + 1, j), cell(i, j + 1));
                }
            }
            for (std::size_t i = 0, j = 0; i < rows && j < columns;) {
                if (before_[begin_ + i] == now_[begin_ + j]) {
                    flush(begin_ + i, begin_ + j);
                    before_at_ = begin_ + ++i;
                    now_at_ = begin_ + ++j;
                } else if (cell(i + 1, j) >= cell(i, j + 1)) {
                    ++i;
                } else {
                    ++j;
                }
            }
        }
        flush(before_end_, now_end_);
    }

    void pair_moved() {
        for (Edit& added : edits_) {
            if (added.kind != Edit::Kind::added) continue;
            const auto removed = std::find_if(edits_.begin(), edits_.end(), [&](const Edit& edit) { return edit.kind == Edit::Kind::removed && before_[edit.before] == now_[added.now]; });
            if (removed == edits_.end()) continue;
            added.kind = Edit::Kind::moved;
            added.before = removed->before;
            removed->kind = Edit::Kind::moved;
            removed->now = now_.size();  // told once, where it is now
        }
        std::erase_if(edits_, [&](const Edit& edit) { return edit.kind == Edit::Kind::moved && edit.now == now_.size(); });
    }

    const Hashes& before_;
    const Hashes& now_;
    std::size_t begin_ = 0, before_end_ = 0, now_end_ = 0;
    std::size_t before_at_ = 0, now_at_ = 0;
    std::vector<Edit> edits_;
};

}  // namespace

std::vector<Edit> edits_between(const Hashes& before, const Hashes& now) { return Differ(before, now).edits(); }

}  // namespace ysdb::migrate
