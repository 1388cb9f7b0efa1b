-- Restoring too much at once trips what was just restored: what was dark for a while takes more than before (cold load).
-- Each feeder and each transformer has a bucket of watts that fills with time; a restore is let through while there is
-- enough in both, and takes what its connection may draw. All of it is state in the database: a worker that dies takes
-- nothing with it, and however many workers there are they share one bucket.

-- The rules of restoring: documents of a day on. The product's own stands until two officers' takes its place.
CREATE TABLE supply_restoring (
    version text PRIMARY KEY,
    effective_from date NOT NULL,
    document text NOT NULL,
    rules jsonb NOT NULL,
    shipped boolean NOT NULL DEFAULT false,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    accepted_by text CHECK (accepted_by <> proposed_by),
    accepted_at timestamptz,
    reason text NOT NULL DEFAULT '',
    CHECK ((accepted_by IS NULL) = (accepted_at IS NULL)),
    -- Nobody is paced into the dark: whatever a document says, a feeder takes ten kilowatts a minute.
    CHECK ((rules ->> 'feeder_kw_per_minute')::numeric >= 10 AND (rules ->> 'feeder_kw_at_once')::numeric >= 10)
);
CREATE FUNCTION restoring_accepted_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF session_user = 'app' AND (NEW.shipped OR NEW.accepted_by IS NOT NULL) THEN
            RAISE EXCEPTION 'rules %: a second officer accepts them later', NEW.version USING ERRCODE = 'BH030';
        END IF;
    ELSIF OLD.accepted_by IS NOT NULL OR OLD.shipped
       OR (to_jsonb(NEW) - ARRAY['accepted_by', 'accepted_at', 'reason'])
          IS DISTINCT FROM (to_jsonb(OLD) - ARRAY['accepted_by', 'accepted_at', 'reason']) THEN
        RAISE EXCEPTION 'rules % are append-only: only their acceptance may be added, once', OLD.version
            USING ERRCODE = 'BH001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accept_once BEFORE INSERT OR UPDATE ON supply_restoring FOR EACH ROW EXECUTE FUNCTION restoring_accepted_once();
CREATE TRIGGER keep_rows BEFORE DELETE ON supply_restoring FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON supply_restoring FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT INSERT ON supply_restoring TO app;
GRANT UPDATE (accepted_by, accepted_at, reason) ON supply_restoring TO app;

-- The rules in force on a day, NULL where there are none: then nothing is paced, for want of rules keeps nobody dark.
CREATE FUNCTION restoring_rules(p_day date) RETURNS jsonb LANGUAGE sql STABLE SET search_path = public AS $$
    SELECT r.rules FROM supply_restoring r WHERE (r.shipped OR r.accepted_by IS NOT NULL) AND r.effective_from <= p_day
    ORDER BY r.effective_from DESC, r.accepted_at DESC NULLS LAST LIMIT 1
$$;

CREATE TABLE interlock_ramp (
    scope text NOT NULL CHECK (scope IN ('feeder', 'transformer')),
    place integer NOT NULL,
    left_w double precision NOT NULL,         -- under zero after one that takes more than there was
    at timestamptz NOT NULL,
    PRIMARY KEY (scope, place)
) WITH (fillfactor = 50);

-- The restores that wait for their feeder, by need and then as they came.
CREATE INDEX supply_ramp ON supply_order (feeder, need, id) WHERE kind = 'restore' AND state = 'authorised' AND released_at IS NULL;
CREATE INDEX supply_let_through ON supply_order (id) WHERE kind = 'restore' AND state = 'authorised' AND released_at IS NOT NULL;
CREATE INDEX supply_of_recall ON supply_order (recall) WHERE recall IS NOT NULL;

-- Who goes first: 0 where a life may hang on it, 1 a single order (a payment, an officer's), 2 of many those who are
-- held or registered, 3 the rest of many. A hold counts until somebody lifts it.
CREATE FUNCTION restore_need(p_connection bigint, p_many boolean) RETURNS smallint
LANGUAGE sql STABLE SET search_path = public AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM arrears_vulnerable v WHERE v.connection = p_connection AND v.ended_at IS NULL
                     AND v.need IN ('life_support', 'dialysis', 'hospital', 'water_works'))
          OR EXISTS (SELECT FROM arrears_hold h WHERE h.connection = p_connection AND h.lifted_at IS NULL
                     AND h.kind IN ('life_support', 'hospital', 'water_works')) THEN 0
        WHEN NOT p_many THEN 1
        WHEN EXISTS (SELECT FROM arrears_vulnerable v WHERE v.connection = p_connection AND v.ended_at IS NULL)
          OR EXISTS (SELECT FROM arrears_hold h WHERE h.connection = p_connection AND h.lifted_at IS NULL) THEN 2
        ELSE 3 END::smallint
$$;

-- Where a restore stands in the queue is found here and not told by whoever writes the order.
CREATE FUNCTION restore_placed() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        -- Who waits among many and pays goes with those who pay; nobody is put back.
        IF NEW.need > OLD.need OR (NEW.feeder, NEW.transformer, NEW.load_w, NEW.recall)
           IS DISTINCT FROM (OLD.feeder, OLD.transformer, OLD.load_w, OLD.recall) THEN
            RAISE EXCEPTION 'order %: its place in the queue only gets better', OLD.id USING ERRCODE = 'BH018';
        END IF;
        IF NEW.state = 'authorised' AND NEW.tries = 0 THEN
            NEW.not_until := NULL;  -- the spread that many are given
        END IF;
        RETURN NEW;
    END IF;
    SELECT t.feeder_id, t.id, greatest(c.sanctioned_load_w, 1) INTO NEW.feeder, NEW.transformer, NEW.load_w
    FROM network_connection c JOIN network_transformer t ON t.id = c.transformer_id WHERE c.id = NEW.connection;
    NEW.need := restore_need(NEW.connection, NEW.recall IS NOT NULL);
    -- Of a place that nobody knows nothing can be said: it goes at once.
    NEW.released_at := CASE WHEN NEW.feeder IS NULL THEN clock_timestamp() END;
    NEW.claimed_at := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER placed BEFORE INSERT ON supply_order FOR EACH ROW WHEN (NEW.kind = 'restore') EXECUTE FUNCTION restore_placed();
CREATE TRIGGER hastened BEFORE UPDATE OF need, feeder, transformer, load_w, recall ON supply_order
    FOR EACH ROW EXECUTE FUNCTION restore_placed();
GRANT UPDATE (need) ON supply_order TO app;
GRANT EXECUTE ON FUNCTION restore_need TO app;
GRANT EXECUTE ON FUNCTION restoring_rules TO app, reader;

-- What a bucket holds now. A clock that was set back fills nothing and keeps nobody waiting for its old hour.
CREATE FUNCTION ramp_level(
    p_left double precision, p_at timestamptz, p_now timestamptz, p_full double precision, p_per_s double precision
) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(least(p_full, p_left + p_per_s * greatest(0, extract(epoch FROM p_now - p_at)::double precision)), p_full)
$$;

-- Lets through what feeders and transformers bear now; how many. Whoever is let through is claimed like any order, also
-- again after a try that failed, and takes nothing a second time. Singles may empty a bucket; many leave a part of it to
-- them, so that who pays while a whole drive is restored finds room. One that takes more than a bucket holds goes when it
-- is full. Nobody overtakes within a feeder but by need: the queue moves, so everybody's turn comes.
CREATE FUNCTION interlock_release(p_limit integer, p_at timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public SET enable_seqscan = off AS $$
DECLARE
    rules jsonb;
    feeders integer[];
    cold double precision;
    reserve double precision;
    instant timestamptz;
    released integer;
BEGIN
    IF NOT EXISTS (SELECT FROM supply_order o WHERE o.kind = 'restore' AND o.state = 'authorised' AND o.released_at IS NULL) THEN
        RETURN 0;
    END IF;
    rules := restoring_rules((p_at AT TIME ZONE 'Asia/Kolkata')::date);
    IF rules IS NULL THEN
        UPDATE supply_order o SET released_at = clock_timestamp()
        WHERE o.id IN (SELECT w.id FROM supply_order w WHERE w.kind = 'restore' AND w.state = 'authorised'
                       AND w.released_at IS NULL ORDER BY w.id LIMIT p_limit FOR UPDATE SKIP LOCKED);
        GET DIAGNOSTICS released = ROW_COUNT;
        RETURN released;
    END IF;
    cold := (rules ->> 'cold_load_percent')::double precision / 100;
    reserve := (rules ->> 'reserve_percent')::double precision / 100;
    WITH RECURSIVE waiting AS (
        (SELECT o.feeder FROM supply_order o WHERE o.kind = 'restore' AND o.state = 'authorised' AND o.released_at IS NULL
         ORDER BY o.feeder LIMIT 1)
        UNION ALL
        SELECT (SELECT o.feeder FROM supply_order o WHERE o.kind = 'restore' AND o.state = 'authorised'
                AND o.released_at IS NULL AND o.feeder > w.feeder ORDER BY o.feeder LIMIT 1)
        FROM waiting w WHERE w.feeder IS NOT NULL
    )
    SELECT array_agg(w.feeder) INTO feeders FROM waiting w WHERE w.feeder IS NOT NULL;
    IF feeders IS NULL THEN
        RETURN 0;  -- somebody else took the last of them between two statements
    END IF;
    INSERT INTO interlock_ramp (scope, place, left_w, at)
    SELECT 'feeder', f, 1000 * coalesce(rules #>> ARRAY['feeders', f::text, 'kw_at_once'], rules ->> 'feeder_kw_at_once')::double precision,
           clock_timestamp()
    FROM unnest(feeders) AS f ON CONFLICT DO NOTHING;
    -- A feeder's row stands for its transformers' too: whoever holds it decides for all of them.
    PERFORM 1 FROM interlock_ramp r WHERE r.scope = 'feeder' AND r.place = ANY (feeders) ORDER BY r.place FOR UPDATE;
    instant := clock_timestamp();

    WITH feeder AS MATERIALIZED (
        SELECT r.place, l.full_w, ramp_level(r.left_w, r.at, instant, l.full_w, l.per_s) AS level
        FROM interlock_ramp r CROSS JOIN LATERAL (
            SELECT 1000 * coalesce(rules #>> ARRAY['feeders', r.place::text, 'kw_at_once'], rules ->> 'feeder_kw_at_once')::double precision AS full_w,
                   1000 * coalesce(rules #>> ARRAY['feeders', r.place::text, 'kw_per_minute'], rules ->> 'feeder_kw_per_minute')::double precision / 60 AS per_s
        ) AS l
        WHERE r.scope = 'feeder' AND r.place = ANY (feeders)
    ), waiting AS MATERIALIZED (
        SELECT w.* FROM feeder f CROSS JOIN LATERAL (
            SELECT o.id, o.feeder, o.transformer, o.need, o.recall IS NOT NULL AND o.need > 1 AS many, o.load_w * cold AS w
            FROM supply_order o
            WHERE o.kind = 'restore' AND o.state = 'authorised' AND o.released_at IS NULL AND o.feeder = f.place
            -- As many as the bucket may pay for, by and large: a state has hundreds of feeders, and whoever is looked at
            -- and not let through is looked at again half a second later.
            ORDER BY o.need, o.id LIMIT least(p_limit, 20 + ceil(f.level / (500 * cold))::integer)
        ) AS w
        WHERE f.level > 0
    ), transformer AS MATERIALIZED (
        SELECT t.id, l.full_w, ramp_level(r.left_w, r.at, instant, l.full_w, l.per_s) AS level
        FROM network_transformer t CROSS JOIN LATERAL (
            SELECT greatest(t.kva, 1) * 10 * (rules ->> 'transformer_percent_at_once')::double precision AS full_w,
                   greatest(t.kva, 1) * 10 * (rules ->> 'transformer_percent_per_minute')::double precision / 60 AS per_s
        ) AS l
        LEFT JOIN interlock_ramp r ON r.scope = 'transformer' AND r.place = t.id
        WHERE t.id IN (SELECT w.transformer FROM waiting w)
    ), below AS MATERIALIZED (
        SELECT j.* FROM (
            SELECT w.*, t.full_w, CASE WHEN w.many THEN t.full_w * reserve ELSE 0 END AS kept,
                   t.level + w.w - sum(w.w) OVER (PARTITION BY w.transformer ORDER BY w.need, w.id) AS there
            FROM waiting w JOIN transformer t ON t.id = w.transformer
        ) AS j WHERE j.there - j.kept >= least(j.w, j.full_w - j.kept)
    ), let AS MATERIALIZED (
        SELECT j.id, j.feeder, j.transformer, j.many, j.w FROM (
            SELECT b.id, b.feeder, b.transformer, b.many, b.w, f.full_w, CASE WHEN b.many THEN f.full_w * reserve ELSE 0 END AS kept,
                   f.level + b.w - sum(b.w) OVER (PARTITION BY b.feeder ORDER BY b.need, b.id) AS there
            FROM below b JOIN feeder f ON f.place = b.feeder
        ) AS j WHERE j.there - j.kept >= least(j.w, j.full_w - j.kept)
    ), ours AS MATERIALIZED (
        SELECT o.id, l.feeder, l.transformer, l.many, l.w FROM let l JOIN supply_order o ON o.id = l.id
        WHERE o.state = 'authorised' AND o.released_at IS NULL FOR UPDATE OF o SKIP LOCKED
    ), fed AS (
        UPDATE interlock_ramp r SET left_w = f.level - s.w, at = instant
        FROM feeder f JOIN (SELECT o.feeder, sum(o.w) AS w FROM ours o GROUP BY o.feeder) AS s ON s.feeder = f.place
        WHERE r.scope = 'feeder' AND r.place = f.place
    ), transformed AS (
        INSERT INTO interlock_ramp (scope, place, left_w, at)
        SELECT 'transformer', t.id, t.level - s.w, instant
        FROM transformer t JOIN (SELECT o.transformer, sum(o.w) AS w FROM ours o GROUP BY o.transformer) AS s ON s.transformer = t.id
        ON CONFLICT (scope, place) DO UPDATE SET left_w = EXCLUDED.left_w, at = EXCLUDED.at
    ), done AS (
        UPDATE supply_order o SET released_at = instant,
               not_until = CASE WHEN u.many THEN instant + random() * (rules ->> 'jitter_s')::double precision * interval '1 second'
                                ELSE o.not_until END
        FROM ours u WHERE o.id = u.id RETURNING 1
    )
    SELECT count(*)::integer INTO released FROM done;
    RETURN released;
END $$;

-- Why an attempt at a restore was given back, and how long it rested: what the clock from payment to light is told by.
CREATE TABLE supply_delay (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL,
    reason text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    until timestamptz
);
CREATE INDEX ON supply_delay (order_id);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON supply_delay FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON supply_delay FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
