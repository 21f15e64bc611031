-- migrate:up store:analytics transaction:false
CREATE TABLE market_sentiment
(
    timestamp      DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    asset_id       LowCardinality(String),
    source         LowCardinality(String) COMMENT 'twitter, reddit, news, telegram, on-chain, ...',
    score          Float32 COMMENT '-1 (fear) to 1 (greed)' CODEC(Gorilla, ZSTD(1)),
    confidence     Nullable(Float32) COMMENT '0 to 1; null where the model gives none' CODEC(Gorilla, ZSTD(1)),
    mentions       UInt32 CODEC(T64, ZSTD(1)),
    positive       UInt32 CODEC(T64, ZSTD(1)),
    negative       UInt32 CODEC(T64, ZSTD(1)),
    engagement     UInt64 COMMENT 'Likes, replies, shares' CODEC(T64, ZSTD(1)),
    sample         Nullable(String) COMMENT 'One message that was counted' CODEC(ZSTD(3)),
    model_version  LowCardinality(String),
    INDEX score_range score TYPE minmax GRANULARITY 4,
    INDEX source_set source TYPE set(32) GRANULARITY 4
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (asset_id, source, timestamp)
TTL toDateTime(timestamp) + INTERVAL 12 MONTH
SETTINGS ttl_only_drop_parts = 1
COMMENT 'What people say about an asset; a partition a month (UTC)';

-- migrate:down
DROP TABLE market_sentiment;
