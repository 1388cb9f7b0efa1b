-- What exceeded a cap waits for two people: they let it go, or delete it. The interlock verifies both signatures.

CREATE TABLE interlock_letting (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    drive bigint NOT NULL,
    order_ids bigint[] NOT NULL CHECK (cardinality(order_ids) > 0),
    document text NOT NULL UNIQUE,
    first text NOT NULL,
    first_signature text NOT NULL,
    second text CHECK (second <> first),
    second_signature text,
    outcome text NOT NULL DEFAULT '',         -- released, deleted, or why not; the interlock alone writes it
    moved integer,                            -- how many orders it moved
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz
);
CREATE INDEX ON interlock_letting (id) WHERE outcome = '' AND second_signature IS NOT NULL;
CREATE FUNCTION letting_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.drive, NEW.order_ids, NEW.document, NEW.first, NEW.first_signature)
       IS DISTINCT FROM (OLD.id, OLD.drive, OLD.order_ids, OLD.document, OLD.first, OLD.first_signature)
       OR (OLD.second IS NOT NULL
           AND (NEW.second, NEW.second_signature) IS DISTINCT FROM (OLD.second, OLD.second_signature))
       OR OLD.outcome <> '' THEN
        RAISE EXCEPTION 'letting % is fixed', OLD.id USING ERRCODE = 'BH022';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fixed BEFORE UPDATE ON interlock_letting FOR EACH ROW EXECUTE FUNCTION letting_is_fixed();
CREATE TRIGGER keep_rows BEFORE DELETE ON interlock_letting FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Ends a request: `p_refused` names what is wrong with it; '' does what two officers signed, `p_act`. A released order
-- waits for its turn again, beyond the caps but under its warrant; a deleted one is over.
CREATE FUNCTION interlock_let(p_letting bigint, p_act text, p_refused text, p_at timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
    asked interlock_letting;
    said text := p_refused;
    n integer := 0;
BEGIN
    SELECT l.* INTO asked FROM interlock_letting l WHERE l.id = p_letting AND l.outcome = '' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'over';
    END IF;
    IF said = '' AND p_act = 'release' AND NOT EXISTS (
        SELECT FROM interlock_warrant w WHERE w.drive = asked.drive AND w.stopped_at IS NULL AND p_at < w.expires_at) THEN
        said := 'warrant_over';
    END IF;
    IF said = '' AND p_act = 'release' THEN
        UPDATE supply_order o SET state = 'authorised', reason = ''
        WHERE o.id = ANY (asked.order_ids) AND o.drive = asked.drive AND o.kind = 'cut' AND o.state = 'quarantined'
          AND EXISTS (SELECT FROM interlock_line l WHERE l.order_id = o.id);
        GET DIAGNOSTICS n = ROW_COUNT;
        UPDATE interlock_line l SET letting = p_letting FROM supply_order o
        WHERE o.id = l.order_id AND l.order_id = ANY (asked.order_ids) AND o.state = 'authorised';
        said := CASE WHEN n > 0 THEN 'released' ELSE 'nothing_quarantined' END;
    ELSIF said = '' AND p_act = 'delete' THEN
        WITH deleted AS (
            UPDATE supply_order o SET state = 'cancelled', reason = 'deleted_by_two'
            WHERE o.id = ANY (asked.order_ids) AND o.drive = asked.drive AND o.kind = 'cut' AND o.state = 'quarantined'
            RETURNING o.id
        ), evidence AS (
            INSERT INTO supply_result ("order", outcome, reason, at, business_at)
            SELECT d.id, 'cancelled', 'deleted_by_two', clock_timestamp(), p_at FROM deleted d RETURNING 1
        )
        SELECT count(*) INTO n FROM evidence;
        said := CASE WHEN n > 0 THEN 'deleted' ELSE 'nothing_quarantined' END;
    END IF;
    UPDATE interlock_letting l SET outcome = said, moved = n, ended_at = clock_timestamp() WHERE l.id = p_letting;
    RETURN said;
END $$;

REVOKE ALL ON interlock_letting FROM PUBLIC;
GRANT INSERT (drive, order_ids, document, first, first_signature), UPDATE (second, second_signature) ON interlock_letting
    TO app;
GRANT SELECT ON interlock_letting TO interlock;
