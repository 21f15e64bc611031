CREATE SCHEMA IF NOT EXISTS ysdb;
CREATE TABLE IF NOT EXISTS ysdb.journal (
    seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job    text NOT NULL,
    unit   text NOT NULL,
    step   integer NOT NULL,
    event  text NOT NULL CHECK (event IN ('intent', 'done', 'failed', 'complete')),
    hash   text NOT NULL,
    store  text NOT NULL,
    place  text NOT NULL,
    label  text NOT NULL,
    found  text NOT NULL,
    at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX IF NOT EXISTS journal_unit ON ysdb.journal (job, unit);
COMMENT ON TABLE ysdb.journal IS 'What ysdb was about to do and did, where one transaction cannot hold both the change and its record';
COMMENT ON COLUMN ysdb.journal.hash IS 'Of the statement; its text is never kept';
COMMENT ON COLUMN ysdb.journal.label IS 'The application_name or query_id it ran under: run/number';
COMMENT ON COLUMN ysdb.journal.found IS 'What a look at the store said before it ran';
