-- Event triggers that log what no row tells: that a table's rows were written anew; and that note a table's columns with every change of them, also
-- when nothing is written in between. {facts} is the query of table_facts.sql, {rewrites} that of rewrites.sql.
CREATE OR REPLACE FUNCTION cdc.note_rewrite() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $function$
BEGIN
    PERFORM set_config('cdc.rewritten', concat_ws(',', nullif(current_setting('cdc.rewritten', true), ''), pg_event_trigger_table_rewrite_oid()::text || ':' || pg_event_trigger_table_rewrite_reason()), true);
END
$function$;
CREATE OR REPLACE FUNCTION cdc.tell_tables() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog SET lock_timeout = '1s' SET client_min_messages = 'warning' SET jit = off AS $function$
DECLARE
    leaf text;
    root oid;
    filled boolean;
BEGIN
    INSERT INTO cdc.change_log (table_name, operation, relation, shape, new_text)
    SELECT n.nspname || '.' || c.relname, 'REWRITE', c.oid, 0, (facts.json::jsonb || jsonb_build_object('rewrite', told.rewrite, 'touched', told.touched))::text
    FROM ({rewrites}) told JOIN pg_class c ON c.oid = told.relation JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL ({facts}) facts
    WHERE told.rewrite IS NOT NULL AND EXISTS (SELECT 1 FROM cdc.captured k WHERE k.relation = c.oid);
    PERFORM cdc.note_shape(k.relation) FROM cdc.captured k WHERE k.relation IN (SELECT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass);
    PERFORM set_config('cdc.rewritten', '', true);
    -- Partitions that come tell when they are truncated, like those that were there. Rows that one brings along, no trigger tells.
    FOR leaf, root IN
        SELECT DISTINCT l.relid::regclass::text, k.relation FROM pg_event_trigger_ddl_commands() e JOIN cdc.captured k ON k.relation = pg_partition_root(e.objid)
        CROSS JOIN LATERAL pg_partition_tree(k.relation) l JOIN pg_class c ON c.oid = l.relid AND c.relkind = 'r'
        WHERE e.classid = 'pg_class'::regclass AND l.level > 0 AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = l.relid AND t.tgname = 'ysdb_truncate')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', leaf) INTO filled;
        IF filled THEN
            INSERT INTO cdc.change_log (table_name, operation, relation, shape, new_text) SELECT n.nspname || '.' || c.relname, 'ATTACH', c.oid, 0, leaf FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = root;
        END IF;
        EXECUTE format('CREATE TRIGGER ysdb_truncate AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION cdc.tell_%s()', leaf, root);
    END LOOP;
    -- One that left, which this transaction has locked for that, may come back with rows that were written meanwhile: then it is a new one.
    FOR leaf IN
        SELECT t.tgrelid::regclass::text FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid AND p.pronamespace = 'cdc'::regnamespace
        JOIN pg_locks l ON l.locktype = 'relation' AND l.relation = coalesce(pg_partition_root(t.tgrelid), t.tgrelid) AND l.pid = pg_backend_pid()
        WHERE t.tgname = 'ysdb_truncate' AND l.mode = 'AccessExclusiveLock' AND l.granted AND NOT EXISTS (SELECT 1 FROM cdc.captured k WHERE k.relation = t.tgrelid)
        AND NOT EXISTS (SELECT 1 FROM pg_partition_ancestors(t.tgrelid) a JOIN cdc.captured k ON k.relation = a.relid)
    LOOP
        EXECUTE format('DROP TRIGGER ysdb_truncate ON %s', leaf);
    END LOOP;
    -- One whose name is another's from now on would go on filling the log, with what nobody reads. One that has only lost its name may get it back.
    FOR root IN
        SELECT k.relation FROM pg_event_trigger_ddl_commands() e JOIN pg_class c ON c.oid = e.objid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN cdc.captured k ON k.table_name = n.nspname || '.' || c.relname AND k.relation <> c.oid JOIN pg_class old ON old.oid = k.relation JOIN pg_namespace o ON o.oid = old.relnamespace
        WHERE e.classid = 'pg_class'::regclass AND NOT EXISTS (SELECT 1 FROM cdc.captured other WHERE other.relation = k.relation AND other.table_name = o.nspname || '.' || old.relname)
    LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS cdc.tell_%s() CASCADE', root);
    END LOOP;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'ysdb sync is not told of this change: %', SQLERRM;  -- whoever changes the table is not to be held up
END
$function$;
DROP EVENT TRIGGER IF EXISTS ysdb_note_log_rewrite;
CREATE EVENT TRIGGER ysdb_note_log_rewrite ON table_rewrite EXECUTE FUNCTION cdc.note_rewrite();
ALTER EVENT TRIGGER ysdb_note_log_rewrite ENABLE ALWAYS;
DROP EVENT TRIGGER IF EXISTS ysdb_log_tables;
CREATE EVENT TRIGGER ysdb_log_tables ON ddl_command_end WHEN TAG IN ('ALTER TABLE', 'ALTER TYPE', 'CREATE TABLE') EXECUTE FUNCTION cdc.tell_tables();
ALTER EVENT TRIGGER ysdb_log_tables ENABLE ALWAYS
