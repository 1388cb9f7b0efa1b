-- Field work: a lineman's reports are kept as they came, and tasks and mismatches are closed, never taken away.

CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON fieldwork_report FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON fieldwork_report FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON fieldwork_task FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON meters_mismatch FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Those whose supply is off, or may be: the few that are looked at again and again.
CREATE INDEX supply_fence_off ON supply_fence (connection) WHERE desired = 'off' OR by_hand;

-- How long a leave to cut by hand is good for. The latest row that has begun is in force.
CREATE TABLE field_rule (
    effective_from date PRIMARY KEY,
    leave_minutes smallint NOT NULL CHECK (leave_minutes BETWEEN 1 AND 30),
    source text NOT NULL,
    verified boolean NOT NULL
);
INSERT INTO field_rule VALUES ('2018-04-01', 15, 'judgement of the house', false);

-- Each time a lineman asked whether he may cut, and what he was told; `valid_until` is business time.
CREATE TABLE field_leave (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task bigint NOT NULL,
    order_id bigint NOT NULL,
    connection bigint NOT NULL,
    lineman text NOT NULL,
    verdict text NOT NULL,                    -- cut, or the first word against it
    reasons text[] NOT NULL,
    fence bigint,
    due_paise bigint,
    policy text,
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    business_at timestamptz NOT NULL,
    valid_until timestamptz CHECK ((verdict = 'cut') = (valid_until IS NOT NULL))
);
CREATE INDEX ON field_leave (task, id);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON field_leave FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON field_leave FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- May this be cut by hand now? The first word against it, or cut. The same as `word` in domains/supply/by_hand.py: a test
-- asks both. That the meter has no relay is why a lineman stands there.
CREATE FUNCTION authority_by_hand(
    p_listed boolean, p_signed_fence bigint, p_fence bigint, p_balance bigint, p_task_open boolean, p_stopped boolean,
    p_warrant_stopped boolean, p_drive text, p_canary_passed boolean, p_at timestamptz, p_not_before timestamptz,
    p_expires_at timestamptz, p_cut_today boolean, p_reasons text[]
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN NOT coalesce(p_listed, false) THEN 'not_on_list'
        WHEN coalesce(p_fence, 0) <> p_signed_fence OR p_signed_fence IS NULL THEN
            CASE WHEN coalesce(p_balance, 0) <= 0 THEN 'paid' ELSE 'fence_moved' END
        WHEN NOT coalesce(p_task_open, false) THEN 'task_closed'
        WHEN coalesce(p_warrant_stopped, true) THEN 'warrant_stopped'
        WHEN coalesce(p_stopped, true) OR coalesce(p_drive, '') NOT IN ('running', 'finished') THEN 'drive_not_running'
        WHEN NOT coalesce(p_canary_passed, false) THEN 'canary_not_passed'
        WHEN coalesce(p_at < p_not_before, true) OR coalesce(p_at >= p_expires_at, true) THEN 'warrant_expired'
        WHEN coalesce(p_cut_today, true) THEN 'cut_within_24_hours'
        WHEN coalesce(p_balance, 0) <= 0 THEN 'nothing_due'
        WHEN p_reasons IS NULL THEN 'no_policy'
        ELSE coalesce((array_remove(p_reasons, 'no_relay'))[1], 'cut') END
$$;

-- A lineman asks immediately before he cuts: the moment of sending of a cut by hand. The same locks in the same order as
-- a sending, the same facts, the same caps; what is answered is kept. From a yes on the supply may be off by hand, and a
-- restore goes to a lineman too. The answer is good for a few minutes, and never after the warrant.
CREATE FUNCTION field_may_cut(p_task bigint, p_lineman text, p_at timestamptz)
RETURNS TABLE (verdict text, reasons text[], until timestamptz, facts jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public SET enable_seqscan = off AS $$
DECLARE
    task fieldwork_task;
    line interlock_line;
    w interlock_warrant;
    stopped boolean;
    f supply_fence;
    rights record;
    drive_state text;
    cut_today boolean;
    first boolean;
    figures jsonb;
    full_cap text;
    hour text := to_char(p_at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD HH24');
    day text := to_char(p_at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD');
    minutes smallint := (SELECT r.leave_minutes FROM field_rule r
                         WHERE r.effective_from <= (p_at AT TIME ZONE 'Asia/Kolkata')::date
                         ORDER BY r.effective_from DESC LIMIT 1);
BEGIN
    SELECT s.stopped_at IS NOT NULL INTO stopped FROM interlock_switch s FOR UPDATE;
    PERFORM authority_steady();
    SELECT t.* INTO task FROM fieldwork_task t WHERE t.id = p_task;
    SELECT g.* INTO f FROM supply_fence g WHERE g.connection = task.connection FOR UPDATE;
    SELECT t.* INTO task FROM fieldwork_task t WHERE t.id = p_task FOR UPDATE;
    SELECT l.* INTO line FROM interlock_line l JOIN supply_order o ON o.id = l.order_id
    WHERE l.order_id = task."order" AND l.connection = task.connection AND l.meter = task.meter
      AND o.kind = 'cut' AND o.state = 'field_task' AND task.kind = 'cut';
    SELECT g.* INTO w FROM interlock_warrant g WHERE g.warrant = line.warrant;
    SELECT d.state INTO drive_state FROM supply_drive d WHERE d.id = line.drive;
    SELECT a.* INTO rights FROM authority_facts(ARRAY[task.connection], p_at) a;
    cut_today := EXISTS (SELECT FROM interlock_sending s WHERE s.meter = line.meter AND s.kind = 'cut'
                         AND s.order_id <> line.order_id AND s.business_at > p_at - interval '24 hours');
    facts := jsonb_build_object(
        'listed', line.order_id IS NOT NULL, 'signed_fence', line.fence, 'fence', f.generation,
        'balance_paise', rights.balance_paise, 'task_open', task.closed_at IS NULL, 'stopped', stopped,
        'warrant_stopped', w.stopped_at IS NOT NULL, 'drive', drive_state, 'canary_passed', w.canary_passed_at IS NOT NULL,
        'at', p_at, 'not_before', w.not_before, 'expires_at', w.expires_at, 'cut_today', cut_today,
        'reasons', rights.reasons);
    verdict := authority_by_hand(
        line.order_id IS NOT NULL, line.fence, f.generation, rights.balance_paise, task.closed_at IS NULL, stopped,
        w.stopped_at IS NOT NULL, drive_state, w.canary_passed_at IS NOT NULL, p_at, w.not_before, w.expires_at, cut_today,
        rights.reasons);
    reasons := CASE WHEN verdict = 'cut' THEN '{}' ELSE ARRAY[verdict] END
        || coalesce(array_remove(array_remove(rights.reasons, 'no_relay'), verdict), '{}');
    first := NOT EXISTS (SELECT FROM interlock_sending s WHERE s.order_id = line.order_id);
    IF verdict = 'cut' AND first THEN
        figures := (SELECT p.figures FROM interlock_profile p ORDER BY p.id DESC LIMIT 1);
        INSERT INTO interlock_cap (scope, bucket, ceiling)
        SELECT v.scope, hour, v.ceiling FROM (VALUES
            ('circle:' || line.circle, (figures->>'circle_hour')::integer), ('state', (figures->>'state_hour')::integer))
            AS v (scope, ceiling) WHERE v.ceiling IS NOT NULL
        ON CONFLICT DO NOTHING;
        -- Sorted, and each looked at before any is counted: a leave counts everywhere or nowhere.
        PERFORM FROM interlock_cap k WHERE (k.scope, k.bucket) IN (
            ('drive:' || line.drive, ''), ('circle:' || line.circle, hour), ('state', hour),
            ('circle-day:' || line.circle, day), ('transformer:' || line.transformer, day), ('feeder:' || line.feeder, day))
        ORDER BY k.scope, k.bucket FOR UPDATE;
        SELECT v.word INTO full_cap FROM (VALUES
            (1, 'cap_drive', 'drive:' || line.drive, ''), (2, 'cap_circle_hour', 'circle:' || line.circle, hour),
            (3, 'cap_state_hour', 'state', hour), (4, 'cap_day', 'circle-day:' || line.circle, day),
            (5, 'cap_transformer', 'transformer:' || line.transformer, day), (6, 'cap_feeder', 'feeder:' || line.feeder, day)
        ) AS v (nth, word, scope, bucket)
        LEFT JOIN interlock_cap k ON k.scope = v.scope AND k.bucket = v.bucket
        WHERE k.counted IS NULL OR k.counted >= k.ceiling ORDER BY v.nth LIMIT 1;
        IF full_cap IS NOT NULL THEN
            verdict := full_cap;
            reasons := ARRAY[full_cap];
        ELSE
            UPDATE interlock_cap k SET counted = k.counted + 1 WHERE (k.scope, k.bucket) IN (
                ('drive:' || line.drive, ''), ('circle:' || line.circle, hour), ('state', hour),
                ('circle-day:' || line.circle, day), ('transformer:' || line.transformer, day),
                ('feeder:' || line.feeder, day));
            INSERT INTO interlock_sending (order_id, kind, meter, connection, fence, due_paise, policy, worker, sent_at,
                                           business_at)
            VALUES (line.order_id, 'cut', line.meter, line.connection, f.generation, rights.enforceable_paise,
                    rights.policy, 'by hand: ' || p_lineman, clock_timestamp(), p_at);
        END IF;
    END IF;
    IF verdict = 'cut' THEN
        until := least(p_at + make_interval(mins => minutes), w.expires_at);
        UPDATE supply_fence g SET by_hand = true WHERE g.connection = task.connection AND NOT g.by_hand;
        UPDATE supply_order o SET sent_at = clock_timestamp() WHERE o.id = line.order_id AND o.sent_at IS NULL;
    ELSIF verdict = 'nothing_due' THEN
        PERFORM interlock_halt('by hand: ' || p_lineman, 'nothing_due');  -- as at a sending: what else is on the list?
    END IF;
    IF task.id IS NOT NULL THEN
        INSERT INTO field_leave (task, order_id, connection, lineman, verdict, reasons, fence, due_paise, policy, business_at,
                                 valid_until)
        VALUES (task.id, coalesce(task."order", 0), task.connection, p_lineman, verdict, field_may_cut.reasons, f.generation,
                rights.enforceable_paise, rights.policy, p_at, until);
    END IF;
    RETURN NEXT;
END $$;

-- Gives to linemen what no relay can do: cuts of meters without one, once the canary has passed, and restores of what may
-- have been cut by hand. Returns how many.
CREATE FUNCTION interlock_hand_over(p_at timestamptz) RETURNS integer
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH due AS MATERIALIZED (
        SELECT o.id, 'no_relay' AS why FROM interlock_line l
        JOIN interlock_warrant w ON w.warrant = l.warrant JOIN supply_drive d ON d.id = l.drive
        JOIN supply_order o ON o.id = l.order_id
        WHERE l.by_hand AND o.state = 'authorised' AND d.state = 'running' AND w.canary_passed_at IS NOT NULL
          AND w.stopped_at IS NULL AND p_at >= w.not_before AND p_at < w.expires_at
          AND NOT EXISTS (SELECT FROM interlock_switch s WHERE s.stopped_at IS NOT NULL)
        UNION ALL
        SELECT o.id, 'cut_by_hand' FROM supply_order o JOIN supply_fence f ON f.connection = o.connection
        WHERE o.kind = 'restore' AND o.state = 'authorised' AND f.by_hand
    ), locked AS MATERIALIZED (
        SELECT o.id, d.why FROM supply_order o JOIN due d ON d.id = o.id WHERE o.state = 'authorised'
        ORDER BY o.id LIMIT 1000 FOR UPDATE OF o SKIP LOCKED
    ), stepped AS (
        UPDATE supply_order o SET state = 'field_task', reason = k.why FROM locked k WHERE o.id = k.id
        RETURNING o.id, o.reason
    ), evidence AS (
        INSERT INTO supply_result ("order", outcome, reason, at, business_at)
        SELECT s.id, 'field_task', s.reason, clock_timestamp(), p_at FROM stepped s RETURNING 1
    )
    SELECT count(*)::integer FROM evidence
$$;

REVOKE ALL ON field_leave, field_rule FROM PUBLIC;
