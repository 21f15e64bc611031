CREATE SCHEMA IF NOT EXISTS ysdb;
CREATE TABLE IF NOT EXISTS ysdb.sync_sets (
    set_name    text PRIMARY KEY,
    capture     text NOT NULL,
    system      text NOT NULL,
    timeline    bigint NOT NULL,
    epoch       bigint NOT NULL,
    confirmed   bigint NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ysdb.sync_sets IS 'Where each sync set stands';
COMMENT ON COLUMN ysdb.sync_sets.epoch IS 'Rises when log positions may have gone back; leads every row version';
COMMENT ON COLUMN ysdb.sync_sets.confirmed IS 'Log position below which every sink has everything; told to the slot after it is written here';
CREATE TABLE IF NOT EXISTS ysdb.sync_tables (
    set_name    text NOT NULL,
    table_name  text NOT NULL,
    sink        text NOT NULL,
    state       text NOT NULL CHECK (state IN ('new', 'copying', 'following', 'halted')),
    position    bigint NOT NULL DEFAULT 0,
    rows        bigint NOT NULL DEFAULT 0,
    rejected    bigint NOT NULL DEFAULT 0,
    reshaped    text NOT NULL DEFAULT '',
    reason      text NOT NULL DEFAULT '',
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (set_name, table_name, sink)
);
COMMENT ON TABLE ysdb.sync_tables IS 'How far each table is in each sink: to be copied, being copied, following the stream, or halted';
COMMENT ON COLUMN ysdb.sync_tables.position IS 'Of the snapshot it was copied from';
COMMENT ON COLUMN ysdb.sync_tables.reshaped IS 'Version of the last change of columns: everything before it was in the sink when its table was altered, and is not told to it again';
ALTER TABLE ysdb.sync_tables ADD COLUMN IF NOT EXISTS halted_by text NOT NULL DEFAULT '',
    ADD COLUMN IF NOT EXISTS renewals integer NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS renewed_at timestamptz,
    ADD COLUMN IF NOT EXISTS renew_at timestamptz;
COMMENT ON COLUMN ysdb.sync_tables.halted_by IS 'source: its rows changed without being told, which a new copy mends';
COMMENT ON COLUMN ysdb.sync_tables.renewals IS 'Tries, of late, to take the table up anew that its source had halted; renewed_at: the last one';
COMMENT ON COLUMN ysdb.sync_tables.renew_at IS 'When a run tries that next';
CREATE TABLE IF NOT EXISTS ysdb.sync_shapes (
    set_name    text NOT NULL,
    table_name  text NOT NULL,
    columns     text NOT NULL,
    PRIMARY KEY (set_name, table_name)
);
COMMENT ON TABLE ysdb.sync_shapes IS 'The columns every sink knows, as of sync_sets.confirmed: what a new description is compared with';
CREATE TABLE IF NOT EXISTS ysdb.sync_sinks (
    set_name    text NOT NULL,
    sink        text NOT NULL,
    position    bigint NOT NULL,
    changes     bigint NOT NULL,
    lag_ms      bigint NOT NULL,
    state       text NOT NULL,
    error       text NOT NULL DEFAULT '',
    changes_per_s double precision NOT NULL DEFAULT 0,
    log_per_s   double precision NOT NULL DEFAULT 0,
    updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (set_name, sink)
);
COMMENT ON TABLE ysdb.sync_sinks IS 'What a running sync last said of each sink';
CREATE TABLE IF NOT EXISTS ysdb.sync_copies (
    set_name    text NOT NULL,
    table_name  text NOT NULL,
    sink        text NOT NULL,
    run         text NOT NULL,
    version     text NOT NULL,
    columns     text NOT NULL,
    ranges      text NOT NULL,
    PRIMARY KEY (set_name, table_name, sink)
);
COMMENT ON TABLE ysdb.sync_copies IS 'Copies that are under way: their name in the sink, the columns and the ranges they read';
CREATE TABLE IF NOT EXISTS ysdb.sync_copied_ranges (
    set_name    text NOT NULL,
    table_name  text NOT NULL,
    sink        text NOT NULL,
    range       integer NOT NULL,
    rows        bigint NOT NULL,
    rejected    bigint NOT NULL,
    PRIMARY KEY (set_name, table_name, sink, range)
);
COMMENT ON TABLE ysdb.sync_copied_ranges IS 'Of those, the ranges whose rows are in the sink';
CREATE TABLE IF NOT EXISTS ysdb.dead_letters (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    set_name    text NOT NULL,
    sink        text NOT NULL,
    table_name  text NOT NULL,
    row_key     text NOT NULL,
    column_name text NOT NULL,
    reason      text NOT NULL,
    version     text NOT NULL,
    tries       integer NOT NULL DEFAULT 1,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (set_name, sink, table_name, row_key, version)
);
COMMENT ON TABLE ysdb.dead_letters IS 'Changes that a sink could not take';
