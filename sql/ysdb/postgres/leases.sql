CREATE SCHEMA IF NOT EXISTS ysdb;
CREATE TABLE IF NOT EXISTS ysdb.leases (
    job       text PRIMARY KEY,
    holder    text NOT NULL,
    taken_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    beat_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE ysdb.leases IS 'Who runs a job where a pooler leaves no session to hold a lock; a run that has not beaten for 30 s is dead';
