-- The interlock's own tables. The application may add a meter with its keys sealed; it reads none of this back.

CREATE TABLE interlock_import (
    id uuid PRIMARY KEY,
    ephemeral_public bytea NOT NULL,          -- X25519, the sealing side
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE interlock_meter (
    meter text PRIMARY KEY,
    connection bigint NOT NULL,
    make text NOT NULL,
    system_title bytea NOT NULL CHECK (length(system_title) = 8),
    host text NOT NULL,
    port integer NOT NULL,
    cell text NOT NULL,
    phase smallint NOT NULL,
    link text NOT NULL DEFAULT 'dial_out' CHECK (link IN ('dial_out', 'dial_in', 'gateway')),
    gateway text CHECK ((link = 'gateway') = (gateway IS NOT NULL)),  -- its host:port
    wport integer NOT NULL DEFAULT 1 CHECK (wport BETWEEN 1 AND 65535),  -- the meter behind it, in the wrapper
    import uuid NOT NULL REFERENCES interlock_import,
    sealed bytea NOT NULL,                    -- keys of client 48, sealed to the interlock
    lease_holder text,
    lease_token bigint NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    next_counter bigint NOT NULL DEFAULT 1 CHECK (next_counter < 2147483648),
    meter_counter bigint NOT NULL DEFAULT -1  -- the highest counter seen from the meter
) WITH (fillfactor = 70);

-- A warrant is used once. The row stays for ever.
CREATE TABLE interlock_warrant (
    warrant uuid PRIMARY KEY,
    drive bigint NOT NULL UNIQUE,
    list_sha256 text NOT NULL,
    orders integer NOT NULL,
    maker text NOT NULL,
    checker text NOT NULL,
    maker_authority text NOT NULL,            -- his own login, or whom he stands in for
    checker_authority text NOT NULL,
    profile text NOT NULL,
    canary integer NOT NULL,
    not_before timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    canary_passed_at timestamptz,
    stopped_at timestamptz,
    stopped_why text
);

-- The verified list: what the two officers signed, line by line. The order row is never trusted against it.
CREATE TABLE interlock_line (
    order_id bigint PRIMARY KEY,
    warrant uuid NOT NULL REFERENCES interlock_warrant,
    drive bigint NOT NULL,
    meter text NOT NULL,
    connection bigint NOT NULL,
    transformer integer NOT NULL,
    feeder integer NOT NULL,
    circle integer NOT NULL,
    fence bigint NOT NULL,
    paise bigint NOT NULL,
    position integer NOT NULL,
    ground text NOT NULL DEFAULT 'nonpayment_s56',
    letting bigint,                           -- two officers let it go beyond the caps, by this
    by_hand boolean NOT NULL DEFAULT false    -- its meter has no relay: a lineman cuts, by leave asked on the spot
);
CREATE INDEX interlock_line_by_hand ON interlock_line (drive) WHERE by_hand;
CREATE INDEX ON interlock_line (drive);
CREATE INDEX ON interlock_line (connection);

-- Counted cuts per scope and bucket; `ceiling` is fixed when the bucket is opened and may only fall.
CREATE TABLE interlock_cap (
    scope text NOT NULL,
    bucket text NOT NULL,
    counted integer NOT NULL DEFAULT 0,
    ceiling integer NOT NULL,
    PRIMARY KEY (scope, bucket)
);
CREATE FUNCTION cap_never_refills() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a counted cap is never forgotten' USING ERRCODE = 'BH020';
    END IF;
    IF NEW.counted < OLD.counted OR NEW.ceiling > OLD.ceiling THEN
        RAISE EXCEPTION 'cap % % may not be refilled or raised', OLD.scope, OLD.bucket USING ERRCODE = 'BH020';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER never_refills BEFORE UPDATE OR DELETE ON interlock_cap FOR EACH ROW EXECUTE FUNCTION cap_never_refills();

-- Every sending, one row: the record that I1 is checked against from inside.
CREATE TABLE interlock_sending (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL,
    kind text NOT NULL,
    meter text NOT NULL,
    connection bigint NOT NULL,
    fence bigint NOT NULL,
    due_paise bigint,
    policy text,
    worker text NOT NULL,
    sent_at timestamptz NOT NULL,
    business_at timestamptz NOT NULL
);
CREATE INDEX ON interlock_sending (meter) WHERE kind = 'cut';
CREATE INDEX ON interlock_sending (order_id);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON interlock_sending FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON interlock_sending FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What went over the wire for a result: ciphered frames with their direction, as bahal.shared.frames keeps them.
CREATE TABLE interlock_frames (
    result bigint PRIMARY KEY,
    order_id bigint NOT NULL,
    frames bytea NOT NULL,
    sha256 bytea GENERATED ALWAYS AS (sha256(frames)) STORED
);
CREATE INDEX ON interlock_frames (order_id);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON interlock_frames FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON interlock_frames FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- One row: stopped by a person or by the interlock itself; and the row every batch of cuts locks first.
CREATE TABLE interlock_switch (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    stopped_at timestamptz,
    stopped_by text,
    stopped_why text,
    stops bigint NOT NULL DEFAULT 0,          -- how often it was thrown: two officers arm it after one certain stop
    armed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO interlock_switch DEFAULT VALUES;

-- One row: the dead-man's looks while a drive runs. A row of looks without a gap begins where nobody had looked for ten
-- seconds; until one of them found nothing wrong, no further cut is claimed.
CREATE TABLE interlock_looking (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    clear boolean NOT NULL DEFAULT true
);
INSERT INTO interlock_looking DEFAULT VALUES;

CREATE TABLE headend_import (
    id uuid PRIMARY KEY,
    ephemeral_public bytea NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE headend_meter (
    meter text PRIMARY KEY,
    make text NOT NULL,
    system_title bytea NOT NULL UNIQUE CHECK (length(system_title) = 8),
    host text NOT NULL,
    port integer NOT NULL,
    cell text NOT NULL,
    link text NOT NULL DEFAULT 'dial_out' CHECK (link IN ('dial_out', 'dial_in', 'gateway')),
    gateway text CHECK ((link = 'gateway') = (gateway IS NOT NULL)),  -- its host:port
    wport integer NOT NULL DEFAULT 1 CHECK (wport BETWEEN 1 AND 65535),  -- the meter behind it, in the wrapper
    import uuid NOT NULL REFERENCES headend_import,
    sealed bytea NOT NULL,                    -- keys of clients 32 and 64, sealed to the head-end
    lease_holder text,
    lease_token bigint NOT NULL DEFAULT 0,
    lease_until timestamptz NOT NULL DEFAULT '-infinity',
    next_counter bigint NOT NULL DEFAULT 1 CHECK (next_counter < 2147483648),
    meter_counter bigint NOT NULL DEFAULT -1,
    push_counter bigint NOT NULL DEFAULT -1
) WITH (fillfactor = 70);
