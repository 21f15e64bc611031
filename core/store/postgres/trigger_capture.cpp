#include "core/store/postgres/trigger_capture.h"

#include <algorithm>
#include <set>

#include "core/base/embedded.h"
#include "core/base/fault.h"
#include "core/base/text.h"
#include "core/store/lsn.h"
#include "core/store/postgres/catalog.h"
#include "core/store/postgres/connection.h"
#include "core/store/postgres/followed_table.h"
#include "core/store/postgres/snapshot.h"
#include "core/store/postgres/sql_build.h"
#include "core/store/postgres/table_facts.h"
#include "core/store/postgres/trigger_log.h"
#include "core/store/postgres/trigger_source.h"
#include "core/store/postgres/waited_for.h"
#include "core/store/store.h"

namespace ysdb::postgres {

namespace {

using Params = std::vector<std::optional<std::string>>;

std::string replaced(std::string text, std::string_view mark, std::string_view value) {
    for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + value.size())) text.replace(at, mark.size(), value);
    return text;
}

class TriggerCapture final : public ChangeCapture {
public:
    TriggerCapture(std::string store, const Locator& locator, Millis connect_timeout) : store_(std::move(store)), locator_(locator), connect_timeout_(connect_timeout) {}

    CaptureState look(const std::string& set, Deadline deadline) override {
        const auto session = connect(set, deadline);
        CaptureState state;
        identify(*session, state, deadline);
        if (!log_exists(*session, deadline)) return state;
        // What is committed and in no tick yet will be in the next one.
        state.position = static_cast<std::uint64_t>(session->query("SELECT max(id) + CASE WHEN cdc.news() THEN 1 ELSE 0 END FROM cdc.ticks", deadline).row(0).integer(0));
        const SqlResult at = session->query("SELECT position FROM cdc.sets WHERE set_name = $1", Params{set}, deadline);
        if (at.rows() == 0) return state;
        state.installed = true;
        state.confirmed = static_cast<std::uint64_t>(at.row(0).integer(0));
        state.health = "triggers";
        const SqlResult rest = session->query(
            "SELECT (SELECT coalesce(sum(pg_total_relation_size(inhrelid)), 0)::bigint FROM pg_inherits WHERE inhparent = 'cdc.change_log'::regclass),"
            " (SELECT coalesce(min(pid), 0) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1)",
            Params{"ysdb sync " + set + " log"}, deadline);
        state.retained_bytes = static_cast<std::uint64_t>(rest.row(0).integer(0));
        state.active_pid = rest.row(0).integer(1);
        return state;
    }

    std::vector<std::string> plan_install(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override {
        const auto session = connect(set, deadline);
        return statements(*session, set, tables, deadline);
    }

    void install(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override {
        const auto session = connect(set, deadline);
        for (const std::string& statement : statements(*session, set, tables, deadline)) {
            fault::point("sync.install.before");
            // Each several statements in one transaction. A writer in the way is not waited for long: others would wait behind.
            session->query("BEGIN; SET LOCAL lock_timeout = '5s'; SET LOCAL client_min_messages = 'warning'", deadline);
            try {
                session->query(statement, deadline);
            } catch (const Error& error) {
                try {
                    session->query("ROLLBACK", deadline);
                } catch (const Error&) {}
                const Deadline asking = Deadline::after(connect_timeout_);   // `deadline` may have passed
                throw lock_waited(error, tables, [&] { return connect(set, asking); }, asking);
            }
            session->query("COMMIT", deadline);
            fault::point("sync.install.after");
        }
        tend_log(*session, deadline);
    }

    void remove(const std::string& set, Deadline deadline) override {
        const auto session = connect(set, deadline);
        if (!log_exists(*session, deadline)) return;
        fault::point("sync.remove.before");
        for (const std::string& table : captured(*session, set, deadline)) session->query(release(*session, set, table, deadline), deadline);
        fault::point("sync.remove.after");
        session->query("DELETE FROM cdc.sets WHERE set_name = $1", Params{set}, deadline);
        if (session->query("SELECT 1 FROM cdc.sets UNION ALL SELECT 1 FROM cdc.captured LIMIT 1", deadline).rows() > 0) return;
        session->query("DROP EVENT TRIGGER IF EXISTS " + quote(log_event_trigger) + "; DROP EVENT TRIGGER IF EXISTS " + quote(log_rewrite_trigger) + "; DROP FUNCTION IF EXISTS cdc.tell_tables(), cdc.note_rewrite()", deadline);
        session->query("DROP TABLE cdc.change_log, cdc.ticks, cdc.sets, cdc.captured, cdc.shapes; DROP SEQUENCE cdc.change_sequence, cdc.change_ids; DROP FUNCTION cdc.tick(boolean), cdc.news(), cdc.rows_query(oid),"
                       " cdc.row_query(oid), cdc.note_shape(oid), cdc.known_shape(oid), cdc.layout(oid)",
                       deadline);
        try {
            session->query("DROP SCHEMA cdc", deadline);  // if there is nothing else in it, and it is ours
        } catch (const Error& error) {
            if (error.retryable()) throw;
        }
    }

    std::unique_ptr<ChangeSource> open(const CaptureOptions& options, Deadline deadline) override { 
        // What it mends is what the next run would: this store outlives the source.
        const auto mend = [this, set = options.set, tables = options.tables, within = options.timeout] { install(set, tables, Deadline::after(within)); };
        return open_trigger_source(target(deadline), options, mend, connecting(deadline));
    }

    std::unique_ptr<SourceSnapshot> snapshot(const std::string& set, std::span<const TableRef> tables, Deadline deadline) override {
        const Target where = target(deadline);
        const auto exporter = Connection::open(where, "ysdb sync " + set + " snapshot", connecting(deadline));
        auto view = Snapshot::open(where, "ysdb sync " + set + " copy", tables, deadline, [&](Millis) {
            // The lock comes before the view: what the tick sees is what the view sees, and nobody's tick lies between.
            exporter->query("SELECT pg_advisory_lock(hashtext('ysdb cdc tick'))", deadline);
            exporter->query("BEGIN ISOLATION LEVEL REPEATABLE READ", deadline);
            const SqlResult tick = exporter->query("SELECT cdc.tick(true), pg_export_snapshot()", deadline);
            const std::uint64_t position = static_cast<std::uint64_t>(tick.row(0).integer(0));
            return ExportedView{tick.row(0).text(1), lsn_text(position)};
        });
        fault::point("sync.trigger.snapshot.before");
        exporter->query("COMMIT", deadline);
        fault::point("sync.trigger.snapshot.after");
        return view;
    }

    TableInfo describe(const TableRef& table, Deadline deadline) override {
        const auto session = connect("", deadline);
        return without_generated(postgres::describe(*session, store_, table, deadline));
    }

private:
    Target target(Deadline deadline) const { return locator_.target(deadline); }
    Deadline connecting(Deadline deadline) const { return Deadline::after(std::min(deadline.left(), connect_timeout_)); }
    std::unique_ptr<Connection> connect(const std::string& set, Deadline deadline) const {
        return Connection::open(target(deadline), set.empty() ? "ysdb sync" : "ysdb sync " + set, connecting(deadline));
    }

    static bool log_exists(SqlSession& session, Deadline deadline) { return session.query("SELECT to_regclass('cdc.captured') IS NOT NULL", deadline).row(0).truth(0); }

    // Where the server does not say which cluster it is, the database is all there is to tell it by.
    static void identify(SqlSession& session, CaptureState& state, Deadline deadline) {
        const SqlResult may = session.query(
            "SELECT has_function_privilege('pg_control_system()', 'execute'), has_function_privilege('pg_walfile_name(pg_lsn)', 'execute') AND has_function_privilege('pg_current_wal_insert_lsn()', 'execute')"
            " AND NOT pg_is_in_recovery()", deadline);
        state.system = session.query(may.row(0).truth(0) ? "SELECT system_identifier::text FROM pg_control_system()" : "SELECT 'database ' || oid FROM pg_database WHERE datname = current_database()", deadline).row(0).text(0);
        state.timeline = 1;
        if (may.row(0).truth(1)) {
            state.timeline = static_cast<std::uint32_t>(session.query("SELECT ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::bigint", deadline).row(0).integer(0));
        }
    }

    static std::vector<std::string> captured(SqlSession& session, const std::string& set, Deadline deadline) {
        const SqlResult found = session.query("SELECT table_name FROM cdc.captured WHERE set_name = $1 ORDER BY 1", Params{set}, deadline);
        std::vector<std::string> names;
        for (std::size_t i = 0; i < found.rows(); ++i) names.push_back(found.row(i).text(0));
        return names;
    }

    // What is not there yet. Checks first what would make it fail later.
    std::vector<std::string> statements(SqlSession& session, const std::string& set, std::span<const TableRef> tables, Deadline deadline) {
        if (session.query("SELECT pg_is_in_recovery()", deadline).row(0).truth(0)) {
            throw Error(Code::refused, "store '" + store_ + "': the server is a replica: triggers are made on the primary", "point the url at the primary");
        }
        for (const TableRef& table : tables) check_table(session, table, deadline);
        std::vector<std::string> needed;
        const bool there = log_exists(session, deadline);
        if (!there) needed.push_back(log_sql(session, deadline));
        if (lacks_event_triggers(session, true, deadline)) needed.push_back(event_trigger_sql(true));
        if (there) {
            for (const std::string& name : captured(session, set, deadline)) {
                if (std::none_of(tables.begin(), tables.end(), [&](const TableRef& t) { return t.text() == name; })) needed.push_back(release(session, set, name, deadline));
            }
        }
        for (const TableRef& table : tables) capture_table(session, set, table, there, needed, deadline);
        if (there) drop_leftovers(session, needed, deadline);
        // The first tick of the set comes behind the triggers.
        if (!there || session.query("SELECT 1 FROM cdc.sets WHERE set_name = $1", Params{set}, deadline).rows() == 0) {
            needed.push_back("INSERT INTO cdc.sets (set_name, position) VALUES (" + literal(set) + ", cdc.tick(true))");
        }
        return needed;
    }

    std::string log_sql(SqlSession& session, Deadline deadline) const {
        if (session.query("SELECT to_regclass('cdc.change_log') IS NOT NULL", deadline).row(0).truth(0)) {
            throw Error(Code::refused, "store '" + store_ + "': there is a table cdc.change_log that ysdb did not make", "ALTER TABLE cdc.change_log RENAME TO change_log_before_ysdb");
        }
        return replaced(std::string(embedded_file("sql/ysdb/postgres/trigger_log.sql")), "({facts})", "(" + facts_query() + ")");
    }

    void check_table(SqlSession& session, const TableRef& table, Deadline deadline) const {
        const TableInfo info = followable(session, store_, table, deadline);
        const std::string name = store_ + "." + info.ref.text();
        const SqlResult facts = session.query(
            "SELECT c.relkind, has_table_privilege(c.oid, 'TRIGGER'), pg_has_role(c.relowner, 'MEMBER'), current_user, r.rolname,"
            " (SELECT NOT indimmediate FROM pg_index WHERE indrelid = c.oid AND indisprimary), c.relkind = 'r' AND EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = c.oid)"
            " FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner WHERE c.oid = $1::regclass",
            Params{quote(info.ref)}, deadline);
        const SqlRow row = facts.row(0);
        if (row.text(0) != "r" && row.text(0) != "p") throw Error(Code::refused, name + " is no table: its changes fire no triggers");
        if (!row.truth(1)) throw Error(Code::refused, name + ": role " + row.text(3) + " may not make triggers on it", "GRANT TRIGGER ON " + quote(info.ref) + " TO " + quote(row.text(3)));
        if (row.truth(5)) {
            throw Error(Code::refused, name + ": its primary key is deferrable: rows with the same key can stand beside each other until a transaction ends, and its changes do not say which is meant",
                        "make it NOT DEFERRABLE, or leave the table out of the set");
        }
        // Inserts are told by a trigger of the statement, and what a subscription applies is none.
        if (row.truth(6)) throw Error(Code::refused, name + ": a subscription writes it, whose inserts no trigger would tell", "capture = \"wal\" tells them; or follow the server that it comes from");
    }

    void capture_table(SqlSession& session, const std::string& set, const TableRef& table, bool log, std::vector<std::string>& needed, Deadline deadline) const {
        const SqlResult facts = session.query(
            "SELECT c.oid::bigint, c.relkind = 'p', pg_has_role(c.relowner, 'MEMBER'),"
            " " + std::string(triggers_fire) +
            " FROM pg_class c WHERE c.oid = $1::regclass",
            Params{quote(table)}, deadline);
        const SqlResult other = session.query(
            "SELECT l.relid::regclass::text FROM pg_partition_tree($1::regclass) l WHERE"
            " (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = l.relid AND attnum > 0 AND NOT attisdropped) IS DISTINCT FROM"
            " (SELECT array_agg(attname ORDER BY attnum) FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped) LIMIT 1",
            Params{quote(table)}, deadline);
        const std::string oid = facts.row(0).text(0), name = literal(table.text());
        const bool fires = facts.row(0).truth(3);
        bool ours = false, listed = false, same = true;
        if (log) {
            const SqlResult found = session.query("SELECT set_name = $1, relation = $3::bigint::oid FROM cdc.captured WHERE table_name = $2", Params{set, table.text(), oid}, deadline);
            for (std::size_t i = 0; i < found.rows(); ++i) {
                listed = true;
                ours = ours || found.row(i).truth(0);
                same = same && found.row(i).truth(1);
            }
        }
        std::string sql;
        if (!fires) {
            sql = trigger_sql(table, oid, facts.row(0).truth(1), facts.row(0).truth(2));
            // Somebody took them away, or made the table anew: what happened meanwhile is not in the log.
            if (listed) sql += ";\nUPDATE cdc.captured SET relation = " + oid + ", gap = cdc.tick(true) WHERE table_name = " + name;
        } else if (listed && !same) {
            sql = "UPDATE cdc.captured SET relation = " + oid + ", gap = cdc.tick(true) WHERE table_name = " + name;
        }
        // One that came since halts the table where rows of it could be read wrongly, not the whole set.
        if (!ours && other.rows() > 0) {
            throw Error(Code::refused, store_ + "." + table.text() + ": partition " + other.row(0).text(0) + " has its columns in another order", "make it anew like the table and move its rows, or use capture = \"wal\"");
        }
        if (!ours) sql += std::string(sql.empty() ? "" : ";\n") + "INSERT INTO cdc.captured (set_name, table_name, relation) VALUES (" + literal(set) + ", " + name + ", " + oid + ")";
        sql += leaf_triggers(session, table, oid, sql.empty(), deadline);
        if (!sql.empty()) needed.push_back(sql);
    }

    // What still tells of tables whose name is another's by now, and of partitions that left, where no event trigger saw to it (one made just before these may): it would go on filling
    // the log.
    static void drop_leftovers(SqlSession& session, std::vector<std::string>& needed, Deadline deadline) {
        const SqlResult found = session.query(
            "SELECT format('DROP FUNCTION IF EXISTS %s CASCADE', p.oid::regprocedure) FROM pg_proc p WHERE p.pronamespace = 'cdc'::regnamespace AND p.proname ~ '^tell_[0-9]+$'"
            " AND NOT EXISTS (SELECT FROM cdc.captured k WHERE p.proname = 'tell_' || k.relation AND NOT EXISTS"
            "  (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE k.table_name = n.nspname || '.' || c.relname AND c.oid <> k.relation))"
            " UNION ALL "
            "SELECT format('DROP TRIGGER IF EXISTS ysdb_truncate ON %s', c.oid::regclass) FROM cdc.captured k JOIN pg_trigger t ON t.tgfoid = to_regprocedure('cdc.tell_' || k.relation || '()') JOIN pg_class c ON c.oid = t.tgrelid"
            " WHERE t.tgname = 'ysdb_truncate' AND c.oid <> k.relation AND NOT c.relispartition AND pg_has_role(c.relowner, 'MEMBER')",
            deadline);
        for (std::size_t i = 0; i < found.rows(); ++i) {
            if (std::find(needed.begin(), needed.end(), found.row(i).text(0)) == needed.end()) needed.push_back(found.row(i).text(0));   // two sets may have the table
        }
    }

    // Those that partitions lack, which tell that one was truncated by itself.
    static std::string leaf_triggers(SqlSession& session, const TableRef& table, const std::string& oid, bool first, Deadline deadline) {
        const SqlResult silent = session.query(
            "SELECT l.relid::regclass::text FROM pg_partition_tree($1::regclass) l JOIN pg_class c ON c.oid = l.relid AND c.relkind = 'r' WHERE l.level > 0 AND has_table_privilege(l.relid, 'TRIGGER')"
            " AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = l.relid AND t.tgname = 'ysdb_truncate')",
            Params{quote(table)}, deadline);
        std::string sql;
        for (std::size_t i = 0; i < silent.rows(); ++i) {
            sql += std::string(first && sql.empty() ? "" : ";\n") + "CREATE TRIGGER ysdb_truncate AFTER TRUNCATE ON " + silent.row(i).text(0) + " FOR EACH STATEMENT EXECUTE FUNCTION cdc.tell_" + oid + "()";
        }
        return sql;
    }

    static std::string trigger_sql(const TableRef& table, const std::string& oid, bool partitioned, bool owner) {
        const std::string quoted = quote(table);
        std::string sql(embedded_file("sql/ysdb/postgres/trigger_table.sql"));
        sql = sql.substr(sql.find("CREATE OR REPLACE"));
        sql = replaced(sql, "{shape}", "CASE WHEN cdc.known_shape({relation}) <> 0 THEN cdc.known_shape({relation}) ELSE cdc.note_shape({relation}) END");
        sql = replaced(replaced(sql, "{relation}", oid), "{text}", literal(table.text()));
        const std::string call = " EXECUTE FUNCTION cdc.tell_" + oid + "()";
        for (const char* name : {"ysdb_insert", "ysdb_change", "ysdb_truncate"}) sql += std::string(";\nDROP TRIGGER IF EXISTS ") + name + " ON " + quoted;
        // One call for all rows of a statement is a third cheaper than one a row, but a statement on a partition fires nothing of its table's.
        if (!partitioned) sql += ";\nCREATE TRIGGER ysdb_insert AFTER INSERT ON " + quoted + " REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT" + call;
        sql += std::string(";\nCREATE TRIGGER ysdb_change AFTER ") + (partitioned ? "INSERT OR " : "") + "UPDATE OR DELETE ON " + quoted + " FOR EACH ROW" + call;
        sql += ";\nCREATE TRIGGER ysdb_truncate AFTER TRUNCATE ON " + quoted + " FOR EACH STATEMENT" + call;
        // Statement triggers are not inherited: each partition has its own for truncation. See leaf_triggers().
        if (!owner) return sql;
        // Also what a subscription or a restore writes (session_replication_role = replica) is a change.
        for (const char* name : {"ysdb_insert", "ysdb_change", "ysdb_truncate"}) {
            if (partitioned && name == std::string_view("ysdb_insert")) continue;
            sql += ";\nALTER TABLE " + quoted + " ENABLE ALWAYS TRIGGER " + name;
        }
        return sql;
    }

    // The set needs the table's changes no more; the last one takes the triggers along.
    static std::string release(SqlSession& session, const std::string& set, const std::string& table, Deadline deadline) {
        std::string sql = "DELETE FROM cdc.captured WHERE set_name = " + literal(set) + " AND table_name = " + literal(table);
        const SqlResult left = session.query(
            "SELECT c.relation::bigint, (SELECT oid::regclass::text FROM pg_class WHERE oid = c.relation) FROM cdc.captured c WHERE c.set_name = $1 AND c.table_name = $2"
            " AND NOT EXISTS (SELECT FROM cdc.captured o WHERE o.relation = c.relation AND o.set_name <> c.set_name)",
            Params{set, table}, deadline);
        if (left.rows() == 0) return sql;
        if (!left.row(0).null(1)) {
            for (const char* name : {"ysdb_insert", "ysdb_change", "ysdb_truncate"}) sql += std::string(";\nDROP TRIGGER IF EXISTS ") + name + " ON " + left.row(0).text(1);
        }
        return sql + ";\nDROP FUNCTION IF EXISTS cdc.tell_" + left.row(0).text(0) + "() CASCADE";   // with the triggers of partitions
    }

    std::string store_;
    const Locator& locator_;
    Millis connect_timeout_;
};

}  // namespace

std::unique_ptr<ChangeCapture> trigger_capture(std::string store, const Locator& locator, Millis connect_timeout) {
    return std::make_unique<TriggerCapture>(std::move(store), locator, connect_timeout);
}

}  // namespace ysdb::postgres
