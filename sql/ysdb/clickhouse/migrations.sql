CREATE DATABASE IF NOT EXISTS ysdb;
CREATE TABLE IF NOT EXISTS ysdb.migrations
(
    database    String COMMENT 'The database of the project: this table serves all of a server',
    version     String,
    name        String,
    store       String,
    checksum    String COMMENT 'SHA-256 over the statement hashes',
    statements  String COMMENT 'The first 16 digits of each statement''s hash, in order',
    applied_at  DateTime64(6, 'UTC') DEFAULT now64(6),
    seconds     Float64,
    run         String,
    tool        String COMMENT 'What wrote the row: a version of ysdb; with "baseline" when nothing was run',
    seq         UInt64 COMMENT 'The row with the highest counts',
    removed     UInt8 DEFAULT 0
)
ENGINE = ReplacingMergeTree(seq, removed)
ORDER BY (database, version)
COMMENT 'Migrations that were applied, of all stores';
