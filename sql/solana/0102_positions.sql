-- migrate:up store:ticks transaction:false
-- One state of a position a moment: the last one sent wins.
CREATE TABLE positions (
    timestamp TIMESTAMP,
    trader_id SYMBOL,
    token SYMBOL,
    amount DOUBLE,
    cost_basis DOUBLE,
    current_price DOUBLE,
    unrealized_pnl DOUBLE
) TIMESTAMP(timestamp) PARTITION BY HOUR TTL 30 DAYS WAL
DEDUP UPSERT KEYS(timestamp, trader_id, token);

-- migrate:down
DROP TABLE positions;
