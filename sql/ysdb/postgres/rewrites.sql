-- Within an event trigger at the end of a command: the tables it was about, and what it did to their rows. `rewrite`: using, every row may have got
-- other values; value, an enum's value has another name; rows, they were written anew with the values they had; NULL, nothing. {schema}: whose
-- note_rewrite() wrote down what was rewritten, as "oid:reason,..."; of the reasons 2 is a new column's default, 4 a column's type. `touched`: the numbers
-- of the columns that it may be about: those which this transaction changed, or which have the enum's type.
SELECT c.oid AS relation, CASE WHEN bool_or(done.reason & 4 <> 0) AND (current_query() !~* '\yalter\s+table\y' OR current_query() ~* '\yusing\y') THEN 'using' WHEN bool_or(done.reason & 6 <> 0) THEN 'rows' END AS rewrite,
    (SELECT jsonb_agg(a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND age(a.xmin) <= 0) AS touched
FROM (SELECT DISTINCT objid FROM pg_event_trigger_ddl_commands() WHERE classid = 'pg_class'::regclass) command
JOIN pg_class c ON c.oid = command.objid AND c.relkind IN ('r', 'p')
LEFT JOIN (SELECT split_part(entry, ':', 1)::oid AS relation, split_part(entry, ':', 2)::int AS reason FROM unnest(string_to_array(nullif(current_setting('{schema}.rewritten', true), ''), ',')) entry) done
    ON done.relation = c.oid OR c.oid IN (SELECT relid FROM pg_partition_ancestors(done.relation))
GROUP BY c.oid
UNION ALL
SELECT c.oid, 'value', jsonb_agg(DISTINCT a.attnum)
FROM (WITH RECURSIVE types AS (
        SELECT t.oid FROM pg_event_trigger_ddl_commands() command JOIN pg_type t ON t.oid = command.objid AND t.typtype = 'e'
        WHERE command.classid = 'pg_type'::regclass AND (current_query() !~* '\yalter\s+type\y' OR current_query() ~* '\yrename\s+value\y')
        UNION
        SELECT t.oid FROM types JOIN pg_type t ON t.typelem = types.oid OR t.typbasetype = types.oid
            OR t.typrelid <> 0 AND EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.atttypid = types.oid AND NOT a.attisdropped))
      SELECT oid FROM types) changed
JOIN pg_attribute a ON a.atttypid = changed.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
GROUP BY c.oid
