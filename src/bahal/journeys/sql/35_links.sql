-- How meters are reached when their own address is not enough.

-- Where a meter called from, for as long as it is believed; the register's own address stays beside it. Nothing is
-- deleted: `why` says what made an address forgotten, or that the meter called from elsewhere.
CREATE TABLE headend_address (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter text NOT NULL,
    host text NOT NULL,
    learned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    forgotten_at timestamptz,
    why text NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX headend_address_believed ON headend_address (meter) WHERE forgotten_at IS NULL;
CREATE INDEX ON headend_address (meter, id);

-- Somebody else answered there, or nobody who could be believed: no longer dial those addresses.
CREATE FUNCTION address_forget(p_meters text[], p_hosts text[], p_why text[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH forgotten AS (
        UPDATE headend_address a SET forgotten_at = clock_timestamp(), why = g.why
        FROM unnest(p_meters, p_hosts, p_why) AS g (meter, host, why)
        WHERE a.meter = g.meter AND a.host = g.host AND a.forgotten_at IS NULL RETURNING 1
    ) SELECT count(*) FROM forgotten
$$;

-- A meter that is asked by SMS to call, one open row at most. The worker sends; the head-end asks and sees it answered.
CREATE UNIQUE INDEX meters_wakeup_open ON meters_wakeup (meter) WHERE ended_at IS NULL;
CREATE INDEX meters_wakeup_due ON meters_wakeup (next_at) WHERE ended_at IS NULL;
CREATE INDEX meters_wakeup_sent ON meters_wakeup (cell, sent_at);
CREATE INDEX meters_wakeup_latest ON meters_wakeup (meter, ended_at);
