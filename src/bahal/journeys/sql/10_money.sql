-- Money: append-only, and every transaction balanced when it commits.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'BH001';
END $$;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['ledger_transaction', 'ledger_posting', 'payments_payment', 'billing_bill',
                             'audit_entry', 'audit_batch', 'audit_root'] LOOP
        EXECUTE format('CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER keep_table BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END $$;

-- Checked once per transaction row, at commit: one sum over its postings, not one per posting.
CREATE FUNCTION ledger_must_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE total bigint; lines bigint;
BEGIN
    SELECT coalesce(sum(paise), 0), count(*) INTO total, lines FROM ledger_posting WHERE transaction = NEW.id;
    IF total <> 0 OR lines < 2 THEN
        RAISE EXCEPTION 'ledger transaction % does not balance: % paise over % postings', NEW.id, total, lines
            USING ERRCODE = 'BH002';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON ledger_transaction
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_must_balance();

-- A posting joins only a transaction made by the same database transaction; so nobody unbalances an older one.
-- It stands for a foreign key too: one look by key for each transaction of a statement, however many postings it brings.
CREATE FUNCTION ledger_posting_joins() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT FROM (SELECT DISTINCT transaction AS id FROM added) a
               WHERE NOT EXISTS (SELECT FROM ledger_transaction t
                                 WHERE t.id = a.id AND t.xmin = pg_current_xact_id()::xid)) THEN
        RAISE EXCEPTION 'a posting must be made together with its transaction' USING ERRCODE = 'BH003';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER joins AFTER INSERT ON ledger_posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_posting_joins();

-- What a connection owes now: positive paise are dues.
CREATE VIEW ledger_balance AS
    SELECT connection, sum(paise)::bigint AS due_paise
    FROM ledger_posting WHERE account IN ('receivable', 'surcharge', 'expenses') GROUP BY connection;
