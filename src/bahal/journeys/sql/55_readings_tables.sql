-- Collecting: what is asked of which meter and when, what has come, and batches on their way to the lake.
--
-- Readings are appended and never edited: a row belongs to the batch it came in, and of two rows for the same interval or
-- register the later batch counts. So late, repeated and out-of-order input gives the same days.

-- Schedules are data: the closest one counts, a make's own before all makes', an office's before its parents'. A schedule
-- fires `offset_s` after midnight in India and then every `every_s`; its meters are spread over `spread_s`. It asks for
-- what is missing of whole days, as far back as `back_days`; with `open_day` also of the day that still runs.
-- One officer proposes it, and it counts once a second one has accepted it. The kind `first` is of meters that are new:
-- of at most `at_once` within ten minutes each is called within minutes, more of them wait for the schedule's hour.
CREATE TABLE readings_schedule (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    bits integer NOT NULL CHECK (bits > 0),     -- shared.wanted
    office integer,                             -- NULL: all
    make text,                                  -- NULL: all
    every_s integer NOT NULL CHECK (every_s > 0),
    offset_s integer NOT NULL DEFAULT 600,
    spread_s integer NOT NULL CHECK (spread_s > 0),
    back_days smallint NOT NULL CHECK (back_days BETWEEN 0 AND 60),
    open_day boolean NOT NULL DEFAULT false,
    effective_from date NOT NULL,
    effective_to date,                          -- the day after the last
    at_once integer NOT NULL DEFAULT 0 CHECK (at_once >= 0),
    made_by text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    accepted_by text CHECK (accepted_by <> made_by),
    accepted_at timestamptz,
    reason text NOT NULL DEFAULT '',
    source text NOT NULL,
    verified boolean NOT NULL,
    fired_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO readings_schedule (kind, bits, every_s, spread_s, back_days, effective_from, made_by, accepted_by, source,
                               verified)
VALUES
    ('load', 2, 21600, 10800, 7, '2018-04-01', 'bahal', 'shipped', 'judgement of the house; no order was read', false),
    ('daily', 4, 21600, 10800, 7, '2018-04-01', 'bahal', 'shipped', 'judgement of the house; no order was read', false),
    ('billing', 8, 86400, 10800, 60, '2018-04-01', 'bahal', 'shipped', 'judgement of the house; no order was read', false),
    ('events', 4064, 86400, 10800, 7, '2018-04-01', 'bahal', 'shipped', 'judgement of the house; no order was read', false),
    ('now', 1, 86400, 10800, 0, '2018-04-01', 'bahal', 'shipped', 'judgement of the house; no order was read', false),
    ('nameplate', 16, 2592000, 10800, 0, '2018-04-01', 'bahal', 'shipped', 'judgement of the house; no order was read',
     false);

INSERT INTO readings_schedule (kind, bits, every_s, offset_s, spread_s, back_days, at_once, effective_from, made_by,
                               accepted_by, source, verified)
VALUES ('first', 31, 86400, 3600, 10800, 1, 20, '2018-04-01', 'bahal', 'shipped', 'judgement of the house; no order was read',
        false);

-- A schedule is accepted once; after that only its last day may be stated, and the planner notes when it fired.
CREATE FUNCTION readings_schedule_stays() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_free text[] := ARRAY['effective_to', 'fired_at'];
BEGIN
    IF OLD.accepted_by IS NULL THEN
        v_free := v_free || ARRAY['accepted_by', 'accepted_at', 'reason'];
    END IF;
    IF (to_jsonb(NEW) - v_free) IS DISTINCT FROM (to_jsonb(OLD) - v_free) THEN
        RAISE EXCEPTION 'schedule % stays as it was accepted', OLD.id USING ERRCODE = 'BH001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER stay BEFORE UPDATE ON readings_schedule FOR EACH ROW EXECUTE FUNCTION readings_schedule_stays();

-- How long to wait after the nth failure; after the last one a meter is left alone until its next schedule.
CREATE TABLE readings_backoff (tries smallint PRIMARY KEY, seconds integer NOT NULL CHECK (seconds > 0));
INSERT INTO readings_backoff VALUES (1, 30), (2, 120), (3, 600), (4, 3600), (5, 10800);

-- One row a meter: what is wanted of it now. `due_at` is business time.
CREATE TABLE readings_meter (
    meter text PRIMARY KEY,
    office integer NOT NULL DEFAULT 0,          -- its distribution centre; 0: on no connection
    firmware text NOT NULL DEFAULT '',
    since timestamptz NOT NULL,
    wants integer NOT NULL DEFAULT 0,
    back_days smallint NOT NULL DEFAULT 0,
    open_day boolean NOT NULL DEFAULT false,
    urgent boolean NOT NULL DEFAULT false,      -- somebody waits for it
    due_at timestamptz NOT NULL DEFAULT 'infinity',
    tries smallint NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    answered_at timestamptz,
    heard_at timestamptz,
    drift_s integer,                            -- its clock less ours
    drift_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX readings_meter_due ON readings_meter (urgent DESC, due_at) WHERE wants <> 0;
CREATE INDEX readings_meter_office ON readings_meter (office);

-- What a make's firmware captures, read from the first of its meters that was called: raw A-XDR of class 7 attribute 3,
-- and its scalers as name, power of ten and unit.
CREATE TABLE headend_layout (
    make text NOT NULL,
    firmware text NOT NULL,
    profile text NOT NULL,
    captures bytea NOT NULL,
    scalers jsonb NOT NULL,
    period_s integer NOT NULL,
    learned_from text NOT NULL,
    learned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (make, firmware, profile)
);

-- A lane is one writer of the lake: its batches rise, and its name stands in the lake's own commits.
CREATE TABLE ingest_lane (
    lane integer PRIMARY KEY,
    holder text NOT NULL,
    token bigint NOT NULL,
    until timestamptz NOT NULL
);
CREATE TABLE ingest_batch (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lane integer NOT NULL REFERENCES ingest_lane,
    key uuid NOT NULL UNIQUE,                   -- whoever lost the answer to a commit asks again under it
    days integer NOT NULL,                      -- rows for the lake
    registers integer NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at timestamptz                         -- in the lake
);
CREATE INDEX ingest_batch_open ON ingest_batch (lane, id) WHERE done_at IS NULL;

-- One meter's day as it came in one batch. NULL in a list: that interval did not come. `have` and `asked` are bits of
-- intervals from midnight on: what came, and what was asked for after its time and is therefore not there.
CREATE TABLE readings_load (
    day date NOT NULL,
    meter text NOT NULL,
    batch bigint NOT NULL,
    at timestamptz NOT NULL,
    slots smallint NOT NULL,
    have bit(96) NOT NULL,
    asked bit(96) NOT NULL,
    wh integer[],
    out_wh integer[],
    vah integer[],                              -- NULL where the make has none, as out_vah
    out_vah integer[],
    dv integer[],
    ma integer[],
    day_out_wh bigint,
    highest_dv integer,
    highest_ma integer,
    open_wh bigint,
    close_wh bigint,
    drift_s integer,
    noted integer NOT NULL,
    PRIMARY KEY (meter, day, batch)
) PARTITION BY RANGE (day);

-- Registers: daily (kind 'd') at the midnight that opens `read_on`, and at a billing date ('b'). In Wh, VAh, W.
CREATE TABLE readings_register (
    read_on date NOT NULL,
    meter text NOT NULL,
    kind "char" NOT NULL CHECK (kind IN ('d', 'b')),
    batch bigint NOT NULL,
    at timestamptz NOT NULL,
    read_at timestamptz NOT NULL,               -- the meter's own stamp
    wh bigint NOT NULL,
    vah bigint,
    out_wh bigint,
    out_vah bigint,
    more jsonb,                                 -- what else a billing row holds, by the object's name
    PRIMARY KEY (meter, kind, read_on, batch)
) PARTITION BY RANGE (read_on);

CREATE TABLE readings_event (
    meter text NOT NULL,
    log text NOT NULL,
    at timestamptz NOT NULL,
    event integer NOT NULL,
    batch bigint NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (meter, log, at, event)
);

-- What a meter shows at a moment (kind 'now', by name), and its nameplate when it is new or changed.
CREATE TABLE readings_shown (
    meter text NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    batch bigint NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (meter, kind, at)
);

-- What could not be taken, as it came and why.
CREATE TABLE readings_poison (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    meter text NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    body bytea NOT NULL
);
CREATE INDEX ON readings_poison (meter, at);

-- How much of a day was there 8 and 24 hours after it ended. Rows of days that are over stay as they were counted.
CREATE TABLE readings_delivery (
    day date NOT NULL,
    office integer NOT NULL,
    make text NOT NULL,
    cell text NOT NULL,
    kind text NOT NULL,
    meters integer NOT NULL,
    expected bigint NOT NULL,
    in_8h bigint NOT NULL,
    in_24h bigint,
    counted_at timestamptz NOT NULL,
    PRIMARY KEY (day, office, make, cell, kind)
);
