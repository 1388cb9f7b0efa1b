-- Arrears: what was charged and what was done stays as it was; only what is open may be closed.

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['arrears_surcharge', 'arrears_step'] LOOP
        EXECUTE format('CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER keep_table BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END $$;

-- What is still owed of each energy bill, payments settling the oldest first.
CREATE FUNCTION arrears_outstanding(p_connections bigint[])
RETURNS TABLE (connection bigint, bill bigint, issued_on date, due_on date, owed_paise bigint)
LANGUAGE sql STABLE AS $$
    SELECT b.connection, b.id, b.issued_on, b.due_on, greatest(0, least(b.paise, money.balance - b.newer))::bigint
    FROM (
        SELECT w.connection, (SELECT coalesce(sum(p.paise), 0) FROM ledger_posting p
                              WHERE p.account = 'receivable' AND p.connection = w.connection) AS balance
        FROM unnest(p_connections) AS w (connection)
    ) AS money
    CROSS JOIN LATERAL (
        SELECT bill.*, coalesce(sum(bill.paise) OVER (
                   ORDER BY bill.issued_on DESC, bill.id DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
               ), 0) AS newer
        FROM billing_bill bill WHERE bill.connection = money.connection
    ) AS b
    WHERE money.balance > b.newer
$$;

-- A policy comes in unaccepted from the application, and is accepted once.
CREATE FUNCTION policy_life() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.accepted_at IS NOT NULL AND session_user = 'app' THEN
        RAISE EXCEPTION 'policy %: a second officer accepts it later', NEW.version USING ERRCODE = 'BH030';
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.accepted_at IS NOT NULL AND session_user = 'app' THEN
        RAISE EXCEPTION 'policy % was accepted before', NEW.version USING ERRCODE = 'BH030';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER life BEFORE INSERT OR UPDATE ON arrears_policy FOR EACH ROW EXECUTE FUNCTION policy_life();
