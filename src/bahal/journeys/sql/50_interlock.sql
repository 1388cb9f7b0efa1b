-- The interlock's door. Every function runs as the owner; only the interlock may call them.

-- Registers a warrant whose signatures the interlock has verified, once, with its list and the caps it stands under.
CREATE FUNCTION interlock_register(
    p_drive bigint, p_warrant uuid, p_list_sha256 text, p_maker text, p_checker text, p_maker_authority text,
    p_checker_authority text, p_profile jsonb,
    p_not_before timestamptz, p_expires_at timestamptz, p_at timestamptz,
    p_orders bigint[], p_meters text[], p_connections bigint[], p_fences bigint[], p_paise bigint[], p_positions integer[]
) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE lines integer; day text := to_char(greatest(p_at, p_not_before) AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD');
BEGIN
    INSERT INTO interlock_warrant (warrant, drive, list_sha256, orders, maker, checker, maker_authority, checker_authority,
                                   profile, canary, not_before, expires_at)
    VALUES (p_warrant, p_drive, p_list_sha256, cardinality(p_orders), p_maker, p_checker, p_maker_authority,
            p_checker_authority, p_profile->>'name', (p_profile->>'canary')::integer, p_not_before, p_expires_at);
    INSERT INTO interlock_line (order_id, warrant, drive, meter, connection, transformer, feeder, circle, fence, paise,
                                position, by_hand, ground)
    SELECT l.order_id, p_warrant, p_drive, l.meter, l.connection, t.id, t.feeder_id, circle.id, l.fence, l.paise, l.position,
           coalesce(mm.phase = 3, false), o.ground
    FROM unnest(p_orders, p_meters, p_connections, p_fences, p_paise, p_positions)
         AS l (order_id, meter, connection, fence, paise, position)
    JOIN supply_order o ON o.id = l.order_id
    JOIN network_connection c ON c.id = l.connection
    JOIN network_transformer t ON t.id = c.transformer_id
    JOIN offices_office centre ON centre.id = c.centre
    JOIN offices_office subdivision ON subdivision.id = centre.parent_id
    JOIN offices_office division ON division.id = subdivision.parent_id
    JOIN offices_office circle ON circle.id = division.parent_id
    LEFT JOIN interlock_meter im ON im.meter = l.meter AND im.connection = l.connection
    LEFT JOIN meters_meter mm ON mm.serial = l.meter AND mm.connection = l.connection
    WHERE im.meter IS NOT NULL OR mm.phase = 3;
    GET DIAGNOSTICS lines = ROW_COUNT;
    INSERT INTO interlock_cap (scope, bucket, ceiling) VALUES ('drive:' || p_drive, '', (p_profile->>'drive')::integer);
    INSERT INTO interlock_cap (scope, bucket, ceiling)
    SELECT 'circle-day:' || l.circle, day,
           greatest((p_profile->>'day_floor')::integer, floor((p_profile->>'day_share')::numeric * count(c.id)))::integer
    FROM (SELECT DISTINCT circle FROM interlock_line WHERE warrant = p_warrant) l
    JOIN offices_office division ON division.parent_id = l.circle
    JOIN offices_office subdivision ON subdivision.parent_id = division.id
    JOIN offices_office centre ON centre.parent_id = subdivision.id
    JOIN network_connection c ON c.centre = centre.id
    GROUP BY l.circle
    ON CONFLICT DO NOTHING;
    INSERT INTO interlock_cap (scope, bucket, ceiling)
    SELECT 'transformer:' || c.transformer_id, day,
           greatest((p_profile->>'transformer_floor')::integer,
                    floor((p_profile->>'transformer_share')::numeric * count(*)))::integer
    FROM network_connection c
    WHERE c.transformer_id IN (SELECT transformer FROM interlock_line WHERE warrant = p_warrant)
    GROUP BY c.transformer_id
    ON CONFLICT DO NOTHING;
    INSERT INTO interlock_cap (scope, bucket, ceiling)
    SELECT 'feeder:' || t.feeder_id, day,
           greatest((p_profile->>'feeder_floor')::integer, floor((p_profile->>'feeder_share')::numeric * count(*)))::integer
    FROM network_connection c JOIN network_transformer t ON t.id = c.transformer_id
    WHERE t.feeder_id IN (SELECT feeder FROM interlock_line WHERE warrant = p_warrant)
    GROUP BY t.feeder_id
    ON CONFLICT DO NOTHING;
    RETURN lines;
END $$;

-- `state || ''` below keeps the planner from the index of leased orders: it was analysed while nothing was leased, looks
-- empty, and would be read whole, with ten thousand sessions in it, for each order that is looked up.

-- The cuts that wait, in the order of their drive: a claim reads as many as it takes and not the whole drive.
CREATE INDEX supply_waiting_cuts ON supply_order (drive, position) WHERE kind = 'cut' AND state = 'authorised';

-- Takes a lease on up to p_limit ready orders and, in the same row of each meter, the token and the next block of
-- invocation counters. Restores first is the caller's choice of p_kind; a restore waits behind a cut that is sent or
-- unknown; a cut waits for its warrant, its drive and its canary. An order whose lease ran out is taken over: what was
-- sent has become unknown, and its relay is read before anything else. Rows that others hold are passed over. A restore
-- is let through by the ramp first (45_ramp.sql), in a statement of its own, so that the second one sees it.
CREATE FUNCTION interlock_claim(
    p_worker text, p_kind text, p_limit integer, p_seconds double precision, p_block integer, p_at timestamptz
) RETURNS TABLE (
    order_id bigint, kind text, state text, drive bigint, "position" integer, sends smallint, tries smallint, meter text,
    connection bigint, make text, system_title bytea, host text, port integer, cell text, import uuid, sealed bytea,
    token bigint, counter bigint, meter_counter bigint, link text, gateway text, wport integer, learned boolean
) LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    SELECT interlock_release(p_limit, p_at) WHERE p_kind = 'restore';
    WITH open_drive AS MATERIALIZED (
        SELECT w.drive, CASE WHEN w.canary_passed_at IS NULL THEN w.canary ELSE 2147483647 END AS upto
        FROM interlock_warrant w JOIN supply_drive d ON d.id = w.drive
        WHERE p_kind = 'cut' AND d.state = 'running' AND w.stopped_at IS NULL AND p_at >= w.not_before AND p_at < w.expires_at
          AND NOT EXISTS (SELECT FROM interlock_switch s WHERE s.stopped_at IS NOT NULL)
          AND NOT EXISTS (SELECT FROM interlock_looking k WHERE NOT k.clear)
    ), candidate AS MATERIALIZED (
        SELECT o.id FROM supply_order o
        WHERE o.kind = p_kind AND o.state IN ('claimed', 'sent', 'unknown') AND o.lease_until < statement_timestamp()
          AND (o.kind = 'restore' OR o.state IN ('sent', 'unknown')
               OR EXISTS (SELECT FROM open_drive d WHERE d.drive = o.drive AND o.position < d.upto))
        UNION ALL
        SELECT o.id FROM supply_order o WHERE p_kind = 'restore' AND o.kind = 'restore' AND o.state = 'authorised'
          AND o.released_at IS NOT NULL
        UNION ALL
        SELECT waiting.id FROM open_drive d CROSS JOIN LATERAL (
            SELECT o.id FROM supply_order o
            WHERE o.drive = d.drive AND o.kind = 'cut' AND o.state = 'authorised' AND o.position < d.upto
              AND (o.not_until IS NULL OR o.not_until < clock_timestamp())
            ORDER BY o.position LIMIT p_limit + 100
        ) AS waiting
    ), ready AS MATERIALIZED (
        SELECT o.id, o.meter FROM candidate c
        JOIN supply_order o ON o.id = c.id
        JOIN interlock_meter m ON m.meter = o.meter
        WHERE (o.state = 'authorised' OR (o.state IN ('claimed', 'sent', 'unknown') AND o.lease_until < clock_timestamp()))
          AND (o.not_until IS NULL OR o.not_until < clock_timestamp())
          AND m.lease_until < clock_timestamp()
          -- A cut that two officers did not sign is not even dialled, though its drive be registered.
          AND (o.kind = 'restore' OR EXISTS (SELECT FROM interlock_line l WHERE l.order_id = o.id AND l.meter = o.meter
                                             AND NOT l.by_hand))
          -- What a lineman may have cut, a relay cannot bring back.
          AND (o.kind = 'cut' OR NOT EXISTS (SELECT FROM supply_fence f WHERE f.connection = o.connection AND f.by_hand))
          AND (o.kind = 'cut' OR NOT EXISTS (
              SELECT FROM supply_order c WHERE c.meter = o.meter AND c.kind = 'cut' AND c.state || '' IN ('claimed', 'sent', 'unknown')
                AND c.state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown', 'quarantined')))  -- as one_open_cut has it
        ORDER BY o.drive NULLS FIRST, o.need, o.position, o.id
        LIMIT p_limit FOR UPDATE OF o, m SKIP LOCKED
    ), leased AS (
        UPDATE interlock_meter m SET lease_holder = p_worker, lease_token = m.lease_token + 1,
               lease_until = clock_timestamp() + make_interval(secs => p_seconds), next_counter = m.next_counter + p_block
        FROM ready r WHERE m.meter = r.meter
        RETURNING m.*, r.id AS order_id
    )
    UPDATE supply_order o SET state = CASE o.state WHEN 'authorised' THEN 'claimed' WHEN 'sent' THEN 'unknown' ELSE o.state END,
           claimed_by = p_worker, lease_until = l.lease_until, tries = o.tries + 1,
           claimed_at = coalesce(o.claimed_at, clock_timestamp())
    FROM leased l LEFT JOIN LATERAL (
        SELECT a.host FROM headend_address a  -- where it was last proved to be, if it listens there
        WHERE a.meter = l.meter AND a.forgotten_at IS NULL AND l.link = 'dial_out' LIMIT 1
    ) AS b ON true
    WHERE o.id = l.order_id
    RETURNING o.id, o.kind, o.state, o.drive, o.position, o.sends, o.tries, o.meter, l.connection, l.make, l.system_title,
              coalesce(b.host, l.host), l.port, l.cell, l.import, l.sealed, l.lease_token,
              l.next_counter - p_block, l.meter_counter, l.link, l.gateway, l.wport,
              coalesce(b.host <> l.host, false)
$$;

-- The moment of sending, for a batch of ready associations (READ COMMITTED; each statement sees what committed before).
-- (a) lock the switch and then the fences, sorted; (b) in a later statement derive each right to cut; (c) mark sent.
-- It is asked only for relays that were just read closed. An order that ends here ends with its evidence, in the same
-- commit; one that was unknown and may not be sent again is over: nothing moved, and nothing will.
CREATE FUNCTION interlock_send_cuts(p_worker text, p_orders bigint[], p_at timestamptz, p_caps jsonb)
RETURNS TABLE (order_id bigint, verdict text, reason text) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public
SET enable_seqscan = off AS $$  -- a plan made while a table was small or unknown is kept, and must not read all of it later
DECLARE
    stopped timestamptz;
    hour text := to_char(p_at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD HH24');
    day text := to_char(p_at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD');
BEGIN
    SELECT s.stopped_at INTO stopped FROM interlock_switch s FOR UPDATE;
    PERFORM authority_steady();  -- what holds for many at once changes before the next statement or after the commit
    PERFORM 1 FROM supply_fence f WHERE f.connection IN (
        SELECT l.connection FROM interlock_line l WHERE l.order_id = ANY (p_orders)
    ) ORDER BY f.connection FOR UPDATE;

    INSERT INTO interlock_cap (scope, bucket, ceiling)
    SELECT DISTINCT 'circle:' || l.circle, hour, (p_caps->>'circle_hour')::integer FROM interlock_line l WHERE l.order_id = ANY (p_orders)
    UNION ALL SELECT 'state', hour, (p_caps->>'state_hour')::integer
    UNION ALL SELECT DISTINCT 'ground:' || l.ground || ':' || l.circle, day, g.circle_day
              FROM interlock_line l JOIN authority_ground_cap g ON g.ground = l.ground WHERE l.order_id = ANY (p_orders)
    ON CONFLICT DO NOTHING;

    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT o.id, o.state, o.sends, l.meter, l.connection, l.transformer, l.feeder, l.circle, l.drive, l.position,
               l.fence AS signed_fence, f.generation, w.not_before, w.expires_at, w.stopped_at AS warrant_stopped,
               w.canary, w.canary_passed_at, d.state AS drive_state, l.letting IS NOT NULL AS let_go,
               l.ground, l.ground <> 'nonpayment_s56' AS other_ground,
               o.state IN ('claimed', 'unknown') AND o.claimed_by = p_worker AND o.lease_until > clock_timestamp()
                   AND o.kind = 'cut' AND o.meter = l.meter AND o.connection = l.connection AS mine,
               EXISTS (SELECT FROM interlock_sending s WHERE s.meter = l.meter AND s.kind = 'cut' AND s.order_id <> o.id
                       AND s.business_at > p_at - interval '24 hours') AS cut_today,
               NOT EXISTS (SELECT FROM interlock_sending s WHERE s.order_id = o.id) AS first_sending
        FROM supply_order o
        JOIN interlock_line l ON l.order_id = o.id
        JOIN interlock_warrant w ON w.warrant = l.warrant
        JOIN supply_drive d ON d.id = l.drive
        LEFT JOIN supply_fence f ON f.connection = l.connection
        WHERE o.id = ANY (p_orders)
        FOR UPDATE OF o
    ), judged AS MATERIALIZED (
        SELECT a.*, facts.enforceable_paise, facts.policy,
               CASE
                   WHEN NOT a.mine THEN 'lost'
                   WHEN coalesce(a.generation, 0) <> a.signed_fence THEN
                       CASE WHEN coalesce(facts.balance_paise, 0) <= 0 THEN 'paid' ELSE 'fence_moved' END
                   WHEN a.warrant_stopped IS NOT NULL THEN 'warrant_stopped'
                   WHEN stopped IS NOT NULL OR a.drive_state <> 'running' THEN 'drive_not_running'
                   WHEN a.position >= a.canary AND a.canary_passed_at IS NULL THEN 'canary_not_passed'
                   WHEN p_at < a.not_before OR p_at >= a.expires_at THEN 'warrant_expired'
                   WHEN a.sends >= 2 THEN 'sent_twice'
                   WHEN a.cut_today THEN 'cut_within_24_hours'
                   -- Each ground has its own derivation; without one nobody is cut.
                   WHEN a.other_ground AND other.reasons IS NULL THEN 'ground_unknown'
                   WHEN a.other_ground THEN coalesce(other.reasons[1], 'cut')
                   -- Nobody bumped the fence, and nothing is owed: the list is not what two officers thought.
                   WHEN coalesce(facts.balance_paise, 0) <= 0 THEN 'nothing_due'
                   ELSE authority_verdict(facts.reasons)
               END AS word
        FROM asked a
        LEFT JOIN authority_facts(ARRAY(SELECT x.connection FROM asked x), p_at) facts ON facts.connection = a.connection
        LEFT JOIN (
            SELECT g.ground, d.connection, d.reasons FROM (SELECT DISTINCT x.ground FROM asked x) AS g
            CROSS JOIN LATERAL authority_ground(
                g.ground, ARRAY(SELECT x.connection FROM asked x WHERE x.ground = g.ground), p_at) d
            WHERE g.ground <> 'nonpayment_s56'
        ) AS other ON other.ground = a.ground AND other.connection = a.connection
    ), ranked AS MATERIALIZED (
        SELECT j.*, j.word = 'cut' AND j.first_sending AS counts,
               row_number() OVER (PARTITION BY j.drive, j.word, j.first_sending ORDER BY j.id) AS n_drive,
               row_number() OVER (PARTITION BY j.circle, j.word, j.first_sending ORDER BY j.id) AS n_circle,
               row_number() OVER (PARTITION BY j.word, j.first_sending ORDER BY j.id) AS n_state,
               row_number() OVER (PARTITION BY j.transformer, j.word, j.first_sending ORDER BY j.id) AS n_transformer,
               row_number() OVER (PARTITION BY j.feeder, j.word, j.first_sending ORDER BY j.id) AS n_feeder,
               row_number() OVER (PARTITION BY j.ground, j.circle, j.word, j.first_sending ORDER BY j.id) AS n_ground
        FROM judged j
    ), capped AS MATERIALIZED (
        SELECT r.*,
               CASE
                   WHEN NOT r.counts OR r.let_go THEN NULL
                   WHEN r.n_drive > c_drive.ceiling - c_drive.counted THEN 'cap_drive'
                   WHEN r.n_circle > c_circle.ceiling - c_circle.counted THEN 'cap_circle_hour'
                   WHEN r.n_state > c_state.ceiling - c_state.counted THEN 'cap_state_hour'
                   WHEN r.n_circle > c_day.ceiling - c_day.counted THEN 'cap_day'
                   WHEN r.n_transformer > c_transformer.ceiling - c_transformer.counted THEN 'cap_transformer'
                   WHEN r.n_feeder > c_feeder.ceiling - c_feeder.counted THEN 'cap_feeder'
                   WHEN r.other_ground AND r.n_ground > coalesce(c_ground.ceiling - c_ground.counted, 0)
                       THEN 'cap_ground'
                   WHEN num_nulls(c_drive.ceiling, c_circle.ceiling, c_state.ceiling, c_day.ceiling,
                                  c_transformer.ceiling, c_feeder.ceiling) > 0 THEN 'cap_unknown'
               END AS excess
        FROM ranked r
        LEFT JOIN interlock_cap c_drive ON c_drive.scope = 'drive:' || r.drive AND c_drive.bucket = ''
        LEFT JOIN interlock_cap c_circle ON c_circle.scope = 'circle:' || r.circle AND c_circle.bucket = hour
        LEFT JOIN interlock_cap c_state ON c_state.scope = 'state' AND c_state.bucket = hour
        LEFT JOIN interlock_cap c_day ON c_day.scope = 'circle-day:' || r.circle AND c_day.bucket = day
        LEFT JOIN interlock_cap c_transformer ON c_transformer.scope = 'transformer:' || r.transformer AND c_transformer.bucket = day
        LEFT JOIN interlock_cap c_feeder ON c_feeder.scope = 'feeder:' || r.feeder AND c_feeder.bucket = day
        LEFT JOIN interlock_cap c_ground ON c_ground.scope = 'ground:' || r.ground || ':' || r.circle AND c_ground.bucket = day
    ), decided AS MATERIALIZED (
        SELECT v.*, CASE
            WHEN v.what = 'send' THEN 'sent'
            WHEN v.state = 'unknown' THEN CASE WHEN v.what IN ('cancel', 'wait') THEN 'cancelled' ELSE 'field_task' END
            WHEN v.what = 'wait' THEN 'authorised'
            WHEN v.what = 'cancel' THEN 'cancelled'
            WHEN v.what = 'expire' THEN 'expired'
            WHEN v.what = 'quarantine' THEN 'quarantined'
            ELSE 'refused' END AS next_state
        FROM (
            SELECT c.*, CASE
                WHEN c.word = 'lost' THEN 'lost'
                WHEN c.word IN ('drive_not_running', 'canary_not_passed') THEN 'wait'
                WHEN c.word IN ('paid', 'warrant_stopped') THEN 'cancel'
                WHEN c.word = 'warrant_expired' THEN 'expire'
                WHEN c.word <> 'cut' THEN 'refuse'
                WHEN c.excess IS NOT NULL THEN 'quarantine'
                ELSE 'send' END AS what
            FROM capped c
        ) AS v
    ), counted AS (
        UPDATE interlock_cap k SET counted = k.counted + s.n
        FROM (
            SELECT scope, bucket, count(*)::integer AS n FROM decided d, LATERAL (VALUES
                ('drive:' || d.drive, ''), ('circle:' || d.circle, hour), ('state', hour), ('circle-day:' || d.circle, day),
                ('transformer:' || d.transformer, day), ('feeder:' || d.feeder, day),
                ('ground:' || d.ground || ':' || d.circle, day)) AS v (scope, bucket)
            WHERE d.what = 'send' AND d.counts GROUP BY scope, bucket
        ) AS s WHERE k.scope = s.scope AND k.bucket = s.bucket
        RETURNING k.scope
    ), recorded AS (
        INSERT INTO interlock_sending (order_id, kind, meter, connection, fence, due_paise, policy, worker, sent_at, business_at)
        SELECT d.id, 'cut', d.meter, d.connection, d.generation, d.enforceable_paise, d.policy, p_worker, clock_timestamp(), p_at
        FROM decided d WHERE d.what = 'send' RETURNING 1
    ), ended AS (
        INSERT INTO supply_result ("order", outcome, reason, relay_before, at, business_at)
        SELECT d.id, d.next_state, coalesce(d.excess, d.word), true, clock_timestamp(), p_at
        FROM decided d WHERE d.what NOT IN ('send', 'lost') AND d.next_state <> 'authorised' RETURNING 1
    ), marked AS (
        UPDATE supply_order o SET
            state = d.next_state,
            reason = CASE WHEN d.what = 'send' THEN '' ELSE coalesce(d.excess, d.word) END,
            sent_at = CASE WHEN d.what = 'send' THEN clock_timestamp() ELSE o.sent_at END,
            sends = o.sends + CASE WHEN d.what = 'send' THEN 1 ELSE 0 END
        FROM decided d WHERE o.id = d.id AND d.what <> 'lost' RETURNING o.id
    )
    SELECT d.id, d.what, coalesce(d.excess, d.word) FROM decided d;

    -- One such target stops everything, in the same commit: what else is on the list nobody knows.
    IF EXISTS (SELECT FROM supply_order o WHERE o.id = ANY (p_orders) AND o.reason = 'nothing_due') THEN
        PERFORM interlock_halt(p_worker, 'nothing_due');
    END IF;
END $$;

-- A restore needs no warrant: it is sent while it is ours and no cut of that meter is under way.
CREATE FUNCTION interlock_send_restores(p_worker text, p_orders bigint[], p_at timestamptz)
RETURNS TABLE (order_id bigint, verdict text, reason text) LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH mine AS MATERIALIZED (
        SELECT o.id, o.meter, o.connection, o.fence FROM supply_order o
        WHERE o.id = ANY (p_orders) AND o.kind = 'restore' AND o.state || '' IN ('claimed', 'unknown')
          AND o.claimed_by = p_worker AND o.lease_until > clock_timestamp()
        ORDER BY o.id FOR UPDATE
    ), recorded AS (
        INSERT INTO interlock_sending (order_id, kind, meter, connection, fence, worker, sent_at, business_at)
        SELECT m.id, 'restore', m.meter, m.connection, m.fence, p_worker, clock_timestamp(), p_at FROM mine m RETURNING 1
    ), marked AS (
        UPDATE supply_order o SET state = 'sent', sent_at = clock_timestamp(), sends = o.sends + 1
        FROM mine m WHERE o.id = m.id RETURNING o.id
    )
    SELECT p.id, CASE WHEN m.id IS NULL THEN 'lost' ELSE 'send' END, ''
    FROM unnest(p_orders) AS p (id) LEFT JOIN mine m ON m.id = p.id
$$;

-- What attempts ended in, written back in one statement: the order's step, the evidence, the relay, the lease.
-- `p_states`: the order's next state; 'back' gives the order back after p_retry seconds, as authorised if it was never
-- sent and as unknown if it was; 'unsent' does so too and tells that nothing was written after the last sending, which
-- then does not count among the two that an order may have; NULL frees the lease and says nothing of the order. A result
-- counts only while the meter's lease is still the one it was taken under. Returns the orders whose result counted.
CREATE FUNCTION interlock_results(
    p_worker text, p_at timestamptz, p_orders bigint[], p_tokens bigint[], p_states text[], p_reasons text[],
    p_before boolean[], p_after boolean[], p_controls smallint[], p_modes smallint[], p_counters bigint[],
    p_meter_counters bigint[], p_retry double precision[], p_frames bytea[],
    p_acted timestamptz[] DEFAULT NULL
) RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH given AS MATERIALIZED (
        SELECT g.*, o.meter FROM unnest(p_orders, p_tokens, p_states, p_reasons, p_before, p_after, p_controls, p_modes,
                                        p_counters, p_meter_counters, p_retry, p_frames, p_acted)
            AS g (id, token, state, reason, before, after, control, mode, counter, meter_counter, retry, frames, acted)
        JOIN supply_order o ON o.id = g.id
    ), held AS MATERIALIZED (
        -- Read first and judged afterwards: the planner takes a lease holder to be rare and would look for him in all meters.
        SELECT g.id, g.token, g.meter, g.meter_counter, m.lease_token, m.lease_holder
        FROM given g JOIN interlock_meter m ON m.meter = g.meter FOR UPDATE OF m
    ), freed AS (
        UPDATE interlock_meter m SET lease_until = '-infinity', lease_holder = NULL,
               meter_counter = greatest(m.meter_counter, h.meter_counter)
        FROM held h WHERE m.meter = h.meter AND h.lease_token = h.token AND h.lease_holder = p_worker RETURNING h.id
    ), stepped AS (
        UPDATE supply_order o SET
               state = CASE WHEN g.state NOT IN ('back', 'unsent') THEN g.state
                            WHEN o.state = 'claimed' THEN 'authorised' ELSE 'unknown' END,
               sends = o.sends - CASE WHEN g.state = 'unsent' AND o.state = 'sent' THEN 1 ELSE 0 END,
               reason = g.reason, lease_until = clock_timestamp(),
               tries = o.tries - CASE WHEN g.reason = 'no_room' THEN 1  -- it was never tried
                                      -- nor was a meter that has not called yet; its patience is some minutes
                                      WHEN g.reason = 'no_line' AND o.made_at > clock_timestamp()
                                           - CASE o.kind WHEN 'cut' THEN interval '3 minutes' ELSE interval '10 minutes' END
                                      THEN 1 ELSE 0 END,
               confirmed_at = CASE WHEN g.state = 'confirmed' THEN clock_timestamp() ELSE o.confirmed_at END,
               not_until = CASE WHEN g.retry > 0 THEN clock_timestamp() + make_interval(secs => g.retry) END
        FROM given g JOIN freed f ON f.id = g.id
        WHERE o.id = g.id AND g.state IS NOT NULL AND o.claimed_by = p_worker
          AND o.state || '' IN ('claimed', 'sent', 'unknown')
        RETURNING o.id, o.meter, o.state, o.kind, o.not_until
    ), delayed AS (
        INSERT INTO supply_delay (order_id, reason, until)
        SELECT s.id, g.reason, s.not_until FROM stepped s JOIN given g ON g.id = s.id
        WHERE s.kind = 'restore' AND g.state IN ('back', 'unsent') RETURNING 1
    ), evidence AS (
        INSERT INTO supply_result ("order", outcome, reason, relay_before, relay_after, control_mode, counter, at, business_at, acted_at)
        SELECT s.id, s.state, g.reason, g.before, g.after, g.mode, g.counter, clock_timestamp(), p_at, g.acted
        FROM stepped s JOIN given g ON g.id = s.id WHERE s.state <> 'authorised' RETURNING id, "order"
    ), kept AS (
        INSERT INTO interlock_frames (result, order_id, frames)
        SELECT e.id, e."order", g.frames FROM evidence e JOIN given g ON g.id = e."order" WHERE g.frames IS NOT NULL
        RETURNING 1
    ), seen AS (
        -- Two truths, each with its own time: what the meter said to the order, and what its relay was read as.
        INSERT INTO meters_relay AS r (meter, acknowledged, acknowledged_at, closed, control_state, source, seen_at)
        SELECT s.meter, CASE WHEN g.acted IS NOT NULL THEN s.kind = 'restore' END, least(g.acted, clock_timestamp()),
               g.after, g.control, CASE WHEN g.after IS NOT NULL THEN 'order' END,
               CASE WHEN g.after IS NOT NULL THEN clock_timestamp() END
        FROM stepped s JOIN given g ON g.id = s.id WHERE g.after IS NOT NULL OR g.acted IS NOT NULL
        ON CONFLICT (meter) DO UPDATE SET
            acknowledged = coalesce(EXCLUDED.acknowledged, r.acknowledged),
            acknowledged_at = coalesce(EXCLUDED.acknowledged_at, r.acknowledged_at),
            closed = coalesce(EXCLUDED.closed, r.closed),
            control_state = CASE WHEN EXCLUDED.closed IS NULL THEN r.control_state ELSE EXCLUDED.control_state END,
            source = coalesce(EXCLUDED.source, r.source), seen_at = coalesce(EXCLUDED.seen_at, r.seen_at)
        RETURNING 1
    )
    SELECT f.id FROM freed f
$$;

-- The verdict over the canary: passed only when every canary order came to an end and enough moved as ordered.
CREATE FUNCTION interlock_canary(p_drive bigint) RETURNS TABLE (open bigint, confirmed bigint, failed bigint, other bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT count(*) FILTER (WHERE o.state IN ('authorised', 'claimed', 'sent', 'unknown')),
           count(*) FILTER (WHERE o.state = 'confirmed'),
           count(*) FILTER (WHERE o.state = 'field_task'),
           count(*) FILTER (WHERE o.state IN ('cancelled', 'refused', 'quarantined', 'expired'))
    FROM interlock_warrant w JOIN supply_order o ON o.drive = w.drive AND o.position < w.canary
    JOIN interlock_line l ON l.order_id = o.id AND NOT l.by_hand
    WHERE w.drive = p_drive
$$;

CREATE FUNCTION interlock_pass_canary(p_drive bigint) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    UPDATE interlock_warrant SET canary_passed_at = clock_timestamp() WHERE drive = p_drive AND canary_passed_at IS NULL
$$;

-- Ends a drive for good: its warrant is bad, its canary failed, or too many relays answered and did not move. What waits
-- is refused with the reason, up to p_most a call, so that the stop itself commits at once however long the list is;
-- what is sent is read back as ever. Returns how many it refused.
CREATE FUNCTION interlock_stop(p_drive bigint, p_why text, p_at timestamptz, p_most integer DEFAULT 5000) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH stopped AS (
        UPDATE interlock_warrant SET stopped_at = clock_timestamp(), stopped_why = p_why
        WHERE drive = p_drive AND stopped_at IS NULL
    ), drive AS (
        UPDATE supply_drive SET state = 'stopped', reason = p_why, ended_at = p_at
        WHERE id = p_drive AND state NOT IN ('stopped', 'finished', 'expired')
    ), part AS MATERIALIZED (
        SELECT id FROM supply_order WHERE drive = p_drive AND state = 'authorised' ORDER BY id LIMIT p_most FOR UPDATE
    ), refused AS (
        UPDATE supply_order o SET state = 'refused', reason = p_why FROM part WHERE o.id = part.id RETURNING o.id
    ), evidence AS (
        INSERT INTO supply_result ("order", outcome, reason, at, business_at)
        SELECT id, 'refused', p_why, clock_timestamp(), p_at FROM refused RETURNING 1
    )
    SELECT count(*)::integer FROM evidence
$$;

-- Ends what can no longer happen: cuts whose warrant ran out before they were sent. Gives back what a dead worker had
-- claimed of a drive that does not run. Returns how many orders expired.
CREATE FUNCTION interlock_expire(p_at timestamptz) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH over AS MATERIALIZED (
        SELECT o.id, p_at >= w.expires_at AS expired FROM supply_order o
        JOIN interlock_warrant w ON w.drive = o.drive JOIN supply_drive d ON d.id = o.drive
        WHERE o.kind = 'cut'
          AND ((o.state = 'authorised' AND p_at >= w.expires_at)
               OR (o.state = 'claimed' AND o.lease_until < clock_timestamp() AND (p_at >= w.expires_at OR d.state <> 'running')))
        ORDER BY o.id LIMIT 5000 FOR UPDATE OF o SKIP LOCKED
    ), stepped AS (
        UPDATE supply_order o SET state = CASE WHEN v.expired THEN 'expired' ELSE 'authorised' END,
               reason = CASE WHEN v.expired THEN 'warrant_expired' ELSE o.reason END
        FROM over v WHERE o.id = v.id RETURNING o.id, o.state
    ), evidence AS (
        INSERT INTO supply_result ("order", outcome, reason, at, business_at)
        SELECT id, 'expired', 'warrant_expired', clock_timestamp(), p_at FROM stepped WHERE state = 'expired' RETURNING 1
    )
    SELECT count(*)::integer FROM evidence
$$;
