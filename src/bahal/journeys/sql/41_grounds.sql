-- Grounds for a cut other than a due (s.56): the consumer's own request, safety, theft (s.135), prepaid at zero. Each has
-- its facts, its derivation and its cap; a cut on any of them is on a list that two officers signed, and is derived again
-- at the moment of sending. Every doubt is a reason. The pure functions are the same as in domains/supply/grounds.py.

-- A consumer asks that his own supply be cut.
CREATE TABLE supply_request (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection bigint NOT NULL,
    wished_on date NOT NULL,
    evidence text NOT NULL CHECK (evidence <> ''),
    identified_by text NOT NULL,              -- who saw that it is the consumer who asks; empty: nobody yet
    taken_by text NOT NULL,
    taken_at timestamptz NOT NULL,
    withdrawn_at timestamptz
);
CREATE INDEX ON supply_request (connection, id);

-- A danger to life or property at a connection, as somebody on the spot reported it.
CREATE TABLE supply_hazard (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('fire', 'flood', 'electrocution', 'broken_line')),
    evidence text NOT NULL,
    reported_by text NOT NULL,
    reported_at timestamptz NOT NULL,         -- business time
    ended_at timestamptz
);
CREATE INDEX ON supply_hazard (connection, id);

-- Theft as an inspection found it (s.135): who inspected, who of another office's rank answers for it; the alert that it
-- rests on, if it does, is read again by the interlock first.
CREATE TABLE supply_finding (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    connection bigint NOT NULL,
    inspected_at timestamptz NOT NULL,        -- business time
    evidence text NOT NULL CHECK (evidence <> ''),
    inspected_by text NOT NULL,
    answered_by text CHECK (answered_by <> inspected_by),
    alert bigint,
    paid_at timestamptz                       -- the assessment or its deposit; supply is back within 48 hours
);
CREATE INDEX ON supply_finding (connection, id);

CREATE FUNCTION ground_row_closes_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    open_ends text[] := ARRAY['withdrawn_at', 'identified_by', 'ended_at', 'answered_by', 'paid_at'];
    was jsonb := to_jsonb(OLD);
    is_now jsonb := to_jsonb(NEW);
    name text;
BEGIN
    IF was - open_ends <> is_now - open_ends THEN
        RAISE EXCEPTION 'what a cut rests on is never edited' USING ERRCODE = 'BH023';
    END IF;
    FOREACH name IN ARRAY open_ends LOOP
        IF coalesce(was ->> name, '') <> '' AND was -> name <> is_now -> name THEN
            RAISE EXCEPTION '% is set once', name USING ERRCODE = 'BH023';
        END IF;
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER closes_once BEFORE UPDATE ON supply_request FOR EACH ROW EXECUTE FUNCTION ground_row_closes_once();
CREATE TRIGGER closes_once BEFORE UPDATE ON supply_hazard FOR EACH ROW EXECUTE FUNCTION ground_row_closes_once();
CREATE TRIGGER closes_once BEFORE UPDATE ON supply_finding FOR EACH ROW EXECUTE FUNCTION ground_row_closes_once();
CREATE TRIGGER keep_rows BEFORE DELETE ON supply_request FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON supply_hazard FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON supply_finding FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- How many cuts on each ground a circle may have in a day. A ground without a row has none.
CREATE TABLE authority_ground_cap (
    ground text PRIMARY KEY,
    circle_day integer NOT NULL CHECK (circle_day >= 0),
    source text NOT NULL,
    verified boolean NOT NULL
);
INSERT INTO authority_ground_cap VALUES
    ('own_request', 50, 'judgement of the house', false), ('safety', 50, 'judgement of the house', false),
    ('theft_s135', 20, 'judgement of the house', false);

CREATE FUNCTION authority_own_request(
    p_asked boolean, p_identified boolean, p_withdrawn boolean, p_wished boolean, p_held text[], p_vulnerable text,
    p_hours text[], p_off boolean, p_meter text
) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_remove(ARRAY[
            CASE WHEN NOT coalesce(p_asked, false) THEN 'no_request' END,
            CASE WHEN NOT coalesce(p_identified, false) THEN 'not_identified' END,
            CASE WHEN coalesce(p_withdrawn, true) THEN 'request_withdrawn' END,
            CASE WHEN NOT coalesce(p_wished, false) THEN 'not_wished_yet' END,
            CASE WHEN cardinality(p_held) > 0 THEN 'held' END,
            CASE WHEN p_vulnerable IS NOT NULL THEN 'vulnerable' END]
        || array_remove(coalesce(p_hours, ARRAY['quiet_hours']), 'outside_window')
        || ARRAY[CASE WHEN coalesce(p_off, true) THEN 'off_already' END, p_meter], NULL)
$$;

CREATE FUNCTION authority_safety(
    p_reported boolean, p_over boolean, p_fresh boolean, p_evidence boolean, p_vulnerable text, p_off boolean, p_meter text
) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_remove(ARRAY[
        CASE WHEN NOT coalesce(p_reported, false) THEN 'no_hazard' END,
        CASE WHEN coalesce(p_over, true) THEN 'hazard_over' END,
        CASE WHEN NOT coalesce(p_fresh, false) THEN 'hazard_stale' END,
        CASE WHEN NOT coalesce(p_evidence, false) THEN 'no_evidence' END,
        CASE WHEN p_vulnerable IS NOT NULL THEN 'vulnerable' END,
        CASE WHEN coalesce(p_off, true) THEN 'off_already' END, p_meter], NULL)
$$;

CREATE FUNCTION authority_theft(
    p_found boolean, p_answered boolean, p_rests_on_meter boolean, p_seen_again text, p_paid boolean, p_fresh boolean,
    p_held text[], p_vulnerable text, p_hours text[], p_off boolean, p_meter text
) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_remove(ARRAY[
            CASE WHEN NOT coalesce(p_found, false) THEN 'no_finding' END,
            CASE WHEN NOT coalesce(p_answered, false) THEN 'one_officer' END,
            CASE WHEN coalesce(p_rests_on_meter, true) AND p_seen_again IS DISTINCT FROM 'confirmed'
                 THEN 'not_read_again' END,
            CASE WHEN coalesce(p_paid, true) THEN 'assessment_paid' END,
            CASE WHEN NOT coalesce(p_fresh, false) THEN 'finding_stale' END,
            CASE WHEN cardinality(p_held) > 0 THEN 'held' END,
            CASE WHEN p_vulnerable IS NOT NULL THEN 'vulnerable' END]
        || array_remove(coalesce(p_hours, ARRAY['quiet_hours']), 'outside_window')
        || ARRAY[CASE WHEN coalesce(p_off, true) THEN 'off_already' END, p_meter], NULL)
$$;

CREATE FUNCTION authority_prepaid(
    p_policy text, p_hours text[], p_held text[], p_area_held text[], p_vulnerable text, p_pending text[],
    p_prepaid boolean, p_conversion text[], p_stale_channels text[], p_balance bigint, p_at_midnight bigint, p_told boolean,
    p_off boolean, p_meter text
) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_remove(ARRAY[CASE WHEN p_policy IS NULL THEN 'no_policy' END]
        || coalesce(p_hours, ARRAY['outside_window'])
        || ARRAY[
            CASE WHEN cardinality(p_held) > 0 THEN 'held' END,
            CASE WHEN cardinality(p_area_held) > 0 THEN 'area_held' END,
            CASE WHEN p_vulnerable IS NOT NULL THEN 'vulnerable' END,
            CASE WHEN cardinality(p_pending) > 0 THEN 'payment_pending' END,
            CASE WHEN NOT coalesce(p_prepaid, false) THEN 'not_prepaid' END]
        || p_conversion
        || ARRAY[
            CASE WHEN cardinality(p_stale_channels) > 0 THEN 'due_not_visible' END,
            CASE WHEN coalesce(p_balance, 0) <= 0 THEN 'balance_left' END,
            CASE WHEN coalesce(p_at_midnight, 0) <= 0 THEN 'zero_only_today' END,
            CASE WHEN NOT coalesce(p_told, false) THEN 'zero_not_told' END,
            CASE WHEN coalesce(p_off, true) THEN 'off_already' END, p_meter], NULL)
$$;

-- Every reason against a cut on a ground other than a due, for each connection, now. A ground that has no derivation here
-- is no ground. `facts` are what was found, by the names that the pure functions have them.
CREATE FUNCTION authority_ground(p_ground text, p_connections bigint[], p_at timestamptz)
RETURNS TABLE (connection bigint, reasons text[], facts jsonb) LANGUAGE sql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
    WITH known AS MATERIALIZED (
        SELECT a.*, f.desired = 'off' AS off, (p_at AT TIME ZONE 'Asia/Kolkata')::date AS day
        FROM authority_facts(p_connections, p_at) a LEFT JOIN supply_fence f ON f.connection = a.connection
    )
    SELECT k.connection, CASE p_ground
        WHEN 'own_request' THEN authority_own_request(r.id IS NOT NULL, r.identified_by <> '', r.withdrawn_at IS NOT NULL,
            r.wished_on <= k.day, k.held, k.vulnerable, k.hours, k.off, k.meter)
        WHEN 'safety' THEN authority_safety(h.id IS NOT NULL, h.ended_at IS NOT NULL,
            h.reported_at > p_at - interval '24 hours' AND h.reported_at <= p_at, h.evidence <> '', k.vulnerable, k.off,
            k.meter)
        WHEN 'theft_s135' THEN authority_theft(t.id IS NOT NULL, t.answered_by IS NOT NULL, t.alert IS NOT NULL,
            l.seen_again, t.paid_at IS NOT NULL,
            t.inspected_at > p_at - interval '30 days' AND t.inspected_at <= p_at, k.held, k.vulnerable, k.hours, k.off,
            k.meter)
        WHEN 'prepaid' THEN authority_prepaid(k.policy, k.hours, k.held, k.area_held, k.vulnerable, k.pending,
            c.connection IS NOT NULL, k.conversion, k.stale_channels, k.balance_paise, midnight.paise, told.told, k.off,
            k.meter)
        ELSE ARRAY['ground_unknown'] END,
        CASE p_ground
        WHEN 'own_request' THEN jsonb_build_object('asked', r.id IS NOT NULL, 'identified', r.identified_by <> '',
            'withdrawn', r.withdrawn_at IS NOT NULL, 'wished', r.wished_on <= k.day, 'held', k.held,
            'vulnerable', k.vulnerable, 'hours', k.hours, 'off', k.off, 'meter', k.meter)
        WHEN 'safety' THEN jsonb_build_object('reported', h.id IS NOT NULL, 'over', h.ended_at IS NOT NULL,
            'fresh', h.reported_at > p_at - interval '24 hours' AND h.reported_at <= p_at, 'evidence', h.evidence <> '',
            'vulnerable', k.vulnerable, 'off', k.off, 'meter', k.meter)
        WHEN 'theft_s135' THEN jsonb_build_object('found', t.id IS NOT NULL, 'answered', t.answered_by IS NOT NULL,
            'rests_on_meter', t.alert IS NOT NULL, 'seen_again', l.seen_again, 'paid', t.paid_at IS NOT NULL,
            'fresh', t.inspected_at > p_at - interval '30 days' AND t.inspected_at <= p_at, 'held', k.held,
            'vulnerable', k.vulnerable, 'hours', k.hours, 'off', k.off, 'meter', k.meter)
        WHEN 'prepaid' THEN jsonb_build_object('policy', k.policy, 'hours', k.hours, 'held', k.held,
            'area_held', k.area_held, 'vulnerable', k.vulnerable, 'pending', k.pending,
            'prepaid', c.connection IS NOT NULL, 'conversion', k.conversion, 'stale_channels', k.stale_channels,
            'balance_paise', k.balance_paise, 'at_midnight_paise', midnight.paise, 'told', told.told, 'off', k.off,
            'meter', k.meter)
        END
    FROM known k
    LEFT JOIN LATERAL (SELECT x.* FROM supply_request x WHERE x.connection = k.connection ORDER BY x.id DESC LIMIT 1) AS r
        ON p_ground = 'own_request'
    LEFT JOIN LATERAL (SELECT x.* FROM supply_hazard x WHERE x.connection = k.connection ORDER BY x.id DESC LIMIT 1) AS h
        ON p_ground = 'safety'
    LEFT JOIN LATERAL (SELECT x.* FROM supply_finding x WHERE x.connection = k.connection ORDER BY x.id DESC LIMIT 1) AS t
        ON p_ground = 'theft_s135'
    LEFT JOIN protection_alert l ON l.id = t.alert AND l.connection = k.connection
    LEFT JOIN arrears_conversion c ON p_ground = 'prepaid' AND c.connection = k.connection
    LEFT JOIN LATERAL (
        -- What was owed when this day began: who runs out today has until the next day on which cuts are made.
        SELECT coalesce(sum(p.paise), 0)::bigint AS paise FROM ledger_posting p
        JOIN ledger_transaction x ON x.id = p.transaction
        WHERE p.account = 'receivable' AND p.connection = k.connection
          AND x.business_at < k.day::timestamp AT TIME ZONE 'Asia/Kolkata'
    ) AS midnight ON p_ground = 'prepaid'
    LEFT JOIN LATERAL (
        SELECT true AS told FROM notices_message m WHERE m.connection = k.connection AND m.kind = 'low_balance'
            AND m.delivery = 'delivered' AND m.business_on >= k.day - 7 LIMIT 1
    ) AS told ON p_ground = 'prepaid'
$$;

REVOKE ALL ON supply_request, supply_hazard, supply_finding, authority_ground_cap FROM PUBLIC;
