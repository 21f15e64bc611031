CREATE SCHEMA IF NOT EXISTS ysdb;
CREATE TABLE IF NOT EXISTS ysdb.sync_landings (
    set_name    text NOT NULL,
    target      text NOT NULL,
    applied     text NOT NULL DEFAULT '',
    PRIMARY KEY (set_name, target)
);
COMMENT ON TABLE ysdb.sync_landings IS 'Tables here that sync sets of other stores write';
COMMENT ON COLUMN ysdb.sync_landings.applied IS 'Version of the last change that is in the table; moved by the transaction that wrote it';
CREATE TABLE IF NOT EXISTS ysdb.sync_ahead (
    set_name    text NOT NULL,
    target      text NOT NULL,
    row_key     bytea NOT NULL,
    version     text NOT NULL,
    PRIMARY KEY (set_name, target, row_key)
);
COMMENT ON TABLE ysdb.sync_ahead IS 'Rows that were told out of order (sync retry) and are newer than sync_landings.applied';
CREATE TABLE IF NOT EXISTS ysdb.sync_epochs (
    set_name    text NOT NULL,
    epoch       bigint NOT NULL,
    PRIMARY KEY (set_name, epoch)
);
COMMENT ON TABLE ysdb.sync_epochs IS 'Epochs in which sets have written here';
CREATE TABLE IF NOT EXISTS ysdb.sync_landing_types (
    set_name    text NOT NULL,
    target      text NOT NULL,
    column_name text NOT NULL,
    sent        text NOT NULL,
    PRIMARY KEY (set_name, target, column_name)
);
COMMENT ON TABLE ysdb.sync_landing_types IS 'As what type each column''s values are sent: a new copy gives a column that changed in the source another one';
