-- What one table's triggers run. {relation} its oid, {text} its name for people. No column is named, nor the table itself: whoever renames one is not to be held up.
--
-- {shape} is a constant of each statement's plan: the oid in the same plan makes it go when the table is altered. Only where the constant is 0 is anything asked.
--
-- A trigger of somebody else's may change a row again before ours is told of the first change, which then comes second. Changes within
-- triggers are known by their depth: from the first on, a transaction's changes are told as the row is now, so that the last one told is right.
--
-- Rows are printed alike whatever the writer's session prints. What it prints otherwise is set for the length of the call and put back, by hand: as
-- SET clauses of the function they cost every row, also where nothing is to be set. An error puts all of it back.
CREATE OR REPLACE FUNCTION cdc.tell_{relation}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    ysdb_zone text;
    ysdb_settings text[];
    ysdb_set text;
    ysdb_shape bigint;
    ysdb_text text;
    ysdb_record jsonb;
BEGIN
    IF current_setting('TimeZone') NOT IN ('UTC', 'Etc/UTC') OR current_setting('DateStyle') NOT IN ('ISO, MDY', 'ISO, DMY') OR current_setting('IntervalStyle') <> 'postgres'
       OR current_setting('bytea_output') <> 'hex' OR current_setting('extra_float_digits') NOT IN ('1', '2', '3') THEN
        ysdb_zone := current_setting('TimeZone');
        ysdb_set := set_config('TimeZone', 'UTC', true);
        IF current_setting('DateStyle') <> 'ISO, MDY' OR current_setting('IntervalStyle') <> 'postgres' OR current_setting('bytea_output') <> 'hex' OR current_setting('extra_float_digits') <> '1' THEN
            ysdb_settings := ARRAY[current_setting('DateStyle'), current_setting('IntervalStyle'), current_setting('bytea_output'), current_setting('extra_float_digits')];
            ysdb_set := set_config('DateStyle', 'ISO, MDY', true) || set_config('IntervalStyle', 'postgres', true) || set_config('bytea_output', 'hex', true) || set_config('extra_float_digits', '3', true);
        END IF;
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO cdc.change_log (table_name, operation, relation, shape)
        VALUES ({text}, CASE TG_RELID WHEN {relation} THEN TG_OP ELSE 'PARTITION' END, '{relation}'::oid, {shape});
    ELSIF pg_trigger_depth() > 1 OR current_setting('ysdb.nested', true) = 'on' THEN
        PERFORM set_config('ysdb.nested', 'on', true);
        ysdb_shape := cdc.note_shape({relation});
        IF TG_LEVEL = 'STATEMENT' THEN
            EXECUTE cdc.rows_query({relation}) USING {text}, {relation}::oid, ysdb_shape;
        END IF;
        IF TG_LEVEL = 'ROW' AND TG_OP <> 'INSERT' THEN
            EXECUTE cdc.row_query({relation}) INTO ysdb_text, ysdb_record USING OLD;
            INSERT INTO cdc.change_log (table_name, operation, old_record, new_record, relation, shape, old_text, new_text)
            VALUES ({text}, CASE WHEN ysdb_text IS NULL THEN 'DELETE' ELSE TG_OP END, to_jsonb(OLD), ysdb_record, {relation}, ysdb_shape, OLD::text, ysdb_text);
        END IF;
        IF TG_LEVEL = 'ROW' AND TG_OP <> 'DELETE' THEN
            EXECUTE cdc.row_query({relation}) INTO ysdb_text, ysdb_record USING NEW;
            IF ysdb_text IS NOT NULL THEN
                INSERT INTO cdc.change_log (table_name, operation, new_record, relation, shape, new_text) VALUES ({text}, TG_OP, ysdb_record, {relation}, ysdb_shape, ysdb_text);
            END IF;
        END IF;
    ELSIF TG_LEVEL = 'STATEMENT' THEN
        INSERT INTO cdc.change_log (table_name, operation, new_record, relation, shape, new_text)
        SELECT {text}, 'INSERT', to_jsonb(ysdb_new), '{relation}'::oid, (SELECT {shape}), ysdb_new::text FROM new_rows ysdb_new;
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO cdc.change_log (table_name, operation, new_record, relation, shape, new_text) VALUES ({text}, 'INSERT', to_jsonb(NEW), '{relation}'::oid, {shape}, NEW::text);
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO cdc.change_log (table_name, operation, old_record, new_record, relation, shape, old_text, new_text)
        VALUES ({text}, 'UPDATE', to_jsonb(OLD), to_jsonb(NEW), '{relation}'::oid, {shape}, OLD::text, NEW::text);
    ELSE
        INSERT INTO cdc.change_log (table_name, operation, old_record, relation, shape, old_text) VALUES ({text}, 'DELETE', to_jsonb(OLD), '{relation}'::oid, {shape}, OLD::text);
    END IF;
    IF ysdb_zone IS NOT NULL THEN
        ysdb_set := set_config('TimeZone', ysdb_zone, true);
        IF ysdb_settings IS NOT NULL THEN
            ysdb_set := set_config('DateStyle', ysdb_settings[1], true) || set_config('IntervalStyle', ysdb_settings[2], true) || set_config('bytea_output', ysdb_settings[3], true)
                        || set_config('extra_float_digits', ysdb_settings[4], true);
        END IF;
    END IF;
    RETURN NULL;
END
$function$;
REVOKE ALL ON FUNCTION cdc.tell_{relation}() FROM PUBLIC;
SELECT cdc.note_shape({relation})
