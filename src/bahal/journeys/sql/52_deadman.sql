-- What stops all cuts by itself, and who starts them again. One person stops; two arm again, by signatures that the
-- interlock verifies. Reconnections never ask for any of this. All instants here are wall time, the database's own.

-- When an operator last showed that he is there. A running drive whose operator is silent stops.
CREATE TABLE interlock_heartbeat (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    officer text NOT NULL DEFAULT ''
);
INSERT INTO interlock_heartbeat DEFAULT VALUES;

CREATE FUNCTION interlock_attend(p_officer text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    UPDATE interlock_heartbeat SET at = clock_timestamp(), officer = p_officer
$$;

-- Throws the switch; the number of this stop, or NULL if it was thrown already. From the commit on nothing is marked sent.
CREATE FUNCTION interlock_halt(p_by text, p_why text) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    UPDATE interlock_switch SET stopped_at = clock_timestamp(), stopped_by = p_by, stopped_why = p_why, stops = stops + 1
    WHERE stopped_at IS NULL RETURNING stops
$$;

-- Two officers' request to arm the switch after one certain stop. The business writes it; the interlock judges it.
CREATE TABLE interlock_arming (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stop bigint NOT NULL,
    document text NOT NULL,
    first text NOT NULL,
    first_signature text NOT NULL,
    second text CHECK (second <> first),
    second_signature text,
    outcome text NOT NULL DEFAULT '',         -- armed, or why not; the interlock alone writes it
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz
);
CREATE INDEX ON interlock_arming (id) WHERE outcome = '' AND second_signature IS NOT NULL;
CREATE FUNCTION arming_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.stop, NEW.document, NEW.first, NEW.first_signature)
       IS DISTINCT FROM (OLD.id, OLD.stop, OLD.document, OLD.first, OLD.first_signature)
       OR (OLD.second IS NOT NULL
           AND (NEW.second, NEW.second_signature) IS DISTINCT FROM (OLD.second, OLD.second_signature))
       OR OLD.outcome <> '' THEN
        RAISE EXCEPTION 'arming % is fixed', OLD.id USING ERRCODE = 'BH021';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fixed BEFORE UPDATE ON interlock_arming FOR EACH ROW EXECUTE FUNCTION arming_is_fixed();
CREATE TRIGGER keep_rows BEFORE DELETE ON interlock_arming FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Ends a request: `p_refused` names what is wrong with it, '' arms, if the stop that was signed for is the one in force.
CREATE FUNCTION interlock_arm(p_arming bigint, p_stop bigint, p_refused text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE said text := p_refused;
BEGIN
    IF said = '' THEN
        UPDATE interlock_switch SET stopped_at = NULL, stopped_by = NULL, stopped_why = NULL, armed_at = clock_timestamp()
        WHERE stopped_at IS NOT NULL AND stops = p_stop;
        said := CASE WHEN FOUND THEN 'armed' ELSE 'another_stop' END;
        IF FOUND THEN
            UPDATE interlock_heartbeat SET at = clock_timestamp();  -- two people are there
        END IF;
    END IF;
    UPDATE interlock_arming SET outcome = said, ended_at = clock_timestamp() WHERE id = p_arming AND outcome = '';
    RETURN said;
END $$;

-- The dead-man's round: the first cause for which cuts may not go on, and whether the switch was thrown for it; NULL and
-- false where there is none. Only a drive that runs can be stopped. `p_room_at` is the interlock's own clock, `p_local`
-- what it found by itself. Where nobody looked for ten seconds everything may have been down with the interlock: what
-- the worker does is then a minute late of itself, and gets a minute to catch up, in which nothing new is claimed.
CREATE FUNCTION interlock_watch(
    p_worker text, p_room_at timestamptz, p_local text, OUT why text, OUT thrown boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    now_at timestamptz := clock_timestamp();
    armed timestamptz;
    looking interlock_looking;
BEGIN
    thrown := false;
    SELECT s.armed_at INTO armed FROM interlock_switch s WHERE s.stopped_at IS NULL;
    -- A drive whose warrant this room has not registered can send nothing yet.
    IF NOT FOUND OR NOT EXISTS (
        SELECT FROM interlock_warrant w JOIN supply_drive d ON d.id = w.drive WHERE d.state = 'running'
    ) THEN
        RETURN;
    END IF;
    UPDATE interlock_looking k SET at = now_at,
           since = CASE WHEN k.at < now_at - interval '10 seconds' THEN now_at ELSE k.since END,
           clear = k.clear AND k.at >= now_at - interval '10 seconds'
    RETURNING k.* INTO looking;
    SELECT CASE
        WHEN p_local <> '' THEN p_local
        WHEN abs(extract(epoch FROM now_at - p_room_at)) > 2 THEN 'clock_off'
        -- Two people signed when the warrant was registered: they were there.
        WHEN greatest((SELECT h.at FROM interlock_heartbeat h),
                      (SELECT max(w.used_at) FROM interlock_warrant w JOIN supply_drive d ON d.id = w.drive
                       WHERE d.state = 'running')) < now_at - interval '15 minutes' THEN 'operator_silent'
        WHEN EXISTS (SELECT FROM payments_gatewayevent e
                     WHERE e.handled_at IS NULL AND e.received_at < now_at - interval '60 seconds')
          OR EXISTS (SELECT FROM payments_poll p WHERE p.asked_until < now_at - interval '60 seconds') THEN 'payments_late'
        WHEN (SELECT a.at FROM audit_entry a WHERE a.id > coalesce((SELECT max(b.last_entry) FROM audit_batch b), 0)
              ORDER BY a.id LIMIT 1) < now_at - interval '60 seconds' THEN 'audit_down'
        WHEN EXISTS (SELECT FROM notices_message m WHERE m.delivery = 'queued' AND m.kind IN ('cut', 'restored')
                     AND m.sent_at IS NULL AND m.queued_at < now_at - interval '120 seconds') THEN 'sms_down'
        -- Over all workers and restarts: each interlock also counts its own, and is faster.
        WHEN (SELECT count(*) >= 200 AND count(*) FILTER (WHERE latest.wrong) > 0.02 * count(*) FROM (
                  SELECT r.reason = 'not_moved' AS wrong FROM supply_result r JOIN supply_order o ON o.id = r."order"
                  WHERE o.kind = 'cut' AND r.at > armed AND (r.outcome = 'confirmed' OR r.reason = 'not_moved')
                  ORDER BY r.id DESC LIMIT 1000) AS latest) THEN 'wrong_read_backs'
    END INTO why;
    IF why IS NULL THEN
        UPDATE interlock_looking SET clear = true WHERE NOT clear;
    ELSIF looking.clear OR looking.since < now_at - interval '60 seconds'
          OR why NOT IN ('payments_late', 'audit_down', 'sms_down') THEN
        PERFORM interlock_halt(p_worker, why);
        thrown := true;
    END IF;
END $$;

REVOKE ALL ON interlock_heartbeat, interlock_arming FROM PUBLIC;
GRANT SELECT ON interlock_heartbeat TO interlock;
GRANT INSERT (stop, document, first, first_signature), UPDATE (second, second_signature) ON interlock_arming TO app;
GRANT SELECT ON interlock_arming TO interlock;
