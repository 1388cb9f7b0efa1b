-- The facts that decide a cut, gathered by the owner from ledger, bills, chains of notices, holds, payments and policy.
-- `p_at` is the business instant, given by the caller's own clock; days are calendar days in India. `p_wall` is the
-- wall's clock, by which payments under way and channels are judged. Every doubt is a reason, and reasons only add up.

-- The offices that a distribution centre lies under, itself first.
CREATE FUNCTION authority_path(p_centre integer) RETURNS integer[] LANGUAGE sql STABLE AS $$
    WITH RECURSIVE up AS (
        SELECT o.id, o.parent_id, 1 AS nth FROM offices_office o WHERE o.id = p_centre
        UNION ALL SELECT o.id, o.parent_id, up.nth + 1 FROM up JOIN offices_office o ON o.id = up.parent_id
    )
    SELECT coalesce(array_agg(up.id ORDER BY up.nth), '{}') FROM up
$$;

-- The policy in force under a path of offices for a category: the nearest office's, there the category's own, there the
-- latest. One that nobody has accepted is never in force. Without a path: that of the whole company.
CREATE FUNCTION authority_policy(p_at timestamptz, p_path integer[] DEFAULT '{}', p_category text DEFAULT NULL)
RETURNS arrears_policy LANGUAGE sql STABLE AS $$
    SELECT p FROM arrears_policy p, (SELECT (p_at AT TIME ZONE 'Asia/Kolkata')::date AS day) AS clock
    WHERE p.effective_from <= clock.day AND (p.effective_until IS NULL OR clock.day < p.effective_until)
      AND p.accepted_at IS NOT NULL
      AND (p.office IS NULL OR p.office = ANY (p_path)) AND (p.category IS NULL OR p.category = p_category)
    ORDER BY array_position(p_path, p.office) NULLS LAST, p.category NULLS LAST, p.effective_from DESC, p.version DESC
    LIMIT 1
$$;

-- What the clock has against a cut at an instant, under a policy: nothing, if it may go out now.
CREATE FUNCTION authority_hours(p_at timestamptz, p arrears_policy) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT array_remove(ARRAY[
        CASE WHEN extract(isodow FROM local) = ANY (p.no_cut_weekdays)
                  OR (p.second_saturday_free AND extract(isodow FROM local) = 6
                      AND extract(day FROM local) BETWEEN 8 AND 14)
                  OR EXISTS (SELECT FROM arrears_nocutday n WHERE n.day = local::date) THEN 'no_cut_day' END,
        CASE WHEN local::time >= p.window_from AND local::time < p.window_to THEN NULL ELSE 'outside_window' END,
        CASE WHEN (p.quiet_from <= p.quiet_to AND local::time >= p.quiet_from AND local::time < p.quiet_to)
                  OR (p.quiet_from > p.quiet_to AND (local::time >= p.quiet_from OR local::time < p.quiet_to))
             THEN 'quiet_hours' END
    ], NULL)
    FROM (SELECT p_at AT TIME ZONE 'Asia/Kolkata' AS local) AS clock
$$;

CREATE FUNCTION authority_window(p_at timestamptz, p arrears_policy) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT p IS DISTINCT FROM NULL AND p.version IS NOT NULL AND cardinality(authority_hours(p_at, p)) = 0
$$;

-- What decides for many connections at once (holds of an area, policies, days without cuts, channels) has no fence of its
-- own. Whoever sends cuts takes this lock shared before he derives; whoever stops an area takes it alone: once his
-- transaction has committed, no cut that he forbids is marked sent.
CREATE FUNCTION authority_steady() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock_shared(hashtext('bahal.authority'))
$$;
CREATE FUNCTION authority_change() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtext('bahal.authority'))
$$;

-- Every reason against a cut, in the order a person would ask; none at all means that it may be made. The same as
-- `reasons` in domains/supply/eligibility.py: a test asks both. Causes say why the due is below the minimum; they are
-- told where all that is owed would be above it.
-- Without a FROM, so that the planner takes it in: called, it would cost as much as all the looks by key together.
CREATE FUNCTION authority_against(
    p_policy text, p_hours text[], p_held text[], p_area_held text[], p_vulnerable text, p_pending text[],
    p_plan_open boolean, p_conversion text[], p_review_open boolean, p_stale_channels text[],
    p_noticed boolean, p_enforceable bigint, p_minimum bigint, p_balance bigint, p_causes text[], p_reminded boolean,
    p_meter text, p_standing text[]
) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_remove(
        CASE WHEN p_policy IS NULL THEN ARRAY['no_policy'] ELSE '{}' END
        || coalesce(p_hours, ARRAY['outside_window'])
        || ARRAY[
            CASE WHEN cardinality(p_held) > 0 THEN 'held' END,
            CASE WHEN cardinality(p_area_held) > 0 THEN 'area_held' END,
            CASE WHEN p_vulnerable IS NOT NULL THEN 'vulnerable' END,
            CASE WHEN cardinality(p_pending) > 0 THEN 'payment_pending' END,
            CASE WHEN p_plan_open THEN 'plan_open' END]
        || p_conversion
        || ARRAY[
            CASE WHEN p_review_open THEN 'review_open' END,
            CASE WHEN cardinality(p_stale_channels) > 0 THEN 'due_not_visible' END,
            CASE WHEN NOT coalesce(p_noticed, false) THEN 'notice_not_served' END,
            CASE WHEN p_minimum IS NULL OR coalesce(p_enforceable, 0) <= p_minimum THEN 'due_below_minimum' END]
        || CASE WHEN coalesce(p_enforceable, 0) <= p_minimum AND p_minimum < p_balance
                THEN CASE WHEN coalesce(p_noticed, false) THEN p_causes ELSE array_remove(p_causes, 'not_noticed') END
                ELSE '{}' END
        || ARRAY[
            CASE WHEN NOT coalesce(p_reminded, false) THEN 'reminders_not_delivered' END,
            p_meter]
        || p_standing,
        NULL)
$$;

-- What remains of reasons when some are set aside, which only a what-if does.
CREATE FUNCTION authority_waive(p_reasons text[], p_waived text[]) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT ARRAY(SELECT r FROM unnest(p_reasons) WITH ORDINALITY AS u (r, nth) WHERE r <> ALL (p_waived) ORDER BY nth)
$$;

-- One word: 'cut', or the first reason against it. Without facts nobody is cut.
CREATE FUNCTION authority_verdict(p_reasons text[]) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_reasons IS NULL THEN 'no_policy' ELSE coalesce(p_reasons[1], 'cut') END
$$;

-- Enforceable due: payments settle the oldest first, so a bill is still owed as far as the balance exceeds the bills
-- after it; what is owed on bills not enforceable yet is taken off, and never more remains than the bills that a served
-- written notice names. A contested bill (disputed, supplementary) is taken off whole: the payment may have been meant
-- for the others. s.56(1): clear days exclude both ends. s.56(2): two years from the bill's issue; late supplementary
-- demands never.
--
-- `p_cut_at` is when the cut would go out, which the window is judged by; `p_policy`, if given, stands in for every
-- policy (a what-if); `p_listing` asks also what only a list minds: another order, supply off already, cut within 24 h.
-- One connection and a million are asked by the same function: each fact is one look by key.
CREATE FUNCTION authority_facts(
    p_connections bigint[], p_at timestamptz, p_cut_at timestamptz DEFAULT NULL, p_wall timestamptz DEFAULT NULL,
    p_policy arrears_policy DEFAULT NULL, p_listing boolean DEFAULT false
)
RETURNS TABLE (
    connection bigint, balance_paise bigint, enforceable_paise bigint, minimum_paise bigint, policy text, hours text[],
    held text[], area_held text[], vulnerable text, pending text[], plan_open boolean, conversion text[],
    review_open boolean, stale_channels text[], noticed boolean, causes text[], reminded boolean, meter text,
    standing text[], waived text[], reasons text[]
) LANGUAGE sql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off AS $$  -- planned once a session: it is long
    WITH clock AS MATERIALIZED (
        SELECT (p_at AT TIME ZONE 'Asia/Kolkata')::date AS day, coalesce(p_wall, statement_timestamp()) AS wall
    ), asked AS MATERIALIZED (
        SELECT w.connection, coalesce(n.centre, 0) AS centre, coalesce(n.category, '') AS category, t.feeder_id AS feeder,
               m.serial, m.phase
        FROM unnest(p_connections) AS w (connection)
        LEFT JOIN network_connection n ON n.id = w.connection
        LEFT JOIN network_transformer t ON t.id = n.transformer_id
        LEFT JOIN meters_meter m ON m.connection = w.connection
    ), area AS MATERIALIZED (
        SELECT h.office, h.feeder, h.kind FROM arrears_areahold h
        WHERE h.lifted_at IS NULL AND (h.expires_at IS NULL OR h.expires_at > p_at)
    ), ruled AS MATERIALIZED (
        SELECT s.centre, s.category, s.path,
               CASE WHEN (p_policy).version IS NULL THEN authority_policy(p_at, s.path, s.category) ELSE p_policy END AS p
        FROM (SELECT d.centre, d.category, authority_path(d.centre) AS path
              FROM (SELECT DISTINCT a.centre, a.category FROM asked a) AS d) AS s
    ), rule AS MATERIALIZED (
        SELECT r.centre, r.category, (r.p).version, (r.p).minimum_paise, (r.p).notice_clear_days, (r.p).notice_serves,
               (r.p).last_reminder_within_days, greatest(0, (r.p).reminders - 1) AS days_before,
               (r.p).conversion_grace_days, coalesce((r.p).waived, '{}') AS waived,
               (clock.day - make_interval(months => (r.p).stale_after_months))::date AS stale_on,
               clock.day, clock.wall,
               'notice_not_served' = ANY ((r.p).waived) AS unnoticed_too,
               'not_due_yet' = ANY ((r.p).waived) AS undue_too,
               'estimated' = ANY ((r.p).waived) AS estimated_too,
               'disputed' = ANY ((r.p).waived) AS disputed_too,
               'supplementary' = ANY ((r.p).waived) AS supplementary_too,
               CASE WHEN (r.p).version IS NULL THEN '{}' ELSE authority_hours(coalesce(p_cut_at, p_at), r.p) END AS hours,
               ARRAY(SELECT c FROM unnest((r.p).channels) AS c
                     WHERE NOT EXISTS (SELECT FROM arrears_channel k WHERE k.name = c
                           AND k.seen_at > clock.wall - make_interval(mins => (r.p).channel_minutes))
                     ORDER BY c) AS stale_channels,
               ARRAY(SELECT DISTINCT area.kind FROM area WHERE area.office = ANY (r.path) ORDER BY 1) AS area_held
        FROM ruled r, clock
    ), gathered AS MATERIALIZED (
        SELECT w.connection, money.balance,
               greatest(0, least(bills.enforceable, money.balance - bills.other))::bigint AS enforceable,
               r.minimum_paise, r.version, r.hours, coalesce(hold.kinds, '{}') AS held,
               CASE WHEN EXISTS (SELECT FROM area WHERE area.feeder = w.feeder)
                    THEN ARRAY(SELECT DISTINCT k FROM (
                        SELECT unnest(r.area_held) UNION SELECT area.kind FROM area WHERE area.feeder = w.feeder
                    ) AS both_kinds (k) ORDER BY k)
                    ELSE r.area_held END AS area_held,
               (SELECT v.need FROM arrears_vulnerable v WHERE v.connection = w.connection AND v.ended_at IS NULL) AS vulnerable,
               array_remove(ARRAY[
                   CASE WHEN EXISTS (SELECT FROM payments_cheque c WHERE c.connection = w.connection
                                     AND c.cleared_at IS NULL AND c.bounced_at IS NULL) THEN 'cheque' END,
                   CASE WHEN online.open THEN 'online_order' END,
                   CASE WHEN online.unbooked THEN 'unbooked' END,
                   CASE WHEN online.unheard THEN 'webhook' END,
                   CASE WHEN EXISTS (SELECT FROM payments_proposal q WHERE q.connection = w.connection
                                     AND q.kind = 'assign' AND q.decided_by IS NULL) THEN 'payer_to_name' END
               ], NULL) AS pending,
               EXISTS (SELECT FROM arrears_plan l WHERE l.connection = w.connection AND l.closed_at IS NULL) AS plan_open,
               coalesce((SELECT array_remove(ARRAY[
                            CASE WHEN c.reconciled_at IS NULL THEN 'conversion_unreconciled' END,
                            CASE WHEN r.day < c.converted_on + r.conversion_grace_days THEN 'conversion_grace' END], NULL)
                         FROM arrears_conversion c WHERE c.connection = w.connection), '{}') AS conversion,
               EXISTS (SELECT FROM billing_draft d WHERE d.connection = w.connection AND d.state = 'held'
                       AND 'unusual' = ANY (d.reasons)) AS review_open,
               r.stale_channels,
               coalesce(bills.noticed, false) OR coalesce(r.unnoticed_too, false) AS noticed,
               array_remove(ARRAY[
                   CASE WHEN money.balance > bills.fresh AND EXISTS (
                       SELECT FROM billing_bill b WHERE b.connection = w.connection AND b.issued_on <= r.stale_on
                   ) THEN 'stale' END,
                   CASE WHEN bills.not_due_yet THEN 'not_due_yet' END,
                   CASE WHEN bills.estimated THEN 'estimated' END,
                   CASE WHEN bills.disputed THEN 'disputed' END,
                   CASE WHEN bills.supplementary THEN 'supplementary' END,
                   CASE WHEN bills.not_noticed THEN 'not_noticed' END
               ], NULL) AS causes,
               coalesce(sms.reminded, false) AS reminded,
               CASE WHEN w.serial IS NULL THEN 'no_meter' WHEN w.phase = 3 THEN 'no_relay' END AS meter,
               CASE WHEN p_listing THEN array_remove(ARRAY[
                   CASE WHEN EXISTS (SELECT FROM supply_order o WHERE o.connection = w.connection AND o.state IN
                                     ('proposed', 'authorised', 'claimed', 'sent', 'unknown', 'quarantined'))
                        THEN 'order_open' END,
                   CASE WHEN (SELECT f.desired FROM supply_fence f WHERE f.connection = w.connection) = 'off'
                        THEN 'off_already' END,
                   CASE WHEN EXISTS (SELECT FROM interlock_sending s WHERE s.meter = w.serial AND s.kind = 'cut'
                                     AND s.business_at > p_at - interval '24 hours') THEN 'cut_within_24_hours' END
               ], NULL) ELSE '{}' END AS standing,
               r.waived
        FROM asked w
        JOIN rule r ON r.centre = w.centre AND r.category = w.category
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(p.paise), 0)::bigint AS balance FROM ledger_posting p
            WHERE p.account = 'receivable' AND p.connection = w.connection
        ) AS money
        CROSS JOIN LATERAL (
            SELECT coalesce(sum(b.paise) FILTER (WHERE b.cause IS NULL), 0)::bigint AS enforceable,
                   coalesce(sum(
                       CASE WHEN b.contested THEN b.paise ELSE greatest(0, least(b.paise, money.balance - b.newer)) END
                   ) FILTER (WHERE b.cause IS NOT NULL), 0)::bigint AS other,
                   coalesce(sum(b.paise), 0) AS fresh,
                   bool_or(b.served) AS noticed,
                   bool_or(b.cause = 'not_due_yet' AND money.balance > b.newer) AS not_due_yet,
                   bool_or(b.cause = 'estimated' AND money.balance > b.newer) AS estimated,
                   bool_or(b.cause = 'disputed' AND money.balance > b.newer) AS disputed,
                   bool_or(b.cause = 'supplementary' AND money.balance > b.newer) AS supplementary,
                   bool_or(b.cause = 'not_noticed' AND money.balance > b.newer) AS not_noticed
            FROM (
                SELECT bill.paise,
                       (bill.disputed OR dispute.bill IS NOT NULL) AND NOT coalesce(r.disputed_too, false)
                           OR bill.supplementary AND NOT coalesce(r.supplementary_too, false) AS contested,
                       coalesce(sum(bill.paise) OVER (
                           ORDER BY bill.issued_on DESC, bill.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                       ), 0) AS newer,
                       coalesce(named.noticed_on > bill.due_on, false) AS served,
                       CASE WHEN bill.due_on >= r.day AND NOT coalesce(r.undue_too, false) THEN 'not_due_yet'
                            WHEN bill.estimated AND NOT coalesce(r.estimated_too, false) THEN 'estimated'
                            WHEN (bill.disputed OR dispute.bill IS NOT NULL) AND NOT coalesce(r.disputed_too, false)
                                THEN 'disputed'
                            WHEN bill.supplementary AND NOT coalesce(r.supplementary_too, false) THEN 'supplementary'
                            WHEN NOT coalesce(named.noticed_on > bill.due_on, false)
                                 AND NOT coalesce(r.unnoticed_too, false) THEN 'not_noticed'
                       END AS cause
                FROM billing_bill bill
                LEFT JOIN (
                    SELECT nb.bill, max(s.day) AS noticed_on
                    FROM notices_step s JOIN notices_noticedbill nb ON nb.notice = s.notice
                    WHERE s.connection = w.connection AND s.machine = 'statutory' AND s.event = 'delivered'
                      AND s.channel = ANY (r.notice_serves) AND r.day - s.effective_on - 1 >= r.notice_clear_days
                    GROUP BY nb.bill
                ) AS named ON named.bill = bill.id
                LEFT JOIN arrears_dispute dispute ON dispute.bill = bill.id AND dispute.closed_at IS NULL
                WHERE bill.connection = w.connection AND bill.issued_on > r.stale_on  -- older ones count for nothing
            ) AS b
        ) AS bills
        LEFT JOIN LATERAL (
            -- Reminders that arrived on as many days running as the policy asks for: among the days, each once, the first is
            -- so many rows back.
            SELECT bool_or(run.first_on >= run.day - r.days_before) AS reminded
            FROM (
                SELECT d.day, lag(d.day, r.days_before) OVER (ORDER BY d.day) AS first_on
                FROM (
                    SELECT DISTINCT s.effective_on AS day FROM notices_step s
                    WHERE s.connection = w.connection AND s.machine = 'reminder' AND s.event = 'delivered'
                      AND s.effective_on BETWEEN r.day - r.last_reminder_within_days - r.days_before AND r.day
                ) AS d
            ) AS run
            WHERE run.day >= r.day - r.last_reminder_within_days
        ) AS sms ON true
        LEFT JOIN LATERAL (
            SELECT array_agg(h.kind ORDER BY h.id) AS kinds FROM arrears_hold h
            WHERE h.connection = w.connection AND h.lifted_at IS NULL AND (h.expires_at IS NULL OR h.expires_at > p_at)
        ) AS hold ON true
        LEFT JOIN LATERAL (
            -- An order is open until its time is over or its money is booked; money that the gateway knows of and that is
            -- not booked, and a webhook that nobody has handled, are under way however long ago that was.
            SELECT bool_or(a.expires_at > r.wall AND NOT seen.booked) AS open, bool_or(seen.unbooked) AS unbooked,
                   bool_or(EXISTS (SELECT FROM payments_gatewayevent e
                                   WHERE e.gateway_order = a.gateway_order AND e.handled_at IS NULL)) AS unheard
            FROM payments_attempt a CROSS JOIN LATERAL (
                SELECT coalesce(bool_or(p.id IS NOT NULL), false) AS booked,
                       coalesce(bool_or(p.id IS NULL AND g.status IN ('created', 'authorized', 'captured')), false) AS unbooked
                FROM payments_gatewaypayment g
                LEFT JOIN payments_payment p ON p.idempotency_key = 'gateway:' || g.gateway_payment
                WHERE g.gateway_order = a.gateway_order OR g.reference = a.tr
            ) AS seen
            WHERE a.connection = w.connection
        ) AS online ON true
    )
    SELECT g.connection, g.balance, g.enforceable, g.minimum_paise, g.version, g.hours, g.held, g.area_held, g.vulnerable,
           g.pending, g.plan_open, g.conversion, g.review_open, g.stale_channels, g.noticed, g.causes, g.reminded, g.meter,
           g.standing, g.waived,
           CASE WHEN cardinality(g.waived) = 0 THEN g.against ELSE authority_waive(g.against, g.waived) END
    FROM (
        SELECT g.*, authority_against(
            g.version, g.hours, g.held, g.area_held, g.vulnerable, g.pending, g.plan_open, g.conversion, g.review_open,
            g.stale_channels, g.noticed, g.enforceable, g.minimum_paise, g.balance, g.causes, g.reminded, g.meter,
            g.standing) AS against
        FROM gathered g
    ) AS g
$$;
