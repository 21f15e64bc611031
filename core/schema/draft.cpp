#include "core/schema/draft.h"

#include <algorithm>
#include <tuple>

namespace ysdb::schema {

namespace {

class Sorter {
public:
    Sorter(const std::vector<Draft>& drafts, std::vector<std::vector<std::string>>& circles) : drafts_(drafts), circles_(circles), states_(drafts.size(), State::unseen) {
        for (std::size_t i = 0; i < drafts.size(); ++i) index_.emplace(drafts[i].key, i);
    }

    std::vector<std::size_t> run() {
        for (std::size_t i = 0; i < drafts_.size(); ++i) visit(i);
        return std::move(order_);
    }

private:
    enum class State { unseen, open, done };

    void visit(std::size_t i) {
        if (states_[i] == State::done) return;
        if (states_[i] == State::open) {
            std::vector<std::string> circle;
            for (auto at = std::find(path_.begin(), path_.end(), i); at != path_.end(); ++at) circle.push_back(drafts_[*at].key);
            circles_.push_back(std::move(circle));
            return;
        }
        states_[i] = State::open;
        path_.push_back(i);
        std::vector<std::size_t> needs;
        for (const std::string& key : drafts_[i].needs) {
            if (const auto found = index_.find(key); found != index_.end() && found->second != i) needs.push_back(found->second);
        }
        std::sort(needs.begin(), needs.end());  // drafts are sorted: so is what they need, whatever the keys
        for (const std::size_t need : needs) visit(need);
        path_.pop_back();
        states_[i] = State::done;
        order_.push_back(i);
    }

    const std::vector<Draft>& drafts_;
    std::vector<std::vector<std::string>>& circles_;
    std::map<std::string, std::size_t> index_;
    std::vector<State> states_;
    std::vector<std::size_t> path_, order_;
};

}  // namespace

std::vector<Draft> in_order(std::vector<Draft> drafts, std::vector<std::vector<std::string>>& circles) {
    std::sort(drafts.begin(), drafts.end(), [](const Draft& a, const Draft& b) {
        return std::tie(a.phase, a.object.table, a.place, a.object.name, a.object.kind) < std::tie(b.phase, b.object.table, b.place, b.object.name, b.object.kind);
    });
    std::vector<Draft> sorted;
    for (const std::size_t i : Sorter(drafts, circles).run()) sorted.push_back(drafts[i]);
    return sorted;
}

}  // namespace ysdb::schema
