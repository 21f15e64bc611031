#include "core/config/settings.h"

#include <algorithm>

namespace ysdb {

const std::vector<Setting>& setting_table() {
    using enum SettingType;
    static const std::vector<Setting> table{
        {"run.timeout", duration, "30s", "limit of each call to a store, connecting included"},
        {"log.format", choice, "text", "how log lines on stderr look", false, {"text", "json"}},

        {"stores.NAME.url", url, "", "where the store is; the scheme names the driver", true},
        {"stores.NAME.password", secret, "", "better in password_file or the environment than in a file"},
        {"stores.NAME.password_file", path, "", "a file that holds the password alone"},
        {"stores.NAME.pool.min", integer, "5", "connections kept open when idle"},
        {"stores.NAME.pool.max", integer, "20", "connections at once; further calls wait"},
        {"stores.NAME.pool.idle", duration, "10m", "an idle connection above pool.min is closed after this"},
        {"stores.NAME.pool.connect_timeout", duration, "3s", "limit of opening one connection"},
        {"stores.NAME.sslmode", choice, "", "PostgreSQL: how TLS is used, as libpq says", false,
         {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}},
        {"stores.NAME.sslrootcert", path, "", "PostgreSQL: certificates of the authorities to trust"},
        {"stores.NAME.sslcert", path, "", "PostgreSQL: client certificate"},
        {"stores.NAME.sslkey", path, "", "PostgreSQL: key of the client certificate"},
        {"stores.NAME.tls_ca", path, "", "ClickHouse, Redis, Kafka: certificates of the authorities to trust"},
        {"stores.NAME.tls_cert", path, "", "Redis, Kafka: client certificate"},
        {"stores.NAME.tls_key", path, "", "Redis, Kafka: key of the client certificate"},
        {"stores.NAME.compression", choice, "", "ClickHouse: compression on the wire; zstd unless the server is on this machine", false, {"zstd", "none"}},
        {"stores.NAME.sasl_mechanism", choice, "", "Kafka: how the user logs in; PLAIN when the url names a user", false,
         {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}},
        {"stores.NAME.http_port", integer, "", "QuestDB: the HTTP port that takes rows; 9000 unless said otherwise"},
        {"stores.NAME.library", path, "", "embedded ClickHouse: libchdb.so, when it is not where the lab puts it"},

        {"migrate.dir", path, "migrations", "where the migration files are"},
        {"migrate.store", text, "main", "the store that keeps the history and runs files that name no store"},
        {"migrate.lint_ignore", list, "", "rules of `ysdb migrate lint` that are switched off"},

        {"migrate.environment", text, "", "where this is (\"dev\", \"production\"): files with env:NAME run only there"},
        {"migrate.guard", choice, "warn", "what a server in trouble means for statements on large tables", false, {"off", "warn", "refuse"}},
        {"migrate.variables.NAME", secret, "", "what ${NAME} in a migration file stands for; never shown"},

        {"partition[].table", text, "", "store.schema.table or store.table", true},
        {"partition[].by", text, "", "column of the range; needed to create the partitioning"},
        {"partition[].every", text, "", "hour, day, week, month, quarter, year, \"7 days\", or \"1000000\" for integers", true},
        {"partition[].ahead", integer, "0", "partitions to keep ready in advance (not yet: only drift and doctor read it)"},
        {"partition[].keep", text, "", "age after which a partition is archived and dropped, like \"24 months\" (not yet)"},
        {"partition[].archive", text, "", "where it is archived: a table of another store, file:///dir, s3://bucket/dir, or \"none\": dropped for good (not yet)"},

        {"sync[].name", text, "", "name of the set", true},
        {"sync[].from", text, "main", "the store that is read"},
        {"sync[].capture", choice, "wal", "how changes are found", false, {"wal", "trigger", "poll"}},
        {"sync[].tables", list, "", "schema.table, in the source", true},
        {"sync[].spill", size, "1GiB", "changes that wait for a store which is down or slow are kept on disk, up to this, behind what `--buffer` holds; 0: none"},
        {"sync[].when_full", choice, "block", "what then, when the store takes nothing: block reading for all of its stores, shed the store (its tables are halted, the others go on), or stop the run", false, {"block", "shed", "stop"}},
        {"sync[].when_halted", choice, "stay", "a table that its source halts, as its rows changed without being told: it stays as it is until `ysdb sync reset`, or the run makes a new copy of it, with growing pauses", false, {"stay", "copy"}},
        {"sync[].max_slot_wal", size, "", "a store that takes nothing is shed before the source keeps more log than this for the set; without it, never"},
        {"sync[].every", duration, "5s", "capture = \"poll\": how often the tables are read"},
        {"sync[].state", text, "main", "capture = \"poll\": the PostgreSQL store that remembers what was told"},
        {"sync[].table[].name", text, "", "a table of the set that more is said of", true},
        {"sync[].table[].key", list, "", "capture = \"poll\": the columns that tell rows apart; the table's own key without it"},
        {"sync[].table[].cursor", text, "", "capture = \"poll\": a column that grows: only rows from its last value on are read; without it, all"},
        {"sync[].table[].overlap", text, "", "capture = \"poll\": how far behind the cursor is read again; 1m unless said otherwise, a number for integers"},
        {"sync[].to[].store", text, "", "the store that is written", true},
        {"sync[].to[].table", text, "", "only this table of the set; without it, all"},
        {"sync[].table[].columns", list, "", "the columns that are told; all without it"},
        {"sync[].table[].except", list, "", "columns that are not told"},
        {"sync[].to[].into", text, "", "PostgreSQL: schema.table that is written; the source's name without it"},
        {"sync[].to[].key", text, "", "Redis: the row's key, with {column} where a value goes"},
        {"sync[].to[].format", choice, "", "how a row looks there; Redis: hash unless said otherwise, or json; Kafka: json unless said otherwise, or debezium", false,
         {"hash", "json", "debezium"}},
        {"sync[].to[].ttl", duration, "", "Redis: how long a row lives; without it, for ever"},
        {"sync[].to[].channel", text, "", "Redis: where each change is published as well"},
        {"sync[].to[].tags", list, "", "Redis: sorted sets that list the row's key, with {column} where a value goes"},
        {"sync[].to[].topic", text, "", "Kafka: where the changes go; {schema} and {table} stand for the table's"},
        {"sync[].to[].partitions", integer, "", "Kafka: of a topic that does not exist yet; the broker's default without it"},
        {"sync[].to[].retention", duration, "", "Kafka: of a topic that does not exist yet; the broker's default without it"},
        {"sync[].to[].transactional", SettingType::boolean, "", "Kafka: in transactions, so that readers of committed records see each change once"},
    };
    return table;
}

const Setting* find_setting(std::string_view name) {
    const auto& table = setting_table();
    const auto found = std::find_if(table.begin(), table.end(), [&](const Setting& s) { return s.name == name; });
    return found == table.end() ? nullptr : &*found;
}

std::string variable_of(const Setting& setting) {
    if (setting.name.find('[') != std::string_view::npos || setting.type == SettingType::list) return "";
    std::string variable = "YSDB_";
    for (const char c : setting.name) variable += c == '.' ? '_' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return variable;
}

std::string_view type_name(SettingType type) {
    switch (type) {
        case SettingType::text: return "text";
        case SettingType::integer: return "whole number";
        case SettingType::duration: return "duration";
        case SettingType::size: return "size";
        case SettingType::choice: return "choice";
        case SettingType::boolean: return "true or false";
        case SettingType::path: return "path";
        case SettingType::url: return "URL";
        case SettingType::secret: return "secret";
        case SettingType::list: return "list of texts";
    }
    return "";
}

}  // namespace ysdb
