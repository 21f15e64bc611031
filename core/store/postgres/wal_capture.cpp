#include "core/store/postgres/wal_capture.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdio>
#include <atomic>
#include <cstdint>
#include <functional>
#include <set>

#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/store/postgres/catalog.h"
#include "core/store/postgres/connection.h"
#include "core/store/postgres/followed_table.h"
#include "core/store/postgres/snapshot.h"
#include "core/store/postgres/sql_build.h"
#include "core/store/postgres/table_facts.h"
#include "core/store/postgres/waited_for.h"
#include "core/store/postgres/wal_source.h"
#include "core/store/store.h"

namespace ysdb::postgres {

namespace {

using Params = std::vector<std::optional<std::string>>;

constexpr std::string_view wal_is_gone = "58P01";   // undefined_file: requested WAL segment ... has already been removed
constexpr std::string_view makes_slot = "SELECT pg_create_logical_replication_slot(";

class WalCapture final : public ChangeCapture {
public:
    WalCapture(std::string store, const Locator& locator, Millis connect_timeout) : store_(std::move(store)), locator_(locator), connect_timeout_(connect_timeout) {}

    CaptureState look(const std::string& set, Deadline deadline) override {
        const auto session = connect(set, deadline);
        CaptureState state;
        if (session->query("SELECT pg_is_in_recovery()", deadline).row(0).truth(0)) {
            throw Error(Code::connect, "store '" + store_ + "': the server is a replica: changes are read from the primary", "point the url at the primary; during a failover wait until one is promoted")
                .with_retryable();
        }
        // The timeline a primary writes on is in the name of its next WAL file; the control file has the last checkpoint's, which may lag.
        const SqlResult facts = session->query(
            "SELECT (SELECT system_identifier FROM pg_control_system()), ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint, pg_current_wal_insert_lsn()", deadline);
        state.system = facts.row(0).text(0);
        state.timeline = static_cast<std::uint32_t>(facts.row(0).integer(1));
        state.position = parse_lsn(facts.row(0).text(2));
        const SqlResult slot = session->query(
            "SELECT confirmed_flush_lsn, coalesce(wal_status, ''), safe_wal_size, coalesce(active_pid, 0), coalesce(pg_wal_lsn_diff($2::pg_lsn, restart_lsn), 0)::bigint, plugin, database = current_database()"
            " FROM pg_replication_slots WHERE slot_name = $1",
            Params{slot_name(set), facts.row(0).text(2)}, deadline);
        if (slot.rows() == 0) return state;
        const SqlRow row = slot.row(0);
        if (row.text_or(5, "") != "pgoutput" || !row.truth(6)) {
            throw Error(Code::refused, "store '" + store_ + "': there is a replication slot " + slot_name(set) + " that is somebody else's", "rename the set in [[sync]], or drop the slot");
        }
        state.installed = true;
        if (!row.null(0)) state.confirmed = parse_lsn(row.text(0));
        state.health = row.text(1);
        if (!row.null(2)) state.left_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, row.integer(2)));
        state.active_pid = row.integer(3);
        state.retained_bytes = static_cast<std::uint64_t>(std::max<std::int64_t>(0, row.integer(4)));
        return state;
    }

    std::vector<std::string> plan_install(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override {
        const auto session = connect(set, deadline);
        std::vector<std::string> shown;
        for (const std::string& statement : statements(*session, set, tables, deadline)) {
            shown.push_back(statement == event_trigger_sql(false) ? "CREATE EVENT TRIGGER " + quote(event_trigger) + " ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'ALTER TYPE', 'CREATE TABLE') EXECUTE FUNCTION ysdb.tell_tables(), "
                                                                      + quote(rewrite_trigger) + " ON table_rewrite EXECUTE FUNCTION ysdb.note_rewrite(), and these functions" : statement);
        }
        return shown;
    }

    void install(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override {
        const auto session = connect(set, deadline);
        for (const std::string& statement : statements(*session, set, tables, deadline)) {
            fault::point("sync.install.before");
            if (statement.find(makes_slot) == std::string::npos) session->query(statement, deadline);
            else make_slot(*session, set, [&] { return statement; }, deadline);
            fault::point("sync.install.after");
        }
    }

    void remove(const std::string& set, Deadline deadline) override {
        const auto session = connect(set, deadline);
        fault::point("sync.remove.before");
        if (session->query("SELECT 1 FROM pg_replication_slots WHERE slot_name = $1", Params{slot_name(set)}, deadline).rows() > 0) {
            session->query("SELECT pg_drop_replication_slot($1)", Params{slot_name(set)}, deadline);
        }
        fault::point("sync.remove.after");
        session->query("DROP PUBLICATION IF EXISTS " + quote(publication_name(set)), deadline);
        // The event trigger serves all sets of the database.
        if (session->query("SELECT 1 FROM pg_publication WHERE pubname LIKE 'ysdb\\_%'", deadline).rows() > 0) return;
        session->query("DROP EVENT TRIGGER IF EXISTS " + quote(event_trigger) + "; DROP EVENT TRIGGER IF EXISTS " + quote(rewrite_trigger) + "; DROP FUNCTION IF EXISTS ysdb.tell_tables(), ysdb.note_rewrite(); DROP FUNCTION IF EXISTS ysdb.tell_truncate() CASCADE", deadline);
    }

    std::unique_ptr<ChangeSource> open(const CaptureOptions& options, Deadline deadline) override { return open_wal_source(target(deadline), options, as_text_, connecting(deadline)); }

    std::optional<std::uint64_t> left_timeline(std::uint32_t timeline, Deadline deadline) override {
        const auto session = Connection::open(replication_target(target(deadline)), "ysdb sync history", connecting(deadline));
        const SqlResult now = session->query("IDENTIFY_SYSTEM", deadline);
        if (now.row(0).text(1) == "1") return std::nullopt;   // nothing came before it
        const SqlResult history = session->query("TIMELINE_HISTORY " + now.row(0).text(1), deadline);
        return branch_of(history.row(0).text(1), timeline);
    }

    std::unique_ptr<SourceSnapshot> snapshot(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override {
        const Target where = target(deadline);
        const auto replication = Connection::open(replication_target(where), "ysdb sync " + set + " snapshot", connecting(deadline));
        // A slot of its own tells a view and the position that it fits; it goes when this connection does, right after the view was taken over.
        return Snapshot::open(where, "ysdb sync " + set + " copy", tables, deadline, [&](Millis patience) {
            replication->query(fmt::format("SET lock_timeout = {}", patience.count()), deadline);   // which a slot's wait for older transactions is, too
            const SqlResult slot = make_slot(*replication, set, [&] {
                return fmt::format("CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT", quote(fmt::format("ysdb_copy_{}_{:x}_{}", set, unix_micros_now(), ++copies_)));
            }, deadline);
            return ExportedView{slot.row(0).text(2), slot.row(0).text(1)};
        });
    }

    TableInfo describe(const TableRef& table, Deadline deadline) override {
        const auto session = connect("", deadline);
        // The stream leaves generated columns out, up to PostgreSQL 17 always, later unless it is told otherwise.
        return without_generated(postgres::describe(*session, store_, table, deadline));
    }

private:
    // A checkpoint may be faster than a slot that is about to reserve its WAL: the next one begins later.
    SqlResult make_slot(Connection& session, const std::string& set, const std::function<std::string()>& statement, Deadline deadline) const {
        for (int tries = 1;; ++tries) {
            try {
                return session.query(statement(), deadline);
            } catch (const Error& error) {
                if (error.server_code() == wal_is_gone && tries < 3) continue;
                throw slot_waited(error, [&] { return connect(set, asking()); }, asking());
            }
        }
    }

    Target target(Deadline deadline) const { return locator_.target(deadline); }
    Deadline asking() const { return Deadline::after(connect_timeout_); }   // what went wrong, behind a deadline that has passed
    Deadline connecting(Deadline deadline) const { return Deadline::after(std::min(deadline.left(), connect_timeout_)); }
    std::unique_ptr<Connection> connect(const std::string& set, Deadline deadline) const {
        return Connection::open(target(deadline), set.empty() ? "ysdb sync" : "ysdb sync " + set, connecting(deadline));
    }

    // What is not there yet. Checks first what would make it fail later.
    std::vector<std::string> statements(Connection& session, const std::string& set, std::span<const TableRef> tables, Deadline deadline) {
        check_server(session, deadline);
        for (const TableRef& table : tables) check_table(session, table, deadline);
        std::vector<std::string> needed;
        const std::string publication = quote(publication_name(set));
        std::string list;
        for (const TableRef& table : tables) list += (list.empty() ? "" : ", ") + quote(table);
        if (session.query("SELECT 1 FROM pg_publication WHERE pubname = $1", Params{publication_name(set)}, deadline).rows() == 0) {
            needed.push_back("CREATE PUBLICATION " + publication + " FOR TABLE " + list + " WITH (publish_via_partition_root = true)");
        } else {
            const SqlResult published = session.query("SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = $1", Params{publication_name(set)}, deadline);
            std::set<TableRef> there;
            for (std::size_t i = 0; i < published.rows(); ++i) there.insert({published.row(i).text(0), published.row(i).text(1)});
            for (const TableRef& table : there) {
                if (std::find(tables.begin(), tables.end(), table) == tables.end()) needed.push_back("ALTER PUBLICATION " + publication + " DROP TABLE " + quote(table));
            }
            for (const TableRef& table : tables) {
                if (there.contains(table)) continue;
                // Who follows a table of that name does not follow this one: it was dropped and made anew, or swapped, and has rows that no change told.
                needed.push_back("ALTER PUBLICATION " + publication + " ADD TABLE " + quote(table) + ";\nSELECT pg_logical_emit_message(true, " + literal(std::string(joined_prefix)) +
                                 ", json_build_object('relation', c.oid::bigint, 'schema', n.nspname, 'name', c.relname)::text) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = " +
                                 literal(quote(table)) + "::regclass");
            }
            // Copies hold no generated columns, so the stream must not tell any.
            const bool can_tell_generated = session.query("SELECT current_setting('server_version_num')::int >= 180000", deadline).row(0).truth(0);
            if (can_tell_generated && session.query("SELECT pubgencols <> 'n' FROM pg_publication WHERE pubname = $1", Params{publication_name(set)}, deadline).row(0).truth(0)) {
                needed.push_back("ALTER PUBLICATION " + publication + " SET (publish_generated_columns = none)");
            }
        }
        // Where it may not be made, definitions are guessed from the catalog, and what cannot be told halts the table.
        if (lacks_event_triggers(session, false, deadline)) needed.push_back(event_trigger_sql(false));
        for (const TableRef& table : tables) {
            // Statement triggers are not inherited. Without the right to make them a truncation of one partition is not told.
            const SqlResult silent = session.query(
                "SELECT l.relid::regclass::text FROM pg_partition_tree($1::regclass) l JOIN pg_class c ON c.oid = l.relid AND c.relkind = 'r' WHERE l.level > 0 AND has_table_privilege(l.relid, 'TRIGGER')"
                " AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = l.relid AND t.tgname = 'ysdb_truncate')",
                Params{quote(table)}, deadline);
            if (silent.rows() == 0) continue;
            std::string sql = tell_truncate_sql();
            for (std::size_t i = 0; i < silent.rows(); ++i) {
                sql += ";\nCREATE TRIGGER ysdb_truncate AFTER TRUNCATE ON " + silent.row(i).text(0) + " FOR EACH STATEMENT EXECUTE FUNCTION ysdb.tell_truncate()";
            }
            needed.push_back(sql);
        }
        // The publication before the slot: decoding looks it up as of each change.
        if (session.query("SELECT 1 FROM pg_replication_slots WHERE slot_name = $1", Params{slot_name(set)}, deadline).rows() == 0) {
            const bool failover = session.query("SELECT current_setting('server_version_num')::int >= 170000", deadline).row(0).truth(0);
            needed.push_back(std::string(makes_slot) + literal(slot_name(set)) + ", 'pgoutput', false, false" + (failover ? ", true)" : ")"));
        }
        return needed;
    }

    void check_server(Connection& session, Deadline deadline) const {
        const SqlResult server = session.query(
            "SELECT current_setting('wal_level'), pg_is_in_recovery(), (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), current_user", deadline);
        const SqlRow row = server.row(0);
        const std::string where = "store '" + store_ + "': ";
        if (row.truth(1)) throw Error(Code::refused, where + "the server is a replica: changes are read from the primary", "point the url at the primary");
        if (row.text(0) != "logical") {
            throw Error(Code::refused, where + "wal_level is " + row.text(0) + ", changes need logical", "ALTER SYSTEM SET wal_level = logical, then restart the server; or capture = \"trigger\" in [[sync]]");
        }
        if (!row.truth(2)) {
            throw Error(Code::refused, where + "role " + row.text(3) + " may not replicate", "ALTER ROLE " + quote(row.text(3)) + " REPLICATION; or capture = \"trigger\" in [[sync]]");
        }
    }

    void check_table(Connection& session, const TableRef& table, Deadline deadline) const {
        const TableInfo info = followable(session, store_, table, deadline);
        const std::string name = store_ + "." + info.ref.text();
        // A partitioned table's leaves carry the identity; the root's is what new leaves get.
        const SqlResult bad = session.query(
            "SELECT c.oid::regclass::text, c.relreplident FROM pg_class c WHERE c.oid IN (SELECT $1::regclass UNION SELECT relid FROM pg_partition_tree($1::regclass) WHERE isleaf)"
            " AND c.relkind = 'r' AND (c.relreplident = 'n' OR c.relreplident = 'i' AND EXISTS ("
            "   SELECT 1 FROM pg_index p CROSS JOIN LATERAL unnest(p.indkey::int2[]) k(attnum) WHERE p.indrelid = c.oid AND p.indisprimary"
            "   AND k.attnum NOT IN (SELECT unnest(i.indkey::int2[]) FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident))) LIMIT 1",
            Params{quote(table)}, deadline);
        if (bad.rows() == 0) return;
        throw Error(Code::refused, name + ": the REPLICA IDENTITY of " + bad.row(0).text(0) + (bad.row(0).text(1) == "n" ? " is NOTHING" : " is an index without the whole primary key") + ": removals would not say which row they are of",
                    "ALTER TABLE " + bad.row(0).text(0) + " REPLICA IDENTITY DEFAULT");
    }

    std::string store_;
    const Locator& locator_;
    Millis connect_timeout_;
    std::atomic<bool> as_text_{false};       // what it tells, found while it was read
    std::atomic<std::uint64_t> copies_{0};   // several sinks may be copied into at the same moment
};

}  // namespace

// Lines of a timeline's ancestor, where it was left, and why: "1<tab>0/3000148<tab>no recovery target specified".
std::optional<std::uint64_t> branch_of(std::string_view history, std::uint32_t timeline) {
    for (const std::string& line : split(history, '\n')) {
        unsigned ancestor = 0, high = 0, low = 0;
        if (std::sscanf(line.c_str(), "%u %X/%X", &ancestor, &high, &low) == 3 && ancestor == timeline) return (static_cast<std::uint64_t>(high) << 32) | low;
    }
    return std::nullopt;
}

std::unique_ptr<ChangeCapture> wal_capture(std::string store, const Locator& locator, Millis connect_timeout) {
    return std::make_unique<WalCapture>(std::move(store), locator, connect_timeout);
}

}  // namespace ysdb::postgres
