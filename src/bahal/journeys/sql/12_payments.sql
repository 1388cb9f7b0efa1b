-- Payments: what is open on a connection, oldest first, and how a payment is divided over it.

-- Receivable is netted as the right to cut has it (40_authority.sql): credits without a bill settle the oldest first.
-- A credit that is over all bills of an account stands as one negative row.
CREATE FUNCTION payment_dues(p_connection bigint)
RETURNS TABLE (account text, bill bigint, paise bigint, place bigint) LANGUAGE sql STABLE AS $$
    WITH stands AS MATERIALIZED (
        SELECT p.account, CASE p.account WHEN 'receivable' THEN p.bill END AS bill, sum(p.paise)::bigint AS paise
        FROM ledger_posting p
        WHERE p.account IN ('receivable', 'surcharge', 'expenses') AND p.connection = p_connection
        GROUP BY 1, 2 HAVING sum(p.paise) <> 0
    ), credit AS (
        SELECT coalesce(-sum(s.paise) FILTER (WHERE s.paise < 0), 0)::bigint AS paise, sum(s.paise)::bigint AS net
        FROM stands s WHERE s.account = 'receivable'
    ), aged AS (
        SELECT s.bill, s.paise, row_number() OVER oldest AS place,
               sum(s.paise) OVER (oldest ROWS UNBOUNDED PRECEDING) AS up_to
        FROM stands s LEFT JOIN billing_bill b ON b.id = s.bill
        WHERE s.account = 'receivable' AND s.paise > 0
        WINDOW oldest AS (ORDER BY b.issued_on NULLS FIRST, s.bill NULLS FIRST)
    )
    SELECT 'receivable', a.bill, least(a.paise, a.up_to - c.paise)::bigint, a.place
    FROM aged a, credit c WHERE a.up_to > c.paise
    UNION ALL
    SELECT 'receivable', NULL, c.net, 0 FROM credit c WHERE c.net < 0
    UNION ALL
    SELECT s.account, NULL, s.paise, 0 FROM stands s WHERE s.account <> 'receivable'
$$;
