-- migrate:up store:analytics transaction:false
-- Three objects: the partial states, the materialized view that feeds them on every insert, and the view that people read.
CREATE TABLE price_metrics_5min_states
(
    asset_id    LowCardinality(String),
    bucket      DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)),
    open        AggregateFunction(argMin, Float64, DateTime64(3, 'UTC')),
    high        SimpleAggregateFunction(max, Float64) CODEC(Gorilla, ZSTD(1)),
    low         SimpleAggregateFunction(min, Float64) CODEC(Gorilla, ZSTD(1)),
    close       AggregateFunction(argMax, Float64, DateTime64(3, 'UTC')),
    average     AggregateFunction(avg, Float64),
    deviation   AggregateFunction(stddevPop, Float64),
    trend       AggregateFunction(simpleLinearRegression, Float64, Float64),
    volume      SimpleAggregateFunction(sum, Float64) CODEC(Gorilla, ZSTD(1)),
    samples     SimpleAggregateFunction(sum, UInt64) CODEC(T64, ZSTD(1))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(bucket)
ORDER BY (asset_id, bucket)
TTL bucket + INTERVAL 36 MONTH
SETTINGS ttl_only_drop_parts = 1
COMMENT 'Partial aggregates of price_data_raw; read price_metrics_5min';

CREATE MATERIALIZED VIEW mv_price_metrics_5min TO price_metrics_5min_states AS
SELECT
    asset_id,
    toStartOfFiveMinutes(raw.timestamp)                        AS bucket,
    argMinState(toFloat64(raw.price), raw.timestamp)           AS open,
    max(toFloat64(raw.price))                                  AS high,
    min(toFloat64(raw.price))                                  AS low,
    argMaxState(toFloat64(raw.price), raw.timestamp)           AS close,
    avgState(toFloat64(raw.price))                             AS average,
    stddevPopState(toFloat64(raw.price))                       AS deviation,
    simpleLinearRegressionState(toUnixTimestamp64Milli(raw.timestamp) % 300000 / 3600000., toFloat64(raw.price)) AS trend,
    sum(toFloat64(raw.volume))                                 AS volume,
    count()                                                    AS samples
FROM price_data_raw AS raw
GROUP BY asset_id, bucket;

CREATE VIEW price_metrics_5min
(
    asset_id String, bucket DateTime('UTC'), open Float64, high Float64, low Float64, close Float64, average Float64,
    volatility Float64 COMMENT 'Standard deviation as a percentage of the average',
    trend Float64 COMMENT 'Slope of the regression line, percent of the average an hour; 0 with a single sample',
    volume Float64, samples UInt64
) AS
SELECT
    asset_id,
    bucket,
    argMinMerge(s.open)                                                  AS open,
    max(s.high)                                                          AS high,
    min(s.low)                                                           AS low,
    argMaxMerge(s.close)                                                 AS close,
    avgMerge(s.average)                                                  AS average,
    if(average = 0, 0, 100 * stddevPopMerge(s.deviation) / average)      AS volatility,
    ifNotFinite(100 * tupleElement(simpleLinearRegressionMerge(s.trend), 1) / average, 0) AS trend,
    sum(s.volume)                                                        AS volume,
    sum(s.samples)                                                       AS samples
FROM price_metrics_5min_states AS s
GROUP BY asset_id, bucket;

-- migrate:down
DROP VIEW price_metrics_5min;
DROP VIEW mv_price_metrics_5min;
DROP TABLE price_metrics_5min_states;
