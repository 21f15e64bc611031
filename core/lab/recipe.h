// How each server is found, prepared, started and reached. A recipe is a row of function pointers in one explicit table.
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include "core/base/process.h"
#include "core/base/time.h"
#include "core/lab/site.h"

namespace ysdb::lab {

struct Installation {
    std::string version;   // "15.18"
    std::string path;      // kept in Server::install
};

struct Recipe {
    std::string name;                 // "postgres"
    std::string title;                // "PostgreSQL"
    std::string store;                // "main"
    std::vector<std::string> ports;   // purposes, in the order they are chosen

    // Throws Error(refused) whose hint says how to get it.
    Installation (*find)(const Site&);
    // Creates data where there is none and writes configuration. Repeatable; whatever a killed run left half done is replaced.
    void (*prepare)(const Site&, const Server&);
    SpawnOptions (*command)(const Site&, const Server&);
    // Cheap; asked every few milliseconds until true.
    bool (*ready)(const Site&, const Server&);
    LabStore (*address)(const Site&, const Server&);

    // Processes of a killed server that live on and have lost the lab's mark; null when it has none.
    std::vector<ProcessId> (*workers)(const Site&, const Server&) = nullptr;
    int stop_signal = SIGTERM;
    Millis start_limit{60'000};
    Millis stop_limit{15'000};        // then SIGKILL
};

// All servers a lab can start, in the order they are shown.
const std::vector<Recipe>& recipes();
// Throws Error(usage) with the nearest name.
const Recipe& recipe(const std::string& name);
// "solo": postgres, clickhouse, redis. "full": every server. Throws Error(usage).
std::vector<std::string> profile_servers(const std::string& profile);

// One a file: postgres.cpp, ...
Recipe postgres_recipe();
Recipe clickhouse_recipe();
Recipe redis_recipe();
Recipe kafka_recipe();
Recipe questdb_recipe();
Recipe weaviate_recipe();
Recipe milvus_recipe();

}  // namespace ysdb::lab
