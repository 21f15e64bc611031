-- migrate:up store:analytics transaction:false
-- Written by the portfolio flow, which may deliver an event twice: event_id makes it one row again.
CREATE TABLE user_activity
(
    user_id    UUID COMMENT 'users.id',
    timestamp  DateTime64(6, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
    event_id   UUID,
    activity   LowCardinality(String) COMMENT 'holding_changed, transaction, login, ...',
    entity     LowCardinality(String) COMMENT 'Table the activity is about',
    entity_id  String COMMENT 'Its primary key' CODEC(ZSTD(1)),
    value_usd  Nullable(Decimal(24, 8)) CODEC(ZSTD(3)),
    details    String COMMENT 'JSON' CODEC(ZSTD(3)),
    INDEX activity_set activity TYPE set(64) GRANULARITY 4,
    INDEX entity_bloom entity_id TYPE bloom_filter(0.01) GRANULARITY 4,
    INDEX time_range timestamp TYPE minmax GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(timestamp)
ORDER BY (user_id, timestamp, event_id)
TTL toDateTime(timestamp) + INTERVAL 24 MONTH
SETTINGS ttl_only_drop_parts = 1
COMMENT 'What each user did, newest events last; a partition a month (UTC)';

-- migrate:down
DROP TABLE user_activity;
