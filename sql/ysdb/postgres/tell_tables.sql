-- Event triggers that tell a table's new definition in its place in the replication stream, where names alone cannot tell a rename from
-- dropping one column and adding another, and whether its rows were written anew. Only tables that a set of `ysdb sync` publishes. {facts} is
-- the query of table_facts.sql, {rewrites} that of rewrites.sql.
CREATE SCHEMA IF NOT EXISTS ysdb;
CREATE OR REPLACE FUNCTION ysdb.note_rewrite() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $function$
BEGIN
    PERFORM set_config('ysdb.rewritten', concat_ws(',', nullif(current_setting('ysdb.rewritten', true), ''), pg_event_trigger_table_rewrite_oid()::text || ':' || pg_event_trigger_table_rewrite_reason()), true);
END
$function$;
CREATE OR REPLACE FUNCTION ysdb.tell_tables() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '1s' SET jit = off AS $function$
DECLARE
    -- What is told before the commit names the transaction, not the part of it that may be rolled back: the message says so itself.
    teller bigint;
    leaf text;
    root oid;
    filled boolean;
BEGIN
    teller := (SELECT l.transactionid::text::bigint FROM pg_locks l WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.pid = pg_backend_pid() ORDER BY age(l.transactionid) LIMIT 1);
    PERFORM pg_logical_emit_message(true, 'ysdb.table', (facts.json::jsonb || jsonb_build_object('rewrite', told.rewrite, 'touched', told.touched, 'transaction', teller))::text)
    FROM ({rewrites}) told JOIN pg_class c ON c.oid = told.relation CROSS JOIN LATERAL ({facts}) facts
    WHERE EXISTS (SELECT 1 FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = c.oid AND p.pubname LIKE 'ysdb\_%');
    -- A message stands in the stream where its record ends, which is where the next one begins: a row that follows at once, in another subtransaction
    -- (this function is one), may be told before it. With another record behind it that cannot be.
    IF FOUND THEN
        PERFORM pg_logical_emit_message(true, 'ysdb.behind', '');
    END IF;
    PERFORM set_config('ysdb.rewritten', '', true);
    -- Partitions that come tell when they are truncated, like those that were there. Rows that one brings along, no change tells.
    FOR leaf, root IN
        SELECT DISTINCT l.relid::regclass::text, pg_partition_root(e.objid)::oid FROM pg_event_trigger_ddl_commands() e CROSS JOIN LATERAL pg_partition_tree(pg_partition_root(e.objid)) l JOIN pg_class c ON c.oid = l.relid AND c.relkind = 'r'
        WHERE e.classid = 'pg_class'::regclass AND l.level > 0 AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = l.relid AND t.tgname = 'ysdb_truncate')
        AND EXISTS (SELECT 1 FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = pg_partition_root(e.objid) AND p.pubname LIKE 'ysdb\_%')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', leaf) INTO filled;
        IF filled THEN
            PERFORM pg_logical_emit_message(true, 'ysdb.attach', jsonb_build_object('relation', c.oid::bigint, 'schema', n.nspname, 'name', c.relname, 'partition', leaf, 'transaction', teller)::text)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = root;
        END IF;
        EXECUTE format('CREATE TRIGGER ysdb_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION ysdb.tell_truncate()', leaf);
    END LOOP;
    -- One that left, which this transaction has locked for that, may come back with rows that were written meanwhile: then it is a new one.
    FOR leaf IN
        SELECT t.tgrelid::regclass::text FROM pg_trigger t JOIN pg_locks l ON l.locktype = 'relation' AND l.relation = coalesce(pg_partition_root(t.tgrelid), t.tgrelid) AND l.pid = pg_backend_pid()
        WHERE t.tgname = 'ysdb_truncate' AND t.tgfoid = to_regprocedure('ysdb.tell_truncate()') AND l.mode = 'AccessExclusiveLock' AND l.granted
        AND NOT EXISTS (SELECT 1 FROM pg_partition_ancestors(t.tgrelid) a JOIN pg_publication_rel r ON r.prrelid = a.relid JOIN pg_publication p ON p.oid = r.prpubid WHERE a.relid <> t.tgrelid AND p.pubname LIKE 'ysdb\_%')
    LOOP
        EXECUTE format('DROP TRIGGER ysdb_truncate ON %s', leaf);
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'ysdb sync is not told of this change: %', SQLERRM;  -- whoever changes the table is not to be held up
END
$function$;
DROP EVENT TRIGGER IF EXISTS ysdb_note_rewrite;
CREATE EVENT TRIGGER ysdb_note_rewrite ON table_rewrite EXECUTE FUNCTION ysdb.note_rewrite();
ALTER EVENT TRIGGER ysdb_note_rewrite ENABLE ALWAYS;
DROP EVENT TRIGGER IF EXISTS ysdb_tell_tables;
CREATE EVENT TRIGGER ysdb_tell_tables ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'ALTER TYPE', 'CREATE TABLE') EXECUTE FUNCTION ysdb.tell_tables();
ALTER EVENT TRIGGER ysdb_tell_tables ENABLE ALWAYS
