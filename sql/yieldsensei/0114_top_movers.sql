-- migrate:up store:analytics transaction:false
-- Against the newest bucket of the whole market, not against now(): a feed that stopped shows in as_of and not as "nothing moved".
-- An asset without a sample before the window is left out.
CREATE VIEW top_movers_1h AS
WITH (SELECT max(bucket) FROM price_metrics_5min_states) AS newest
SELECT
    asset_id,
    newest                                                            AS as_of,
    argMax(m.close, m.bucket)                                         AS price,
    argMaxIf(m.close, m.bucket, m.bucket <= newest - INTERVAL 1 HOUR)     AS price_before,
    100 * (price / price_before - 1)                                  AS change_percent,
    sumIf(m.volume, m.bucket > newest - INTERVAL 1 HOUR)                  AS volume
FROM price_metrics_5min AS m
WHERE m.bucket > newest - INTERVAL 2 HOUR
GROUP BY asset_id
HAVING price_before > 0 AND max(m.bucket) > newest - INTERVAL 1 HOUR
ORDER BY abs(change_percent) DESC, asset_id;

CREATE VIEW top_movers_24h AS
WITH (SELECT max(bucket) FROM price_metrics_5min_states) AS newest
SELECT
    asset_id,
    newest                                                            AS as_of,
    argMax(m.close, m.bucket)                                         AS price,
    argMaxIf(m.close, m.bucket, m.bucket <= newest - INTERVAL 24 HOUR)    AS price_before,
    100 * (price / price_before - 1)                                  AS change_percent,
    sumIf(m.volume, m.bucket > newest - INTERVAL 24 HOUR)                 AS volume
FROM price_metrics_5min AS m
WHERE m.bucket > newest - INTERVAL 26 HOUR
GROUP BY asset_id
HAVING price_before > 0 AND max(m.bucket) > newest - INTERVAL 1 HOUR
ORDER BY abs(change_percent) DESC, asset_id;

-- migrate:down
DROP VIEW top_movers_24h;
DROP VIEW top_movers_1h;
