CREATE DATABASE IF NOT EXISTS ysdb;
CREATE TABLE IF NOT EXISTS ysdb.journal
(
    database  String COMMENT 'The database of the project: this table serves all of a server',
    seq       UInt64,
    job       LowCardinality(String),
    unit      String,
    step      UInt32,
    event     Enum8('intent' = 1, 'done' = 2, 'failed' = 3, 'complete' = 4),
    hash      String COMMENT 'Of the statement; its text is never kept',
    store     String,
    place     String,
    label     String COMMENT 'The query_id it ran under: run/number',
    found     String COMMENT 'What a look at the store said before it ran',
    at        DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = MergeTree
ORDER BY (database, job, seq)
COMMENT 'What ysdb was about to do and did';
