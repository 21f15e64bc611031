-- migrate:up
-- Partition maintenance inside the database: what the migrations below call, and what a person without ysdb at hand can call.
-- From then on nothing calls them by itself yet: a cron job that does, once a month, keeps partitions ahead.

-- Bounds are UTC whatever the session's time zone is: a month that began at local midnight would overlap its neighbour.
CREATE FUNCTION ensure_partitions(parent regclass, every text, ahead int, since timestamptz DEFAULT now())
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    step     interval := CASE every WHEN 'month' THEN interval '1 month' WHEN 'quarter' THEN interval '3 months' END;
    lower    timestamp := date_trunc(every, since AT TIME ZONE 'UTC');
    last     timestamp := date_trunc(every, now() AT TIME ZONE 'UTC') + ahead * step;
    key_type text;
    schema   text;
    base     text;
    child    text;
BEGIN
    IF step IS NULL THEN
        RAISE EXCEPTION 'ensure_partitions: every must be month or quarter, not %', quote_nullable(every);
    END IF;
    SELECT format_type(a.atttypid, NULL), n.nspname, c.relname INTO STRICT key_type, schema, base
      FROM pg_partitioned_table p
      JOIN pg_class c ON c.oid = p.partrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
     WHERE p.partrelid = parent AND p.partstrat = 'r';
    -- Two callers at once: the second waits, then finds the work done.
    PERFORM pg_advisory_xact_lock(hashtextextended('ensure_partitions', parent::oid::bigint));
    WHILE lower <= last LOOP
        child := base || '_' || to_char(lower, CASE every WHEN 'month' THEN 'YYYY_MM' ELSE 'YYYY_"q"Q' END);
        IF to_regclass(format('%I.%I', schema, child)) IS NULL THEN
            -- CREATE, then ATTACH: that lets reads and writes of the parent go on, which CREATE ... PARTITION OF does not.
            EXECUTE format('CREATE TABLE %I.%I (LIKE %s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE)', schema, child, parent);
            EXECUTE format('ALTER TABLE %s ATTACH PARTITION %I.%I FOR VALUES FROM (%L) TO (%L)', parent, schema, child,
                           CASE key_type WHEN 'date' THEN lower::date::text ELSE lower::text || '+00' END,
                           CASE key_type WHEN 'date' THEN (lower + step)::date::text ELSE (lower + step)::text || '+00' END);
            RETURN NEXT child;
        ELSIF NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = parent AND inhrelid = to_regclass(format('%I.%I', schema, child))) THEN
            RAISE WARNING 'ensure_partitions: % exists but is no partition of %: left alone', child, parent;
        END IF;
        lower := lower + step;
    END LOOP;
END
$$;
COMMENT ON FUNCTION ensure_partitions(regclass, text, int, timestamptz) IS
    'Creates the missing partitions from `since` to `ahead` periods after the current one; returns their names. Safe to repeat';

CREATE VIEW partition_overview AS
SELECT p.oid::regclass                                AS parent,
       c.oid::regclass                                AS partition,
       pg_get_expr(c.relpartbound, c.oid)             AS bounds,
       CASE WHEN length(b.upper_bound) = 10 THEN b.upper_bound::timestamp AT TIME ZONE 'UTC' ELSE b.upper_bound::timestamptz END AS upper_bound,
       greatest(c.reltuples, 0)::bigint               AS estimated_rows,
       pg_total_relation_size(c.oid)                  AS bytes
  FROM pg_inherits i
  JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'p'
  JOIN pg_class c ON c.oid = i.inhrelid AND c.relkind = 'r'
 CROSS JOIN LATERAL (SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid), $x$TO \('(\d{4}-\d\d-\d\d[^']*)'\)$x$))[1]) b (upper_bound);
COMMENT ON VIEW partition_overview IS 'Every partition with its bounds, size and estimated rows; upper_bound is null where it is no date';

CREATE FUNCTION detach_partitions_before(parent regclass, cutoff timestamptz)
RETURNS SETOF regclass LANGUAGE plpgsql AS $$
DECLARE
    old regclass;
BEGIN
    FOR old IN
        SELECT o.partition FROM partition_overview o
         WHERE o.parent = detach_partitions_before.parent AND o.upper_bound <= cutoff
         ORDER BY o.upper_bound
    LOOP
        EXECUTE format('ALTER TABLE %s DETACH PARTITION %s', parent, old);
        RETURN NEXT old;
    END LOOP;
END
$$;
COMMENT ON FUNCTION detach_partitions_before(regclass, timestamptz) IS
    'Takes whole partitions that end by `cutoff` out of the table and returns them. They stay as tables: archive, check, then drop';

-- migrate:down
DROP FUNCTION detach_partitions_before(regclass, timestamptz);
DROP VIEW partition_overview;
DROP FUNCTION ensure_partitions(regclass, text, int, timestamptz);
