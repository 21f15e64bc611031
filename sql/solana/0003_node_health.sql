-- migrate:up
CREATE TABLE node_health (
    timestamp               timestamp PRIMARY KEY,
    latency_ms              integer NOT NULL,
    error_rate              decimal(5,4),
    circuit_breaker_status  varchar(20),
    last_failure            timestamp,
    CONSTRAINT node_health_latency_not_negative CHECK (latency_ms >= 0),
    CONSTRAINT node_health_error_rate_range CHECK (error_rate BETWEEN 0 AND 1),
    CONSTRAINT node_health_breaker_known CHECK (circuit_breaker_status IN ('closed', 'open', 'half_open'))
);

COMMENT ON TABLE node_health IS 'What the Solana node looked like at each probe (UTC)';
COMMENT ON COLUMN node_health.error_rate IS '0 to 1';

-- migrate:down
DROP TABLE node_health;
