CREATE SCHEMA IF NOT EXISTS ysdb;
CREATE TABLE IF NOT EXISTS ysdb.migrations (
    version     text PRIMARY KEY,
    name        text NOT NULL,
    store       text NOT NULL,
    checksum    text NOT NULL,
    statements  text NOT NULL,
    applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    seconds     double precision NOT NULL,
    run         text NOT NULL,
    tool        text NOT NULL
);
COMMENT ON TABLE ysdb.migrations IS 'Migrations that were applied, of all stores';
COMMENT ON COLUMN ysdb.migrations.checksum IS 'SHA-256 over the statement hashes';
COMMENT ON COLUMN ysdb.migrations.statements IS 'The first 16 digits of each statement''s hash, in order';
COMMENT ON COLUMN ysdb.migrations.tool IS 'What wrote the row: a version of ysdb; with "baseline" when nothing was run';
