-- Complaints are only added to; a step follows upon the latest as `domains/complaints/life.py` has it, so that nobody but
-- the consumer (a constraint says whose step is whose) closes one, and a closed one stays closed.

CREATE FUNCTION complaint_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE latest text; may boolean;
BEGIN
    PERFORM FROM complaints_complaint WHERE id = NEW.complaint FOR UPDATE;
    SELECT s.event INTO latest FROM complaints_step s WHERE s.complaint = NEW.complaint ORDER BY s.id DESC LIMIT 1;
    may := CASE
        WHEN latest IS NULL THEN NEW.event = 'raised'
        WHEN latest IN ('raised', 'reopened') THEN NEW.event IN ('taken_up', 'answered', 'closed')
        WHEN latest = 'taken_up' THEN NEW.event IN ('answered', 'closed')
        WHEN latest = 'answered' THEN NEW.event IN ('answered', 'reopened', 'closed')
        ELSE false
    END;
    IF NOT may THEN
        RAISE EXCEPTION 'complaint %: % does not follow upon %', NEW.complaint, NEW.event, latest USING ERRCODE = 'BH058';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER follows BEFORE INSERT ON complaints_step FOR EACH ROW EXECUTE FUNCTION complaint_follows();

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['complaints_complaint', 'complaints_step'] LOOP
        EXECUTE format('CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER keep_table BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END $$;
