-- The interlock's signing page: passkeys' signatures and counts, who was told of what he signs, and acts of the charter on
-- their way. The application carries what is asked; what was signed, told and judged the interlock alone writes.

-- A passkey's signature over a warrant, taken by the page: one for each role and officer, and never changed. What it
-- covers names warrant and role, so that it serves nowhere else.
CREATE TABLE interlock_signature (
    warrant uuid NOT NULL,
    role text NOT NULL CHECK (role IN ('maker', 'checker')),
    officer text NOT NULL,
    authority text NOT NULL,                  -- his own login, or whom he stands in for
    credential text NOT NULL,
    cose text NOT NULL,
    origin text NOT NULL,
    host text NOT NULL,
    signature text NOT NULL,                  -- as bahal.shared.passkey.Assertion writes it
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    business_at timestamptz NOT NULL,
    PRIMARY KEY (warrant, role),
    UNIQUE (warrant, officer)
);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON interlock_signature FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON interlock_signature FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The highest count that each passkey has shown. One that goes back is a copy.
CREATE TABLE interlock_passkey (
    credential text PRIMARY KEY,
    count bigint NOT NULL,
    used_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION passkey_counts_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.credential <> OLD.credential OR NEW.count < OLD.count THEN
        RAISE EXCEPTION 'a passkey only counts up' USING ERRCODE = 'BH022';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER counts_up BEFORE UPDATE OR DELETE ON interlock_passkey FOR EACH ROW EXECUTE FUNCTION passkey_counts_up();

-- Whether a count is news; 0 is said by authenticators that do not count (WebAuthn, 6.1.1).
CREATE FUNCTION interlock_use_passkey(p_credential text, p_first bigint, p_count bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE known bigint;
BEGIN
    INSERT INTO interlock_passkey (credential, count) VALUES (p_credential, p_first) ON CONFLICT DO NOTHING;
    SELECT k.count INTO known FROM interlock_passkey k WHERE k.credential = p_credential FOR UPDATE;
    IF p_count <= known AND (p_count, known) <> (0, 0) THEN
        RETURN false;
    END IF;
    UPDATE interlock_passkey SET count = p_count, used_at = clock_timestamp() WHERE credential = p_credential;
    RETURN true;
END $$;

-- Takes a signature that the interlock has verified, for a drive that still waits for it; '' or why not.
CREATE FUNCTION interlock_sign(
    p_warrant uuid, p_role text, p_officer text, p_authority text, p_credential text, p_cose text, p_first bigint,
    p_count bigint, p_origin text, p_host text, p_signature text, p_at timestamptz
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    PERFORM 1 FROM supply_drive d WHERE d.warrant = p_warrant AND d.state = 'proposed' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'warrant_not_waiting';
    END IF;
    IF p_role = 'checker' AND NOT EXISTS (
        SELECT FROM supply_drive d WHERE d.warrant = p_warrant AND d.maker_signature <> ''
        UNION ALL SELECT FROM interlock_signature s WHERE s.warrant = p_warrant AND s.role = 'maker') THEN
        RETURN 'warrant_maker_first';
    END IF;
    IF EXISTS (SELECT FROM interlock_signature s WHERE s.warrant = p_warrant AND (s.role = p_role OR s.officer = p_officer)) THEN
        RETURN 'warrant_signed_already';
    END IF;
    IF NOT interlock_use_passkey(p_credential, p_first, p_count) THEN
        RETURN 'warrant_passkey_count';
    END IF;
    INSERT INTO interlock_signature (warrant, role, officer, authority, credential, cose, origin, host, signature, business_at)
    VALUES (p_warrant, p_role, p_officer, p_authority, p_credential, p_cose, p_origin, p_host, p_signature, p_at);
    RETURN '';
END $$;

-- Whom the interlock told by its own message what he signs. No drive is taken in before both were.
CREATE TABLE interlock_told (
    warrant uuid NOT NULL,
    officer text NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    told_at timestamptz,
    receipt text,
    why text NOT NULL DEFAULT '',             -- what the last try failed with
    tried_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (warrant, officer),
    CHECK ((told_at IS NULL) = (receipt IS NULL))
);
CREATE FUNCTION told_for_good() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.told_at IS NOT NULL THEN
        RAISE EXCEPTION 'who was told was told' USING ERRCODE = 'BH023';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER for_good BEFORE UPDATE OR DELETE ON interlock_told FOR EACH ROW EXECUTE FUNCTION told_for_good();
CREATE FUNCTION interlock_tell(p_warrant uuid, p_officer text, p_receipt text, p_why text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    INSERT INTO interlock_told AS t (warrant, officer, tries, told_at, receipt, why)
    VALUES (p_warrant, p_officer, 1, CASE WHEN p_receipt IS NOT NULL THEN clock_timestamp() END, p_receipt, p_why)
    ON CONFLICT (warrant, officer) DO UPDATE SET tries = t.tries + 1, told_at = excluded.told_at, receipt = excluded.receipt,
        why = excluded.why, tried_at = clock_timestamp() WHERE t.told_at IS NULL
$$;

-- Acts of the charter on their way. The interlock judges them by its own record; `outcome` is what it said.
CREATE TABLE interlock_act (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sha256 text NOT NULL UNIQUE,
    act text NOT NULL,
    document text NOT NULL,
    asked_by text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    outcome text NOT NULL DEFAULT '',         -- accepted, or why not
    ended_at timestamptz
);
CREATE TABLE interlock_act_signature (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    act bigint NOT NULL REFERENCES interlock_act,
    officer text NOT NULL,
    signature text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON interlock_act_signature (act);
CREATE FUNCTION act_is_fixed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.outcome <> '' OR (NEW.id, NEW.sha256, NEW.act, NEW.document, NEW.asked_by, NEW.made_at)
       IS DISTINCT FROM (OLD.id, OLD.sha256, OLD.act, OLD.document, OLD.asked_by, OLD.made_at) THEN
        RAISE EXCEPTION 'act % is fixed', OLD.id USING ERRCODE = 'BH021';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fixed BEFORE UPDATE ON interlock_act FOR EACH ROW EXECUTE FUNCTION act_is_fixed();
CREATE TRIGGER keep_rows BEFORE DELETE ON interlock_act FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON interlock_act_signature FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE FUNCTION interlock_end_act(p_act bigint, p_outcome text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    UPDATE interlock_act SET outcome = p_outcome, ended_at = clock_timestamp() WHERE id = p_act AND outcome = ''
$$;
-- A passkey's signature over an act, verified by the page; '' or why not.
CREATE FUNCTION interlock_sign_act(
    p_sha256 text, p_officer text, p_credential text, p_first bigint, p_count bigint, p_signature text
) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE wanted bigint;
BEGIN
    SELECT a.id INTO wanted FROM interlock_act a WHERE a.sha256 = p_sha256 AND a.outcome = '' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN 'act_not_waiting';
    END IF;
    IF NOT interlock_use_passkey(p_credential, p_first, p_count) THEN
        RETURN 'warrant_passkey_count';
    END IF;
    INSERT INTO interlock_act_signature (act, officer, signature) VALUES (wanted, p_officer, p_signature);
    RETURN '';
END $$;

-- Passkeys that somebody made on the page and nobody has enrolled: they count for nothing. The oldest give way.
CREATE TABLE interlock_candidate (
    credential text PRIMARY KEY,
    login text NOT NULL,
    cose text NOT NULL,
    count bigint NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION interlock_keep_candidate(p_credential text, p_login text, p_cose text, p_count bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    DELETE FROM interlock_candidate WHERE credential IN (
        SELECT c.credential FROM interlock_candidate c ORDER BY c.made_at DESC OFFSET 199);
    INSERT INTO interlock_candidate (credential, login, cose, count) VALUES (p_credential, p_login, p_cose, p_count)
    ON CONFLICT DO NOTHING
$$;

-- What the interlock says of itself: whose signature counts. For people to read; nothing is decided by it.
CREATE TABLE interlock_roll (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    stated jsonb NOT NULL,
    worker text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE FUNCTION interlock_state_roll(p_stated jsonb, p_worker text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    INSERT INTO interlock_roll (stated, worker) VALUES (p_stated, p_worker)
    ON CONFLICT (single) DO UPDATE SET stated = p_stated, worker = p_worker, at = clock_timestamp()
$$;

-- Other caps came into force: a bucket that is counted already falls with them at once and never rises (cap_never_refills).
CREATE FUNCTION interlock_lower_caps(p_profile jsonb, p_at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    UPDATE interlock_cap k SET ceiling = c.wanted FROM (
        SELECT b.scope, b.bucket, CASE
            WHEN b.scope = 'state' THEN (p_profile->>'state_hour')::integer
            WHEN b.scope LIKE 'circle:%' THEN (p_profile->>'circle_hour')::integer
            WHEN b.scope LIKE 'drive:%' THEN (p_profile->>'drive')::integer
            WHEN b.scope LIKE 'circle-day:%' THEN greatest((p_profile->>'day_floor')::integer, floor(
                (p_profile->>'day_share')::numeric * (
                    SELECT count(*) FROM offices_office division
                    JOIN offices_office subdivision ON subdivision.parent_id = division.id
                    JOIN offices_office centre ON centre.parent_id = subdivision.id
                    JOIN network_connection c ON c.centre = centre.id
                    WHERE division.parent_id = split_part(b.scope, ':', 2)::integer))::integer)
            WHEN b.scope LIKE 'transformer:%' THEN greatest((p_profile->>'transformer_floor')::integer, floor(
                (p_profile->>'transformer_share')::numeric * (
                    SELECT count(*) FROM network_connection c
                    WHERE c.transformer_id = split_part(b.scope, ':', 2)::integer))::integer)
            WHEN b.scope LIKE 'feeder:%' THEN greatest((p_profile->>'feeder_floor')::integer, floor(
                (p_profile->>'feeder_share')::numeric * (
                    SELECT count(*) FROM network_connection c JOIN network_transformer t ON t.id = c.transformer_id
                    WHERE t.feeder_id = split_part(b.scope, ':', 2)::integer))::integer)
            END AS wanted
        FROM interlock_cap b  -- of this day and later: what is over counts no more
        WHERE b.bucket = '' OR b.bucket >= to_char(p_at AT TIME ZONE 'Asia/Kolkata', 'YYYY-MM-DD')
    ) AS c WHERE k.scope = c.scope AND k.bucket = c.bucket AND c.wanted < k.ceiling
$$;

-- --- what the page shows, each derived anew -------------------------------------------------------------------------------

-- The right to cut of connections, as it would be derived when they are sent.
CREATE FUNCTION interlock_judge(p_connections bigint[], p_at timestamptz, p_cut_at timestamptz)
RETURNS TABLE (connection bigint, paise bigint, reasons text[]) LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    SELECT f.connection, coalesce(f.enforceable_paise, 0), f.reasons FROM authority_facts(p_connections, p_at, p_cut_at) f
$$;

-- Who they are and where: consumer, distribution centre and division, each with its name in Hindi, and the circle.
CREATE FUNCTION interlock_places(p_connections bigint[])
RETURNS TABLE (connection bigint, name text, name_hi text, centre text, centre_hi text, division text, division_hi text,
               circle integer)
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    SELECT c.id, coalesce(p.name, ''), coalesce(p.name_hi, ''), centre.name, centre.name_hi, division.name, division.name_hi,
           division.parent_id
    FROM network_connection c
    JOIN offices_office centre ON centre.id = c.centre
    JOIN offices_office subdivision ON subdivision.id = centre.parent_id
    JOIN offices_office division ON division.id = subdivision.parent_id
    LEFT JOIN consumers_consumer p ON p.id = c.id
    WHERE c.id = ANY (p_connections)
$$;
CREATE FUNCTION interlock_circle(p_circle integer) RETURNS TABLE (name text, name_hi text)
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    SELECT o.name, o.name_hi FROM offices_office o WHERE o.id = p_circle
$$;

-- The latest dry run of a circle, and what a list has more and less than it.
CREATE FUNCTION interlock_against_dry_run(p_office integer, p_connections bigint[])
RETURNS TABLE (run bigint, made_at timestamptz, listed integer, sum_paise bigint, came bigint[], went bigint[])
LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
    WITH latest AS (
        SELECT r.* FROM supply_dryrun r WHERE r.office = p_office ORDER BY r.id DESC LIMIT 1
    ), before AS (
        SELECT unnest(g.connections) AS connection FROM supply_dryrungroup g JOIN latest l ON g.run = l.id
        WHERE cardinality(g.reasons) = 0
    )
    SELECT l.id, l.made_at, l.listed, l.sum_paise,
           ARRAY(SELECT c FROM unnest(p_connections) c WHERE c NOT IN (SELECT b.connection FROM before b) ORDER BY c),
           ARRAY(SELECT b.connection FROM before b WHERE b.connection NOT IN (SELECT unnest(p_connections)) ORDER BY 1)
    FROM latest l
$$;

REVOKE ALL ON interlock_signature, interlock_passkey, interlock_told, interlock_act, interlock_act_signature,
    interlock_candidate, interlock_roll FROM PUBLIC;
GRANT SELECT ON interlock_signature, interlock_told, interlock_act, interlock_act_signature TO interlock;
GRANT INSERT (sha256, act, document, asked_by) ON interlock_act TO app;
GRANT INSERT (act, officer, signature) ON interlock_act_signature TO app;
-- The maker's signature, where the page took it.
GRANT UPDATE (maker_signature) ON supply_drive TO app;
GRANT EXECUTE ON FUNCTION interlock_use_passkey, interlock_sign, interlock_tell, interlock_end_act, interlock_sign_act,
    interlock_keep_candidate, interlock_state_roll, interlock_lower_caps, interlock_judge, interlock_places, interlock_circle,
    interlock_against_dry_run TO interlock;
