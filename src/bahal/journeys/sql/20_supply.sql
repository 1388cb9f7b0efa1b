-- The fence only rises, and an order takes only the steps of its table, each by its own role.

CREATE FUNCTION fence_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.generation < OLD.generation OR NEW.connection <> OLD.connection THEN
        RAISE EXCEPTION 'the fence of connection % may only rise (% to %)', OLD.connection, OLD.generation, NEW.generation
            USING ERRCODE = 'BH010';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER rises BEFORE UPDATE ON supply_fence FOR EACH ROW EXECUTE FUNCTION fence_rises();
CREATE TRIGGER stays BEFORE DELETE ON supply_fence FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE supply_transition (
    source text NOT NULL,
    target text NOT NULL,
    role text NOT NULL,
    PRIMARY KEY (source, target, role)
);

CREATE FUNCTION order_life() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE before text := 'new';
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.state = OLD.state THEN
            RETURN NEW;
        END IF;
        before := OLD.state;
    END IF;
    IF NOT EXISTS (SELECT FROM supply_transition WHERE source = before AND target = NEW.state AND role = session_user) THEN
        RAISE EXCEPTION 'order %: % may not take it from % to %', NEW.id, session_user, before, NEW.state
            USING ERRCODE = 'BH011';
    END IF;
    -- Nested, so that the query runs only for the step that it is about: a drive takes four steps an order.
    IF NEW.kind = 'cut' AND before = 'proposed' AND NEW.state = 'authorised' THEN
        IF NOT EXISTS (
            SELECT FROM supply_drive d WHERE d.id = NEW.drive AND d.checker IS NOT NULL AND d.checker <> d.maker
                AND d.checker_signature IS NOT NULL AND d.checker_signature <> d.maker_signature
                AND d.maker_signature <> '') THEN
            RAISE EXCEPTION 'drive % lacks two signatures of two officers', NEW.drive USING ERRCODE = 'BH014';
        END IF;
    END IF;
    IF NEW.state = 'sent' AND NEW.sent_at IS NULL THEN
        RAISE EXCEPTION 'order % is sent without its time', NEW.id USING ERRCODE = 'BH015';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER life BEFORE INSERT OR UPDATE ON supply_order FOR EACH ROW EXECUTE FUNCTION order_life();

-- By an index whatever the statistics say: the first drive meets a table that the planner knows as empty, and its plan
-- is kept for the whole of a long list, which made it quadratic.
CREATE FUNCTION cut_begins() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF NEW.state <> 'proposed' THEN
        RAISE EXCEPTION 'a cut begins as a proposal' USING ERRCODE = 'BH012';
    END IF;
    IF EXISTS (SELECT FROM supply_order o WHERE o.meter = NEW.meter AND o.kind = 'restore'
               AND o.state IN ('proposed', 'authorised', 'claimed', 'sent', 'unknown', 'quarantined')) THEN
        RAISE EXCEPTION 'no cut opens while a restore is open for meter %', NEW.meter USING ERRCODE = 'BH013';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER life_of_cut BEFORE INSERT ON supply_order FOR EACH ROW WHEN (NEW.kind = 'cut') EXECUTE FUNCTION cut_begins();

CREATE TRIGGER keep_rows BEFORE DELETE ON supply_order FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The authority of a drive never changes once written; only its life does, and a signature that was not there yet.
CREATE FUNCTION drive_authority() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.warrant, NEW.office, NEW.orders, NEW.sum_paise, NEW.list_sha256, NEW.document, NEW.maker, NEW.not_before,
        NEW.expires_at)
       IS DISTINCT FROM
       (OLD.warrant, OLD.office, OLD.orders, OLD.sum_paise, OLD.list_sha256, OLD.document, OLD.maker, OLD.not_before,
        OLD.expires_at)
       OR (OLD.maker_signature <> '' AND NEW.maker_signature <> OLD.maker_signature)
       OR (OLD.checker IS NOT NULL AND (NEW.checker, NEW.checker_signature) IS DISTINCT FROM (OLD.checker, OLD.checker_signature))
    THEN
        RAISE EXCEPTION 'the authority of drive % is fixed', OLD.id USING ERRCODE = 'BH016';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER authority BEFORE UPDATE ON supply_drive FOR EACH ROW EXECUTE FUNCTION drive_authority();
CREATE TRIGGER keep_rows BEFORE DELETE ON supply_drive FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A dry run is what was found at an instant: it is kept as it was.
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON supply_dryrun FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON supply_dryrungroup FOR EACH ROW EXECUTE FUNCTION refuse_change();
-- Nor is what a list was derived from: a court asks for it years later.
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON supply_derivation FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON supply_derivation FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
