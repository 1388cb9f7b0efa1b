-- From money to light: what was promised and not kept, who is told of it, and what it costs the company.

CREATE INDEX supply_let_of_feeder ON supply_order (feeder, released_at) WHERE kind = 'restore' AND released_at IS NOT NULL;
CREATE INDEX payments_of_order ON payments_payment ("order") WHERE "order" IS NOT NULL;

-- When the supply of a restore was back, or its meter ready for the consumer's button; a lineman's restore is back when
-- his task ends, the relay is seen closed, or another order closed it.
CREATE FUNCTION supply_lit(p_order supply_order) RETURNS timestamptz LANGUAGE sql STABLE SET search_path = public AS $$
    SELECT CASE p_order.state
        WHEN 'confirmed' THEN p_order.confirmed_at
        WHEN 'field_task' THEN least(
            (SELECT min(t.closed_at) FROM fieldwork_task t WHERE t."order" = p_order.id AND t.closed_how IS DISTINCT FROM 'withdrawn'),
            (SELECT min(r.seen_at) FROM meters_relay r WHERE r.meter = p_order.meter AND r.closed AND r.seen_at > p_order.made_at),
            (SELECT min(l.confirmed_at) FROM supply_order l WHERE l.connection = p_order.connection AND l.kind = 'restore'
             AND l.id > p_order.id AND l.state = 'confirmed'))
    END
$$;

-- One row for each restore that a payment asked for and that came later than promised; a person looks at it.
CREATE TABLE supply_late (
    order_id bigint PRIMARY KEY,
    connection bigint NOT NULL,
    receipt text NOT NULL,
    money_at timestamptz NOT NULL,
    promised_at timestamptz NOT NULL,
    rules text NOT NULL,
    cause text NOT NULL,                       -- what it waited for when the promise was broken
    task bigint,
    noticed_at timestamptz NOT NULL,
    lit_at timestamptz,
    periods integer NOT NULL DEFAULT 0,        -- compensated
    paise bigint NOT NULL DEFAULT 0,
    settled_at timestamptz                     -- lit, and all of it posted
);
CREATE INDEX supply_late_open ON supply_late (order_id) WHERE settled_at IS NULL;
CREATE FUNCTION late_counts_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.settled_at IS NOT NULL OR NEW.periods < OLD.periods OR NEW.paise < OLD.paise
       OR (OLD.lit_at IS NOT NULL AND NEW.lit_at IS DISTINCT FROM OLD.lit_at)
       OR (to_jsonb(NEW) - ARRAY['lit_at', 'periods', 'paise', 'settled_at'])
          IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['lit_at', 'periods', 'paise', 'settled_at']) THEN
        RAISE EXCEPTION 'the late light of order % only counts on', OLD.order_id USING ERRCODE = 'BH001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER counts_on BEFORE UPDATE ON supply_late FOR EACH ROW EXECUTE FUNCTION late_counts_on();
CREATE TRIGGER keep_rows BEFORE DELETE ON supply_late FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON supply_late FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT INSERT ON supply_late TO app;
GRANT UPDATE (lit_at, periods, paise, settled_at) ON supply_late TO app;
GRANT EXECUTE ON FUNCTION supply_lit TO app, reader;
