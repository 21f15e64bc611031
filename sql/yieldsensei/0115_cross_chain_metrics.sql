-- migrate:up store:analytics transaction:false
-- Chains beside each other: what lies there, what share of the market that is, what moved there in the last day of data.
CREATE VIEW cross_chain_metrics AS
WITH (SELECT max(timestamp) FROM transaction_events) AS newest
SELECT
    t.chain                                                 AS chain,
    t.protocols                                             AS protocols,
    t.tvl_usd                                               AS tvl_usd,
    100 * t.tvl_usd / nullIf(sum(t.tvl_usd) OVER (), 0)     AS market_share_percent,
    t.change_24h_percent                                    AS change_24h_percent,
    e.transactions                                          AS transactions_24h,
    e.senders                                               AS senders_24h,
    e.volume_usd                                            AS volume_24h_usd,
    e.average_gas_price                                     AS average_gas_price
FROM
(
    SELECT chain, uniqExact(protocol_id) AS protocols, sum(toFloat64(r.tvl_usd)) AS tvl_usd,
           100 * (tvl_usd / nullIf(sum(toFloat64(coalesce(r.tvl_24h_ago_usd, r.tvl_usd))), 0) - 1) AS change_24h_percent
    FROM protocol_tvl_realtime AS r
    GROUP BY chain
) AS t
LEFT JOIN
(
    SELECT chain, uniqExact(transaction_hash) AS transactions, uniq(sender) AS senders,
           sum(toFloat64(ifNull(value_usd, 0))) AS volume_usd, avg(gas_price) AS average_gas_price
    FROM transaction_events
    WHERE timestamp > newest - INTERVAL 24 HOUR
    GROUP BY chain
) AS e ON e.chain = t.chain
ORDER BY tvl_usd DESC;

CREATE VIEW protocol_market_share AS
SELECT
    category,
    protocol_id,
    sum(toFloat64(r.tvl_usd))                                                               AS tvl_usd,
    uniqExact(chain)                                                                        AS chains,
    100 * tvl_usd / nullIf(sum(tvl_usd) OVER (PARTITION BY category), 0)                    AS share_of_category_percent,
    100 * tvl_usd / nullIf(sum(tvl_usd) OVER (), 0)                                         AS share_of_market_percent
FROM protocol_tvl_realtime AS r
GROUP BY category, protocol_id
ORDER BY tvl_usd DESC;

-- migrate:down
DROP VIEW protocol_market_share;
DROP VIEW cross_chain_metrics;
