-- The facts that decide a cut, gathered by the owner from ledger, bills, notices, messages, holds and policy.
-- `p_at` is the business instant, given by the caller's own clock; days are calendar days in India.

CREATE FUNCTION authority_policy(p_at timestamptz) RETURNS arrears_policy LANGUAGE sql STABLE AS $$
    SELECT p FROM arrears_policy p WHERE p.effective_from <= (p_at AT TIME ZONE 'Asia/Kolkata')::date
    ORDER BY p.effective_from DESC, p.version DESC LIMIT 1
$$;

CREATE FUNCTION authority_window(p_at timestamptz, p arrears_policy) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT local::time >= p.window_from AND local::time < p.window_to AND extract(isodow FROM local) <> 7
        AND NOT EXISTS (SELECT FROM arrears_nocutday n WHERE n.day = local::date)
    FROM (SELECT p_at AT TIME ZONE 'Asia/Kolkata' AS local) AS clock
$$;

-- Enforceable due: payments settle the oldest first, so a bill is still owed as far as the balance exceeds the bills
-- after it; what is owed on bills not enforceable yet is taken off, and never more remains than the bills that a served
-- written notice names. A contested bill (disputed, supplementary) is taken off whole: the payment may have been meant
-- for the others. s.56(1): clear days exclude both ends. s.56(2): two years from the bill's issue; late supplementary
-- demands never.
CREATE FUNCTION authority_facts(p_connections bigint[], p_at timestamptz)
RETURNS TABLE (
    connection bigint, balance_paise bigint, enforceable_paise bigint, noticed boolean, reminded boolean,
    held text, policy text, minimum_paise bigint
) LANGUAGE sql STABLE AS $$
    WITH rule AS MATERIALIZED (
        SELECT r.*, greatest(0, r.reminders - 1) AS days_before, clock.day,
               (clock.day - make_interval(months => r.stale_after_months))::date AS stale_on
        FROM authority_policy(p_at) r, (SELECT (p_at AT TIME ZONE 'Asia/Kolkata')::date AS day) AS clock
    ), wanted AS MATERIALIZED (
        SELECT w.connection, rule.* FROM unnest(p_connections) AS w (connection), rule
    )
    SELECT w.connection,
           money.balance,
           greatest(0, least(bills.enforceable, money.balance - bills.other))::bigint,
           bills.enforceable > 0,
           coalesce(sms.reminded, false),
           hold.kind,
           w.version,
           w.minimum_paise
    FROM wanted w
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(p.paise), 0)::bigint AS balance FROM ledger_posting p
        WHERE p.account = 'receivable' AND p.connection = w.connection
    ) AS money
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(b.paise) FILTER (WHERE b.ripe AND b.served), 0)::bigint AS enforceable,
               coalesce(sum(
                   CASE WHEN b.contested THEN b.paise ELSE greatest(0, least(b.paise, money.balance - b.newer)) END
               ) FILTER (WHERE NOT (b.ripe AND b.served)), 0)::bigint AS other
        FROM (
            SELECT bill.paise,
                   bill.disputed OR bill.supplementary OR dispute.bill IS NOT NULL AS contested,
                   coalesce(sum(bill.paise) OVER (
                       ORDER BY bill.issued_on DESC, bill.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
                   ), 0) AS newer,
                   bill.due_on < w.day AND NOT bill.estimated AND NOT bill.disputed AND NOT bill.supplementary
                       AND dispute.bill IS NULL AS ripe,
                   coalesce(named.noticed_on > bill.due_on, false) AS served
            FROM billing_bill bill
            LEFT JOIN (
                SELECT nb.bill, max(n.issued_on) AS noticed_on
                FROM notices_writtennotice n JOIN notices_noticedbill nb ON nb.notice = n.id
                WHERE n.connection = w.connection AND w.day - n.served_on - 1 >= w.notice_clear_days
                GROUP BY nb.bill
            ) AS named ON named.bill = bill.id
            LEFT JOIN arrears_dispute dispute ON dispute.bill = bill.id AND dispute.closed_at IS NULL
            WHERE bill.connection = w.connection AND bill.issued_on > w.stale_on  -- older ones count for nothing
        ) AS b
    ) AS bills
    LEFT JOIN LATERAL (
        -- Reminders on as many days running as the policy asks for: there is one a day, so the first is so many rows back.
        SELECT bool_or(run.first_on >= run.business_on - w.days_before) AS reminded
        FROM (
            SELECT m.business_on, lag(m.business_on, w.days_before) OVER (ORDER BY m.business_on) AS first_on
            FROM notices_message m
            WHERE m.connection = w.connection AND m.kind = 'reminder' AND m.delivery = 'delivered'
              AND m.business_on BETWEEN w.day - w.last_reminder_within_days - w.days_before AND w.day
        ) AS run
        WHERE run.business_on >= w.day - w.last_reminder_within_days
    ) AS sms ON true
    LEFT JOIN LATERAL (
        SELECT h.kind FROM arrears_hold h
        WHERE h.connection = w.connection AND h.lifted_at IS NULL AND (h.expires_at IS NULL OR h.expires_at > p_at)
        ORDER BY h.id LIMIT 1
    ) AS hold ON true
$$;

-- One word per connection: 'cut' or the first reason against it, in the order a person would ask.
CREATE FUNCTION authority_verdict(
    p_enforceable bigint, p_minimum bigint, p_noticed boolean, p_reminded boolean, p_held text, p_policy text
) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN p_policy IS NULL THEN 'no_policy'
        WHEN p_held IS NOT NULL THEN 'held'
        WHEN NOT coalesce(p_noticed, false) THEN 'notice_not_served'
        WHEN p_minimum IS NULL OR coalesce(p_enforceable, 0) <= p_minimum THEN 'due_below_minimum'
        WHEN NOT coalesce(p_reminded, false) THEN 'reminders_not_delivered'
        ELSE 'cut'
    END
$$;
