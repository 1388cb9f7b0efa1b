-- Field work: a lineman's reports are kept as they came, and tasks and mismatches are closed, never taken away.

CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON fieldwork_report FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON fieldwork_report FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON fieldwork_task FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON meters_mismatch FOR EACH ROW EXECUTE FUNCTION refuse_change();
