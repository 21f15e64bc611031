// Migrations applied to a scratch server in the live one's stead, for drift and rehearsals.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "core/migrate/planner.h"
#include "core/migrate/scratch.h"
#include "core/migrate/workspace.h"

namespace ysdb::migrate {

// Whether a store has a scratch server: PostgreSQL and ClickHouse do.
bool comparable(Context& context, const std::string& store);

struct Replay {
    std::set<std::string> versions;
    std::set<std::string> stores;            // of these files, and the one with the history; comparable ones only
    std::vector<std::string> warnings;
};
// What is recorded as applied. Throws Error(refused) when a file of those is gone.
Replay applied_files(Workspace& work);

// The live configuration with every store that files name replaced: no migration can reach a live server from there. A stand-in for each of `stores`; the others lead nowhere.
Config scratch_config(const Workspace& work, const std::set<std::string>& stores, const std::function<StoreConfig(Store& live)>& stand_in);

// `up` of these versions, in a context over such a configuration. Roles that a database administrator made and migrations name are made up on a server of our
// own. Throws what `up` throws, as of the place, with its hint.
struct ReplayPlace {
    std::string where = "on the scratch server";
    std::string hint = "the live server took this once; what does it have that the scratch server lacks? --scratch URL names another";
};
void replay(Context& context, const std::set<std::string>& versions, const Scratch& scratch, const UpOptions& with, const ReplayPlace& place = {});

}  // namespace ysdb::migrate
