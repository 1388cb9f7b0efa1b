-- The head-end's door: it reads as client 32, receives pushes as client 64, and can do nothing else.

CREATE FUNCTION headend_claim(p_worker text, p_limit integer, p_seconds double precision, p_block integer)
RETURNS TABLE (
    request_id bigint, register text, meter text, make text, system_title bytea, host text, port integer, cell text,
    import uuid, sealed bytea, token bigint, counter bigint, meter_counter bigint, tries smallint
) LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH open_request AS MATERIALIZED (
        SELECT r.id FROM readings_request r JOIN headend_meter m ON m.meter = r.meter
        WHERE r.done_at IS NULL AND (r.claimed_until IS NULL OR r.claimed_until < clock_timestamp())
          AND m.lease_until < clock_timestamp()
        ORDER BY r.id LIMIT p_limit FOR UPDATE OF r, m SKIP LOCKED
    ), ready AS MATERIALIZED (
        SELECT DISTINCT ON (r.meter) r.id, r.meter FROM open_request o JOIN readings_request r ON r.id = o.id
        ORDER BY r.meter, r.id
    ), leased AS (
        UPDATE headend_meter m SET lease_holder = p_worker, lease_token = m.lease_token + 1,
               lease_until = clock_timestamp() + make_interval(secs => p_seconds), next_counter = m.next_counter + p_block
        FROM ready r WHERE m.meter = r.meter
        RETURNING m.*, r.id AS request_id
    )
    UPDATE readings_request q SET claimed_until = l.lease_until, tries = q.tries + 1
    FROM leased l WHERE q.id = l.request_id
    RETURNING q.id, q.register, q.meter, l.make, l.system_title, l.host, l.port, l.cell, l.import, l.sealed, l.lease_token,
              l.next_counter - p_block, l.meter_counter, q.tries
$$;

-- Answers to requests: a value, or a reason, after which a request is tried again, later each time, until its fifth try.
-- An answer counts only while the meter's lease is still the one it was taken under. Returns the answers that counted.
CREATE FUNCTION headend_results(
    p_worker text, p_requests bigint[], p_tokens bigint[], p_at timestamptz[], p_values bigint[], p_reasons text[]
) RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH given AS MATERIALIZED (
        SELECT g.*, q.meter, q.register FROM unnest(p_requests, p_tokens, p_at, p_values, p_reasons)
            AS g (id, token, at, value, reason)
        JOIN readings_request q ON q.id = g.id
    ), held AS MATERIALIZED (
        SELECT g.*, m.lease_token, m.lease_holder FROM given g JOIN headend_meter m ON m.meter = g.meter FOR UPDATE OF m
    ), freed AS (
        UPDATE headend_meter m SET lease_until = '-infinity', lease_holder = NULL
        FROM held h WHERE m.meter = h.meter AND h.lease_token = h.token AND h.lease_holder = p_worker RETURNING h.id
    ), answered AS (
        UPDATE readings_request q SET reason = g.reason,
               claimed_until = CASE WHEN g.value IS NULL THEN clock_timestamp() + make_interval(secs => 0.5 * 2 ^ q.tries) END,
               done_at = CASE WHEN g.value IS NOT NULL OR q.tries >= 5 THEN clock_timestamp() END
        FROM given g JOIN freed f ON f.id = g.id WHERE q.id = g.id RETURNING q.id
    ), kept AS (
        INSERT INTO readings_reading (meter, register, at, value, received_at)
        SELECT g.meter, g.register, g.at, g.value, clock_timestamp() FROM given g JOIN answered a ON a.id = g.id
        WHERE g.value IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT a.id FROM answered a
$$;

-- Who pushed: the meter behind a system title, with its sealed keys and the highest push counter seen.
CREATE FUNCTION headend_pusher(p_system_title bytea)
RETURNS TABLE (meter text, import uuid, sealed bytea, push_counter bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT m.meter, m.import, m.sealed, m.push_counter FROM headend_meter m WHERE m.system_title = p_system_title
$$;

-- Stores a pushed event once; false when its counter is not above the highest one seen: a replay. The head-end rings the
-- bell afterwards, once for many.
CREATE FUNCTION headend_pushed(p_meter text, p_counter bigint, p_esw text, p_meter_at timestamptz, p_at timestamptz)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    UPDATE headend_meter SET push_counter = p_counter WHERE meter = p_meter AND push_counter < p_counter;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO protection_event (meter, esw, meter_at, counter, received_at, business_at)
    VALUES (p_meter, p_esw, p_meter_at, p_counter, clock_timestamp(), p_at);
    RETURN true;
END $$;
