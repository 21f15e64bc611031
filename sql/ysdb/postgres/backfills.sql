CREATE SCHEMA IF NOT EXISTS ysdb;
CREATE TABLE IF NOT EXISTS ysdb.backfills (
    label        text PRIMARY KEY,
    job          text NOT NULL,
    unit         text NOT NULL,
    step         integer NOT NULL,
    hash         text NOT NULL,
    place        text NOT NULL,
    key          text NOT NULL,
    position     text[],
    rows_read    bigint NOT NULL DEFAULT 0,
    rows_changed bigint NOT NULL DEFAULT 0,
    batches      bigint NOT NULL DEFAULT 0,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    moved_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at  timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE ysdb.backfills IS 'How far statements are that run in batches: each batch moves its row in its own transaction';
COMMENT ON COLUMN ysdb.backfills.label IS 'The application_name it ran under last: run/number';
COMMENT ON COLUMN ysdb.backfills.key IS 'The columns by which the table is cut';
COMMENT ON COLUMN ysdb.backfills.position IS 'The last key that is done; NULL: none';
