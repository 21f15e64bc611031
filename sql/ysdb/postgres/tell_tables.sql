-- An event trigger that tells a table's new definition in its place in the replication stream, where names alone cannot tell a rename from
-- dropping one column and adding another. Only tables that a set of `ysdb sync` publishes. {facts} is the query of table_facts.sql.
CREATE SCHEMA IF NOT EXISTS ysdb;
CREATE OR REPLACE FUNCTION ysdb.tell_tables() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $function$
BEGIN
    PERFORM pg_logical_emit_message(true, 'ysdb.table', facts.json::text)
    FROM (SELECT DISTINCT e.objid FROM pg_event_trigger_ddl_commands() e WHERE e.classid = 'pg_class'::regclass) told
    JOIN pg_class c ON c.oid = told.objid AND c.relkind IN ('r', 'p')
    CROSS JOIN LATERAL ({facts}) facts
    WHERE EXISTS (SELECT 1 FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = c.oid AND p.pubname LIKE 'ysdb\_%');
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'ysdb sync is not told of this change: %', SQLERRM;  -- whoever changes the table is not to be held up
END
$function$;
DROP EVENT TRIGGER IF EXISTS ysdb_tell_tables;
CREATE EVENT TRIGGER ysdb_tell_tables ON ddl_command_end WHEN TAG IN ('ALTER TABLE') EXECUTE FUNCTION ysdb.tell_tables();
ALTER EVENT TRIGGER ysdb_tell_tables ENABLE ALWAYS
