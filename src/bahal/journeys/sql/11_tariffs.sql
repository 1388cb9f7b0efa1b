-- Tariffs: a version is written once and accepted once, by a second officer; who answers for a rate stays on record.

-- It stands between 10_money.sql, whose function it uses, and the grants.
CREATE FUNCTION tariffs_accepted_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.accepted_by IS NOT NULL
       OR (to_jsonb(NEW) - ARRAY['accepted_by', 'accepted_at', 'reason'])
          IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['accepted_by', 'accepted_at', 'reason']) THEN
        RAISE EXCEPTION 'tariff version % is append-only: only its acceptance may be added, once', OLD.name
            USING ERRCODE = 'BH001';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER accept_once BEFORE UPDATE ON tariffs_version FOR EACH ROW EXECUTE FUNCTION tariffs_accepted_once();
CREATE TRIGGER keep_rows BEFORE DELETE ON tariffs_version FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON tariffs_version FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON tariffs_rateacceptance
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON tariffs_rateacceptance
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
