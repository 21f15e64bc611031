-- migrate:up store:analytics transaction:false
-- For caches: one row an asset, the last price of the last day that had one.
CREATE VIEW latest_prices
(
    asset_id String, price Float64, volume_24h Float64 COMMENT 'USD traded in the day before the newest five minutes',
    bucket DateTime('UTC') COMMENT 'Start of the five minutes that the price is of'
) AS
WITH (SELECT max(bucket) FROM price_metrics_5min_states) AS newest
SELECT asset_id, argMaxMerge(s.close) AS price, sum(s.volume) AS volume_24h, max(s.bucket) AS bucket
FROM price_metrics_5min_states AS s
WHERE s.bucket > newest - INTERVAL 1 DAY
GROUP BY asset_id;

-- migrate:down
DROP VIEW latest_prices;
