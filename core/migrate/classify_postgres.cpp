#include "core/base/text.h"
#include "core/migrate/classify_dialects.h"

namespace ysdb::migrate {

namespace {

constexpr std::string_view blocks_all = ": blocks reads and writes";
constexpr std::string_view blocks_writes = ": blocks writes";
constexpr std::string_view blocks_ddl = ": blocks neither reads nor writes";

std::string lock(std::string_view mode, const Name& on, std::string_view effect) {
    return on.empty() ? std::string() : std::string(mode) + " on " + on.written + std::string(effect);
}

// An index belongs to its table's schema; a build that failed leaves it there, invalid, and IF NOT EXISTS takes the corpse for the index.
// Who builds or drops one holds SHARE UPDATE EXCLUSIVE on the table.
plan::Probe index_built(const Name& index, const Name& table) {
    return {{"SELECT CASE WHEN i.indexrelid IS NULL THEN 'absent' WHEN i.indisvalid THEN 'present'"
             " WHEN EXISTS (SELECT FROM pg_locks l WHERE l.relation = i.indrelid AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_backend_pid()) THEN 'running'"
             " ELSE 'broken' END, quote_ident(n.nspname) || '.' || quote_ident(c.relname)"
             " FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace LEFT JOIN (pg_class c JOIN pg_index i ON i.indexrelid = c.oid)"
             " ON c.relnamespace = t.relnamespace AND c.relname = $2 AND i.indrelid = t.oid WHERE t.oid = to_regclass($1)",
             {table.written, index.last()}},
            "DROP INDEX CONCURRENTLY "};
}

plan::Probe relation_gone(const Name& name) { return {{"SELECT CASE WHEN to_regclass($1) IS NULL THEN 'present' ELSE 'absent' END", {name.written}}, {}}; }

// One that was cut off leaves the partition "detach pending": it must be finished, and can be begun no second time.
plan::Probe detached(const Name& table, const Name& partition) {
    return {{"SELECT CASE WHEN t.partition IS NULL OR t.parent IS NULL THEN 'absent' WHEN i.inhrelid IS NULL THEN 'present' WHEN NOT i.inhdetachpending THEN 'absent'"
             " WHEN EXISTS (SELECT FROM pg_locks l WHERE l.relation = t.parent AND l.mode = 'ShareUpdateExclusiveLock' AND l.pid <> pg_backend_pid()) THEN 'running'"
             " ELSE 'broken' END, $2 FROM (SELECT to_regclass($1) AS parent, to_regclass($2) AS partition) t"
             " LEFT JOIN pg_inherits i ON i.inhrelid = t.partition AND i.inhparent = t.parent",
             {table.written, partition.written}},
            "ALTER TABLE " + table.written + " DETACH PARTITION ", " FINALIZE", true};
}

plan::Probe database_there(const Name& name, bool wanted) {
    return {{"SELECT CASE WHEN EXISTS (SELECT FROM pg_database WHERE datname = $1) = $2::boolean THEN 'present' ELSE 'absent' END", {name.last(), wanted ? "true" : "false"}}, {}};
}

void create_index(Words& words, StatementFacts& facts, bool unique) {
    const bool concurrently = words.take("concurrently");
    words.take_all({"if", "not", "exists"});
    const Name index = words.is("on") ? Name{} : words.take_name();
    words.take("on");
    words.take("only");
    const Name table = words.take_name();
    facts.what = std::string("CREATE ") + (unique ? "UNIQUE " : "") + "INDEX " + (concurrently ? "CONCURRENTLY " : "") + index.written + (index.empty() ? "ON " : " ON ") + table.written;
    facts.object = table.written;
    facts.locks = concurrently ? lock("SHARE UPDATE EXCLUSIVE", table, blocks_ddl) : lock("SHARE", table, blocks_writes);
    facts.outside_transaction = facts.waits_for_others = concurrently;
    if (concurrently && !index.empty() && !table.empty()) facts.probe = index_built(index, table);
}

void create(Words& words, StatementFacts& facts) {
    words.take_all({"or", "replace"});
    while (words.take("global") || words.take("local") || words.take("unlogged") || words.take("recursive") || words.take("constraint") || words.take("trusted") || words.take("event") || words.take("foreign")) {}
    if (words.take("temp") || words.take("temporary")) facts.dirties_session = true;
    const bool unique = words.take("unique");
    if (words.take("index")) return create_index(words, facts, unique);
    std::string kind = words.take_any();
    if (kind == "materialized") kind += " " + words.take_any();
    words.take_all({"if", "not", "exists"});
    const Name name = words.take_name();
    kind = upper(kind);
    facts.what = "CREATE " + kind + (name.empty() ? "" : " " + name.written);
    facts.outside_transaction = kind == "DATABASE" || kind == "TABLESPACE" || kind == "SUBSCRIPTION";
    if (kind == "DATABASE" && !name.empty()) facts.probe = database_there(name, true);
    if (kind == "TABLE" && words.has("references")) facts.locks = "SHARE ROW EXCLUSIVE on the tables it references: blocks writes";
    if (kind == "TABLE" && words.has({"partition", "of"})) facts.locks = "ACCESS EXCLUSIVE on the default partition, if there is one" + std::string(blocks_all);
    if (kind == "TRIGGER" && words.has("on")) {
        while (!words.at_end() && !words.take("on")) words.take_any();
        const Name table = words.take_name();
        facts.object = table.written;
        facts.locks = lock("SHARE ROW EXCLUSIVE", table, blocks_writes);
    }
}

void drop(Words& words, StatementFacts& facts) {
    std::string kind = words.take_any();
    if (kind == "materialized" || kind == "foreign" || kind == "event") kind += " " + words.take_any();
    const bool concurrently = words.take("concurrently");
    words.take_all({"if", "exists"});
    const Name name = words.take_name();
    kind = upper(kind);
    facts.what = "DROP " + kind + (concurrently ? " CONCURRENTLY " : " ") + name.written;
    const bool relation = kind == "TABLE" || kind == "INDEX" || kind == "VIEW" || kind == "MATERIALIZED VIEW" || kind == "SEQUENCE";
    if (relation) facts.object = name.written;
    if (relation) facts.locks = concurrently ? lock("SHARE UPDATE EXCLUSIVE", name, blocks_ddl) : lock("ACCESS EXCLUSIVE", name, blocks_all);
    facts.outside_transaction = concurrently || kind == "DATABASE" || kind == "TABLESPACE" || kind == "SUBSCRIPTION";
    facts.waits_for_others = concurrently;
    if (name.empty()) return;
    if (concurrently) facts.probe = relation_gone(name);
    if (kind == "DATABASE") facts.probe = database_there(name, false);
}

void alter(Words& words, StatementFacts& facts) {
    std::string kind = words.take_any();
    if (kind == "materialized" || kind == "foreign") kind += " " + words.take_any();
    words.take_all({"if", "exists"});
    words.take("only");
    const Name name = kind == "system" ? Name{} : words.take_name();
    kind = upper(kind);
    facts.what = "ALTER " + kind + (name.empty() ? "" : " " + name.written);
    facts.outside_transaction = kind == "SYSTEM";
    facts.repeatable = kind == "SYSTEM";
    facts.adds_label = kind == "TYPE" && words.has({"add", "value"});
    if (kind != "TABLE" && kind != "INDEX" && kind != "MATERIALIZED VIEW") return;
    facts.object = name.written;
    if (kind == "TABLE" && words.has({"detach", "partition"}) && words.has("concurrently")) {
        facts.outside_transaction = facts.waits_for_others = true;
        facts.locks = lock("SHARE UPDATE EXCLUSIVE", name, blocks_ddl);
        words.take_all({"detach", "partition"});
        const Name partition = words.take_name();
        facts.what += " DETACH PARTITION " + partition.written + " CONCURRENTLY";
        if (!partition.empty()) facts.probe = detached(name, partition);
    } else if (words.has({"validate", "constraint"}) || words.has({"attach", "partition"}) || words.has({"set", "statistics"})) {
        facts.locks = lock("SHARE UPDATE EXCLUSIVE", name, blocks_ddl);
    } else if (words.has({"foreign", "key"})) {
        facts.locks = lock("SHARE ROW EXCLUSIVE", name, ", and on the table it references: blocks writes");
    } else {
        facts.locks = lock("ACCESS EXCLUSIVE", name, blocks_all);
    }
}

void comment(Words& words, StatementFacts& facts) {
    words.take("on");
    const std::string kind = words.take_any();
    facts.what = "COMMENT ON " + upper(kind) + " " + words.take_name().written;
}

void change_rows(Words& words, StatementFacts& facts, const std::string& verb) {
    facts.writes_to_client = verb == "copy" && words.has({"to", "stdout"});
    words.take("into");
    words.take("from");
    words.take("table");
    words.take("only");
    const Name name = words.take_name();
    facts.what = upper(verb) + " " + name.written;
    facts.object = name.written;
    facts.locks = verb == "truncate" ? lock("ACCESS EXCLUSIVE", name, blocks_all) : verb == "insert" || verb == "copy" ? "" : lock("ROW EXCLUSIVE", name, ": blocks writes of the same rows");
}

void maintain(Words& words, StatementFacts& facts, const std::string& verb) {
    facts.repeatable = true;
    const bool full = words.has("full");
    words.skip_parentheses();
    std::string kind;
    if (verb == "refresh") words.take_all({"materialized", "view"});
    if (verb == "reindex") kind = words.take_any();
    const bool concurrently = words.take("concurrently") || words.has("concurrently");
    while (words.take("full") || words.take("freeze") || words.take("verbose") || words.take("analyze")) {}
    const Name name = words.take_name();
    facts.what = (verb == "refresh" ? "REFRESH MATERIALIZED VIEW" : verb == "reindex" ? "REINDEX" : verb == "vacuum" ? (full ? "VACUUM FULL" : "VACUUM") : verb == "cluster" ? "CLUSTER" : "ANALYZE") +
                 std::string(concurrently ? " CONCURRENTLY" : "") + (name.empty() ? "" : " " + name.written);
    facts.object = kind == "index" ? "" : name.written;
    facts.outside_transaction = verb == "vacuum" || (verb == "reindex" && (concurrently || kind == "database" || kind == "system" || kind == "schema")) || (verb == "cluster" && name.empty());
    facts.waits_for_others = verb == "reindex" && concurrently;
    if (verb == "cluster" || (verb == "vacuum" && full) || (verb == "refresh" && !concurrently)) facts.locks = lock("ACCESS EXCLUSIVE", name, blocks_all);
    else if (verb == "refresh") facts.locks = lock("EXCLUSIVE", name, blocks_writes);
    else if (verb == "reindex" && !concurrently) facts.locks = lock("SHARE", name, blocks_writes);
    else facts.locks = lock("SHARE UPDATE EXCLUSIVE", name, blocks_ddl);
}

}  // namespace

StatementFacts classify_postgres(Words& words) {
    StatementFacts facts;
    const std::string verb = words.take_any();
    facts.what = upper(verb);
    if (verb == "create") create(words, facts);
    else if (verb == "drop") drop(words, facts);
    else if (verb == "alter") alter(words, facts);
    else if (verb == "insert" || verb == "update" || verb == "delete" || verb == "truncate" || verb == "copy") change_rows(words, facts, verb);
    else if (verb == "vacuum" || verb == "analyze" || verb == "reindex" || verb == "cluster" || verb == "refresh") maintain(words, facts, verb);
    else if (verb == "begin" || verb == "start" || verb == "commit" || verb == "end" || verb == "abort" || (verb == "prepare" && words.is("transaction"))) facts.controls_transaction = true;
    else if (verb == "rollback") facts.controls_transaction = !words.has("to");
    else if (verb == "call" || verb == "do" || verb == "select" || verb == "with" || verb == "reset" || verb == "prepare" || verb == "listen" || verb == "load" || verb == "declare" || verb == "discard" || verb == "set") facts.dirties_session = true;
    else if (verb == "comment") comment(words, facts);
    else if (verb == "lock") facts.locks = "as it says" + std::string(blocks_all);
    // CALL and DO may commit on the way; everything else is whole or not at all.
    if (verb == "call" || verb == "do") facts.may_leave_part = true;
    return facts;
}

}  // namespace ysdb::migrate
