-- migrate:up store:analytics transaction:false
-- A sandwich: one sender swaps, somebody else swaps the same way in the same pool right after, the sender swaps back, all in one block.
-- Found with one pass over the swaps of each pool and block, by looking at the neighbours in transaction order.
CREATE VIEW mev_sandwiches AS
SELECT
    timestamp, chain, protocol_id, pool_id, block_number,
    sender                                            AS attacker,
    victim,
    token_in, token_out,
    transaction_hash                                  AS front_hash,
    victim_hash,
    back_hash,
    toFloat64(back_out) - toFloat64(amount_in)        AS profit_in_token,
    victim_value_usd
FROM
(
    SELECT
        timestamp, chain, protocol_id, pool_id, block_number, sender, token_in, token_out, amount_in, transaction_hash,
        leadInFrame(sender, 1) OVER pool_block             AS victim,
        leadInFrame(transaction_hash, 1) OVER pool_block   AS victim_hash,
        leadInFrame(token_in, 1) OVER pool_block           AS victim_token_in,
        leadInFrame(value_usd, 1) OVER pool_block          AS victim_value_usd,
        leadInFrame(sender, 2) OVER pool_block             AS back_sender,
        leadInFrame(transaction_hash, 2) OVER pool_block   AS back_hash,
        leadInFrame(token_in, 2) OVER pool_block           AS back_token_in,
        leadInFrame(amount_out, 2) OVER pool_block         AS back_out
    FROM transaction_events
    WHERE event_type = 'swap'
    WINDOW pool_block AS (PARTITION BY chain, pool_id, block_number ORDER BY transaction_index, log_index
                          ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
)
WHERE back_sender = sender AND victim != sender AND victim_token_in = token_in AND back_token_in = token_out;

-- Arbitrage that was done: one transaction whose swaps end in the token they began with, and with more of it.
CREATE VIEW arbitrage_transactions AS
SELECT
    chain,
    transaction_hash,
    any(timestamp)                                           AS timestamp,
    any(sender)                                              AS trader,
    argMin(token_in, log_index)                              AS token,
    count()                                                  AS swaps,
    uniqExact(protocol_id)                                   AS protocols,
    toFloat64(argMin(amount_in, log_index))                  AS paid,
    toFloat64(argMax(amount_out, log_index))                 AS received,
    received - paid                                          AS profit_in_token
FROM transaction_events
WHERE event_type = 'swap'
GROUP BY chain, transaction_hash
HAVING swaps > 1 AND argMin(token_in, log_index) = argMax(token_out, log_index) AND received > paid;

-- Arbitrage that could be done: the same asset at prices that differ by source, within the newest 5 minutes of data.
CREATE VIEW arbitrage_opportunities AS
WITH (SELECT max(timestamp) FROM price_data_raw) AS newest
SELECT
    asset_id,
    max(last_seen)                                      AS as_of,
    argMin(source, price)                               AS buy_at,
    min(price)                                          AS buy_price,
    argMax(source, price)                               AS sell_at,
    max(price)                                          AS sell_price,
    10000 * (sell_price / buy_price - 1)                AS spread_bps,
    min(liquidity)                                      AS liquidity_usd,
    count()                                             AS sources
FROM
(
    SELECT asset_id, source, max(p.timestamp) AS last_seen, argMax(toFloat64(p.price), p.timestamp) AS price,
           argMax(toFloat64(p.liquidity), p.timestamp) AS liquidity
    FROM price_data_raw AS p
    WHERE p.timestamp > newest - INTERVAL 5 MINUTE
    GROUP BY asset_id, source
)
WHERE price > 0
GROUP BY asset_id
HAVING sources > 1 AND spread_bps > 0
ORDER BY spread_bps DESC, asset_id;

-- Who takes most, by chain, day and pattern.
CREATE VIEW mev_summary AS
SELECT chain, day, pattern, count() AS events, uniqExact(actor) AS actors, sum(touched_usd) AS touched_usd
FROM
(
    SELECT chain, toDate(timestamp) AS day, 'sandwich' AS pattern, attacker AS actor, toFloat64(ifNull(victim_value_usd, 0)) AS touched_usd
    FROM mev_sandwiches
    UNION ALL
    SELECT chain, toDate(timestamp), 'arbitrage', trader, 0.
    FROM arbitrage_transactions
)
GROUP BY chain, day, pattern
ORDER BY day DESC, chain, pattern;

-- migrate:down
DROP VIEW mev_summary;
DROP VIEW arbitrage_opportunities;
DROP VIEW arbitrage_transactions;
DROP VIEW mev_sandwiches;
