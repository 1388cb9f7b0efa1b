-- What the meters say by themselves: nothing that was said is edited; what was made of it may be closed, once.
-- The grants of these tables stand here beside them.

CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON protection_happening
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON protection_happening
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON protection_alert FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON protection_warning FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A version of rules is written once and accepted once, by a second officer.
CREATE FUNCTION rules_accepted_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.accepted_by IS NOT NULL
       OR (to_jsonb(NEW) - ARRAY['accepted_by', 'accepted_at', 'reason'])
          IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['accepted_by', 'accepted_at', 'reason']) THEN
        RAISE EXCEPTION 'rules % % are append-only: only their acceptance may be added, once', OLD.name, OLD.version
            USING ERRCODE = 'BH001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accept_once BEFORE UPDATE ON protection_rules FOR EACH ROW EXECUTE FUNCTION rules_accepted_once();
CREATE TRIGGER keep_rows BEFORE DELETE ON protection_rules FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Which batches of collected event logs were judged; their rows lie in readings_event.
CREATE TABLE protection_logbatch (batch bigint PRIMARY KEY, judged_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX readings_event_batch ON readings_event (batch);
GRANT SELECT, INSERT ON protection_logbatch TO app;
GRANT SELECT ON protection_logbatch TO reader;

-- How many meters each transformer of a feeder has: what a storm is measured against.
CREATE VIEW incident_place AS
    SELECT t.feeder_id AS feeder, t.id AS transformer, count(m.serial)::integer AS meters
    FROM network_transformer t
    LEFT JOIN network_connection c ON c.transformer_id = t.id
    LEFT JOIN meters_meter m ON m.connection = c.id
    GROUP BY t.feeder_id, t.id;

GRANT INSERT ON protection_happening, protection_rules, protection_fallingrun, protection_warning, incidents_incident,
    incidents_trouble, incidents_asked, incidents_planned, network_inputmeter, network_loss TO app;
GRANT UPDATE (occurred_at, latest_at, told, ended_at, closed_at, closed_by, outcome, look, seen_again, seen_again_at)
    ON protection_alert TO app;
GRANT UPDATE (closed_at, closed_by, outcome, note) ON protection_warning TO app;
GRANT UPDATE (accepted_by, accepted_at, reason) ON protection_rules TO app;
GRANT UPDATE (scope, place, began_at, ended_at, closed_at, cause, note, merged_into, asked_at)
    ON incidents_incident TO app;
GRANT UPDATE (began_at, ended_at, how, ended_how, incident) ON incidents_trouble TO app;
GRANT UPDATE (answer) ON incidents_asked TO app;
GRANT UPDATE (until) ON network_inputmeter TO app;
GRANT UPDATE (in_wh, out_wh, lost_wh, confidence_permille, meters, unknown, hours_in, hours_out, hours_sure, computed_at)
    ON network_loss TO app;

-- What a push said is read again by the interlock, in an authenticated association (client 48, HLS, security control
-- 0x30), before it is held against anybody. It may look at these objects, and at nothing else.
CREATE TABLE interlock_look (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter text NOT NULL,
    register text NOT NULL CHECK (register ~ '^0\.0\.96\.11\.[0-6]\.255$' OR register = '0.0.96.3.10.255'),
    asked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_until timestamptz NOT NULL DEFAULT '-infinity',
    tries smallint NOT NULL DEFAULT 0,
    done_at timestamptz,
    value bigint,
    reason text NOT NULL DEFAULT '',
    taken_at timestamptz                      -- when the business had it
);
CREATE INDEX interlock_look_open ON interlock_look (not_until) WHERE done_at IS NULL;
CREATE INDEX interlock_look_done ON interlock_look (id) WHERE done_at IS NOT NULL AND taken_at IS NULL;

-- Takes the leases and counters of meters that are to be looked at and of which nobody wants anything else: no order ever
-- waits for a look that could have waited for it.
CREATE FUNCTION interlock_looks(p_worker text, p_limit integer, p_seconds double precision, p_block integer)
RETURNS TABLE (
    look bigint, register text, tries smallint, meter text, make text, system_title bytea, host text, port integer,
    cell text, import uuid, sealed bytea, token bigint, counter bigint, meter_counter bigint, link text, gateway text,
    wport integer
) LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH due AS MATERIALIZED (
        SELECT l.id, l.meter FROM interlock_look l JOIN interlock_meter m ON m.meter = l.meter
        WHERE l.done_at IS NULL AND l.not_until < clock_timestamp() AND m.lease_until < clock_timestamp()
          AND NOT EXISTS (SELECT FROM supply_order o WHERE o.meter = l.meter
                          AND o.state IN ('authorised', 'claimed', 'sent', 'unknown'))
        ORDER BY l.not_until, l.id LIMIT p_limit FOR UPDATE OF l, m SKIP LOCKED
    ), one AS MATERIALIZED (
        SELECT DISTINCT ON (d.meter) d.id, d.meter FROM due d ORDER BY d.meter, d.id
    ), leased AS (
        UPDATE interlock_meter m SET lease_holder = p_worker, lease_token = m.lease_token + 1,
               lease_until = clock_timestamp() + make_interval(secs => p_seconds), next_counter = m.next_counter + p_block
        FROM one d WHERE m.meter = d.meter RETURNING m.*, d.id AS look
    )
    UPDATE interlock_look l SET tries = l.tries + 1, not_until = m.lease_until
    FROM leased m LEFT JOIN LATERAL (
        SELECT a.host FROM headend_address a
        WHERE a.meter = m.meter AND a.forgotten_at IS NULL AND m.link = 'dial_out' LIMIT 1
    ) AS b ON true
    WHERE l.id = m.look
    RETURNING l.id, l.register, l.tries, m.meter, m.make, m.system_title, coalesce(b.host, m.host), m.port, m.cell,
              m.import, m.sealed, m.lease_token, m.next_counter - p_block, m.meter_counter, m.link, m.gateway, m.wport
$$;

-- What was seen, or why not: then again later, until the fifth try. Counts only under the lease it was taken with.
CREATE FUNCTION interlock_looked(
    p_worker text, p_looks bigint[], p_tokens bigint[], p_values bigint[], p_reasons text[], p_meter_counters bigint[]
) RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH given AS MATERIALIZED (
        SELECT g.*, l.meter FROM unnest(p_looks, p_tokens, p_values, p_reasons, p_meter_counters)
            AS g (id, token, value, reason, meter_counter) JOIN interlock_look l ON l.id = g.id
    ), freed AS (
        UPDATE interlock_meter m SET lease_until = '-infinity', lease_holder = NULL,
               meter_counter = greatest(m.meter_counter, g.meter_counter)
        FROM given g WHERE m.meter = g.meter AND m.lease_token = g.token AND m.lease_holder = p_worker RETURNING g.id
    ), done AS (
        UPDATE interlock_look l SET value = g.value, reason = g.reason,
               done_at = CASE WHEN g.value IS NOT NULL OR l.tries >= 5 THEN clock_timestamp() END,
               not_until = CASE WHEN g.reason = 'no_line' THEN clock_timestamp() + interval '60 seconds'
                                ELSE clock_timestamp() + make_interval(secs => 5 * 3 ^ l.tries) END,
               tries = l.tries - CASE WHEN g.reason = 'no_line' AND l.asked_at > clock_timestamp() - interval '1 day'
                                      THEN 1 ELSE 0 END
        FROM given g JOIN freed f ON f.id = g.id WHERE l.id = g.id RETURNING 1
    ) SELECT count(*) FROM done
$$;

GRANT SELECT, INSERT, UPDATE (taken_at) ON interlock_look TO app;
GRANT SELECT ON interlock_look TO reader;
GRANT EXECUTE ON FUNCTION interlock_looks, interlock_looked TO interlock;
