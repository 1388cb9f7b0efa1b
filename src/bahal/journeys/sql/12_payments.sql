-- Payments: what is open on a connection, oldest first, and how a payment is divided over it.

-- Receivable is netted as the right to cut has it (40_authority.sql): credits without a bill settle the oldest first.
-- A credit that is over all bills of an account stands as one negative row.
CREATE FUNCTION payment_dues(p_connection bigint)
RETURNS TABLE (account text, bill bigint, paise bigint, place bigint) LANGUAGE sql STABLE AS $$
    WITH stands AS MATERIALIZED (
        SELECT p.account, CASE p.account WHEN 'receivable' THEN p.bill END AS bill, sum(p.paise)::bigint AS paise
        FROM ledger_posting p
        WHERE p.account IN ('receivable', 'surcharge', 'expenses') AND p.connection = p_connection
        GROUP BY 1, 2 HAVING sum(p.paise) <> 0
    ), credit AS (
        SELECT coalesce(-sum(s.paise) FILTER (WHERE s.paise < 0), 0)::bigint AS paise, sum(s.paise)::bigint AS net
        FROM stands s WHERE s.account = 'receivable'
    ), aged AS (
        SELECT s.bill, s.paise, row_number() OVER oldest AS place,
               sum(s.paise) OVER (oldest ROWS UNBOUNDED PRECEDING) AS up_to
        FROM stands s LEFT JOIN billing_bill b ON b.id = s.bill
        WHERE s.account = 'receivable' AND s.paise > 0
        WINDOW oldest AS (ORDER BY b.issued_on NULLS FIRST, s.bill NULLS FIRST)
    )
    SELECT 'receivable', a.bill, least(a.paise, a.up_to - c.paise)::bigint, a.place
    FROM aged a, credit c WHERE a.up_to > c.paise
    UNION ALL
    SELECT 'receivable', NULL, c.net, 0 FROM credit c WHERE c.net < 0
    UNION ALL
    SELECT s.account, NULL, s.paise, 0 FROM stands s WHERE s.account <> 'receivable'
$$;

-- A payment divided over what is open, in the policy's order; the rest is an advance. Arrays in that order, without
-- nothings; `remains` is what stays open, `kept` what is left. The same as `allocate` over `payment_dues`
-- (domains/payments/allocation.py explains the order); a test asks all three. One query and a loop: a third faster than
-- windows over windows, and this connection's next payer waits for it.
CREATE FUNCTION payment_shares(
    p_connection bigint, p_paise bigint, p_order text[],
    OUT accounts text[], OUT bills bigint[], OUT sums bigint[], OUT remains bigint, OUT kept bigint
) LANGUAGE plpgsql STABLE AS $$
DECLARE
    stand_accounts text[]; stand_bills bigint[]; stand_sums bigint[];
    credit bigint := 0;  -- of receivable: settles the oldest bills first
    billed bigint := 0;
    part bigint;
BEGIN
    SELECT array_agg(s.account ORDER BY s.rank, s.account, b.issued_on NULLS FIRST, s.bill NULLS FIRST),
           array_agg(s.bill ORDER BY s.rank, s.account, b.issued_on NULLS FIRST, s.bill NULLS FIRST),
           array_agg(s.paise ORDER BY s.rank, s.account, b.issued_on NULLS FIRST, s.bill NULLS FIRST)
    INTO stand_accounts, stand_bills, stand_sums
    FROM (
        SELECT p.account, CASE p.account WHEN 'receivable' THEN p.bill END AS bill, sum(p.paise)::bigint AS paise,
               coalesce(array_position(p_order, p.account), 99) AS rank
        FROM ledger_posting p
        WHERE p.account IN ('receivable', 'surcharge', 'expenses') AND p.connection = p_connection
        GROUP BY 1, 2 HAVING sum(p.paise) <> 0
    ) AS s LEFT JOIN billing_bill b ON b.id = s.bill;
    accounts := '{}';
    bills := '{}';
    sums := '{}';
    kept := p_paise;
    remains := 0;
    -- A credit is spent like money; one of receivable only as far as it is over all bills.
    FOR n IN 1 .. coalesce(cardinality(stand_sums), 0) LOOP
        part := stand_sums[n];
        IF stand_accounts[n] = 'receivable' THEN
            IF part < 0 THEN
                credit := credit - part;
            ELSE
                billed := billed + part;
            END IF;
        ELSIF part < 0 THEN
            kept := kept - part;
            accounts := accounts || stand_accounts[n];
            bills := bills || NULL::bigint;
            sums := sums || part;
        END IF;
    END LOOP;
    IF credit > billed THEN
        kept := kept + credit - billed;
        accounts := accounts || 'receivable'::text;
        bills := bills || NULL::bigint;
        sums := sums || (billed - credit);
    END IF;
    FOR n IN 1 .. coalesce(cardinality(stand_sums), 0) LOOP
        part := stand_sums[n];
        IF part > 0 THEN
            IF credit > 0 AND stand_accounts[n] = 'receivable' THEN
                credit := credit - part;
                part := greatest(0, -credit);
            END IF;
            remains := remains + greatest(0, part - kept);
            part := least(part, kept);
            IF part > 0 THEN
                kept := kept - part;
                accounts := accounts || stand_accounts[n];
                bills := bills || stand_bills[n];
                sums := sums || part;
            END IF;
        END IF;
    END LOOP;
    IF kept > 0 THEN
        accounts := accounts || 'advance'::text;
        bills := bills || NULL::bigint;
        sums := sums || kept;
    END IF;
END $$;

CREATE FUNCTION payment_policy(p_at timestamptz) RETURNS payments_policy LANGUAGE sql STABLE AS $$
    SELECT p FROM payments_policy p WHERE p.effective_from <= (p_at AT TIME ZONE 'Asia/Kolkata')::date
    ORDER BY p.effective_from DESC, p.version DESC LIMIT 1
$$;

-- The next number of a receipt. A cash counter's series has no gaps: its row stays locked until the receipt is committed
-- with it or undone with it. The others are numbered by a sequence, which may leave gaps.
CREATE FUNCTION payment_receipt(p_id bigint, p_counter bigint, p_at timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    india timestamp := p_at AT TIME ZONE 'Asia/Kolkata';
    since integer := extract(year FROM india - interval '3 months');
    code text;
    number integer;
BEGIN
    IF p_counter IS NULL THEN
        RETURN 'BHL-' || to_char(india, 'YYMMDD') || '-' || lpad(p_id::text, 7, '0');
    END IF;
    SELECT c.code INTO STRICT code FROM payments_counter c WHERE c.id = p_counter;
    INSERT INTO payments_series AS s (counter, year, latest) VALUES (p_counter, since, 1)
    ON CONFLICT (counter, year) DO UPDATE SET latest = s.latest + 1 RETURNING latest INTO number;
    RETURN code || '/' || since || '-' || lpad(((since + 1) % 100)::text, 2, '0') || '/' || lpad(number::text, 6, '0');
END $$;

-- Books one payment: the only writer of payments_payment. Called alone it is one transaction of one round trip, so that
-- the connection's fence is held only while the database itself works, never while a web worker waits for its turn.
--
-- Answers with `outcome`
--   taken      booked; `due_paise` is what is still open
--   before     this key was booked before; nothing was written
--   cancelled  so it was, and the receipt was cancelled since
--   in_the_way nothing is due any more and an order for the supply may stand in the way: nothing was written, and the
--              caller settles the orders in a transaction of its own and comes again with `p_order_seen`
--   unknown    no such connection
--   no_day     the counter's day is not open
--
-- `p_alone`: the statement is a transaction of its own. If it had to wait for the fence, others pay for this connection at
-- the same moment, and the fence is not held while the disk is waited for: the commit returns at once (`durable` is
-- false), and the caller makes the log durable by payment_durable before he answers the payer. What anybody commits later
-- is durable only after it: a crash loses both or neither.
--
-- By an index whatever the statistics say: its plans are kept, and were made when the tables may have been empty.
-- `p_text` are the message's registered texts by language, with {receipt} still open.
CREATE FUNCTION payment_take(
    p_key text, p_sha256 text, p_connection bigint, p_paise bigint, p_channel text, p_instrument text, p_held_in text,
    p_actor text, p_business_at timestamptz, p_text jsonb, p_day bigint, p_cheque jsonb, p_alone boolean,
    p_lock_timeout_ms integer, p_order_seen boolean, p_order bigint, p_receipt text, p_id bigint
)
RETURNS TABLE (
    outcome text, id bigint, receipt text, acknowledged_at timestamptz, "order" bigint, body_sha256 text,
    due_paise bigint, restores boolean, durable boolean
) LANGUAGE plpgsql SET enable_seqscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    fence record; facts record;
    at_counter bigint;
    accounts text[]; bills bigint[]; sums bigint[]; remains bigint; kept bigint;
    counts boolean;
    india date := (p_business_at AT TIME ZONE 'Asia/Kolkata')::date;
BEGIN
    -- The lock first (shared/locks.py); what later statements read was committed before it was given.
    durable := true;
    SELECT f.generation, f.desired INTO fence FROM supply_fence f WHERE f.connection = p_connection FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        durable := NOT p_alone;
        PERFORM set_config('lock_timeout', p_lock_timeout_ms::text, true),
                set_config('synchronous_commit', CASE WHEN p_alone THEN 'off' ELSE current_setting('synchronous_commit') END, true);
        SELECT f.generation, f.desired INTO fence FROM supply_fence f WHERE f.connection = p_connection FOR UPDATE;
        IF NOT FOUND THEN
            outcome := 'unknown';
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;
    -- What else decides, in one statement: the key, the policy, cheques that have not cleared, the latest living order.
    SELECT p.id AS before, p.receipt, p.acknowledged_at, p."order", p.body_sha256, r.version, r.allocation,
           r.restores_on ->> p_instrument AS restores_on, o.kind, o.state,
           EXISTS (SELECT FROM payments_cheque c
                   WHERE c.connection = p_connection AND c.cleared_at IS NULL AND c.bounced_at IS NULL) AS pending
    INTO facts
    FROM (SELECT r.version, r.allocation, r.restores_on FROM payments_policy r WHERE r.effective_from <= india
          ORDER BY r.effective_from DESC, r.version DESC LIMIT 1) AS r
    LEFT JOIN payments_payment p ON p.idempotency_key = p_key
    LEFT JOIN LATERAL (
        SELECT o.kind, o.state FROM supply_order o
        WHERE o.connection = p_connection AND o.state NOT IN ('cancelled', 'refused', 'expired')
        ORDER BY o.id DESC LIMIT 1) AS o ON NOT p_order_seen;
    IF facts.before IS NOT NULL THEN
        -- Who was answered before is on the disk; who is answered now for somebody else's commit must wait for it too.
        durable := NOT p_alone;
        outcome := CASE WHEN EXISTS (SELECT FROM payments_proposal c WHERE c.payment = facts.before AND c.accepted)
                        THEN 'cancelled' ELSE 'before' END;
        id := facts.before;
        receipt := facts.receipt;
        acknowledged_at := facts.acknowledged_at;
        "order" := facts."order";
        body_sha256 := facts.body_sha256;
        RETURN NEXT;
        RETURN;
    END IF;
    IF p_day IS NOT NULL THEN
        -- Shared, so that a day is not closed while its receipt is being written, and is read only after the wait.
        SELECT d.counter INTO at_counter FROM payments_day d
        WHERE d.id = p_day AND d.closed_at IS NULL AND d.cashier = p_actor FOR SHARE;
        IF NOT FOUND THEN
            outcome := 'no_day';
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;

    SELECT s.* INTO accounts, bills, sums, remains, kept FROM payment_shares(p_connection, p_paise, facts.allocation) s;

    -- A cheque pays at once, so that nobody is cut over it; it brings the supply back only when the bank has cleared it.
    counts := facts.restores_on IS NOT DISTINCT FROM 'taken' AND NOT facts.pending;
    IF remains = 0 AND NOT p_order_seen AND (fence.desired = 'off' OR facts.kind = 'cut' OR facts.state <> 'confirmed') THEN
        outcome := 'in_the_way';
        restores := counts;
        RETURN NEXT;
        RETURN;
    END IF;

    outcome := 'taken';
    due_paise := remains;
    restores := counts AND remains = 0;
    "order" := p_order;
    id := coalesce(p_id, nextval('payments_payment_id_seq'));
    IF p_receipt IS NOT NULL THEN
        receipt := p_receipt;
    ELSIF at_counter IS NOT NULL THEN
        receipt := payment_receipt(id, at_counter, p_business_at);
    ELSE
        receipt := 'BHL-' || to_char(india, 'YYMMDD') || '-' || lpad(id::text, 7, '0');
    END IF;
    -- A cut that was marked sent before this lock was given is always older than this, whatever the wait.
    acknowledged_at := clock_timestamp();
    IF NOT p_order_seen THEN
        UPDATE supply_fence f SET generation = f.generation + 1 WHERE f.connection = p_connection;
    END IF;
    -- One statement: each begins and ends at a cost, and this connection's next payer waits for it.
    WITH act AS (
        INSERT INTO ledger_transaction (kind, reference, posted_at, business_at)
        VALUES ('payment', receipt, acknowledged_at, p_business_at) RETURNING ledger_transaction.id
    ), lines AS (
        INSERT INTO ledger_posting (transaction, account, connection, bill, paise)
        SELECT act.id, l.account, l.connection, l.bill, l.paise
        FROM act, (
            SELECT p_held_in AS account, NULL::bigint AS connection, NULL::bigint AS bill, p_paise AS paise
            UNION ALL
            SELECT s.account, p_connection, s.bill, -s.paise FROM unnest(accounts, bills, sums) AS s (account, bill, paise)
        ) AS l
    ), message AS (
        INSERT INTO notices_message (connection, kind, channel, phone, template, text, business_on, queued_at, tries, delivery)
        SELECT p_connection, 'payment', 'sms', c.phone, w.words ->> 'template',
               replace(w.words ->> 'text', '{receipt}', receipt), india, acknowledged_at, 0, 'queued'
        FROM consumers_consumer c, LATERAL (SELECT p_text -> CASE c.language WHEN 'en' THEN 'en' ELSE 'hi' END AS words) AS w
        WHERE c.id = p_connection AND c.phone <> ''
    ), told AS (
        INSERT INTO audit_entry (at, business_at, actor, act, subject, connection, data)
        VALUES (acknowledged_at, p_business_at, p_actor, 'payment.taken', 'payment ' || receipt, p_connection,
                jsonb_build_object('paise', p_paise, 'channel', p_channel, 'instrument', p_instrument, 'receipt', receipt,
                                   'due_paise', remains, 'advance_paise', kept, 'policy', facts.version))
    ), cheque AS (
        INSERT INTO payments_cheque (payment, connection, paise, number, bank, dated_on)
        SELECT id, p_connection, p_paise, p_cheque ->> 'number', p_cheque ->> 'bank', (p_cheque ->> 'dated_on')::date
        WHERE p_cheque IS NOT NULL
    )
    INSERT INTO payments_payment (id, idempotency_key, body_sha256, connection, paise, channel, receipt, instrument,
                                  allocation, policy, day, "order", acknowledged_at, business_at)
    SELECT id, p_key, p_sha256, p_connection, p_paise, p_channel, receipt, p_instrument,
           jsonb_agg(jsonb_build_array(s.account, s.bill, s.paise) ORDER BY s.place),
           facts.version, p_day, p_order, acknowledged_at, p_business_at
    FROM unnest(accounts, bills, sums) WITH ORDINALITY AS s (account, bill, paise, place);
    RETURN NEXT;
END $$;

CREATE TRIGGER keep_rows BEFORE DELETE ON payments_cheque FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER keep_rows BEFORE DELETE ON payments_proposal FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- A series only counts on, one by one.
CREATE FUNCTION payment_series_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.counter, NEW.year, NEW.latest) IS DISTINCT FROM (OLD.counter, OLD.year, OLD.latest + 1) THEN
        RAISE EXCEPTION 'the receipts of counter % count on from %', OLD.counter, OLD.latest USING ERRCODE = 'BH020';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER counts BEFORE UPDATE ON payments_series FOR EACH ROW EXECUTE FUNCTION payment_series_counts();

-- What was decided, or has ended, stays so.
CREATE FUNCTION payment_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.decided_by IS NOT NULL THEN
        RAISE EXCEPTION '% % was decided by %', TG_TABLE_NAME, OLD.id, OLD.decided_by USING ERRCODE = 'BH021';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decided_once BEFORE UPDATE ON payments_proposal FOR EACH ROW EXECUTE FUNCTION payment_decided_once();
CREATE TRIGGER decided_once BEFORE UPDATE ON payments_cheque FOR EACH ROW EXECUTE FUNCTION payment_decided_once();

CREATE FUNCTION payment_day_closes_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'day % is closed', OLD.id USING ERRCODE = 'BH022';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER closes_once BEFORE UPDATE ON payments_day FOR EACH ROW EXECUTE FUNCTION payment_day_closes_once();

-- A gateway's word about a payment only goes forward, whatever order it is heard in.
CREATE FUNCTION payment_status_forward() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    life text[] := '{created,failed,authorized,captured,refunded}';
BEGIN
    IF coalesce(array_position(life, NEW.status), 0) < coalesce(array_position(life, OLD.status), 0) THEN
        NEW.status := OLD.status;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER forward BEFORE UPDATE ON payments_gatewaypayment FOR EACH ROW EXECUTE FUNCTION payment_status_forward();

-- Once this is committed, what was committed before it is on the disk, and on a synchronous replica if there is one.
CREATE FUNCTION payment_durable() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    IF current_setting('synchronous_standby_names') = '' THEN
        PERFORM pg_logical_emit_message(false, 'bahal', '', true);  -- written to the disk before it returns
    ELSE
        PERFORM pg_logical_emit_message(true, 'bahal', '');  -- its commit waits for the replica
    END IF;
END $$;

DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['payments_policy', 'payments_counter', 'payments_suspense', 'payments_attempt',
                             'payments_bbpsfetch', 'payments_settlement', 'payments_settlementline'] LOOP
        EXECUTE format('CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['payments_policy', 'payments_counter', 'payments_series', 'payments_day', 'payments_cheque',
                             'payments_proposal', 'payments_suspense', 'payments_attempt', 'payments_gatewayevent',
                             'payments_gatewaypayment', 'payments_bbpsfetch', 'payments_settlement',
                             'payments_settlementline', 'payments_difference'] LOOP
        EXECUTE format('CREATE TRIGGER keep_table BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
    END LOOP;
END $$;

INSERT INTO payments_policy (version, effective_from, allocation, restores_on, bounce_paise, link_hours, attempt_minutes,
                             settled_within_days, source, verified)
VALUES ('payments-1', '2020-01-01', '{surcharge,expenses,receivable}',
        '{"cash": "taken", "card": "taken", "upi": "taken", "bbps": "taken", "bank": "taken", "netbanking": "taken",
          "suspense": "taken", "cheque": "cleared", "draft": "cleared"}',
        30000, 72, 15, 2, 'house default', false);
