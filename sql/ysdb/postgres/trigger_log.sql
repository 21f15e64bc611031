-- The log that the triggers of `ysdb sync` with capture = "trigger" write, and what reads it by ticks. {facts} is the query of table_facts.sql.
CREATE SCHEMA IF NOT EXISTS cdc;
CREATE SEQUENCE cdc.change_sequence CACHE 1;
CREATE SEQUENCE cdc.change_ids START 72057594037927936 CACHE 32;  -- 15 hexadecimal digits from the first on
CREATE TABLE cdc.change_log (
    id              uuid NOT NULL DEFAULT gen_random_uuid(),
    table_name      varchar(255) NOT NULL,
    operation       varchar(10) NOT NULL,
    old_record      jsonb,
    new_record      jsonb,
    timestamp       timestamptz NOT NULL DEFAULT clock_timestamp(),
    transaction_id  varchar(255) DEFAULT pg_current_xact_id()::text,
    processed       boolean DEFAULT false,
    error_message   text,
    retry_count     integer DEFAULT 0,
    xid             xid8 NOT NULL DEFAULT pg_current_xact_id(),
    sequence        bigint NOT NULL DEFAULT nextval('cdc.change_sequence'),
    relation        oid NOT NULL,
    shape           bigint NOT NULL,
    old_text        text,
    new_text        text,
    PRIMARY KEY (id, timestamp)
) PARTITION BY RANGE (timestamp);
CREATE INDEX change_log_xid ON cdc.change_log (xid);
-- Ids of one log ascend, behind a beginning of its own (a UUID of version 8): random ones cost a writer of many rows a tenth more, most of it in the index.
DO $do$ BEGIN
    EXECUTE format('ALTER TABLE cdc.change_log ALTER id SET DEFAULT (%L || to_hex(nextval(''cdc.change_ids'')))::uuid',
                   regexp_replace(left(gen_random_uuid()::text, 18), '-4(...)$', '-8\1') || '-8');
END $do$;
CREATE TABLE cdc.change_log_default PARTITION OF cdc.change_log DEFAULT;
COMMENT ON TABLE cdc.change_log IS 'Made by ysdb: what the triggers of ysdb sync tell; read by ticks, cleaned by partition';
COMMENT ON COLUMN cdc.change_log.sequence IS 'Order of changes of one key; that of transactions is by tick';
COMMENT ON COLUMN cdc.change_log.shape IS 'Which columns the texts have, as in cdc.shapes; 0: the transaction could not tell';
COMMENT ON COLUMN cdc.change_log.new_text IS 'The row as the server prints it: where JSON keeps no value exactly (-0, json''s spaces, composite types), this does';
COMMENT ON COLUMN cdc.change_log.processed IS 'Nothing writes it: what every reader has is dropped with its partition';
CREATE TABLE cdc.ticks (
    id        bigint PRIMARY KEY,
    snapshot  pg_snapshot NOT NULL,
    at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE cdc.ticks IS 'What was visible at each tick: a batch is what one tick sees and the one before did not';
CREATE TABLE cdc.sets (
    set_name  text PRIMARY KEY,
    position  bigint NOT NULL
);
COMMENT ON TABLE cdc.sets IS 'The tick up to which each sync set has everything';
CREATE TABLE cdc.captured (
    set_name    text NOT NULL,
    table_name  text NOT NULL,
    relation    oid NOT NULL,
    gap         bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (set_name, table_name)
);
COMMENT ON COLUMN cdc.captured.gap IS 'The tick when triggers that were gone were made again: what came before it may be missing';
CREATE TABLE cdc.shapes (
    relation  oid NOT NULL,
    shape     bigint NOT NULL,
    layout    text NOT NULL,
    facts     text NOT NULL
);
CREATE INDEX shapes_relation ON cdc.shapes (relation);
COMMENT ON TABLE cdc.shapes IS 'Columns that rows of the log were written in. Not unique: writers never wait for each other here';
-- What decides how a row's text is read: a row printed has its columns in this order.
CREATE FUNCTION cdc.layout(relation oid) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $function$
    SELECT json_build_object(
        'columns', (SELECT json_agg(json_build_array(attnum, attname, atttypid::bigint, atttypmod, attnotnull, attgenerated <> '') ORDER BY attnum)
                    FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped),
        'key', (SELECT indkey::text FROM pg_index WHERE indrelid = $1 AND indisprimary))::text
$function$;
-- 0 when the shape is in no row of cdc.shapes, and where the catalog is read as of an older snapshot. Declared immutable for its value to be part
-- of a plan: the plan goes when the table is altered.
CREATE FUNCTION cdc.known_shape(relation oid) RETURNS bigint LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $function$
DECLARE
    now_layout text;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN RETURN 0; END IF;
    now_layout := cdc.layout(known_shape.relation);
    RETURN coalesce((SELECT s.shape FROM cdc.shapes s WHERE s.relation = known_shape.relation AND s.layout = now_layout LIMIT 1), 0);
END
$function$;
CREATE FUNCTION cdc.note_shape(relation oid) RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog SET jit = off AS $function$
DECLARE
    found bigint := cdc.known_shape(note_shape.relation);
BEGIN
    IF found <> 0 OR current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN RETURN found; END IF;
    INSERT INTO cdc.shapes (relation, shape, layout, facts)
    SELECT note_shape.relation, CASE hashtextextended(l, 0) WHEN 0 THEN 1 ELSE hashtextextended(l, 0) END, l, facts.json::text
    FROM cdc.layout(note_shape.relation) l JOIN pg_class c ON c.oid = note_shape.relation CROSS JOIN LATERAL ({facts}) facts
    RETURNING shape INTO found;
    RETURN coalesce(found, 0);
END
$function$;
-- Rows as they are now: the one whose key $1 has, or those of the table new_rows.
CREATE FUNCTION cdc.row_query(relation oid) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $function$
    SELECT format('SELECT ysdb_row::text, to_jsonb(ysdb_row) FROM %s ysdb_row WHERE %s', $1::regclass, string_agg(format('ysdb_row.%1$I = ($1).%1$I', a.attname), ' AND '))
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) WHERE i.indrelid = $1 AND i.indisprimary
$function$;
CREATE FUNCTION cdc.rows_query(relation oid) RETURNS text LANGUAGE sql STABLE SET search_path = pg_catalog AS $function$
    SELECT format('INSERT INTO cdc.change_log (table_name, operation, relation, shape, new_record, new_text) SELECT $1, ''INSERT'', $2, $3, to_jsonb(ysdb_row), ysdb_row::text'
                  ' FROM new_rows ysdb_new JOIN %s ysdb_row ON %s', $1::regclass, string_agg(format('ysdb_row.%1$I = ysdb_new.%1$I', a.attname), ' AND '))
    FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey::int2[]) WHERE i.indrelid = $1 AND i.indisprimary
$function$;
-- Whether anything was committed that the last tick does not see.
CREATE FUNCTION cdc.news() RETURNS boolean LANGUAGE sql VOLATILE SET search_path = pg_catalog SET enable_seqscan = off AS $function$
    WITH last AS MATERIALIZED (SELECT snapshot FROM cdc.ticks ORDER BY id DESC LIMIT 1)
    SELECT EXISTS (SELECT FROM cdc.change_log WHERE xid >= (SELECT pg_snapshot_xmax(snapshot) FROM last))
        OR EXISTS (SELECT FROM cdc.change_log WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip(snapshot) FROM last)))
$function$;
-- Writes down what is visible now; NULL when that is nothing new. One at a time: a later tick sees all that an earlier one does.
CREATE FUNCTION cdc.tick(always boolean) RETURNS bigint LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $function$
DECLARE
    made bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ysdb cdc tick'));
    INSERT INTO cdc.ticks (id, snapshot) SELECT coalesce((SELECT max(t.id) FROM cdc.ticks t), 0) + 1, pg_current_snapshot() WHERE always OR cdc.news() RETURNING id INTO made;
    RETURN made;
END
$function$;
SELECT cdc.tick(true)
