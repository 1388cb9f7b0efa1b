-- Setting a meter's clock: a typed order through the interlock. An order names a meter and those who answer for it, and
-- no time: what is written comes from the interlock's own clock and its own measurement, within signed limits, at the
-- moment of sending. The grants of these tables stand here beside them.

-- Under which caps an interlock started. Whoever proposes reads it; the interlock judges by its own signed file.
CREATE TABLE interlock_profile (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    signed_by text[] NOT NULL,
    figures jsonb NOT NULL,
    clock jsonb,                              -- NULL: this interlock sets no clock
    worker text NOT NULL,
    stated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON interlock_profile FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE FUNCTION interlock_state_profile(p_name text, p_signed_by text[], p_figures jsonb, p_clock jsonb, p_worker text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    INSERT INTO interlock_profile (name, signed_by, figures, clock, worker)
    SELECT p_name, p_signed_by, p_figures, p_clock, p_worker
    WHERE NOT EXISTS (
        SELECT FROM (SELECT * FROM interlock_profile p ORDER BY p.id DESC LIMIT 1) AS latest
        WHERE (latest.name, latest.signed_by, latest.figures, latest.clock)
              IS NOT DISTINCT FROM (p_name, p_signed_by, p_figures, p_clock))
$$;

-- One order moves a clock by one step, inside one interval of the load profile. A clock that is far off is brought home
-- by several orders, each under the same authority (`walk` counts them). All times but leases are business time.
CREATE TABLE interlock_clock (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter text NOT NULL,
    state text NOT NULL DEFAULT 'proposed',
    proposed_by text NOT NULL,                -- an officer, or the sweep
    proposed_at timestamptz NOT NULL,
    ordered_by text,                          -- the officer who answers for it
    ordered_at timestamptz,
    checked_by text,                          -- the second one, where there are many
    seen_s integer NOT NULL,                  -- the drift that the head-end had measured
    seen_at timestamptz NOT NULL,
    walk smallint NOT NULL DEFAULT 0 CHECK (walk BETWEEN 0 AND 200),
    follows bigint UNIQUE REFERENCES interlock_clock,
    not_until timestamptz NOT NULL DEFAULT '-infinity',
    claimed_by text,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    tries smallint NOT NULL DEFAULT 0,
    sends smallint NOT NULL DEFAULT 0,
    drift_s double precision,                 -- measured by the interlock before it sent
    step_s integer,                           -- by how much it was to be moved
    after_s double precision,                 -- the drift that was read back
    trip_s double precision,                  -- the longest round trip of the two measurements
    sent_at timestamptz,
    ended_at timestamptz,
    reason text NOT NULL DEFAULT '',
    taken_at timestamptz,                     -- when the business had its end
    CHECK (checked_by <> ordered_by),
    CHECK (checked_by IS NULL OR ordered_by IS NOT NULL)
);
CREATE UNIQUE INDEX interlock_clock_open ON interlock_clock (meter)
    WHERE state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown');
CREATE INDEX interlock_clock_due ON interlock_clock (not_until) WHERE state IN ('authorised', 'claimed', 'sent', 'unknown');
CREATE INDEX interlock_clock_ended ON interlock_clock (id) WHERE ended_at IS NOT NULL AND taken_at IS NULL;
CREATE INDEX interlock_clock_alone ON interlock_clock (ordered_by, ordered_at) WHERE checked_by IS NULL AND walk = 0;
CREATE INDEX interlock_clock_meter ON interlock_clock (meter, id);

CREATE TABLE interlock_clock_step (source text, target text, role text, PRIMARY KEY (source, target, role));
INSERT INTO interlock_clock_step VALUES
    ('new', 'proposed', 'app'), ('proposed', 'authorised', 'app'), ('proposed', 'cancelled', 'app'),
    ('authorised', 'cancelled', 'app'),
    ('authorised', 'claimed', 'interlock'), ('authorised', 'expired', 'interlock'),
    ('claimed', 'authorised', 'interlock'), ('claimed', 'sent', 'interlock'), ('claimed', 'refused', 'interlock'),
    ('claimed', 'field_task', 'interlock'), ('claimed', 'expired', 'interlock'),
    ('sent', 'verified', 'interlock'), ('sent', 'unknown', 'interlock'), ('sent', 'field_task', 'interlock'),
    ('unknown', 'verified', 'interlock'), ('unknown', 'sent', 'interlock'), ('unknown', 'refused', 'interlock'),
    ('unknown', 'field_task', 'interlock');

CREATE FUNCTION clock_life() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before text := 'new';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.meter, NEW.proposed_by, NEW.proposed_at, NEW.seen_s, NEW.seen_at, NEW.walk, NEW.follows)
           IS DISTINCT FROM (OLD.meter, OLD.proposed_by, OLD.proposed_at, OLD.seen_s, OLD.seen_at, OLD.walk, OLD.follows)
           OR (OLD.state <> 'proposed' AND (NEW.ordered_by, NEW.ordered_at, NEW.checked_by)
               IS DISTINCT FROM (OLD.ordered_by, OLD.ordered_at, OLD.checked_by))
           OR (OLD.ordered_by IS NOT NULL AND NEW.ordered_by IS DISTINCT FROM OLD.ordered_by) THEN
            RAISE EXCEPTION 'the authority of clock order % is fixed', OLD.id USING ERRCODE = 'BH017';
        END IF;
        IF NEW.state = OLD.state THEN
            RETURN NEW;
        END IF;
        before := OLD.state;
    END IF;
    IF NOT EXISTS (SELECT FROM interlock_clock_step WHERE source = before AND target = NEW.state AND role = session_user)
    THEN
        RAISE EXCEPTION 'clock order %: % may not take it from % to %', NEW.id, session_user, before, NEW.state
            USING ERRCODE = 'BH018';
    END IF;
    IF NEW.state = 'authorised' AND (NEW.ordered_by IS NULL OR NEW.ordered_at IS NULL) THEN
        RAISE EXCEPTION 'clock order % lacks the officer who answers for it', NEW.id USING ERRCODE = 'BH017';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER life BEFORE INSERT OR UPDATE ON interlock_clock FOR EACH ROW EXECUTE FUNCTION clock_life();
CREATE TRIGGER keep_rows BEFORE DELETE ON interlock_clock FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON interlock_clock FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Every sending, one row, for ever.
CREATE TABLE interlock_clock_sending (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES interlock_clock,
    meter text NOT NULL,
    drift_s double precision NOT NULL,
    step_s integer NOT NULL,
    worker text NOT NULL,
    sent_at timestamptz NOT NULL,
    business_at timestamptz NOT NULL
);
CREATE INDEX ON interlock_clock_sending (meter, business_at);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON interlock_clock_sending
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON interlock_clock_sending
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What is believed of each clock: as the head-end last measured it, and the steps that were verified since.
CREATE VIEW interlock_clock_belief AS
    SELECT r.meter, r.office, r.drift_at, (r.drift_s + coalesce(moved.steps, 0))::integer AS drift_s
    FROM readings_meter r
    LEFT JOIN LATERAL (
        SELECT sum(c.step_s) AS steps FROM interlock_clock c
        WHERE c.meter = r.meter AND c.state = 'verified' AND c.sent_at > r.drift_at
    ) AS moved ON true
    WHERE r.drift_s IS NOT NULL;
CREATE INDEX readings_meter_drift ON readings_meter (abs(drift_s)) WHERE abs(drift_s) >= 30;

-- The interval of the meter's load profile in seconds. Where it is not known, a quarter of an hour: each boundary of half
-- an hour is one of a quarter too.
CREATE FUNCTION clock_period(p_meter text) RETURNS integer LANGUAGE sql STABLE AS $$
    SELECT coalesce((
        SELECT l.period_s FROM interlock_meter m JOIN readings_meter r ON r.meter = m.meter
        JOIN headend_layout l ON l.make = m.make AND l.firmware = r.firmware AND l.profile = 'load'
        WHERE m.meter = p_meter AND l.period_s IN (900, 1800, 3600)), 900)
$$;

-- By how many seconds one order moves a clock that is `p_drift` ahead: towards the true time, and never by more than half
-- an interval, so that there is always a moment at which it fits.
CREATE FUNCTION clock_step(p_drift double precision, p_period integer, p_limits jsonb) RETURNS integer
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_drift < 0 THEN least(round(-p_drift), (p_limits->>'most_s')::integer, p_period / 2)
        ELSE -least(round(p_drift), (p_limits->>'back_s')::integer, p_period / 2) END::integer
$$;

-- Whether a clock may be moved now: where it stands and where it will stand lie in one interval of its load profile, away
-- from that interval's ends, from midnight and from the end of the month by its own clock and by ours. Otherwise what is
-- in the way, and in how many seconds to look again.
CREATE FUNCTION clock_moment(p_at timestamptz, p_drift double precision, p_step integer, p_period integer, p_limits jsonb)
RETURNS TABLE (word text, wait_s double precision) LANGUAGE sql IMMUTABLE AS $$
    WITH local AS (  -- seconds of Indian time; India has one offset
        SELECT extract(epoch FROM p_at)::double precision + 19800 AS ours,
               extract(epoch FROM p_at)::double precision + 19800 + p_drift AS there
    ), moments AS (
        SELECT v.second FROM local l, LATERAL (VALUES (l.ours), (l.there), (l.there + p_step)) AS v (second)
    ), months AS (
        SELECT max(CASE
            WHEN month.from_end < quiet THEN month.from_end + quiet
            WHEN month.from_start < quiet THEN quiet - month.from_start ELSE 0 END) AS wait
        FROM moments m,
        LATERAL (SELECT date_trunc('month', to_timestamp(m.second) AT TIME ZONE 'UTC') AS opens) AS o,
        LATERAL (SELECT m.second - extract(epoch FROM o.opens)::double precision AS from_start,
                        extract(epoch FROM o.opens + interval '1 month')::double precision - m.second AS from_end) AS month,
        LATERAL (SELECT (p_limits->>'month_end_s')::double precision AS quiet) AS q
    ), days AS (
        SELECT max(CASE
            WHEN day.second > 86400 - quiet THEN 86400 - day.second + quiet
            WHEN day.second < quiet THEN quiet - day.second ELSE 0 END) AS wait
        FROM moments m,
        LATERAL (SELECT m.second - 86400 * floor(m.second / 86400) AS second) AS day,
        LATERAL (SELECT (p_limits->>'midnight_s')::double precision AS quiet) AS q
    ), phase AS (
        SELECT l.there - p_period * floor(l.there / p_period) AS at,
               (p_limits->>'margin_s')::double precision + greatest(0, -p_step) AS first,
               p_period - (p_limits->>'margin_s')::double precision - greatest(0, p_step) AS last
        FROM local l
    )
    SELECT CASE WHEN months.wait > 0 THEN 'near_month_end' WHEN days.wait > 0 THEN 'near_midnight'
                WHEN phase.first > phase.last THEN 'step_too_long'
                WHEN phase.at < phase.first OR phase.at > phase.last THEN 'not_mid_interval' END,
           CASE WHEN months.wait > 0 THEN months.wait WHEN days.wait > 0 THEN days.wait
                WHEN phase.at < phase.first THEN phase.first - phase.at
                WHEN phase.at > phase.last THEN p_period - phase.at + phase.first ELSE 0 END
    FROM months, days, phase
$$;

-- Takes the leases and counters of meters whose clock is to be set and of which nobody wants anything else: no order for a
-- relay ever waits for a clock that could have waited for it. What was sent is read again before anything else. Ends what
-- could not be sent for two days, or not be read back for one.
CREATE FUNCTION interlock_clocks_claim(
    p_worker text, p_limit integer, p_seconds double precision, p_block integer, p_at timestamptz
) RETURNS TABLE (
    clock bigint, tries smallint, sends smallint, meter text, make text, system_title bytea, host text, port integer,
    cell text, import uuid, sealed bytea, token bigint, counter bigint, meter_counter bigint, link text, gateway text,
    wport integer
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
#variable_conflict use_column
BEGIN
    UPDATE interlock_clock c SET state = 'expired', ended_at = p_at,
           reason = CASE WHEN c.reason = '' THEN 'too_old' ELSE c.reason END
    WHERE c.state IN ('authorised', 'claimed', 'sent', 'unknown')  -- as the index of open orders has it
      AND (c.state = 'authorised' OR (c.state = 'claimed' AND c.lease_until < clock_timestamp()))
      AND c.ordered_at < p_at - interval '2 days';
    UPDATE interlock_clock c SET state = 'unknown'
    WHERE c.state IN ('authorised', 'claimed', 'sent', 'unknown') AND c.state = 'sent'
      AND c.lease_until < clock_timestamp();
    UPDATE interlock_clock c SET state = 'field_task', ended_at = p_at, reason = 'not_read_back'
    WHERE c.state IN ('authorised', 'claimed', 'sent', 'unknown') AND c.state = 'unknown'
      AND c.lease_until < clock_timestamp() AND c.sent_at < p_at - interval '1 day';
    RETURN QUERY
    WITH ready AS MATERIALIZED (
        SELECT c.id, c.meter FROM interlock_clock c JOIN interlock_meter m ON m.meter = c.meter
        WHERE c.state IN ('authorised', 'claimed', 'sent', 'unknown') AND c.not_until <= p_at
          AND (c.state <> 'authorised' OR NOT EXISTS (SELECT FROM interlock_switch s WHERE s.stopped_at IS NOT NULL))
          AND c.lease_until < clock_timestamp() AND m.lease_until < clock_timestamp()
          AND NOT EXISTS (SELECT FROM supply_order o WHERE o.meter = c.meter
                          AND o.state IN ('authorised', 'claimed', 'sent', 'unknown'))
        ORDER BY c.not_until, c.id LIMIT p_limit FOR UPDATE OF c, m SKIP LOCKED
    ), leased AS (
        UPDATE interlock_meter m SET lease_holder = p_worker, lease_token = m.lease_token + 1,
               lease_until = clock_timestamp() + make_interval(secs => p_seconds), next_counter = m.next_counter + p_block
        FROM ready r WHERE m.meter = r.meter RETURNING m.*, r.id AS clock
    )
    UPDATE interlock_clock c SET state = CASE c.state WHEN 'authorised' THEN 'claimed' ELSE c.state END,
           claimed_by = p_worker, lease_until = l.lease_until, tries = c.tries + 1
    FROM leased l LEFT JOIN LATERAL (
        SELECT a.host FROM headend_address a
        WHERE a.meter = l.meter AND a.forgotten_at IS NULL AND l.link = 'dial_out' LIMIT 1
    ) AS b ON true
    WHERE c.id = l.clock
    RETURNING c.id, c.tries, c.sends, l.meter, l.make, l.system_title, coalesce(b.host, l.host), l.port, l.cell,
              l.import, l.sealed, l.lease_token, l.next_counter - p_block, l.meter_counter, l.link, l.gateway, l.wport;
END $$;

-- The moment of sending. The clock was just read, `p_drift` seconds ahead of the interlock's within `p_trip` seconds; here
-- the right to move it is derived again from what others wrote and from the limits, and the sending is written down.
-- Answers what to do: send by `step_s`, wait `wait_s` seconds, or end as `verdict` says.
CREATE FUNCTION interlock_clock_send(
    p_worker text, p_order bigint, p_drift double precision, p_trip double precision, p_at timestamptz,
    p_wall timestamptz, p_limits jsonb
) RETURNS TABLE (verdict text, reason text, step_s integer, wait_s double precision)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
#variable_conflict use_column
DECLARE
    o interlock_clock;
    believed interlock_clock_belief;
    stopped timestamptz;
    period integer;
    step integer;
    alone bigint;
    previous timestamptz;
    word text;
    pause double precision;
    slack double precision := coalesce((p_limits->>'round_trip_s')::double precision, 0) + 2;
    least_s double precision := (p_limits->>'least_s')::double precision;
    hour text := to_char(p_at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD HH24');
    day text := to_char(p_at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD');
BEGIN
    -- Held until the commit: a stop that was thrown before is seen, one that comes now waits for us.
    SELECT s.stopped_at INTO stopped FROM interlock_switch s FOR SHARE;
    SELECT * INTO o FROM interlock_clock c WHERE c.id = p_order FOR UPDATE;
    IF o.id IS NULL OR o.state NOT IN ('claimed', 'unknown') OR o.claimed_by <> p_worker
       OR o.lease_until < clock_timestamp() THEN
        RETURN QUERY SELECT 'lost', 'lost', NULL::integer, NULL::double precision;
        RETURN;
    END IF;
    IF p_trip > (p_limits->>'round_trip_s')::double precision THEN
        RETURN QUERY SELECT 'wait', 'round_trip_too_long', NULL::integer, 600.0::double precision;
        RETURN;
    END IF;
    IF o.sends > 0 THEN  -- what became of the first sending?
        IF abs(p_drift - (o.drift_s + o.step_s)) <= slack THEN
            RETURN QUERY SELECT 'verified', 'found_set', NULL::integer, NULL::double precision;
            RETURN;
        ELSIF abs(p_drift - o.drift_s) > slack THEN
            RETURN QUERY SELECT 'field_task', 'clock_elsewhere', NULL::integer, NULL::double precision;
            RETURN;
        ELSIF o.sends >= 2 THEN
            RETURN QUERY SELECT 'field_task', 'clock_not_moved', NULL::integer, NULL::double precision;
            RETURN;
        END IF;
    END IF;
    SELECT * INTO believed FROM interlock_clock_belief b WHERE b.meter = o.meter;
    SELECT count(*) INTO alone FROM interlock_clock c
    WHERE c.ordered_by = o.ordered_by AND c.checked_by IS NULL AND c.walk = 0
      AND c.ordered_at > p_at - interval '24 hours' AND c.state NOT IN ('proposed', 'cancelled');
    word := CASE
        WHEN p_limits IS NULL OR p_limits = 'null'::jsonb THEN 'no_clock_limits'
        WHEN NOT EXISTS (SELECT FROM staff_officer s WHERE s.login = o.ordered_by
                         AND s.role IN ('executive_engineer', 'superintending_engineer'))
             OR (o.checked_by IS NOT NULL AND NOT EXISTS (
                 SELECT FROM staff_officer s WHERE s.login = o.checked_by
                 AND s.role IN ('executive_engineer', 'superintending_engineer'))) THEN 'officer_without_right'
        WHEN o.checked_by IS NULL AND o.walk = 0 AND alone > (p_limits->>'few')::integer THEN 'second_officer_missing'
        -- A further step stands on the one before it, and on the same officers.
        WHEN o.walk > 0 AND NOT EXISTS (
            SELECT FROM interlock_clock f WHERE f.id = o.follows AND f.meter = o.meter AND f.state = 'verified'
              AND f.walk = o.walk - 1 AND f.ordered_by = o.ordered_by AND f.checked_by IS NOT DISTINCT FROM o.checked_by
              AND f.ended_at > p_at - interval '2 days') THEN 'no_step_before'
        WHEN abs(p_drift) < least_s THEN 'drift_small'
        WHEN believed.drift_at IS NULL
             OR believed.drift_at < p_at - make_interval(secs => (p_limits->>'fresh_s')::double precision)
             OR believed.drift_at > p_at + interval '5 minutes' THEN 'not_measured'
        -- Two clocks of ours must agree on what is wrong with the meter's.
        WHEN abs(p_drift - believed.drift_s) > least_s THEN 'measures_disagree'
    END;
    IF word IS NOT NULL THEN
        RETURN QUERY SELECT 'refused', word, NULL::integer, NULL::double precision;
        RETURN;
    END IF;
    IF abs(p_drift) > (p_limits->>'farthest_s')::double precision THEN
        RETURN QUERY SELECT 'field_task', 'clock_too_far', NULL::integer, NULL::double precision;
        RETURN;
    END IF;
    IF stopped IS NOT NULL THEN
        RETURN QUERY SELECT 'wait', 'stopped', NULL::integer, 60.0::double precision;
        RETURN;
    END IF;
    IF abs(extract(epoch FROM p_wall - clock_timestamp())) > 2 THEN
        RETURN QUERY SELECT 'wait', 'own_clock_off', NULL::integer, 60.0::double precision;
        RETURN;
    END IF;
    period := clock_period(o.meter);
    SELECT max(s.business_at) INTO previous FROM interlock_clock_sending s WHERE s.meter = o.meter AND s.order_id <> o.id;
    IF previous > p_at - make_interval(secs => period) THEN  -- one step an interval
        RETURN QUERY SELECT 'wait', 'one_step_an_interval', NULL::integer,
            (period - extract(epoch FROM p_at - previous))::double precision;
        RETURN;
    END IF;
    step := clock_step(p_drift, period, p_limits);
    SELECT m.word, m.wait_s INTO word, pause FROM clock_moment(p_at, p_drift, step, period, p_limits) m;
    IF word = 'step_too_long' THEN
        RETURN QUERY SELECT 'refused', word, NULL::integer, NULL::double precision;
        RETURN;
    ELSIF word IS NOT NULL THEN
        RETURN QUERY SELECT 'wait', word, NULL::integer, pause;
        RETURN;
    END IF;
    IF o.sends = 0 THEN
        INSERT INTO interlock_cap (scope, bucket, ceiling) VALUES ('clocks', hour, (p_limits->>'hour')::integer)
        ON CONFLICT DO NOTHING;
        INSERT INTO interlock_cap (scope, bucket, ceiling)
        VALUES ('clock:' || o.meter, day, (p_limits->>'meter_day')::integer) ON CONFLICT DO NOTHING;
        UPDATE interlock_cap k SET counted = k.counted + 1
        WHERE k.scope = 'clocks' AND k.bucket = hour AND k.counted < k.ceiling;
        IF NOT FOUND THEN
            RETURN QUERY SELECT 'wait', 'cap_clock_hour', NULL::integer, 3600.0::double precision;
            RETURN;
        END IF;
        UPDATE interlock_cap k SET counted = k.counted + 1
        WHERE k.scope = 'clock:' || o.meter AND k.bucket = day AND k.counted < k.ceiling;
        IF NOT FOUND THEN  -- the hour's count stays taken: a cap errs towards doing less
            RETURN QUERY SELECT 'refused', 'cap_clock_meter', NULL::integer, NULL::double precision;
            RETURN;
        END IF;
    END IF;
    INSERT INTO interlock_clock_sending (order_id, meter, drift_s, step_s, worker, sent_at, business_at)
    VALUES (o.id, o.meter, p_drift, step, p_worker, clock_timestamp(), p_at);
    UPDATE interlock_clock c SET state = 'sent', sends = c.sends + 1, drift_s = p_drift, step_s = step, sent_at = p_at
    WHERE c.id = o.id;
    RETURN QUERY SELECT 'send', '', step, NULL::double precision;
END $$;

-- What attempts ended in. 'back' gives an order back: as authorised if it was never sent, as unknown if it was; 'unsent'
-- does so and tells that nothing was written after the last sending; NULL frees the lease alone. Counts only while the
-- meter's lease is still the one it was taken under. Returns the orders whose result counted.
CREATE FUNCTION interlock_clocks_done(
    p_worker text, p_at timestamptz, p_orders bigint[], p_tokens bigint[], p_states text[], p_reasons text[],
    p_afters double precision[], p_trips double precision[], p_meter_counters bigint[], p_waits double precision[]
) RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH given AS MATERIALIZED (
        SELECT g.*, c.meter FROM unnest(p_orders, p_tokens, p_states, p_reasons, p_afters, p_trips, p_meter_counters, p_waits)
            AS g (id, token, state, reason, after, trip, meter_counter, wait) JOIN interlock_clock c ON c.id = g.id
    ), freed AS (
        UPDATE interlock_meter m SET lease_until = '-infinity', lease_holder = NULL,
               meter_counter = greatest(m.meter_counter, g.meter_counter)
        FROM given g WHERE m.meter = g.meter AND m.lease_token = g.token AND m.lease_holder = p_worker RETURNING g.id
    ), stepped AS (
        UPDATE interlock_clock c SET
               state = CASE WHEN g.state NOT IN ('back', 'unsent') THEN g.state
                            WHEN c.state = 'claimed' THEN 'authorised' ELSE 'unknown' END,
               sends = c.sends - CASE WHEN g.state = 'unsent' AND c.state = 'sent' THEN 1 ELSE 0 END,
               reason = g.reason, after_s = coalesce(g.after, c.after_s), trip_s = coalesce(g.trip, c.trip_s),
               lease_until = '-infinity', not_until = p_at + make_interval(secs => g.wait),
               ended_at = CASE WHEN g.state NOT IN ('back', 'unsent') THEN p_at END
        FROM given g JOIN freed f ON f.id = g.id
        WHERE c.id = g.id AND g.state IS NOT NULL AND c.claimed_by = p_worker
          AND c.state IN ('claimed', 'sent', 'unknown')
        RETURNING c.id
    )
    SELECT f.id FROM freed f LEFT JOIN stepped s ON s.id = f.id
$$;

GRANT SELECT ON interlock_profile, interlock_clock, interlock_clock_sending, interlock_clock_belief, interlock_clock_step
    TO app, reader;
GRANT INSERT (meter, state, proposed_by, proposed_at, seen_s, seen_at, walk, follows, not_until) ON interlock_clock TO app;
GRANT UPDATE (state, ordered_by, ordered_at, checked_by, reason, ended_at, taken_at) ON interlock_clock TO app;
GRANT EXECUTE ON FUNCTION interlock_state_profile, interlock_clocks_claim, interlock_clock_send, interlock_clocks_done
    TO interlock;
