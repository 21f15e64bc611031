CREATE DATABASE IF NOT EXISTS ysdb;

-- Events of `ysdb sync snapshot`: which run copied which table, and up to where.
CREATE TABLE IF NOT EXISTS ysdb.snapshots
(
    set_name String,
    run String,
    table_name String,
    event LowCardinality(String),
    position UInt64 COMMENT 'log position of the source snapshot',
    rows UInt64,
    rejected UInt64,
    at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = MergeTree
ORDER BY (set_name, at);
