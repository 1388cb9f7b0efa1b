-- The chain of notices. A step is appended by `notices_append` and by nothing else, which numbers it within its chain
-- (one of a connection and a machine), hashes all its facts with the hash before, and writes the batch's hash into the
-- audit: an edited step breaks its chain, one that was taken off the end is missed by the audit.

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['notices_step', 'notices_writtennotice', 'notices_noticedbill', 'notices_letterlist'] LOOP
        EXECUTE format('CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
        EXECUTE format('CREATE TRIGGER keep_table BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END $$;

CREATE SEQUENCE notices_batch;

CREATE FUNCTION notices_instant(p_at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
$$;

-- The hash of a step: SHA-256 over its facts as one JSON array, the same text as `step_hash` of
-- shared/verify_evidence.py makes; a test asks both.
CREATE FUNCTION notices_hash(p_previous text, p_position integer, s notices_step) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(jsonb_build_array(
        'bahal notice step v1', p_previous, s.connection, s.machine, p_position, s.attempt, s.event, s.notice, s.day,
        s.channel, s.template, s.template_version, s.text, s.address, s.next_channel, notices_instant(s.next_at),
        s.policy, s.provider, s.code, s.evidence, notices_instant(s.at), notices_instant(s.business_at), s.effective_on
    )::text, 'UTF8')), 'hex')
$$;

-- Whoever changes attempts in the queue and appends their steps takes this first, so that two never wait for one another.
CREATE FUNCTION notices_hold() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtext('bahal.notices'))
$$;

-- Appends steps, given as objects with the columns of `notices_step`, each to the end of its own chain in the order
-- given; the number of the batch, or nothing if there were none. Who appends waits for whoever does before him.
CREATE FUNCTION notices_append(p_steps jsonb, p_actor text, p_at timestamptz, p_business_at timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE made bigint; steps bigint; digest text;
BEGIN
    IF coalesce(jsonb_array_length(p_steps), 0) = 0 THEN
        RETURN NULL;
    END IF;
    PERFORM notices_hold();
    made := nextval('notices_batch');
    WITH RECURSIVE given AS MATERIALIZED (
        SELECT s.step, (s.step).connection, (s.step).machine, s.nth,
               row_number() OVER (PARTITION BY (s.step).connection, (s.step).machine ORDER BY s.nth) AS level
        FROM (SELECT jsonb_populate_record(NULL::notices_step, e.step) AS step, e.nth
              FROM jsonb_array_elements(p_steps) WITH ORDINALITY AS e (step, nth) OFFSET 0) AS s
    ), chained AS (
        SELECT g.step, g.connection, g.machine, g.nth, g.level, l.position, l.previous,
               notices_hash(l.previous, l.position, g.step) AS hash
        FROM given g
        CROSS JOIN LATERAL (
            SELECT coalesce(max(z.position), 0) + 1 AS position, coalesce(max(z.hash), repeat('0', 64)) AS previous
            FROM (SELECT c.position, c.hash FROM notices_step c
                  WHERE c.connection = g.connection AND c.machine = g.machine ORDER BY c.position DESC LIMIT 1) AS z
        ) AS l
        WHERE g.level = 1
        UNION ALL
        SELECT g.step, g.connection, g.machine, g.nth, g.level, c.position + 1, c.hash,
               notices_hash(c.hash, c.position + 1, g.step)
        FROM chained c
        JOIN given g ON g.connection = c.connection AND g.machine = c.machine AND g.level = c.level + 1
    ), kept AS (
        INSERT INTO notices_step (
            batch, connection, machine, position, attempt, event, notice, day, channel, template, template_version, text,
            address, next_channel, next_at, policy, provider, code, evidence, at, business_at, effective_on, previous, hash)
        SELECT made, c.connection, c.machine, c.position, (c.step).attempt, (c.step).event, (c.step).notice, (c.step).day,
               (c.step).channel, (c.step).template, (c.step).template_version, (c.step).text, (c.step).address,
               (c.step).next_channel, (c.step).next_at, (c.step).policy, (c.step).provider, (c.step).code,
               (c.step).evidence, (c.step).at, (c.step).business_at, (c.step).effective_on, c.previous, c.hash
        FROM chained c ORDER BY c.nth
        RETURNING id, notices_step.hash
    )
    SELECT count(*), encode(sha256(convert_to(string_agg(kept.hash, '' ORDER BY kept.id), 'UTF8')), 'hex')
    INTO steps, digest FROM kept;
    INSERT INTO audit_entry (at, business_at, actor, act, subject, data)
    VALUES (p_at, p_business_at, p_actor, 'notice.steps', 'notice steps ' || made,
            jsonb_build_object('batch', made, 'steps', steps, 'sha256', digest));
    RETURN made;
END $$;

-- Appends what was asked for: the attempts as they stand in the queue. A telephone is masked; the text is as it is sent.
CREATE FUNCTION notices_asked(p_messages bigint[], p_policy text, p_evidence text[], p_actor text, p_at timestamptz,
                              p_business_at timestamptz) RETURNS bigint LANGUAGE sql AS $$
    SELECT notices_append(jsonb_agg(jsonb_build_object(
        'connection', m.connection, 'machine', m.kind, 'attempt', m.id, 'event', 'asked', 'notice', m.notice,
        'day', m.business_on, 'channel', m.channel, 'template', m.made_from, 'template_version', m.made_version,
        'text', m.text,
        'address', repeat('•', greatest(0, length(m.phone) - 4)) || right(m.phone, 4),
        'next_channel', m.next_channel, 'next_at', m.next_at, 'policy', p_policy, 'evidence', g.evidence,
        'at', p_at, 'business_at', p_business_at
    ) ORDER BY g.nth), p_actor, p_at, p_business_at)
    FROM ROWS FROM (unnest(p_messages), unnest(p_evidence)) WITH ORDINALITY AS g (message, evidence, nth)
    JOIN notices_message m ON m.id = g.message
    WHERE m.kind IN ('statutory', 'reminder')
$$;

-- Appends what was heard of attempts; those that are neither a notice nor a reminder have no chain. What arrived did so
-- on no day before its own. A time that is not given is now.
CREATE FUNCTION notices_heard(
    p_messages bigint[], p_events text[], p_providers text[], p_codes text[], p_evidence text[], p_ats timestamptz[],
    p_business_ats timestamptz[], p_actor text, p_at timestamptz, p_business_at timestamptz
) RETURNS bigint LANGUAGE sql AS $$
    SELECT notices_append(jsonb_agg(jsonb_build_object(
        'connection', m.connection, 'machine', m.kind, 'attempt', m.id, 'event', g.event, 'notice', m.notice,
        'day', m.business_on, 'channel', m.channel, 'provider', g.provider, 'code', g.code, 'evidence', g.evidence,
        'at', coalesce(g.at, p_at), 'business_at', coalesce(g.business_at, p_business_at),
        'effective_on', CASE WHEN g.event = 'delivered' THEN
            greatest(m.business_on, (coalesce(g.business_at, p_business_at) AT TIME ZONE 'Asia/Kolkata')::date) END
    ) ORDER BY g.nth), p_actor, p_at, p_business_at)
    FROM ROWS FROM (unnest(p_messages), unnest(p_events), unnest(p_providers), unnest(p_codes), unnest(p_evidence),
                    unnest(p_ats), unnest(p_business_ats))
         WITH ORDINALITY AS g (message, event, provider, code, evidence, at, business_at, nth)
    JOIN notices_message m ON m.id = g.message
    WHERE m.kind IN ('statutory', 'reminder')
$$;

-- A template comes in unaccepted from the application, and is accepted once; nothing else of it ever changes.
CREATE FUNCTION template_life() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.accepted_at IS NOT NULL AND session_user = 'app' THEN
        RAISE EXCEPTION 'template % %: a second officer accepts it later', NEW.id, NEW.version USING ERRCODE = 'BH031';
    END IF;
    IF TG_OP = 'UPDATE' AND (OLD.accepted_at IS NOT NULL
            OR (NEW.id, NEW.version, NEW.kind, NEW.channel, NEW.language, NEW.registered_as, NEW.text, NEW.verified,
                NEW.effective_from, NEW.proposed_by, NEW.proposed_at)
            IS DISTINCT FROM (OLD.id, OLD.version, OLD.kind, OLD.channel, OLD.language, OLD.registered_as, OLD.text,
                OLD.verified, OLD.effective_from, OLD.proposed_by, OLD.proposed_at)) THEN
        RAISE EXCEPTION 'template % % stays as it is', OLD.id, OLD.version USING ERRCODE = 'BH031';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER life BEFORE INSERT OR UPDATE ON notices_template FOR EACH ROW EXECUTE FUNCTION template_life();
CREATE TRIGGER keep_rows BEFORE DELETE ON notices_template FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON notices_template FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
