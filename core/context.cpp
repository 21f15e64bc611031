#include "core/context.h"

#include "core/base/text.h"

namespace ysdb {

Store& Stores::get(const std::string& name) {
    const std::lock_guard lock(mutex_);
    if (const auto open = open_.find(name); open != open_.end()) return *open->second;
    return *open_.emplace(name, open_store(config(name))).first->second;
}

const StoreConfig& Stores::config(const std::string& name) const {
    if (const auto found = config_.stores.find(name); found != config_.stores.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [known, _] : config_.stores) names.push_back(known);
    throw Error(Code::config, "no store named '" + name + "' is configured" + did_you_mean(name, names),
                "add [stores." + name + "] with a url to ysdb.toml");
}

}  // namespace ysdb
