#include "core/migrate/lint/rules.h"

#include <array>

#include "core/base/text.h"

namespace ysdb::migrate::lint {

namespace {

constexpr auto pg = Dialect::postgres;
constexpr auto ch = Dialect::clickhouse;
constexpr auto error = Severity::error;
constexpr auto warning = Severity::warning;
constexpr auto note = Severity::note;

// error: blocks readers or writers for as long as a table takes to read, fails on data that is there, or loses data.
// warning: blocks shortly, breaks programs that run, or costs more than it looks. note: worth knowing.
constexpr auto rules = std::to_array<Rule>({
    // --- PostgreSQL: indexes
    {"index-not-concurrent", pg, error, true, "an index built without CONCURRENTLY blocks writes to {}",
     "CREATE INDEX holds SHARE on the table until the index is built, which takes at least one read of the whole table.",
     "CREATE INDEX CONCURRENTLY, in a file with transaction:false. On a partitioned table: CREATE INDEX ON ONLY the parent, CONCURRENTLY on each partition, then ALTER INDEX ... ATTACH PARTITION."},
    {"drop-index-not-concurrent", pg, warning, true, "dropping an index without CONCURRENTLY blocks reads and writes of the table of {}",
     "DROP INDEX takes ACCESS EXCLUSIVE on the table; while it waits for running queries, every new query waits behind it.", "DROP INDEX CONCURRENTLY, in a file with transaction:false."},
    {"reindex-not-concurrent", pg, error, true, "REINDEX without CONCURRENTLY blocks writes to {}, and reads that would use the index",
     "It holds SHARE on the table and ACCESS EXCLUSIVE on the index until the index is built.", "REINDEX ... CONCURRENTLY, in a file with transaction:false."},
    {"not-in-transaction", pg, error, false, "no transaction can hold this statement, and the file is one transaction",
     "The server refuses it inside a transaction: the file would fail.", "Write '-- migrate:up transaction:false', best in a file of its own."},
    {"index-if-not-exists", pg, note, false, "IF NOT EXISTS takes an invalid index for the index {}",
     "A concurrent build that failed leaves an invalid index; IF NOT EXISTS then reports success. `ysdb migrate up` looks in the catalog and rebuilds it, other runners do not.",
     "Leave IF NOT EXISTS out: ysdb resumes the build by itself."},
    {"unique-index-duplicates", pg, note, false, "a unique index on {} fails at the first duplicate, and built CONCURRENTLY leaves an invalid index behind",
     "Rows that are there were never checked.", "Look for duplicates first: SELECT ..., count(*) ... GROUP BY ... HAVING count(*) > 1."},
    {"not-repeatable", pg, note, false, "outside a transaction a failure behind this statement leaves it applied, and it cannot run twice",
     "In a file with transaction:false each statement stands for itself. ysdb resumes behind the last one that was applied; by hand or with another runner the file starts over.",
     "IF EXISTS / IF NOT EXISTS, or take it out of the transaction:false file."},

    // --- PostgreSQL: columns
    {"add-not-null-column", pg, error, false, "adding {} NOT NULL without a default fails as soon as the table has a row",
     "Rows that are there would hold NULL.", "Add it with a constant DEFAULT (no rewrite since PostgreSQL 11), or nullable, backfill, then NOT NULL by way of a validated CHECK."},
    {"add-column-volatile-default", pg, error, true, "adding {} with a default that may be volatile rewrites the whole table",
     "A constant or stable default is kept in the catalog. A volatile one has to be computed for each row, under ACCESS EXCLUSIVE.",
     "ADD COLUMN without a default, ALTER COLUMN SET DEFAULT, then backfill in batches."},
    {"add-serial-column", pg, error, true, "adding the serial column {} rewrites the whole table",
     "nextval() is volatile: each row gets its number under ACCESS EXCLUSIVE.", "Add a nullable bigint, backfill in batches, then attach a sequence or identity."},
    {"add-identity-column", pg, error, true, "adding the identity column {} rewrites the whole table",
     "Each row gets its number under ACCESS EXCLUSIVE.", "Add a nullable bigint, backfill in batches, set NOT NULL by a validated CHECK, then ADD GENERATED ... AS IDENTITY."},
    {"add-generated-column", pg, error, true, "adding the stored generated column {} rewrites the whole table",
     "The expression is computed for each row under ACCESS EXCLUSIVE.", "A plain column kept by a trigger and backfilled in batches, or a view."},
    {"set-not-null", pg, warning, true, "SET NOT NULL on {} reads the whole table while nobody can read or write it",
     "The server has to prove that no row holds NULL; a validated CHECK (column IS NOT NULL) is such a proof.",
     "ADD CONSTRAINT ... CHECK (column IS NOT NULL) NOT VALID; in a later file VALIDATE CONSTRAINT; then SET NOT NULL and drop the constraint."},
    {"change-column-type", pg, error, true, "changing the type of {} rewrites the table and its indexes",
     "ACCESS EXCLUSIVE is held for the rewrite. Not rewritten: a longer or unlimited varchar, varchar to text, a numeric with more digits and the same scale, a finer timestamp.",
     "A new column, kept equal by a trigger, backfilled in batches, then swapped by renaming."},
    {"change-column-type-unknown", pg, warning, true, "changing the type of {} may rewrite the table: its type until now is not known here",
     "Widening a varchar or numeric is a change of the catalog; nearly every other change rewrites the table under ACCESS EXCLUSIVE.",
     "Let lint look at the store (leave out --offline), or keep the file that created the column in the directory."},
    {"drop-column", pg, error, false, "dropping {} loses its data, and breaks programs that still read it",
     "There is no way back but a backup. Programs with a list of columns fail at once.", "Stop using it in a first release; drop it in a later one, with `-- ysdb:allow drop-column REASON`."},
    {"rename-column", pg, warning, false, "renaming {} breaks programs that use the old name",
     "Between the migration and the release of the last program one of the two names is missing.", "A new column kept equal by a trigger, or a view with both names, until nothing uses the old one."},
    {"drop-not-null", pg, note, false, "{} may hold NULL from now on: programs may not expect it", "Readers that never met a NULL fail on the first one.", "Release the readers first."},
    {"drop-default", pg, note, false, "inserts that leave {} out get NULL, or fail when it is NOT NULL", "Programs that relied on the default send no value.", "Release the writers first."},
    {"char-type", pg, warning, false, "{} is char(n): padded with blanks", "It saves nothing, and comparisons ignore trailing blanks.", "text, with a CHECK on the length if it matters."},
    {"varchar-limit", pg, note, false, "{} is varchar(n)", "A shorter limit later rewrites the table; the limit itself can never be NOT VALID.", "text, with a CHECK (char_length(...) <= n) that can be changed without a rewrite."},
    {"timestamp-without-time-zone", pg, warning, false, "{} is timestamp without time zone", "It names no instant: what it means depends on who wrote it.", "timestamptz."},
    {"time-with-time-zone", pg, note, false, "{} is time with time zone", "An offset without a date cannot follow daylight saving.", "timestamptz, or time."},
    {"small-integer-key", pg, warning, false, "the key {} can hold 2 billion values or fewer",
     "When an int key runs out every insert fails, and widening it rewrites the table.", "bigint."},
    {"serial-type", pg, note, false, "{} is serial", "The sequence has grants and an owner of its own, and an insert can get past it silently.", "bigint GENERATED BY DEFAULT AS IDENTITY."},
    {"json-type", pg, note, false, "{} is json, not jsonb", "It has no equality, so that DISTINCT and UNION fail, and it is parsed at each read.", "jsonb."},
    {"money-type", pg, warning, false, "{} is money", "Its meaning depends on lc_monetary of the session, and it has fixed digits.", "numeric."},
    {"column-padding", pg, note, false, "the order of columns of {} wastes 8 bytes or more a row on alignment",
     "A column of 8 bytes begins at a multiple of 8.", "Put 8-byte columns first, then 4-byte ones, then the rest."},
    {"no-primary-key", pg, note, false, "{} has no primary key", "Logical replication and `ysdb sync` cannot tell its rows apart.", "Add one; bigint GENERATED BY DEFAULT AS IDENTITY if nothing else is unique."},
    {"identifier-too-long", pg, warning, false, "the name {} is longer than 63 bytes and will be cut", "The server cuts it silently; two names may become one.", "A shorter name."},

    // --- PostgreSQL: constraints
    {"add-foreign-key", pg, error, true, "adding a foreign key to {} checks every row while writes to both tables are blocked",
     "SHARE ROW EXCLUSIVE on both tables is held for the check.", "ADD CONSTRAINT ... NOT VALID; in a later file VALIDATE CONSTRAINT, which blocks nobody."},
    {"add-check", pg, error, true, "adding a CHECK to {} reads the whole table while nobody can read or write it",
     "ACCESS EXCLUSIVE is held for the read.", "ADD CONSTRAINT ... NOT VALID; in a later file VALIDATE CONSTRAINT, which blocks nobody."},
    {"validate-in-same-transaction", pg, warning, true, "validating in the transaction that added the constraint holds its lock on {} for the whole read",
     "The lock that ADD CONSTRAINT took is kept until the transaction ends, so that NOT VALID gained nothing.", "VALIDATE CONSTRAINT in a file of its own."},
    {"add-unique", pg, error, true, "adding a UNIQUE constraint to {} builds its index while nobody can read or write it",
     "ACCESS EXCLUSIVE is held until the index is built, and duplicates make it fail.", "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... UNIQUE USING INDEX."},
    {"add-primary-key", pg, error, true, "adding a primary key to {} builds its index while nobody can read or write it",
     "ACCESS EXCLUSIVE is held until the index is built.", "CREATE UNIQUE INDEX CONCURRENTLY, columns NOT NULL by way of a validated CHECK, then ADD CONSTRAINT ... PRIMARY KEY USING INDEX."},
    {"add-exclusion", pg, error, true, "adding an EXCLUDE constraint to {} builds its index while nobody can read or write it",
     "It can neither be NOT VALID nor use an index that is there.", "A new table with the constraint, filled in batches and swapped in."},
    {"drop-constraint", pg, warning, false, "from now on nothing guards what constraint {} guarded",
     "Rows that break the rule come in unnoticed; to add it again every row has to be checked.", "Be sure that nothing relies on it."},
    {"domain-constraint", pg, error, false, "a constraint added to the domain {} checks every table that uses it, locked against writes",
     "The server finds all columns of the domain and reads each of their tables.", "ADD CONSTRAINT ... NOT VALID, then ALTER DOMAIN ... VALIDATE CONSTRAINT; or a CHECK on each table."},
    {"create-domain-constraint", pg, note, false, "a constraint of the domain {} is hard to change later", "Each change checks every table that uses the domain.", "CHECK constraints of the tables."},

    // --- PostgreSQL: tables and other objects
    {"drop-table", pg, error, false, "dropping {} loses its data", "There is no way back but a backup.", "Rename it first and drop it when nobody missed it, with `-- ysdb:allow drop-table REASON`."},
    {"drop-schema", pg, error, false, "dropping schema {} loses everything in it", "There is no way back but a backup.", "Drop what is in it by name, in files of its own."},
    {"drop-database", pg, error, false, "dropping database {} loses everything in it", "There is no way back but a backup.", "Do it by hand."},
    {"drop-cascade", pg, warning, false, "DROP ... CASCADE also drops what depends on {}, whatever that is", "What goes depends on the database it runs in, not on the file.", "Name each object."},
    {"drop-object", pg, warning, false, "dropping {} breaks programs that use it", "Programs that run still call it.", "Drop it when nothing uses it any more."},
    {"rename-table", pg, warning, false, "renaming {} breaks programs that use the old name", "Between the migration and the release of the last program one of the two names is missing.", "A view with the old name in the same transaction."},
    {"rename-object", pg, warning, false, "renaming or moving {} breaks programs that use the old name", "Functions, types, views and schemas are found by name.", "Create the new one beside the old one."},
    {"truncate", pg, error, false, "TRUNCATE loses all rows of {}, and blocks reads and writes", "There is no way back but a backup.", "DELETE in batches ('-- migrate:batch') if rows are still wanted elsewhere, or drop partitions."},
    {"truncate-cascade", pg, error, false, "TRUNCATE ... CASCADE also empties every table that references {}", "Which ones depends on the database it runs in, not on the file.", "Name each table."},
    {"set-logged", pg, error, true, "SET LOGGED / UNLOGGED rewrites {}", "ACCESS EXCLUSIVE is held for the rewrite, and the table goes through the WAL.", "A new table, filled in batches and swapped in."},
    {"set-tablespace", pg, error, true, "SET TABLESPACE copies {} while nobody can read or write it", "ACCESS EXCLUSIVE is held for the copy.", "pg_repack, or a new table filled in batches; for an index REINDEX (TABLESPACE ..., CONCURRENTLY)."},
    {"set-access-method", pg, error, true, "SET ACCESS METHOD rewrites {}", "ACCESS EXCLUSIVE is held for the rewrite.", "A new table, filled in batches and swapped in."},
    {"attach-partition-scan", pg, warning, true, "ATTACH PARTITION reads the whole of {} unless a CHECK already proves its bounds",
     "The table that is attached is held under ACCESS EXCLUSIVE for the read; so is the default partition.", "ADD CONSTRAINT ... CHECK (bounds) NOT VALID, VALIDATE CONSTRAINT, ATTACH PARTITION, then drop the constraint."},
    {"detach-partition", pg, warning, false, "DETACH PARTITION without CONCURRENTLY blocks reads and writes of all of {}",
     "It takes ACCESS EXCLUSIVE on the partitioned table.", "DETACH PARTITION ... CONCURRENTLY, in a file with transaction:false."},
    {"create-partition-of", pg, note, false, "CREATE TABLE ... PARTITION OF blocks reads and writes of {} for a moment, and reads its default partition",
     "It takes ACCESS EXCLUSIVE on the partitioned table.", "CREATE TABLE ... (LIKE parent INCLUDING ALL), then ATTACH PARTITION."},
    {"create-references", pg, note, false, "a new table that references {} blocks its writes for a moment", "SHARE ROW EXCLUSIVE is taken on the table that is referenced.", "Keep the transaction short."},
    {"create-trigger", pg, warning, false, "creating a trigger blocks writes to {}, and each write pays for it from now on", "CREATE TRIGGER takes SHARE ROW EXCLUSIVE.", "Keep the transaction short; measure what the trigger costs."},
    {"disable-trigger", pg, warning, false, "disabling triggers of {} also stops what they guarded", "ALL includes foreign keys. Every session is concerned, not only this one.", "SET LOCAL session_replication_role = replica, in the session that needs it."},
    {"row-level-security", pg, warning, false, "row-level security of {} changes what every program sees", "Without a policy that lets them, readers see no row and get no error.", "Create the policies first, in the same transaction."},
    {"create-rule", pg, warning, false, "a rule rewrites every query on {}", "It is not a trigger: expressions may be evaluated twice.", "A trigger or a view."},
    {"replica-identity", pg, note, false, "REPLICA IDENTITY of {} decides what its change stream can say", "FULL writes whole old rows to the WAL; NOTHING stops updates of published tables.", "The primary key, or a unique index."},
    {"enum-value-in-transaction", pg, error, false, "{} is used in the transaction that adds it to the enum", "A new value may be used only once its transaction is committed: the file would fail.", "Add the value in a file of its own."},
    {"rename-enum-value", pg, warning, false, "renaming the enum value {} breaks programs that use it", "They send a value that is gone.", "Add the new value, move the rows, leave the old one."},
    {"enum-value-order", pg, note, false, "ADD VALUE {} without BEFORE or AFTER sorts behind all others", "The order of an enum's values is that of ORDER BY and of comparisons, and cannot be changed later.", "ADD VALUE ... BEFORE or AFTER another, where order matters."},
    {"revoke", pg, warning, false, "revoking rights on {} breaks programs that use them", "They fail at the next statement, without a release of theirs.", "Be sure that no role still needs them."},
    {"grant-to-public", pg, warning, false, "everybody gets rights on {}", "PUBLIC is every role, also those made later.", "Grant to a role."},
    {"alter-system", pg, warning, false, "ALTER SYSTEM changes the server for everybody", "It is kept in a file of that one server: replicas and a restored backup do not have it.", "The server's configuration."},

    // --- PostgreSQL: long or dangerous work
    {"vacuum-full", pg, error, true, "VACUUM FULL rewrites {} while nobody can read or write it", "ACCESS EXCLUSIVE is held for the rewrite of the table and its indexes.", "VACUUM, pg_repack, or a new table filled in batches."},
    {"cluster", pg, error, true, "CLUSTER rewrites {} while nobody can read or write it", "ACCESS EXCLUSIVE is held for the rewrite.", "pg_repack."},
    {"refresh-not-concurrent", pg, error, true, "REFRESH MATERIALIZED VIEW without CONCURRENTLY blocks reads of {}", "ACCESS EXCLUSIVE is held while the query runs.", "A unique index on it, and REFRESH MATERIALIZED VIEW CONCURRENTLY."},
    {"lock-table", pg, warning, false, "LOCK TABLE holds {} until the transaction ends", "Everything behind it in the file adds to the time.", "Let each statement take the lock it needs."},
    {"unbounded-update", pg, error, true, "an UPDATE without a WHERE rewrites every row of {} in one transaction", "All rows stay locked until it commits, the table grows to twice its size, and replicas lag.", "'-- migrate:batch' above it, in a file with transaction:false: ranges of the key, each in a transaction of its own."},
    {"duplicate-column", pg, error, false, "column {} is set twice", "The server refuses it: the file would fail.", "Set it once."},
    {"unbounded-delete", pg, error, true, "a DELETE without a WHERE loses every row of {}", "All rows stay locked until it commits, and the space is not given back.", "TRUNCATE if that is meant; else a WHERE, and '-- migrate:batch' above it."},
    {"transaction-control", pg, error, false, "BEGIN and COMMIT are ysdb's own", "The file is one transaction already; `up` refuses this.", "Take it out; for a file without one transaction write '-- migrate:up transaction:false'."},
    {"backfill-under-lock", pg, warning, true, "changing rows in the transaction that locked {} keeps it locked for as long as that takes",
     "ACCESS EXCLUSIVE of the ALTER is held until the transaction ends.", "Two files: first the change of the table, then the rows."},
    {"several-rewrites", pg, warning, true, "a second statement of this file reads or rewrites {} as a whole", "Each ALTER TABLE goes through the table by itself.", "One ALTER TABLE with several commands goes through it once."},

    // --- ClickHouse
    {"ch-mutation", ch, warning, true, "a mutation rewrites the parts of {} in the background", "Every part with a column concerned is written again, and merges wait.", "A new column with a DEFAULT, a lightweight DELETE, or a new table and EXCHANGE TABLES."},
    {"ch-lightweight-delete", ch, note, true, "DELETE FROM marks rows of {} with a mutation of a hidden column", "Rows stay on the disk until a merge; many small deletes cost more than one.", "Drop a partition, or a TTL."},
    {"ch-materialize", ch, warning, true, "MATERIALIZE writes the column, index, projection or TTL into every part of {}", "It is a mutation over the whole table.", "Let merges do it, or go partition by partition: MATERIALIZE ... IN PARTITION."},
    {"ch-modify-order-by", ch, warning, false, "MODIFY ORDER BY of {} applies to parts written from now on", "Only columns added in the same statement may be appended; the primary key stays as it was.", "A new table with the key that is wanted, and EXCHANGE TABLES."},
    {"ch-modify-column", ch, warning, true, "changing the type of a column of {} rewrites it in every part", "It is a mutation; inserts go on, reads convert until it is done.", "A new column, filled by MATERIALIZE partition by partition."},
    {"ch-drop-column", ch, error, false, "dropping a column of {} loses its data", "There is no way back but a backup.", "Stop reading it first; then `-- ysdb:allow ch-drop-column REASON`."},
    {"ch-clear-column", ch, error, false, "CLEAR COLUMN of {} loses its data", "There is no way back but a backup.", "Be sure; then `-- ysdb:allow ch-clear-column REASON`."},
    {"ch-rename-column", ch, warning, false, "renaming a column of {} breaks programs and views that use the old name", "Materialized views keep the old name in their query and fail at the next insert.", "A new ALIAS column with the new name."},
    {"ch-drop-table", ch, error, false, "dropping {} loses its data", "Above max_table_size_to_drop (50 GB) the server refuses; below there is no way back but a backup.", "DETACH TABLE or RENAME it first."},
    {"ch-drop-database", ch, error, false, "dropping database {} loses everything in it", "There is no way back but a backup.", "Do it by hand."},
    {"ch-rename-table", ch, warning, false, "renaming {} breaks programs and materialized views that use the old name", "A view's target and source are found by name.", "EXCHANGE TABLES, or a view with the old name."},
    {"ch-truncate", ch, error, false, "TRUNCATE loses all rows of {}", "There is no way back but a backup.", "Drop partitions by name."},
    {"ch-drop-partition", ch, error, false, "DROP PARTITION of {} loses its rows", "Above max_partition_size_to_drop (50 GB) the server refuses; below there is no way back.", "DETACH PARTITION, or FREEZE it before."},
    {"ch-detach-partition", ch, warning, false, "DETACH PARTITION takes rows of {} out of every query", "They stay in the detached folder of each replica until somebody removes them.", "Say in the file who brings them back, or drops them."},
    {"ch-optimize-final", ch, warning, true, "OPTIMIZE ... FINAL merges all parts of {} into one a partition", "It rewrites the whole table even if one part is there already.", "Let merges do it; at reading, FINAL."},
    {"ch-missing-on-cluster", ch, warning, false, "no ON CLUSTER, and other statements of these files have it: {} is changed on one host only", "Hosts drift apart, and the next ON CLUSTER statement fails on some.", "ON CLUSTER, or a Replicated database."},
    {"ch-nullable-key", ch, error, false, "a Nullable column in the sorting key of {}", "Without allow_nullable_key the server refuses; with it NULLs are scattered and the key is slower.", "A default value instead of NULL, or coalesce() in the key."},
    {"ch-no-order-by", ch, error, false, "a MergeTree table without ORDER BY: {}", "The server refuses it, or (with a default key) reads the whole table for every query.", "ORDER BY the columns that queries filter by."},
    {"ch-order-by-tuple", ch, note, false, "ORDER BY tuple(): every query reads all of {}", "There is no primary index.", "ORDER BY the columns that queries filter by."},
    {"ch-populate", ch, warning, false, "POPULATE misses rows that come in while {} is filled", "The query reads what is there, inserts of that time go to neither.", "Create the view with TO, then INSERT ... SELECT up to a bound."},
    {"ch-modify-ttl", ch, warning, true, "MODIFY TTL of {} starts a mutation over all parts", "materialize_ttl_after_modify is on by default.", "SETTINGS materialize_ttl_after_modify = 0, and let merges apply it."},
    {"ch-no-probe", ch, note, false, "nothing can tell whether this statement took effect when a run is killed over it", "`up` then stops with exit code 8 and asks.", "Write '-- migrate:probe SELECT ...' above it."},

    // --- of every file
    {"not-parsed", std::nullopt, note, false, "not understood, and not checked: {}", "Code inside DO and procedures is not read, and the parser on this machine may be older than the server. `up` runs it all the same.", "Check it by hand."},
    {"allow-without-reason", std::nullopt, warning, false, "ysdb:allow {} says no reason", "Who reads it later has to know why.", "-- ysdb:allow RULE the reason in a few words"},
    {"allow-unknown-rule", std::nullopt, warning, false, "ysdb:allow names no rule: {}", "It allows nothing.", "docs/lint.md lists the rules."},
    {"allow-unused", std::nullopt, note, false, "ysdb:allow {} allows nothing here", "What it allowed is gone, or it stands above another statement.", "Take it out."},
});

}  // namespace

std::string_view severity_name(Severity severity) { return severity == error ? "error" : severity == warning ? "warning" : "note"; }

Severity severity_of(std::string_view name) {
    for (const Severity severity : {note, warning, error}) {
        if (severity_name(severity) == name) return severity;
    }
    throw Error(Code::usage, "no severity: '" + std::string(name) + "'", "error, warning or note");
}

std::span<const Rule> rule_table() { return rules; }

const Rule* find_rule(std::string_view id) {
    for (const Rule& rule : rules) {
        if (rule.id == id) return &rule;
    }
    return nullptr;
}

std::vector<std::string> rule_ids() {
    std::vector<std::string> ids;
    for (const Rule& rule : rules) ids.emplace_back(rule.id);
    return ids;
}

std::string message_of(const Rule& rule, std::string_view subject) {
    std::string text(rule.summary);
    if (const auto hole = text.find("{}"); hole != std::string::npos) text.replace(hole, 2, subject);
    return text;
}

}  // namespace ysdb::migrate::lint
