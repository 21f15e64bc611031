// Landings in a Redis Cluster of a test's own, and what readers see of them.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/store/changes.h"
#include "core/value/version_text.h"
#include "tests/live/change_rows.h"
#include "tests/live/change_writes.h"
#include "tests/live/own_cluster.h"
#include "tests/live/support.h"

namespace ysdb::test {

inline Deadline soon() { return Deadline::after(Millis(30'000)); }

// One in which nobody is to die, for all tests of a file.
inline OwnCluster& shared_cluster() {
    static OwnCluster cluster({"cluster-node-timeout 15000"});
    return cluster;
}

// Landings below a prefix of the test's own, in the shared cluster unless it is told otherwise.
class ClusterCache {
public:
    explicit ClusterCache(OwnCluster& cluster = shared_cluster()) : store_(open_store(cluster.config())), prefix_(unique_name() + ":") {}
    redis::RedisStore* operator->() { return &redis::as_redis(*store_); }
    std::string key(const std::string& name) const { return prefix_ + name; }
    Landing landing(const std::string& key, std::vector<std::string> tags = {}, const std::string& format = {}) const {
        Landing landing;
        landing.set = "s";
        landing.source = {"public", "holdings"};
        landing.key = prefix_ + key;
        landing.format = format;
        for (const std::string& tag : tags) landing.tags.push_back(prefix_ + tag);
        return landing;
    }
    std::unique_ptr<ChangeWriter> follow(const Landing& landing, const TableInfo& table) {
        auto writer = store_->changes()->follow(landing, soon());
        writer->reshape(table, {}, soon());
        return writer;
    }
    std::string field(const std::string& name, const std::string& field) { return (*this)->command({"HGET", key(name), field}, soon()).text; }
    std::vector<std::string> keys(const std::string& pattern) {
        std::vector<std::string> found;
        (*this)->scan(pattern, 1000, Millis(20'000), {}, [&](std::span<const std::string> page) { found.insert(found.end(), page.begin(), page.end()); });
        std::sort(found.begin(), found.end());
        found.erase(std::unique(found.begin(), found.end()), found.end());
        return found;
    }
    // What readers see: of each row its version and coin.
    std::map<std::string, std::string> rows(const std::string& pattern = "*") {
        std::vector<std::string> names = keys(prefix_ + pattern);
        std::vector<redis::Command> ask;
        for (const std::string& name : names) ask.push_back({"HMGET", name, "_version", "coin"});
        std::map<std::string, std::string> found;
        if (ask.empty()) return found;
        const auto replies = (*this)->pipeline(ask, soon());
        for (std::size_t i = 0; i < names.size(); ++i) {
            REQUIRE_MESSAGE(replies[i].elements.size() == 2, names[i] << " " << replies[i].text);
            found[names[i].substr(prefix_.size())] = replies[i].elements[0].text + " " + replies[i].elements[1].text;
        }
        return found;
    }
    std::string members(const std::string& tag) {
        std::string text;
        for (const redis::Reply& member : (*this)->command({"ZRANGE", key(tag), "0", "-1"}, soon()).elements) text += member.text.substr(prefix_.size()) + " ";
        return text;
    }

private:
    std::unique_ptr<Store> store_;
    std::string prefix_;
};

inline std::vector<HoldingChange> rows_at(std::int64_t from, std::int64_t to, std::uint64_t position, const std::string& coin, Op op = Op::upsert) {
    std::vector<HoldingChange> changes;
    for (std::int64_t id = from; id < to; ++id) changes.push_back({at(position), {id, id % 50, coin, {}}, op});
    return changes;
}

inline std::string text_of(std::uint64_t position, const std::string& coin) { return version_text(at(position)) + " " + coin; }

inline std::size_t count_of(const std::map<std::string, std::string>& rows, const std::string& text) {
    return static_cast<std::size_t>(std::count_if(rows.begin(), rows.end(), [&](const auto& row) { return row.second == text; }));
}

}  // namespace ysdb::test
