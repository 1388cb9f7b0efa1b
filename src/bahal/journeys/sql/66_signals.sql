-- What the meters say by themselves: nothing that was said is edited; what was made of it may be closed, once.
-- The grants of these tables stand here beside them.

CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON protection_happening
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON protection_happening
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON protection_alert FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON protection_warning FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A version of rules is written once and accepted once, by a second officer.
CREATE FUNCTION rules_accepted_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.accepted_by IS NOT NULL
       OR (to_jsonb(NEW) - ARRAY['accepted_by', 'accepted_at', 'reason'])
          IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['accepted_by', 'accepted_at', 'reason']) THEN
        RAISE EXCEPTION 'rules % % are append-only: only their acceptance may be added, once', OLD.name, OLD.version
            USING ERRCODE = 'BH001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accept_once BEFORE UPDATE ON protection_rules FOR EACH ROW EXECUTE FUNCTION rules_accepted_once();
CREATE TRIGGER keep_rows BEFORE DELETE ON protection_rules FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- How many meters each transformer of a feeder has: what a storm is measured against.
CREATE VIEW incident_place AS
    SELECT t.feeder_id AS feeder, t.id AS transformer, count(m.serial)::integer AS meters
    FROM network_transformer t
    LEFT JOIN network_connection c ON c.transformer_id = t.id
    LEFT JOIN meters_meter m ON m.connection = c.id
    GROUP BY t.feeder_id, t.id;

GRANT INSERT ON protection_happening, protection_rules, protection_fallingrun, protection_warning, incidents_incident,
    incidents_trouble, incidents_asked, incidents_planned, network_inputmeter, network_loss TO app;
GRANT UPDATE (occurred_at, latest_at, told, ended_at, closed_at, closed_by, outcome, look, seen_again, seen_again_at)
    ON protection_alert TO app;
GRANT UPDATE (closed_at, closed_by, outcome, note) ON protection_warning TO app;
GRANT UPDATE (accepted_by, accepted_at, reason) ON protection_rules TO app;
GRANT UPDATE (scope, place, began_at, ended_at, closed_at, cause, note, merged_into, asked_at)
    ON incidents_incident TO app;
GRANT UPDATE (began_at, ended_at, how, ended_how, incident) ON incidents_trouble TO app;
GRANT UPDATE (answer) ON incidents_asked TO app;
GRANT UPDATE (until) ON network_inputmeter TO app;
GRANT UPDATE (in_wh, out_wh, lost_wh, confidence_permille, meters, unknown, hours_in, hours_out, hours_sure, computed_at)
    ON network_loss TO app;
