-- Bills: what was billed, its lines and what it rests on stay as they are; only a draft and a doubt may be settled.

DO $$
DECLARE t text;
BEGIN
    -- billing_bill itself is in 10_money.sql
    FOREACH t IN ARRAY ARRAY['billing_fragment', 'billing_explanation', 'billing_creditnote', 'billing_register',
                             'billing_terms'] LOOP
        EXECUTE format('CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER keep_table BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['billing_draft', 'billing_doubt'] LOOP
        EXECUTE format('CREATE TRIGGER keep_rows BEFORE DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER keep_table BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END $$;

CREATE FUNCTION billing_sum(amounts bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT coalesce(sum(a), 0)::bigint FROM unnest(amounts) AS a
$$;

-- A bill that was rated here has its lines before it, and is what they sum to: one look for a whole batch.
CREATE FUNCTION billing_bill_explained() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE wrong record;
BEGIN
    SELECT a.number, a.paise, billing_sum(e.amounts) AS sum INTO wrong
    FROM added a LEFT JOIN billing_explanation e ON e.bill = a.id
    WHERE a.kind <> 'opening' AND a.paise IS DISTINCT FROM billing_sum(e.amounts) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'bill % is % paise, and its lines sum to %', wrong.number, wrong.paise, wrong.sum
            USING ERRCODE = 'BH020';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER explained AFTER INSERT ON billing_bill REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION billing_bill_explained();

ALTER TABLE billing_creditnote ADD CONSTRAINT credit_note_explained CHECK (billing_sum(amounts) = -paise);
ALTER TABLE billing_draft ADD CONSTRAINT draft_explained CHECK (billing_sum(amounts) = paise);

-- Where meters stood, by day: the latest revision of each register.
CREATE VIEW billing_stand AS
    SELECT DISTINCT ON (connection, read_on, meter) connection, read_on, meter, wh, export_wh, vah, demand_w, zones,
           digits, source
    FROM billing_register ORDER BY connection, read_on, meter, revision DESC;

-- Which of the head-end's batches billing has looked through; all before the one marked `all_before` were.
CREATE TABLE billing_batch (
    batch bigint PRIMARY KEY,
    all_before boolean NOT NULL DEFAULT false
);
