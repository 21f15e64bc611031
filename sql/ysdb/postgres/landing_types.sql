CREATE TABLE IF NOT EXISTS ysdb.sync_landing_types (
    set_name    text NOT NULL,
    target      text NOT NULL,
    column_name text NOT NULL,
    sent        text NOT NULL,
    PRIMARY KEY (set_name, target, column_name)
);
COMMENT ON TABLE ysdb.sync_landing_types IS 'As what type each column''s values are sent: a new copy gives a column that changed in the source another one';
