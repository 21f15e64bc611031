-- What triggers on the partitions of a published table run: the stream tells a truncation of the table, not of one partition alone.
CREATE OR REPLACE FUNCTION ysdb.tell_truncate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $function$
DECLARE
    teller bigint := (SELECT l.transactionid::text::bigint FROM pg_locks l WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.pid = pg_backend_pid() ORDER BY age(l.transactionid) LIMIT 1);   -- as in tell_tables.sql
BEGIN
    PERFORM pg_logical_emit_message(true, 'ysdb.truncate', jsonb_build_object('relation', c.oid::bigint, 'schema', n.nspname, 'name', c.relname, 'partition', TG_RELID::regclass::text, 'transaction', teller)::text)
    FROM pg_partition_ancestors(TG_RELID) a JOIN pg_class c ON c.oid = a.relid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid <> TG_RELID AND EXISTS (SELECT 1 FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE r.prrelid = c.oid AND p.pubname LIKE 'ysdb\_%');
    PERFORM pg_logical_emit_message(true, 'ysdb.behind', '');   -- as in tell_tables.sql: no row that follows is told before it
    RETURN NULL;
END
$function$
