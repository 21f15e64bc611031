-- $1 schema, $2 table: what a description in the replication stream leaves out, as JSON.
SELECT ysdb_facts.json FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (
-- facts of c
SELECT json_build_object(
    'relation', c.oid::bigint, 'schema', (SELECT nspname FROM pg_namespace WHERE oid = c.relnamespace), 'name', c.relname,
    'columns', (SELECT coalesce(json_agg(json_build_object(
            'name', a.attname, 'number', a.attnum, 'nullable', NOT a.attnotnull, 'default', a.atthasdef AND a.attgenerated = '', 'generated', a.attgenerated <> '',
            'type', a.atttypid::bigint, 'modifier', a.atttypmod, 'comment', col_description(a.attrelid, a.attnum),
            -- A constant default of a column that was added is kept beside the rows written before; for a partitioned table, in its leaves.
            'fill', (SELECT array_to_json(l.attmissingval::text::text[]) ->> 0 FROM pg_attribute l
                     WHERE l.attname = a.attname AND l.atthasmissing AND NOT l.attisdropped
                     AND l.attrelid IN (SELECT c.oid UNION ALL SELECT relid FROM pg_partition_tree(c.oid) WHERE isleaf) LIMIT 1),
            -- A volatile one had each row rewritten with a value of its own.
            'varies', a.attidentity <> '' OR EXISTS (SELECT 1 FROM pg_attrdef d CROSS JOIN LATERAL regexp_matches(d.adbin::text, ':funcid (\d+)', 'g') f
                     JOIN pg_proc p ON p.oid = f[1]::oid AND p.provolatile = 'v' WHERE a.attgenerated = '' AND d.adrelid = a.attrelid AND d.adnum = a.attnum)
        ) ORDER BY a.attnum), '[]'::json)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    'key', (SELECT coalesce(json_agg(a.attname ORDER BY k.place), '[]'::json)
        FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
        WHERE i.indrelid = c.oid AND i.indisprimary AND k.place <= i.indnkeyatts)) AS json
-- end of facts
) ysdb_facts WHERE n.nspname = $1 AND c.relname = $2
