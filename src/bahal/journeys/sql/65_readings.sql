-- Collecting: partitions, planning, the head-end's door to readings, and what is asked about them.

-- --- partitions ------------------------------------------------------------------------------------------------------

-- Makes the partitions that rows of these days need: a day of intervals, a month of registers.
CREATE FUNCTION readings_partitions(p_days date[], p_read_on date[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    v_day date;
    v_name text;
BEGIN
    FOR v_day IN SELECT DISTINCT d FROM unnest(p_days) d LOOP
        v_name := 'readings_load_' || to_char(v_day, 'YYYYMMDD');
        IF to_regclass(v_name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('readings_partitions'));
            CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I (LIKE readings_load INCLUDING ALL)', v_name);
            EXECUTE format('CREATE INDEX ON %I USING brin (batch)', v_name);
            EXECUTE format('ALTER TABLE readings_load ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', v_name, v_day,
                           v_day + 1);
            EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', v_name);
        END IF;
    END LOOP;
    FOR v_day IN SELECT DISTINCT date_trunc('month', d)::date FROM unnest(p_read_on) d LOOP
        v_name := 'readings_register_' || to_char(v_day, 'YYYYMM');
        IF to_regclass(v_name) IS NULL THEN
            PERFORM pg_advisory_xact_lock(hashtext('readings_partitions'));
            CONTINUE WHEN to_regclass(v_name) IS NOT NULL;
            EXECUTE format('CREATE TABLE %I (LIKE readings_register INCLUDING ALL)', v_name);
            EXECUTE format('CREATE INDEX ON %I USING brin (batch)', v_name);
            EXECUTE format('ALTER TABLE readings_register ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', v_name,
                           v_day, (v_day + interval '1 month')::date);
            EXECUTE format('REVOKE ALL ON %I FROM PUBLIC', v_name);
        END IF;
    END LOOP;
END
$$;

-- Ends the days before a day, of which every batch is in the lake. Returns how many were ended.
CREATE FUNCTION readings_retire(p_before date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public SET lock_timeout = '2s' AS $$
DECLARE
    v_name text;
    v_waits boolean;
    v_ended integer := 0;
BEGIN
    FOR v_name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'readings_load'::regclass AND c.relname < 'readings_load_' || to_char(p_before, 'YYYYMMDD')
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I l JOIN ingest_batch b ON b.id = l.batch WHERE b.done_at IS NULL)',
                       v_name) INTO v_waits;
        CONTINUE WHEN v_waits;
        EXECUTE format('DROP TABLE %I', v_name);
        v_ended := v_ended + 1;
    END LOOP;
    RETURN v_ended;
END
$$;

-- --- planning --------------------------------------------------------------------------------------------------------

-- An office and everything below it, with its depth.
CREATE FUNCTION readings_under(p_office integer) RETURNS TABLE (office integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    WITH RECURSIVE under AS (
        SELECT o.id FROM offices_office o WHERE o.id = p_office
        UNION ALL SELECT o.id FROM offices_office o JOIN under u ON o.parent_id = u.id
    ) SELECT id FROM under
$$;
CREATE FUNCTION readings_depth(p_office integer) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    WITH RECURSIVE above AS (
        SELECT o.id, o.parent_id FROM offices_office o WHERE o.id = p_office
        UNION ALL SELECT o.id, o.parent_id FROM offices_office o JOIN above a ON o.id = a.parent_id
    ) SELECT count(*) FROM above
$$;

-- Takes new meters on the list, and fires what is due: the meters of which a schedule is the closest want its kind from
-- now on. A meter that came after the moment waits for the next one, and meanwhile is called for the first time by the
-- closest schedule of the kind `first`. Returns how many meters want something anew.
CREATE FUNCTION readings_plan(p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    v_schedule readings_schedule;
    v_moment timestamptz;
    v_today date := (p_at AT TIME ZONE 'Asia/Kolkata')::date;
    v_count bigint;
    v_total bigint := 0;
    v_first bigint := 0;
    v_fresh bigint;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext('readings_plan')) THEN
        RETURN 0;  -- another head-end does it
    END IF;
    INSERT INTO readings_meter (meter, office, since)
    SELECT m.meter, coalesce(c.centre, 0), p_at FROM headend_meter m
    LEFT JOIN meters_meter k ON k.serial = m.meter LEFT JOIN network_connection c ON c.id = k.connection
    WHERE NOT EXISTS (SELECT FROM readings_meter r WHERE r.meter = m.meter)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS v_fresh = ROW_COUNT;
    IF v_fresh > 0 THEN
        SELECT count(*) INTO v_fresh FROM readings_meter r WHERE r.since > p_at - interval '10 minutes';
        -- The closest one first: of whom it is, nobody else asks.
        FOR v_schedule IN
            SELECT * FROM readings_schedule s
            WHERE s.kind = 'first' AND s.accepted_by IS NOT NULL
              AND s.effective_from <= v_today AND (s.effective_to IS NULL OR s.effective_to > v_today)
            ORDER BY coalesce(readings_depth(s.office), 0) DESC, s.make IS NOT NULL DESC, s.effective_from DESC, s.id DESC
        LOOP
            v_moment := '2017-12-31 18:30:00+00'::timestamptz + make_interval(secs => v_schedule.offset_s
                + ceil((extract(epoch FROM p_at - '2017-12-31 18:30:00+00'::timestamptz) - v_schedule.offset_s)
                       / v_schedule.every_s) * v_schedule.every_s);
            UPDATE readings_meter r SET wants = v_schedule.bits, back_days = v_schedule.back_days,
                open_day = v_schedule.open_day,
                due_at = CASE WHEN v_fresh <= v_schedule.at_once
                    THEN p_at + make_interval(secs => 60 + (hashtext(r.meter)::bigint & 2147483647) % 180)
                    ELSE v_moment + make_interval(
                        secs => (hashtext(r.meter)::bigint & 2147483647) % v_schedule.spread_s) END
            FROM headend_meter m
            WHERE m.meter = r.meter AND r.since = p_at AND r.wants = 0
              AND (v_schedule.make IS NULL OR v_schedule.make = m.make)
              AND (v_schedule.office IS NULL
                   OR r.office IN (SELECT u.office FROM readings_under(v_schedule.office) u));
            GET DIAGNOSTICS v_count = ROW_COUNT;
            v_first := v_first + v_count;
        END LOOP;
    END IF;
    FOR v_schedule IN
        SELECT * FROM readings_schedule s
        WHERE s.kind <> 'first' AND s.accepted_by IS NOT NULL AND s.effective_from <= v_today AND (s.effective_to IS NULL OR s.effective_to > v_today) ORDER BY s.id
    LOOP
        -- Counted from a midnight in India, 1 January 2018.
        v_moment := '2017-12-31 18:30:00+00'::timestamptz + make_interval(secs => v_schedule.offset_s
            + floor((extract(epoch FROM p_at - '2017-12-31 18:30:00+00'::timestamptz) - v_schedule.offset_s)
                    / v_schedule.every_s) * v_schedule.every_s);
        CONTINUE WHEN v_moment <= v_schedule.fired_at;
        UPDATE readings_schedule SET fired_at = v_moment WHERE id = v_schedule.id;
        IF v_total = 0 THEN
            -- A meter goes with its connection.
            UPDATE readings_meter r SET office = c.centre
            FROM meters_meter k JOIN network_connection c ON c.id = k.connection
            WHERE k.serial = r.meter AND r.office <> c.centre;
        END IF;
        WITH closest AS (
            SELECT r.meter FROM readings_meter r JOIN headend_meter m ON m.meter = r.meter
            WHERE r.since <= v_moment
              AND (v_schedule.make IS NULL OR v_schedule.make = m.make)
              AND (v_schedule.office IS NULL OR r.office IN (SELECT u.office FROM readings_under(v_schedule.office) u))
              AND NOT EXISTS (
                SELECT FROM readings_schedule o
                WHERE o.kind = v_schedule.kind AND o.id <> v_schedule.id AND o.accepted_by IS NOT NULL
                  AND o.effective_from <= v_today AND (o.effective_to IS NULL OR o.effective_to > v_today)
                  AND (o.make IS NULL OR o.make = m.make)
                  AND (o.office IS NULL OR r.office IN (SELECT u.office FROM readings_under(o.office) u))
                  AND (coalesce(readings_depth(o.office), 0), o.make IS NOT NULL, o.effective_from, o.id)
                    > (coalesce(readings_depth(v_schedule.office), 0), v_schedule.make IS NOT NULL,
                       v_schedule.effective_from, v_schedule.id))
        )
        UPDATE readings_meter r SET
            -- Who was never called is asked who he is first.
            wants = r.wants | v_schedule.bits | CASE WHEN r.answered_at IS NULL THEN 16 ELSE 0 END,
            back_days = CASE WHEN r.wants = 0 THEN v_schedule.back_days
                             ELSE greatest(r.back_days, v_schedule.back_days) END,
            open_day = v_schedule.open_day OR (r.wants <> 0 AND r.open_day),
            tries = 0,
            due_at = least(CASE WHEN r.wants = 0 THEN 'infinity' ELSE r.due_at END, v_moment + make_interval(
                secs => (hashtext(r.meter)::bigint & 2147483647) % v_schedule.spread_s))
        FROM closest c WHERE r.meter = c.meter;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        v_total := v_total + v_count;
    END LOOP;
    RETURN v_total + v_first;
END
$$;

-- Somebody asks: these meters want these kinds at once. Returns those that there are.
CREATE FUNCTION readings_ask(p_meters text[], p_bits integer, p_back_days integer, p_at timestamptz) RETURNS SETOF text
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    INSERT INTO readings_meter AS r (meter, office, since, wants, back_days, open_day, urgent, due_at)
    SELECT m.meter, coalesce(c.centre, 0), p_at, p_bits, p_back_days, true, true, p_at
    FROM headend_meter m LEFT JOIN meters_meter k ON k.serial = m.meter
    LEFT JOIN network_connection c ON c.id = k.connection
    WHERE m.meter = ANY (p_meters)
    ON CONFLICT (meter) DO UPDATE SET wants = r.wants | p_bits, back_days = greatest(r.back_days, p_back_days),
        open_day = true, urgent = true, due_at = p_at, tries = 0, reason = ''
    RETURNING r.meter
$$;

-- --- the head-end's door ---------------------------------------------------------------------------------------------

-- Leases meters that want something, those first for whom somebody waits, with what PostgreSQL has of them already: days
-- of intervals with the bits that came or are not there, the days and months whose registers are known, and the latest
-- event of each log. `p_s` seconds for everything; `p_block` counters.
CREATE FUNCTION headend_collect(p_worker text, p_limit integer, p_s double precision, p_block integer, p_at timestamptz)
RETURNS TABLE (
    meter text, make text, system_title bytea, host text, port integer, cell text, import uuid, sealed bytea,
    token bigint, counter bigint, link text, gateway text, wport integer, learned boolean,
    wants integer, back_days integer, open_day boolean, urgent boolean, firmware text, tries smallint,
    load_days date[], load_bits text[], daily_days date[], billing_days date[], logs text[], log_ats timestamptz[],
    drift_s integer, drift_at timestamptz
) LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH due AS MATERIALIZED (
        SELECT r.meter FROM readings_meter r JOIN headend_meter m ON m.meter = r.meter
        WHERE r.wants <> 0 AND r.due_at <= p_at AND m.lease_until < clock_timestamp()
        ORDER BY r.urgent DESC, r.due_at LIMIT p_limit FOR UPDATE OF r, m SKIP LOCKED
    ), leased AS (
        UPDATE headend_meter m SET lease_holder = p_worker, lease_token = m.lease_token + 1,
               lease_until = clock_timestamp() + make_interval(secs => p_s), next_counter = m.next_counter + p_block
        FROM due d WHERE m.meter = d.meter RETURNING m.*
    ), wanted AS (
        -- Whoever takes it and dies is followed when his lease has run out.
        UPDATE readings_meter r SET due_at = p_at + make_interval(secs => p_s)
        FROM leased l WHERE r.meter = l.meter RETURNING r.*
    )
    SELECT l.meter, l.make, l.system_title, coalesce(b.host, l.host), l.port, l.cell, l.import, l.sealed,
           l.lease_token, l.next_counter - p_block, l.link, l.gateway, l.wport, coalesce(b.host <> l.host, false),
           w.wants, w.back_days::integer, w.open_day, w.urgent, w.firmware, w.tries,
           loads.days, loads.bits, daily.days, billing.days, logged.logs, logged.ats,
           w.drift_s, w.drift_at
    FROM leased l JOIN wanted w ON w.meter = l.meter
    LEFT JOIN LATERAL (
        SELECT a.host FROM headend_address a
        WHERE a.meter = l.meter AND a.forgotten_at IS NULL AND l.link = 'dial_out' LIMIT 1
    ) b ON true
    LEFT JOIN LATERAL (
        SELECT array_agg(x.day) AS days, array_agg(x.bits::text) AS bits FROM (
            SELECT v.day, bit_or(v.have | v.asked) AS bits FROM readings_load v
            WHERE v.meter = l.meter AND v.day >= (p_at AT TIME ZONE 'Asia/Kolkata')::date - w.back_days::integer
            GROUP BY v.day) x
    ) loads ON w.wants & 2 <> 0
    LEFT JOIN LATERAL (
        SELECT array_agg(DISTINCT g.read_on) AS days FROM readings_register g
        WHERE g.meter = l.meter AND g.kind = 'd'
          AND g.read_on >= (p_at AT TIME ZONE 'Asia/Kolkata')::date - w.back_days::integer
    ) daily ON w.wants & 6 <> 0
    LEFT JOIN LATERAL (
        SELECT array_agg(DISTINCT g.read_on) AS days FROM readings_register g
        WHERE g.meter = l.meter AND g.kind = 'b' AND g.read_on >= (p_at AT TIME ZONE 'Asia/Kolkata')::date - 370
    ) billing ON w.wants & 8 <> 0
    LEFT JOIN LATERAL (
        SELECT array_agg(x.log) AS logs, array_agg(x.at) AS ats FROM (
            SELECT e.log, max(e.at) AS at FROM readings_event e WHERE e.meter = l.meter GROUP BY e.log) x
    ) logged ON w.wants & 4064 <> 0
$$;

-- Opens a batch in a lane that is still this worker's; the transaction that holds its rows commits with it. A key that
-- was used before gives that batch and `again`: its rows are there. No row: the lane has passed on.
CREATE FUNCTION ingest_open(p_lane integer, p_token bigint, p_key uuid, p_days integer, p_registers integer)
RETURNS TABLE (id bigint, again boolean) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    -- Batches of a lane commit in the order of their ids: the lake's mark stands for all before it.
    PERFORM 1 FROM ingest_lane l WHERE l.lane = p_lane AND l.token = p_token FOR UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT b.id, true FROM ingest_batch b WHERE b.key = p_key;
    IF NOT FOUND THEN
        RETURN QUERY INSERT INTO ingest_batch AS b (lane, key, days, registers, done_at)
            VALUES (p_lane, p_key, p_days, p_registers, CASE WHEN p_days = 0 THEN clock_timestamp() END)
            RETURNING b.id, false;
    END IF;
END
$$;

-- Takes a lane whose holder is gone, or a new one.
CREATE FUNCTION ingest_take(p_worker text, p_s double precision) RETURNS TABLE (lane integer, token bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ingest_take'));
    RETURN QUERY UPDATE ingest_lane l SET holder = p_worker, token = l.token + 1,
            until = clock_timestamp() + make_interval(secs => p_s)
        WHERE l.lane = (SELECT f.lane FROM ingest_lane f WHERE f.until < clock_timestamp() ORDER BY f.lane LIMIT 1)
        RETURNING l.lane, l.token;
    IF NOT FOUND THEN
        RETURN QUERY INSERT INTO ingest_lane AS l (lane, holder, token, until)
            SELECT coalesce(max(e.lane), 0) + 1, p_worker, 1, clock_timestamp() + make_interval(secs => p_s)
            FROM ingest_lane e RETURNING l.lane, l.token;
    END IF;
END
$$;

-- Takes a lane whose holder is gone and has left batches open: whoever lives finishes them.
CREATE FUNCTION ingest_adopt(p_worker text, p_s double precision) RETURNS TABLE (lane integer, token bigint)
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    UPDATE ingest_lane l SET holder = p_worker, token = l.token + 1,
        until = clock_timestamp() + make_interval(secs => p_s)
    WHERE l.lane = (
        SELECT f.lane FROM ingest_lane f WHERE f.until < clock_timestamp()
          AND EXISTS (SELECT FROM ingest_batch b WHERE b.lane = f.lane AND b.done_at IS NULL)
        ORDER BY f.lane LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING l.lane, l.token
$$;

-- Keeps a lane, or gives it back with 0 seconds; false if it has passed on.
CREATE FUNCTION ingest_keep(p_lane integer, p_token bigint, p_s double precision) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH kept AS (
        UPDATE ingest_lane l SET until = clock_timestamp() + make_interval(secs => p_s)
        WHERE l.lane = p_lane AND l.token = p_token RETURNING 1
    ) SELECT EXISTS (SELECT FROM kept)
$$;

-- The open batches of a lane, and batches that are in the lake.
CREATE FUNCTION ingest_waiting(p_lane integer) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT b.id FROM ingest_batch b WHERE b.lane = p_lane AND b.done_at IS NULL ORDER BY b.id
$$;
CREATE FUNCTION ingest_done(p_lane integer, p_upto bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH done AS (
        UPDATE ingest_batch b SET done_at = clock_timestamp()
        WHERE b.lane = p_lane AND b.id <= p_upto AND b.done_at IS NULL RETURNING 1
    ) SELECT count(*) FROM done
$$;

-- Which of these pushes (from 1 on) are new: their counters are above the highest one seen from their meter.
CREATE FUNCTION headend_push_new(p_meters text[], p_counters bigint[]) RETURNS SETOF bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH held AS MATERIALIZED (
        SELECT m.meter, m.push_counter FROM headend_meter m WHERE m.meter = ANY (p_meters) ORDER BY m.meter FOR UPDATE
    ), given AS (
        SELECT g.*, max(g.counter) OVER (
                   PARTITION BY g.meter ORDER BY g.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
        FROM unnest(p_meters, p_counters) WITH ORDINALITY AS g (meter, counter, n)
    ), fresh AS MATERIALIZED (
        SELECT g.* FROM given g JOIN held h ON h.meter = g.meter
        WHERE g.counter > greatest(h.push_counter, coalesce(g.before, -1))
    ), raised AS (
        UPDATE headend_meter m SET push_counter = f.counter
        FROM (SELECT meter, max(counter) AS counter FROM fresh GROUP BY meter) f WHERE m.meter = f.meter RETURNING 1
    )
    SELECT f.n FROM fresh f
$$;

-- What became of meters that were called: kinds that are in (`p_done`, bits), or why not. A meter of which something is
-- still wanted is due again by the table of waits; after the last it is left until its next schedule, with the reason.
-- Counts only under the lease it was called under; `later` says that there was more than one session could ask for.
-- `p_given` is an array of {meter, token, at (seconds since 1970), done, reason, drift, firmware}.
CREATE FUNCTION headend_collected(p_worker text, p_given jsonb) RETURNS SETOF text LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH given AS MATERIALIZED (
        SELECT g.meter, g.token, to_timestamp(g.at) AS at, g.done, g.reason, g.drift, g.firmware
        FROM jsonb_to_recordset(p_given) AS g (
            meter text, token bigint, at double precision, done integer, reason text, drift integer, firmware text)
    ), held AS MATERIALIZED (
        SELECT g.*, m.link FROM given g JOIN headend_meter m ON m.meter = g.meter
        WHERE m.lease_token = g.token AND m.lease_holder = p_worker ORDER BY m.meter FOR UPDATE OF m
    ), freed AS (
        UPDATE headend_meter m SET lease_until = '-infinity', lease_holder = NULL
        FROM held h WHERE m.meter = h.meter RETURNING m.meter
    )
    UPDATE readings_meter r SET
        wants = CASE WHEN h.reason NOT IN ('', 'no_line', 'later') AND b.seconds IS NULL THEN 0
                     ELSE r.wants & ~h.done END,
        urgent = r.urgent AND r.wants & ~h.done <> 0 AND NOT (h.reason <> '' AND b.seconds IS NULL),
        tries = CASE WHEN h.reason IN ('', 'later') THEN 0 WHEN h.reason = 'no_line' THEN r.tries ELSE r.tries + 1 END,
        reason = CASE WHEN h.reason = 'later' THEN '' ELSE h.reason END,
        due_at = CASE WHEN r.wants & ~h.done = 0 THEN 'infinity'
                      WHEN h.reason IN ('', 'later') THEN h.at
                      WHEN h.reason = 'no_line' THEN h.at + interval '5 minutes'
                      ELSE h.at + make_interval(secs => coalesce(b.seconds, 0)) END,
        answered_at = CASE WHEN h.done <> 0 THEN h.at ELSE r.answered_at END,
        heard_at = CASE WHEN h.drift IS NOT NULL OR h.done <> 0 THEN h.at ELSE r.heard_at END,
        drift_s = coalesce(h.drift, r.drift_s),
        drift_at = CASE WHEN h.drift IS NULL THEN r.drift_at ELSE h.at END,
        firmware = CASE WHEN h.firmware <> '' THEN h.firmware ELSE r.firmware END
    FROM held h JOIN freed f ON f.meter = h.meter
    LEFT JOIN LATERAL (
        SELECT k.seconds FROM readings_backoff k JOIN readings_meter s ON s.meter = h.meter WHERE k.tries = s.tries + 1
    ) b ON true
    WHERE r.meter = h.meter RETURNING r.meter
$$;

-- --- answers ---------------------------------------------------------------------------------------------------------

-- Counts how much of a day was in by 8 and by 24 hours after it ended, for every office, make and cell.
CREATE FUNCTION readings_count_delivery(p_day date, p_at timestamptz) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH ended AS (SELECT ((p_day + 1)::timestamp AT TIME ZONE 'Asia/Kolkata') AS at), loads AS (
        SELECT l.meter, max(l.slots) AS slots,
               bit_count(bit_or(l.have) FILTER (WHERE l.at < e.at + interval '8 hours')) AS early,
               bit_count(bit_or(l.have) FILTER (WHERE l.at < e.at + interval '24 hours')) AS late
        FROM readings_load l, ended e WHERE l.day = p_day GROUP BY l.meter
    ), daily AS (
        SELECT g.meter, bool_or(g.at < e.at + interval '8 hours')::integer AS early,
               bool_or(g.at < e.at + interval '24 hours')::integer AS late
        FROM readings_register g, ended e WHERE g.kind = 'd' AND g.read_on = p_day + 1 GROUP BY g.meter
    ), known AS (
        SELECT r.office, m.make, m.cell, r.meter FROM readings_meter r JOIN headend_meter m ON m.meter = r.meter, ended e
        WHERE r.since < e.at
    ), counted AS (
        SELECT k.office, k.make, k.cell, 'load' AS kind, count(*) AS meters, sum(coalesce(l.slots, 48)) AS expected,
               coalesce(sum(l.early), 0) AS early, coalesce(sum(l.late), 0) AS late
        FROM known k LEFT JOIN loads l ON l.meter = k.meter GROUP BY 1, 2, 3
        UNION ALL
        SELECT k.office, k.make, k.cell, 'daily', count(*), count(*), coalesce(sum(d.early), 0), coalesce(sum(d.late), 0)
        FROM known k LEFT JOIN daily d ON d.meter = k.meter GROUP BY 1, 2, 3
    ), kept AS (
        INSERT INTO readings_delivery AS h (day, office, make, cell, kind, meters, expected, in_8h, in_24h, counted_at)
        SELECT p_day, c.office, c.make, c.cell, c.kind, c.meters, c.expected, c.early,
               CASE WHEN p_at >= e.at + interval '24 hours' THEN c.late END, p_at FROM counted c, ended e
        ON CONFLICT (day, office, make, cell, kind) DO UPDATE SET in_24h = excluded.in_24h,
            counted_at = excluded.counted_at WHERE h.in_24h IS NULL AND excluded.in_24h IS NOT NULL
        RETURNING 1
    ) SELECT count(*) FROM kept
$$;

-- Meters not heard for a day, each with how many of its cell are silent too: a dead cell is no dead meter.
CREATE FUNCTION readings_silent(p_at timestamptz)
RETURNS TABLE (
    meter text, office integer, make text, cell text, heard_at timestamptz, reason text, cell_silent bigint,
    cell_meters bigint
) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    WITH cells AS (
        SELECT m.cell, count(*) AS meters FROM headend_meter m GROUP BY m.cell
    ), silent AS (
        SELECT r.meter, r.office, m.make, m.cell, r.heard_at, r.reason
        FROM readings_meter r JOIN headend_meter m ON m.meter = r.meter
        WHERE coalesce(r.heard_at, r.since) < p_at - interval '24 hours'
          AND NOT EXISTS (SELECT FROM protection_event e
                          WHERE e.meter = r.meter AND e.business_at > p_at - interval '24 hours')
    )
    SELECT s.meter, s.office, s.make, s.cell, s.heard_at, s.reason, count(*) OVER (PARTITION BY s.cell), c.meters
    FROM silent s JOIN cells c ON c.cell = s.cell
$$;

-- The register at each midnight as it stands.
CREATE VIEW readings_stand AS
    SELECT DISTINCT ON (g.meter, g.kind, g.read_on) g.* FROM readings_register g
    ORDER BY g.meter, g.kind, g.read_on, g.batch DESC;

-- What stands about collecting, by office: meters, those that want something now, in trouble, heard within a day.
CREATE FUNCTION readings_standing(p_at timestamptz)
RETURNS TABLE (office integer, meters bigint, waiting bigint, troubled bigint, heard bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT r.office, count(*), count(*) FILTER (WHERE r.wants <> 0 AND r.due_at <= p_at),
           count(*) FILTER (WHERE r.reason <> ''), count(*) FILTER (WHERE r.heard_at >= p_at - interval '24 hours')
    FROM readings_meter r GROUP BY r.office
$$;
