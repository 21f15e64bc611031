-- migrate:up store:analytics transaction:false
-- How risky each protocol looks over the last 30 days of data, from what can be measured: losses of value locked, unsteady yields, what our
-- own scores say. overall_risk weighs them 35 : 15 : 25 : 25 and is 0 (safe) to 100.
CREATE VIEW protocol_risk_assessment AS
WITH (SELECT max(hour) FROM protocol_tvl_hourly_states) AS newest
SELECT
    t.protocol_id                                                     AS protocol_id,
    t.category                                                        AS category,
    t.tvl_usd                                                         AS tvl_usd,
    t.drawdown_percent                                                AS drawdown_30d_percent,
    t.volatility_percent                                              AS tvl_volatility_30d_percent,
    y.apy                                                             AS average_apy,
    y.apy_deviation                                                   AS apy_deviation,
    y.risk_score                                                      AS risk_score,
    y.security_score                                                  AS security_score,
    least(100, 0.35 * least(100, t.drawdown_percent * 2)
             + 0.15 * least(100, 100 * ifNull(y.apy_deviation, 0) / greatest(abs(ifNull(y.apy, 0)), 1))
             + 0.25 * ifNull(y.risk_score, 50)
             + 0.25 * (100 - ifNull(y.security_score, 50)))           AS overall_risk,
    multiIf(overall_risk < 15, 'very_low', overall_risk < 30, 'low', overall_risk < 50, 'medium', overall_risk < 70, 'high', 'very_high')
                                                                      AS risk
FROM
(
    SELECT protocol_id, any(category) AS category, argMax(total, hour) AS tvl_usd,
           100 * (1 - argMax(total, hour) / nullIf(max(total), 0))  AS drawdown_percent,
           100 * stddevPop(total) / nullIf(avg(total), 0)           AS volatility_percent
    FROM
    (
        -- The chains of a protocol are added up only in hours in which all of them were read: a missing chain is no loss of value.
        SELECT protocol_id, hour, anyLast(c) AS category, sum(tvl) AS total, count() AS chains,
               max(chains) OVER (PARTITION BY protocol_id) AS all_chains
        FROM
        (
            SELECT protocol_id, chain, hour, anyLast(s.category) AS c, toFloat64(argMaxMerge(s.tvl_usd)) AS tvl
            FROM protocol_tvl_hourly_states AS s
            WHERE hour > newest - INTERVAL 30 DAY
            GROUP BY protocol_id, chain, hour
        )
        GROUP BY protocol_id, hour
    )
    WHERE chains = all_chains
    GROUP BY protocol_id
) AS t
LEFT JOIN
(
    SELECT protocol_id, avgMerge(s.apy) AS apy, stddevPopMerge(s.apy_deviation) AS apy_deviation,
           toNullable(avg(s.risk_score)) AS risk_score, toNullable(avg(s.security_score)) AS security_score
    FROM yields_hourly_states AS s
    WHERE hour > newest - INTERVAL 30 DAY
    GROUP BY protocol_id
) AS y ON y.protocol_id = t.protocol_id
ORDER BY overall_risk DESC, protocol_id;

-- What people say, beside what the price did, by asset over the last 24 hours of data.
CREATE VIEW sentiment_overview AS
WITH (SELECT max(timestamp) FROM market_sentiment) AS newest
SELECT
    asset_id,
    sum(m.mentions)                                                              AS mentions,
    sum(m.score * m.mentions) / nullIf(sum(m.mentions), 0)                       AS score,
    sum(m.positive)                                                              AS positive,
    sum(m.negative)                                                              AS negative,
    avgIf(m.score, m.timestamp > newest - INTERVAL 6 HOUR) - avgIf(m.score, m.timestamp <= newest - INTERVAL 6 HOUR)  AS shift_6h,
    uniqExact(m.source)                                                          AS sources
FROM market_sentiment AS m
WHERE m.timestamp > newest - INTERVAL 24 HOUR
GROUP BY asset_id
ORDER BY mentions DESC, asset_id;

-- migrate:down
DROP VIEW sentiment_overview;
DROP VIEW protocol_risk_assessment;
