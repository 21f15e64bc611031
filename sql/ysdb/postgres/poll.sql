CREATE SCHEMA IF NOT EXISTS ysdb;
CREATE TABLE IF NOT EXISTS ysdb.poll_sets (
    set_name    text PRIMARY KEY,
    tick        bigint NOT NULL
);
COMMENT ON TABLE ysdb.poll_sets IS 'Sync sets whose source is polled';
COMMENT ON COLUMN ysdb.poll_sets.tick IS 'Number of the last read that was begun: the position in the versions of what it told';
CREATE TABLE IF NOT EXISTS ysdb.poll_tables (
    set_name    text NOT NULL,
    table_name  text NOT NULL,
    key_columns text NOT NULL,
    reached     bigint,
    PRIMARY KEY (set_name, table_name)
);
COMMENT ON TABLE ysdb.poll_tables IS 'Tables that were read as a whole once';
COMMENT ON COLUMN ysdb.poll_tables.reached IS 'Highest value of the cursor that was not ahead of the server''s clock; microseconds, days or the number itself';
CREATE TABLE IF NOT EXISTS ysdb.poll_rows (
    set_name    text NOT NULL,
    table_name  text NOT NULL,
    hash        bytea NOT NULL,
    row_key     bytea NOT NULL,
    digest      bytea,
    tick        bigint NOT NULL,
    cursor      bigint,
    PRIMARY KEY (set_name, table_name, hash)
);
COMMENT ON TABLE ysdb.poll_rows IS 'What was told of each row last, written before it is told: a read is compared with this';
COMMENT ON COLUMN ysdb.poll_rows.digest IS 'Of the whole row; NULL: its removal was told';
COMMENT ON COLUMN ysdb.poll_rows.tick IS 'When; told again after a kill unless the set has confirmed it';
CREATE INDEX IF NOT EXISTS poll_rows_removed ON ysdb.poll_rows (set_name, table_name, tick) WHERE digest IS NULL;
CREATE INDEX IF NOT EXISTS poll_rows_cursor ON ysdb.poll_rows (set_name, table_name, cursor) WHERE cursor IS NOT NULL;
