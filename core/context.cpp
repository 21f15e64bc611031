#include "core/context.h"

#include "core/base/text.h"

namespace ysdb {

Store& Stores::get(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (const auto open = open_.find(name); open != open_.end()) return *open->second;
    const auto found = config_.stores.find(name);
    if (found == config_.stores.end()) {
        std::vector<std::string> names;
        for (const auto& [known, _] : config_.stores) names.push_back(known);
        throw Error(Code::config, "no store named '" + name + "' is configured" + did_you_mean(name, names),
                    "add [stores." + name + "] with a url to ysdb.toml");
    }
    return *open_.emplace(name, open_store(found->second)).first->second;
}

}  // namespace ysdb
