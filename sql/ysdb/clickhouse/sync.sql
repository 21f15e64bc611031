CREATE DATABASE IF NOT EXISTS ysdb;

-- The epochs whose versions a sync set has written here: a source that was restored to an earlier state does not know the later ones.
CREATE TABLE IF NOT EXISTS ysdb.sync_epochs
(
    set_name String,
    epoch UInt32,
    at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = MergeTree
ORDER BY (set_name, at);

-- What sets note beside that: of each name the highest number counts.
CREATE TABLE IF NOT EXISTS ysdb.sync_notes
(
    set_name String,
    name String,
    value UInt64,
    at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = ReplacingMergeTree(value)
ORDER BY (set_name, name);
