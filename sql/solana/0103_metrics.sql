-- migrate:up store:ticks transaction:false
CREATE TABLE metrics (
    timestamp TIMESTAMP,
    metric_name SYMBOL,
    value DOUBLE,
    labels STRING
) TIMESTAMP(timestamp) PARTITION BY DAY TTL 30 DAYS WAL
DEDUP UPSERT KEYS(timestamp, metric_name, labels);

-- migrate:down
DROP TABLE metrics;
