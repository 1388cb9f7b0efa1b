-- The head-end's door: it reads as client 32, receives pushes as client 64, and can do nothing else.

CREATE FUNCTION headend_claim(p_worker text, p_limit integer, p_seconds double precision, p_block integer)
RETURNS TABLE (
    request_id bigint, register text, meter text, make text, system_title bytea, host text, port integer, cell text,
    import uuid, sealed bytea, token bigint, counter bigint, meter_counter bigint, tries smallint,
    link text, gateway text, wport integer, learned boolean
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
    FROM leased l LEFT JOIN LATERAL (
        SELECT a.host FROM headend_address a  -- where it was last proved to be, if it listens there
        WHERE a.meter = l.meter AND a.forgotten_at IS NULL AND l.link = 'dial_out' LIMIT 1
    ) AS b ON true
    WHERE q.id = l.request_id
    RETURNING q.id, q.register, q.meter, l.make, l.system_title, coalesce(b.host, l.host), l.port,
              l.cell, l.import, l.sealed, l.lease_token, l.next_counter - p_block, l.meter_counter, q.tries, l.link,
              l.gateway, l.wport, coalesce(b.host <> l.host, false)
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
               claimed_until = CASE WHEN g.value IS NOT NULL THEN NULL
                                    WHEN g.reason = 'no_line' THEN clock_timestamp() + interval '30 seconds'
                                    ELSE clock_timestamp() + make_interval(secs => 0.5 * 2 ^ q.tries) END,
               -- A meter that has not called was not tried; after an hour it counts.
               tries = q.tries - CASE WHEN g.reason = 'no_line' AND q.asked_at > clock_timestamp() - interval '1 hour'
                                      THEN 1 ELSE 0 END,
               done_at = CASE WHEN g.value IS NOT NULL OR (q.tries >= 5 AND NOT (
                              g.reason = 'no_line' AND q.asked_at > clock_timestamp() - interval '1 hour'))
                              THEN clock_timestamp() END
        FROM given g JOIN freed f ON f.id = g.id WHERE q.id = g.id RETURNING q.id
    ), kept AS (
        INSERT INTO readings_reading (meter, register, at, value, received_at)
        SELECT g.meter, g.register, g.at, g.value, clock_timestamp() FROM given g JOIN answered a ON a.id = g.id
        WHERE g.value IS NOT NULL
        ON CONFLICT DO NOTHING RETURNING 1
    )
    SELECT a.id FROM answered a
$$;

-- Who pushed: the meters behind system titles, with their sealed keys.
CREATE FUNCTION headend_pushers(p_system_titles bytea[])
RETURNS TABLE (system_title bytea, meter text, import uuid, sealed bytea, make text, firmware text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT m.system_title, m.meter, m.import, m.sealed, m.make, coalesce(r.firmware, '')
    FROM headend_meter m LEFT JOIN readings_meter r ON r.meter = m.meter WHERE m.system_title = ANY (p_system_titles)
$$;

-- Stores pushed events once, in the order given; which of them (from 1 on) were stored. The others' counters are not
-- above the highest one seen: replays. The head-end rings the bell afterwards, once for many.
CREATE FUNCTION headend_pushed(
    p_meters text[], p_counters bigint[], p_esws text[], p_meter_ats timestamptz[], p_at timestamptz
) RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH held AS MATERIALIZED (
        SELECT m.meter, m.push_counter FROM headend_meter m WHERE m.meter = ANY (p_meters) ORDER BY m.meter FOR UPDATE
    ), given AS (
        SELECT g.*, max(g.counter) OVER (
                   PARTITION BY g.meter ORDER BY g.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM unnest(p_meters, p_counters, p_esws, p_meter_ats) WITH ORDINALITY AS g (meter, counter, esw, meter_at, n)
    ), fresh AS MATERIALIZED (
        SELECT g.* FROM given g JOIN held h ON h.meter = g.meter
        WHERE g.counter > greatest(h.push_counter, coalesce(g.before, -1))
    ), raised AS (
        UPDATE headend_meter m SET push_counter = f.counter
        FROM (SELECT meter, max(counter) AS counter FROM fresh GROUP BY meter) f WHERE m.meter = f.meter RETURNING 1
    ), stored AS (
        INSERT INTO protection_event (meter, esw, meter_at, counter, received_at, business_at)
        SELECT f.meter, f.esw, f.meter_at, f.counter, clock_timestamp(), p_at FROM fresh f ORDER BY f.n RETURNING 1
    )
    SELECT f.n FROM fresh f
$$;

-- Meters that called and have proved themselves, with the address each called from (NULL: it is still on the line).
-- An address is kept until another is proved or it is forgotten. What waits for the meter and was put off because it had
-- not called is due now; the answer says of each whether a restore, any order, or a read waits, and how it is linked.
CREATE FUNCTION headend_called(p_meters text[], p_hosts text[])
RETURNS TABLE (meter text, link text, restore boolean, ordered boolean, asked boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH given AS MATERIALIZED (
        SELECT DISTINCT ON (g.meter) g.meter, g.host, m.link, a.id AS believed, a.host AS believed_host
        FROM unnest(p_meters, p_hosts) WITH ORDINALITY AS g (meter, host, n)
        JOIN headend_meter m ON m.meter = g.meter
        LEFT JOIN headend_address a ON a.meter = g.meter AND a.forgotten_at IS NULL
        ORDER BY g.meter, g.n DESC
    ), moved AS (
        UPDATE headend_address a SET forgotten_at = clock_timestamp(), why = 'moved'
        FROM given g WHERE a.id = g.believed AND g.host <> g.believed_host RETURNING a.meter
    ), learned AS (
        INSERT INTO headend_address (meter, host)
        SELECT g.meter, g.host FROM given g LEFT JOIN moved w ON w.meter = g.meter
        WHERE g.host IS NOT NULL AND (g.believed IS NULL OR w.meter IS NOT NULL)
        RETURNING 1
    ), answered AS (
        UPDATE meters_wakeup w SET ended_at = clock_timestamp(), why = 'called'
        FROM given g WHERE w.meter = g.meter AND w.ended_at IS NULL RETURNING 1
    ), open_order AS MATERIALIZED (
        SELECT o.id, o.meter, o.kind, o.reason, o.not_until FROM supply_order o JOIN given g ON g.meter = o.meter
        WHERE o.state IN ('authorised', 'claimed', 'sent', 'unknown')
    ), due AS (
        UPDATE supply_order o SET not_until = NULL FROM open_order x
        WHERE o.id = x.id AND x.reason = 'no_line' AND x.not_until IS NOT NULL RETURNING 1
    ), open_read AS MATERIALIZED (
        SELECT q.id, q.meter, q.reason, q.claimed_until FROM readings_request q JOIN given g ON g.meter = q.meter
        WHERE q.done_at IS NULL
    ), due_read AS (
        UPDATE readings_request q SET claimed_until = NULL FROM open_read x JOIN headend_meter m ON m.meter = x.meter
        WHERE q.id = x.id AND x.reason = 'no_line' AND m.lease_until < clock_timestamp() RETURNING 1
    ), due_collect AS (
        UPDATE readings_meter r SET due_at = '-infinity', reason = '' FROM given g
        WHERE r.meter = g.meter AND r.wants <> 0 AND r.reason = 'no_line' RETURNING r.meter
    )
    SELECT g.meter, g.link,
           EXISTS (SELECT FROM open_order o WHERE o.meter = g.meter AND o.kind = 'restore'),
           EXISTS (SELECT FROM open_order o WHERE o.meter = g.meter),
           EXISTS (SELECT FROM open_read r WHERE r.meter = g.meter)
               OR EXISTS (SELECT FROM due_collect d WHERE d.meter = g.meter)
    FROM given g
$$;

-- Takes the lease and a block of counters of the meter that a caller says it is, by its system title or its serial, so
-- that he can be asked to prove it. No row: nobody of that name. A row without a token: somebody else talks to it now.
CREATE FUNCTION headend_caller(
    p_worker text, p_system_title bytea, p_serial text, p_seconds double precision, p_block integer
) RETURNS TABLE (
    meter text, make text, system_title bytea, cell text, import uuid, sealed bytea, token bigint, counter bigint
) LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH named AS MATERIALIZED (
        SELECT m.* FROM headend_meter m WHERE m.system_title = p_system_title OR m.meter = p_serial
    ), leased AS (
        UPDATE headend_meter m SET lease_holder = p_worker, lease_token = m.lease_token + 1,
               lease_until = clock_timestamp() + make_interval(secs => p_seconds), next_counter = m.next_counter + p_block
        FROM named n WHERE m.meter = n.meter AND m.lease_until < clock_timestamp()
        RETURNING m.meter, m.lease_token, m.next_counter - p_block AS counter
    )
    SELECT n.meter, n.make, n.system_title, n.cell, n.import, n.sealed, l.lease_token, l.counter
    FROM named n LEFT JOIN leased l ON l.meter = n.meter
$$;

-- Gives a meter's lease back.
CREATE FUNCTION headend_free(p_worker text, p_meter text, p_token bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    UPDATE headend_meter m SET lease_until = '-infinity', lease_holder = NULL
    WHERE m.meter = p_meter AND m.lease_token = p_token AND m.lease_holder = p_worker
$$;

-- Meters that are wanted and have not called: each with a SIM on the register is asked once by SMS, and not again within
-- the hour if it never answered. Returns how many were asked anew; the worker's bell is the caller's to ring.
CREATE FUNCTION headend_wake(p_meters text[]) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH asked AS (
        INSERT INTO meters_wakeup (meter, msisdn, cell, asked_at, next_at, tries, receipt, why)
        SELECT DISTINCT ON (s.meter) s.meter, s.msisdn, s.cell, clock_timestamp(), clock_timestamp(), 0, '', ''
        FROM meters_sim s JOIN headend_meter m ON m.meter = s.meter
        WHERE s.meter = ANY (p_meters) AND m.link = 'dial_in'
          AND NOT EXISTS (SELECT FROM meters_wakeup w WHERE w.meter = s.meter AND (w.ended_at IS NULL
                          OR (w.why = 'unanswered' AND w.ended_at > clock_timestamp() - interval '1 hour')))
        ORDER BY s.meter, s.iccid
        ON CONFLICT DO NOTHING RETURNING 1
    ) SELECT count(*) FROM asked
$$;
