-- What the business does with a day's readings by itself: each kind of work once a day, and again when data came late.

-- `validate` and `balance` are of the day; `falling` of the week that ended before it. `run` stands in the lake too: who
-- takes up what a killed worker left does it under the same number, and what was written is not written again. `rows` are
-- the rows of each bucket of that day that the lake had when a validation began: more of them later are late data.
CREATE TABLE readings_run (
    kind text NOT NULL CHECK (kind IN ('validate', 'balance', 'falling')),
    day date NOT NULL,
    nth integer NOT NULL CHECK (nth > 0),
    run bigint NOT NULL,
    why text NOT NULL CHECK (why IN ('in', 'latest_hour', 'late', 'edited')),
    in_permille integer,                        -- of the half hours that were to come
    rules text NOT NULL,
    rows integer[] NOT NULL DEFAULT '{}',
    began_at timestamptz NOT NULL,              -- business time
    done_at timestamptz,
    outcome jsonb,
    PRIMARY KEY (kind, day, nth),
    CHECK ((done_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX readings_run_open ON readings_run (kind, day) WHERE done_at IS NULL;

CREATE FUNCTION readings_run_ends_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.done_at IS NOT NULL OR (to_jsonb(NEW) - ARRAY['done_at', 'outcome'])
                               IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['done_at', 'outcome']) THEN
        RAISE EXCEPTION 'the run % of % ends once, and nothing else of it changes', OLD.kind, OLD.day
            USING ERRCODE = 'BH001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER end_once BEFORE UPDATE ON readings_run FOR EACH ROW EXECUTE FUNCTION readings_run_ends_once();
CREATE TRIGGER keep_rows BEFORE DELETE ON readings_run FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON readings_run FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (done_at, outcome) ON readings_run TO app;

-- How many half hours (or quarters) of a day were to come and have come, from meters known before it ended, and whether
-- some of what came is not in the lake yet.
CREATE FUNCTION readings_in(p_day date) RETURNS TABLE (expected bigint, came bigint, waiting boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    WITH loads AS (
        SELECT l.meter, max(l.slots) AS slots, bit_count(bit_or(l.have)) AS came
        FROM readings_load l WHERE l.day = p_day GROUP BY l.meter
    )
    SELECT coalesce(sum(coalesce(l.slots, 48)), 0)::bigint, coalesce(sum(l.came), 0)::bigint,
           EXISTS (SELECT FROM ingest_batch b WHERE b.done_at IS NULL)
    FROM readings_meter r LEFT JOIN loads l ON l.meter = r.meter
    WHERE r.since < ((p_day + 1)::timestamp AT TIME ZONE 'Asia/Kolkata')
$$;

-- The days of which anything came, of those that PostgreSQL still holds.
CREATE FUNCTION readings_days(p_from date, p_to date) RETURNS SETOF date
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT d::date FROM generate_series(p_from::timestamp, (p_to - 1)::timestamp, interval '1 day') d
    WHERE EXISTS (SELECT FROM readings_load l WHERE l.day = d::date AND l.wh IS NOT NULL)
$$;
REVOKE ALL ON FUNCTION readings_in, readings_days FROM PUBLIC;
GRANT EXECUTE ON FUNCTION readings_in, readings_days TO app, reader;

-- What two people put in the place of a day's intervals, for a reason; `was` is what stood there. Nothing is edited in the
-- lake: the next run of that day takes it (`run`), and marks the day and its intervals for ever.
CREATE TABLE readings_edit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter text NOT NULL,
    day date NOT NULL,
    slots smallint NOT NULL,
    first smallint NOT NULL CHECK (first >= 0),
    wh integer[] NOT NULL CHECK (cardinality(wh) > 0 AND first + cardinality(wh) <= slots AND 0 <= ALL (wh)),
    was integer[] NOT NULL CHECK (cardinality(was) = cardinality(wh)),
    reason text NOT NULL CHECK (reason <> ''),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    accepted_by text CHECK (accepted_by <> proposed_by),
    accepted_at timestamptz,
    accepted_why text,
    run bigint
);
CREATE INDEX readings_edit_day ON readings_edit (day, id) WHERE accepted_by IS NOT NULL;
CREATE FUNCTION readings_edit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_free text[] := CASE WHEN OLD.accepted_by IS NULL THEN ARRAY['accepted_by', 'accepted_at', 'accepted_why']
                          WHEN OLD.run IS NULL THEN ARRAY['run'] ELSE ARRAY[]::text[] END;
BEGIN
    IF (to_jsonb(NEW) - v_free) IS DISTINCT FROM (to_jsonb(OLD) - v_free) THEN
        RAISE EXCEPTION 'edit % stays as it was', OLD.id USING ERRCODE = 'BH001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stay BEFORE UPDATE ON readings_edit FOR EACH ROW EXECUTE FUNCTION readings_edit_stays();
CREATE TRIGGER keep_rows BEFORE DELETE ON readings_edit FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON readings_edit FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (accepted_by, accepted_at, accepted_why, run) ON readings_edit TO app;
