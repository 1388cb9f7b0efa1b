-- A drive undone: everyone it cut is ordered back, and why, on whose word and on what evidence stays for ever.

CREATE TABLE supply_evidencefile (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    content bytea NOT NULL CHECK (length(content) BETWEEN 1 AND 5242880),
    sha256 bytea GENERATED ALWAYS AS (sha256(content)) STORED,
    kept_by text NOT NULL,
    kept_at timestamptz NOT NULL
);
CREATE TABLE supply_recall (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    drive bigint NOT NULL REFERENCES supply_drive,
    cause text NOT NULL CHECK (cause IN ('emergency', 'court_order', 'mistake', 'safety')),
    reason text NOT NULL CHECK (reason <> ''),
    evidence bigint REFERENCES supply_evidencefile,
    asked_by text NOT NULL,
    asked_at timestamptz NOT NULL,
    seconded_by text CHECK (seconded_by <> asked_by),
    seconded_at timestamptz,
    ended_at timestamptz,
    CHECK (evidence IS NOT NULL OR cause = 'emergency'),
    CHECK ((seconded_by IS NULL) = (seconded_at IS NULL)),
    CHECK (ended_at IS NULL OR seconded_by IS NOT NULL OR cause = 'emergency')
);
-- A single restore that an officer or a policy ordered: why, and on what.
CREATE TABLE supply_restoration (
    order_id bigint NOT NULL,
    connection bigint NOT NULL,
    ground text NOT NULL,
    officer text NOT NULL,
    reason text NOT NULL,
    evidence bigint REFERENCES supply_evidencefile,
    undoes bigint,                             -- the cut
    at timestamptz NOT NULL,
    business_at timestamptz NOT NULL
);
CREATE INDEX ON supply_restoration (connection);
CREATE UNIQUE INDEX once_a_cut ON supply_restoration (undoes, ground) WHERE ground IN ('part_payment', 'emergency');
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON supply_restoration FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON supply_restoration FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT INSERT ON supply_restoration TO app;

CREATE UNIQUE INDEX one_open_recall ON supply_recall (drive) WHERE ended_at IS NULL;

CREATE FUNCTION recall_steps() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL
       OR (OLD.seconded_by IS NOT NULL AND NEW.seconded_by IS DISTINCT FROM OLD.seconded_by)
       OR (to_jsonb(NEW) - ARRAY['seconded_by', 'seconded_at', 'ended_at'])
          IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['seconded_by', 'seconded_at', 'ended_at']) THEN
        RAISE EXCEPTION 'recall %: only a second officer and its end are added, once', OLD.id USING ERRCODE = 'BH001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER steps BEFORE UPDATE ON supply_recall FOR EACH ROW EXECUTE FUNCTION recall_steps();
CREATE TRIGGER keep_rows BEFORE DELETE ON supply_recall FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON supply_recall FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON supply_evidencefile FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON supply_evidencefile FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT INSERT ON supply_evidencefile, supply_recall TO app;
GRANT UPDATE (seconded_by, seconded_at, ended_at) ON supply_recall TO app;

-- Up to which payment the ladder of part payments was looked at; numbers are drawn before they are committed, so the
-- reader looks back a little.
CREATE TABLE supply_laddermark (single boolean PRIMARY KEY DEFAULT true CHECK (single), payment bigint NOT NULL DEFAULT 0);
INSERT INTO supply_laddermark DEFAULT VALUES;
GRANT UPDATE (payment) ON supply_laddermark TO app;
