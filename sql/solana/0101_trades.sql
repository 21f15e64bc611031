-- migrate:up store:ticks transaction:false
-- Sent at least once: a row that arrives again replaces itself. Two real fills differ in at least one of these columns.
CREATE TABLE trades (
    timestamp TIMESTAMP,
    trader_id SYMBOL,
    mode SYMBOL,
    action SYMBOL,
    base_token SYMBOL,
    quote_token SYMBOL,
    amount DOUBLE,
    price DOUBLE,
    slippage DOUBLE,
    fee DOUBLE,
    priority_fee LONG,
    transfer_fee DOUBLE,
    tx_signature STRING,
    latency_ms INT,
    mev_protected BOOLEAN
) TIMESTAMP(timestamp) PARTITION BY DAY TTL 30 DAYS WAL
DEDUP UPSERT KEYS(timestamp, trader_id, mode, action, base_token, quote_token, amount, price, tx_signature);

-- migrate:down
DROP TABLE trades;
