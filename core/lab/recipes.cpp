#include "core/lab/recipe.h"

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/text.h"

namespace ysdb::lab {

const std::vector<Recipe>& recipes() {
    static const std::vector<Recipe> table{postgres_recipe(), clickhouse_recipe(), redis_recipe(),  kafka_recipe(),
                                           questdb_recipe(),  weaviate_recipe(),   milvus_recipe()};
    return table;
}

const Recipe& recipe(const std::string& name) {
    std::vector<std::string> names;
    for (const Recipe& candidate : recipes()) {
        if (candidate.name == name) return candidate;
        names.push_back(candidate.name);
    }
    throw Error(Code::usage, fmt::format("the lab has no server '{}'{}", name, did_you_mean(name, names)), "servers: " + join(names, ", "));
}

std::vector<std::string> profile_servers(const std::string& profile) {
    if (profile == "solo") return {"postgres", "clickhouse", "redis"};
    if (profile == "full") {
        std::vector<std::string> names;
        for (const Recipe& each : recipes()) names.push_back(each.name);
        return names;
    }
    throw Error(Code::usage, fmt::format("the lab has no profile '{}'", profile), "profiles: solo, full");
}

}  // namespace ysdb::lab
