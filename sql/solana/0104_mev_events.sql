-- migrate:up store:ticks transaction:false
-- Without DEDUP: no set of columns names an event once, and a lost event is worse than a repeated one.
CREATE TABLE mev_events (
    timestamp TIMESTAMP,
    trader_id SYMBOL,
    sandwich_probability DOUBLE,
    estimated_loss_bps INT,
    avoided BOOLEAN,
    priority_fee LONG
) TIMESTAMP(timestamp) PARTITION BY DAY TTL 30 DAYS WAL;

-- migrate:down
DROP TABLE mev_events;
