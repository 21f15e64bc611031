#include "core/health/targets.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>

#include "core/base/text.h"
#include "core/store/kafka/kafka.h"
#include "core/store/redis/redis.h"
#include "core/sync/routes.h"

namespace ysdb {

namespace {

using Params = std::vector<std::optional<std::string>>;

// --- ClickHouse ---

bool granted(SqlStore& sql, const std::string& rights, const std::string& on, Deadline deadline) {
    return sql.query("CHECK GRANT " + rights + " ON " + on, deadline).row(0).text_or(0, "0") == "1";
}

// Those of `rights` that the user has not.
std::vector<std::string> missing_grants(SqlStore& sql, std::span<const std::string_view> rights, const std::string& on, Deadline deadline) {
    const std::vector<std::string> all(rights.begin(), rights.end());
    if (granted(sql, join(all, ", "), on, deadline)) return {};
    std::vector<std::string> missing;
    std::copy_if(all.begin(), all.end(), std::back_inserter(missing), [&](const std::string& right) { return !granted(sql, right, on, deadline); });
    return missing;
}

void check_clickhouse(SqlStore& sql, const std::string& check, Deadline deadline, Findings& findings) {
    const SqlResult facts = sql.query("SELECT currentDatabase(), currentUser()", deadline);
    const std::string database = facts.row(0).text(0), user = facts.row(0).text(1);
    static constexpr auto copies = std::to_array<std::string_view>({"SELECT", "INSERT", "CREATE TABLE", "CREATE VIEW", "DROP TABLE", "DROP VIEW"});
    static constexpr auto own = std::to_array<std::string_view>({"CREATE DATABASE", "CREATE TABLE", "SELECT", "INSERT"});
    const std::string quoted = sql.quote_identifier(database);
    bool complete = true;
    try {
        for (const auto& [on, rights] : {std::pair(quoted + ".*", std::span<const std::string_view>(copies)), {std::string("ysdb.*"), std::span<const std::string_view>(own)}}) {
            const auto missing = missing_grants(sql, rights, on, deadline);
            if (missing.empty()) continue;
            complete = false;
            findings.fail(check, user + " lacks " + join(missing, ", ") + " on " + on, "as an administrator: GRANT " + join(missing, ", ") + " ON " + on + " TO " + sql.quote_identifier(user));
        }
    } catch (const Error& error) {
        if (error.server_code() != "62") throw;
        return findings.skip(check, "this ClickHouse cannot be asked for grants (CHECK GRANT)");  // older than 24.11
    }
    if (complete) findings.ok(check, user + " may copy into " + database);
}

// --- Redis ---

// A key as the target's pattern makes it: "portfolio:{user_id}" -> "portfolio:0". Braces around braces stay: those of a hash tag.
std::string sample_key(const std::string& pattern) {
    std::string key;
    for (std::size_t at = 0; at < pattern.size(); ++at) {
        const std::size_t brace = pattern[at] == '{' ? pattern.find_first_of("{}", at + 1) : std::string::npos;
        if (brace != std::string::npos && pattern[brace] == '}') key += '0', at = brace;
        else key += pattern[at];
    }
    return key.empty() ? "ysdb:0" : key;
}

// Rights, read-only replicas and full memory are judged when a command is queued: a transaction that is given up asks without writing.
void check_redis(redis::RedisStore& store, const SyncTarget& target, const std::string& check, Deadline deadline, Findings& findings) {
    const std::string key = sample_key(target.key);
    redis::Session session = store.open_session(key, deadline);
    session.command({"MULTI"}, deadline);  // throws when refused: what follows would not be queued
    const std::string beside = redis::beside_row(store, "gone", key);  // what tells that a row was removed
    const std::vector<redis::Command> asked{{"SET", key, ""}, {"PEXPIRE", key, "1000"}, {"DEL", key}, {"SET", beside, ""}, {"DISCARD"}};
    const auto replies = session.pipeline(asked, deadline);
    for (std::size_t i = 0; i + 1 < replies.size(); ++i) {
        if (!replies[i].is_error()) continue;
        const std::string& reason = replies[i].text;
        return findings.fail(check, asked[i][0] + " " + asked[i][1] + " is refused: " + reason,
                             reason.starts_with("NOPERM")     ? "ACL SETUSER for the user of this store: ~" + (target.key.empty() ? "*" : target.key.substr(0, target.key.find('{')) + "*") + " ~ysdb:* +@read +@write +@transaction +scan"
                             : reason.starts_with("READONLY") ? "this is a replica: name the primary, or the sentinels with redis+sentinel://"
                             : reason.starts_with("OOM")      ? "raise maxmemory, or set a maxmemory-policy that evicts"
                                                              : "see the server's log");
    }
    findings.ok(check, "may write " + key);
}

// --- Kafka ---

// Nothing of an existing topic is changed: its partitions decide which key lies where.
void check_topic(kafka::KafkaStore& store, const Landing& landing, const std::string& check, Deadline deadline, Findings& findings) {
    if (const auto topic = store.topic(landing.topic, deadline)) {
        const auto leaderless = std::count_if(topic->partitions.begin(), topic->partitions.end(), [](const kafka::Partition& part) { return part.leader < 0; });
        const auto count = topic->partitions.size();
        if (leaderless > 0) findings.fail(check, fmt::format("{} of {} partitions of topic {} have no leader", leaderless, count, landing.topic), "which broker is down?");
        else if (landing.partitions > 0 && count != static_cast<std::size_t>(landing.partitions))
            findings.warn(check, fmt::format("topic {} has {} partitions, configured are {}", landing.topic, count, landing.partitions),
                          "a topic that exists is left as it is: more partitions would part a key from its past");
        else findings.ok(check, fmt::format("topic {}, {} partitions", landing.topic, count));
        return;
    }
    kafka::NewTopic wanted;
    wanted.name = landing.topic;
    if (landing.partitions > 0) wanted.partitions = landing.partitions;
    if (landing.retention) wanted.settings["retention.ms"] = std::to_string(landing.retention->count());
    const auto refused = store.create_topics({&wanted, 1}, deadline, true).at(0);
    if (refused) findings.fail(check, refused->message(), "create the topic as an administrator, or allow the user of this store to");
    else findings.ok(check, "topic " + landing.topic + " does not exist yet and may be created");
}

void check_target(Context& context, const SyncConfig& sync, const SyncTarget& target, const std::string& check, Findings& findings) {
    Store& store = context.stores.get(target.store);
    if (store.sql() != nullptr && store.sql()->dialect() == Dialect::clickhouse) return check_clickhouse(*store.sql(), check, context.deadline(), findings);
    if (auto* redis = dynamic_cast<redis::RedisStore*>(&store)) return check_redis(*redis, target, check, context.deadline(), findings);
    if (auto* kafka = dynamic_cast<kafka::KafkaStore*>(&store)) {
        for (const std::string& table : sync.tables) {
            if (!target.table.empty() && target.table != table) continue;
            const std::string name = target.table.empty() && sync.tables.size() > 1 ? check + "." + table : check;
            check_topic(*kafka, landing_of(sync, target, parse_table_ref(table, check)), name, context.deadline(), findings);
        }
        return;
    }
    findings.skip(check, "what may be written there is not asked");
}

// --- partitions ---

void check_postgres_partition(SqlStore& sql, const PartitionConfig& partition, const std::string& table, const std::string& check, Deadline deadline, Findings& findings) {
    const SqlResult result = sql.query(
        "SELECT pg_get_partkeydef(c.oid), pg_has_role(c.relowner, 'USAGE'), pg_get_userbyid(c.relowner), current_user,"
        " $2 = '' OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = $2 AND a.attnum > 0 AND NOT a.attisdropped)"
        " FROM pg_class c WHERE c.oid = to_regclass($1)",
        Params{table, partition.by}, deadline);
    if (result.rows() == 0) return findings.warn(check, "the table does not exist yet", "ysdb migrate up");
    const SqlRow row = result.row(0);
    if (!row.truth(4)) return findings.fail(check, "the table has no column " + partition.by, "set by to the column of the range");
    if (!row.truth(1)) {
        return findings.fail(check, row.text(3) + " is not the owner of the table, " + row.text(2) + " is", "as its owner: GRANT \"" + row.text(2) + "\" TO \"" + row.text(3) + "\"");
    }
    if (row.null(0)) return findings.warn(check, "the table is not partitioned", "its rows have to move into partitions first");
    findings.ok(check, "partitioned by " + row.text(0));
}

void check_clickhouse_partition(SqlStore& sql, const std::string& table, const std::string& check, Deadline deadline, Findings& findings) {
    const TableRef ref = parse_table_ref(table, check);
    const SqlResult result = sql.query("SELECT partition_key FROM system.tables WHERE database = if({p1:String} = '', currentDatabase(), {p1:String}) AND name = {p2:String}",
                                       Params{ref.schema, ref.table}, deadline);
    if (result.rows() == 0) return findings.warn(check, "the table does not exist yet", "ysdb migrate up");
    if (result.row(0).text(0).empty()) return findings.fail(check, "the table has no PARTITION BY", "partitions of ClickHouse are part of CREATE TABLE: copy it into one that has");
    findings.ok(check, "partitioned by " + result.row(0).text(0));
}

void check_archive(const Config& config, const Healths& stores, const std::string& archive, const std::string& check, Findings& findings) {
    constexpr std::string_view file = "file://";
    if (archive.starts_with(file)) {
        const std::string directory = archive.substr(file.size());
        if (access(directory.c_str(), W_OK | X_OK) == 0) findings.ok(check, directory);
        else findings.fail(check, directory + ": " + lower(std::strerror(errno)), "make the directory, for the user of ysdb to write");
        return;
    }
    const std::string store = archive.substr(0, archive.find('.'));
    if (!config.stores.contains(store)) return;  // none, s3://, or a name that the configuration's own check tells
    if (answers(stores, store)) findings.ok(check, archive);
    else findings.fail(check, "'" + store + "' does not answer", "partitions are not dropped before they are archived");
}

}  // namespace

bool answers(const Healths& stores, const std::string& name) {
    const auto found = stores.find(name);
    return found != stores.end() && found->second.probe;
}

void check_sync_targets(Context& context, const Healths& stores, Findings& findings) {
    for (const SyncConfig& sync : context.config.syncs) {
        for (const SyncTarget& target : sync.to) {
            const std::string check = "sync." + sync.name + ".to." + target.store + (target.table.empty() ? "" : "." + target.table);
            if (!answers(stores, target.store)) findings.skip(check, "'" + target.store + "' does not answer");
            else examine(check, findings, [&] { check_target(context, sync, target, check, findings); });
        }
    }
}

void check_partitions(Context& context, const Healths& stores, Findings& findings) {
    for (const PartitionConfig& partition : context.config.partitions) {
        const std::string check = "partition." + partition.table;
        const auto dot = partition.table.find('.');
        const std::string store = partition.table.substr(0, dot), table = dot == std::string::npos ? "" : partition.table.substr(dot + 1);
        if (!answers(stores, store)) {
            findings.skip(check, "'" + store + "' does not answer");
            continue;
        }
        examine(check, findings, [&] {
            SqlStore* sql = context.stores.get(store).sql();
            if (sql == nullptr || sql->dialect() == Dialect::questdb) return findings.fail(check, store + " has no partitions that ysdb manages", "PostgreSQL and ClickHouse have");
            if (sql->dialect() == Dialect::postgres) check_postgres_partition(*sql, partition, table, check, context.deadline(), findings);
            else check_clickhouse_partition(*sql, table, check, context.deadline(), findings);
        });
        check_archive(context.config, stores, partition.archive, check + ".archive", findings);
    }
}

}  // namespace ysdb
