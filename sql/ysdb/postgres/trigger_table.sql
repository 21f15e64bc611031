-- What one table's triggers run. {relation} its oid, {text} its name for people. No column is named, nor the table itself: whoever renames one is not to be held up.
--
-- {shape} is a constant of each statement's plan: the oid in the same plan makes it go when the table is altered. Only where the constant is 0 is anything asked.
--
-- A trigger of somebody else's may change a row again before ours is told of the first change, which then comes second. Changes within
-- triggers are known by their depth: from the first on, a transaction's changes are told as the row is now, so that the last one told is right.
CREATE OR REPLACE FUNCTION cdc.tell_{relation}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET DateStyle = 'ISO, MDY' SET IntervalStyle = 'postgres' SET TimeZone = 'UTC' SET extra_float_digits = 3 SET bytea_output = 'hex' AS $function$
DECLARE
    ysdb_shape bigint;
    ysdb_text text;
    ysdb_record jsonb;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO cdc.change_log (table_name, operation, relation, shape)
        VALUES ({text}, CASE TG_RELID WHEN {relation} THEN TG_OP ELSE 'PARTITION' END, '{relation}'::oid, {shape});
    ELSIF pg_trigger_depth() > 1 OR current_setting('ysdb.nested', true) = 'on' THEN
        PERFORM set_config('ysdb.nested', 'on', true);
        ysdb_shape := cdc.note_shape({relation});
        IF TG_LEVEL = 'STATEMENT' THEN
            EXECUTE cdc.rows_query({relation}) USING {text}, {relation}::oid, ysdb_shape;
            RETURN NULL;
        END IF;
        IF TG_OP <> 'INSERT' THEN
            EXECUTE cdc.row_query({relation}) INTO ysdb_text, ysdb_record USING OLD;
            INSERT INTO cdc.change_log (table_name, operation, old_record, new_record, relation, shape, old_text, new_text)
            VALUES ({text}, CASE WHEN ysdb_text IS NULL THEN 'DELETE' ELSE TG_OP END, to_jsonb(OLD), ysdb_record, {relation}, ysdb_shape, OLD::text, ysdb_text);
        END IF;
        IF TG_OP <> 'DELETE' THEN
            EXECUTE cdc.row_query({relation}) INTO ysdb_text, ysdb_record USING NEW;
            IF ysdb_text IS NOT NULL THEN
                INSERT INTO cdc.change_log (table_name, operation, new_record, relation, shape, new_text) VALUES ({text}, TG_OP, ysdb_record, {relation}, ysdb_shape, ysdb_text);
            END IF;
        END IF;
    ELSIF TG_LEVEL = 'STATEMENT' THEN
        INSERT INTO cdc.change_log (table_name, operation, new_record, relation, shape, new_text)
        SELECT {text}, 'INSERT', to_jsonb(ysdb_new), '{relation}'::oid, {shape}, ysdb_new::text FROM new_rows ysdb_new;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO cdc.change_log (table_name, operation, new_record, relation, shape, new_text) VALUES ({text}, 'INSERT', to_jsonb(NEW), '{relation}'::oid, {shape}, NEW::text);
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO cdc.change_log (table_name, operation, old_record, new_record, relation, shape, old_text, new_text)
        VALUES ({text}, 'UPDATE', to_jsonb(OLD), to_jsonb(NEW), '{relation}'::oid, {shape}, OLD::text, NEW::text);
    ELSE
        INSERT INTO cdc.change_log (table_name, operation, old_record, relation, shape, old_text) VALUES ({text}, 'DELETE', to_jsonb(OLD), '{relation}'::oid, {shape}, OLD::text);
    END IF;
    RETURN NULL;
END
$function$;
REVOKE ALL ON FUNCTION cdc.tell_{relation}() FROM PUBLIC;
SELECT cdc.note_shape({relation})
