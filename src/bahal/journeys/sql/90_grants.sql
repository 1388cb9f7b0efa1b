-- Default deny: what a role may do is written here, and nothing else is.

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO app, interlock, headend, reader;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO app, reader;
REVOKE ALL ON interlock_meter, interlock_import, headend_meter, headend_import FROM app, reader;
-- A court's papers name people: who only reads figures sees that there are such files, and not what is in them.
REVOKE SELECT ON supply_evidencefile FROM reader;
GRANT SELECT (id, name, sha256, kept_by, kept_at) ON supply_evidencefile TO reader;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app;

GRANT INSERT ON offices_office, network_feeder, network_transformer, network_connection, consumers_consumer,
    meters_meter, billing_bill, ledger_transaction, ledger_posting, payments_payment, arrears_policy, arrears_nocutday,
    arrears_hold, notices_writtennotice, notices_noticedbill, notices_message, supply_fence, supply_drive, supply_order,
    protection_alert, readings_request, fieldwork_task, staff_officer, audit_entry, audit_batch, audit_root TO app;
-- A tariff is proposed, and accepted once; a trigger keeps everything else.
GRANT INSERT ON tariffs_version, tariffs_rateacceptance TO app;
GRANT UPDATE (accepted_by, accepted_at, reason) ON tariffs_version TO app;
-- Who may sign in, and who is signed in, is the web's alone: the reader sees who the officers are, not what proves them.
GRANT INSERT ON staff_signin TO app;
GRANT INSERT, UPDATE, DELETE ON django_session TO app;
REVOKE ALL ON django_session, staff_officer FROM reader;
GRANT SELECT (login, name, name_hi, role, office, public_key) ON staff_officer TO reader;
GRANT UPDATE (lifted_at, lifted_by) ON arrears_hold TO app;
-- Who signs in is counted, a session ends; nothing of either is for the reader.
GRANT INSERT ON consumers_signin, consumers_session TO app;
GRANT UPDATE (tries, used_at) ON consumers_signin TO app;
GRANT UPDATE (seen_at, ended_at) ON consumers_session TO app;
GRANT UPDATE (language) ON consumers_consumer TO app;
GRANT INSERT ON complaints_complaint, complaints_step TO app;
-- A step waits for its complaint's row; nothing of that row can be changed (trigger).
GRANT UPDATE (id) ON complaints_complaint TO app;
REVOKE ALL ON consumers_signin, consumers_session FROM reader;
GRANT INSERT ON arrears_dispute, arrears_surcharge, arrears_plan, arrears_writeoff, arrears_step TO app;
GRANT UPDATE (closed_at, closed_by, outcome) ON arrears_dispute TO app;
GRANT UPDATE (closed_at, outcome) ON arrears_plan TO app;
GRANT UPDATE (decided_by, decided_at, accepted) ON arrears_writeoff TO app;
GRANT EXECUTE ON FUNCTION arrears_outstanding TO app, reader;
GRANT INSERT ON billing_fragment, billing_explanation, billing_creditnote, billing_draft, billing_register, billing_doubt,
    billing_terms, billing_group TO app;
GRANT UPDATE (state, decided_by, decided_at, reason, bill) ON billing_draft TO app;
GRANT UPDATE (settled_at, settled_by, reason) ON billing_doubt TO app;
GRANT UPDATE (issue_day, days_to_pay) ON billing_group TO app;
GRANT INSERT, DELETE, UPDATE (all_before) ON billing_batch TO app;
GRANT EXECUTE ON FUNCTION billing_sum TO app, reader;
GRANT UPDATE (taken_until, tries, sent_at, receipt, delivery, delivered_at, next_at) ON notices_message TO app;
-- A step is appended by the function that chains it. A text is proposed, and accepted once.
GRANT EXECUTE ON FUNCTION notices_append, notices_asked, notices_heard, notices_hold TO app;
GRANT EXECUTE ON FUNCTION notices_hash, notices_instant TO app, reader;
GRANT INSERT ON notices_template, notices_letterlist TO app;
GRANT UPDATE (accepted_by, accepted_at, reason) ON notices_template TO app;
GRANT UPDATE (generation, desired, by_hand) ON supply_fence TO app;
GRANT UPDATE (state, checker, checker_signature, signed_at, started_at, ended_at, reason) ON supply_drive TO app;
GRANT UPDATE (state, cause, reason) ON supply_order TO app;
GRANT UPDATE (handled_at) ON supply_result TO app;
GRANT UPDATE (handled_at) ON protection_event TO app;
GRANT UPDATE (closed_at, closed_how) ON fieldwork_task TO app;
-- Whether a lineman may cut is the owner's to say, each time he asks.
GRANT EXECUTE ON FUNCTION field_may_cut, authority_by_hand TO app;
GRANT EXECUTE ON FUNCTION interlock_hand_over, interlock_let TO interlock;
GRANT INSERT ON fieldwork_report, meters_mismatch TO app;
GRANT UPDATE (look, told_at, closed_at, closed_by, outcome) ON meters_mismatch TO app;
GRANT INSERT, UPDATE (closed, control_state, source, seen_at, load, load_at) ON meters_relay TO app;
-- Meters come in with their keys sealed; the application cannot read a sealed key back, nor move a meter's address.
GRANT INSERT ON interlock_import, interlock_meter, headend_import, headend_meter TO app;
-- An import must be able to say which of its meters are there already.
GRANT SELECT (meter) ON interlock_meter TO app;
GRANT SELECT (meter, system_title) ON headend_meter TO app;
-- The SIM register says in which cell a meter is; where it is and how it is keyed stays as imported.
GRANT SELECT (cell), UPDATE (cell) ON interlock_meter, headend_meter TO app;
GRANT INSERT, UPDATE ON meters_sim TO app;
GRANT UPDATE (tries, next_at, sent_at, receipt, ended_at, why) ON meters_wakeup TO app;
GRANT EXECUTE ON FUNCTION authority_facts, authority_verdict, authority_against, authority_waive, authority_policy, authority_path, authority_hours,
    authority_window TO app, reader, interlock;
GRANT EXECUTE ON FUNCTION authority_change TO app;
-- A policy is proposed, and accepted once, by another (constraint, trigger); what is open is closed, and nothing removed.
GRANT UPDATE (accepted_by, accepted_at, reason) ON arrears_policy TO app;
GRANT INSERT ON arrears_areahold, arrears_vulnerable, arrears_conversion, arrears_channel, supply_dryrun, supply_dryrungroup,
    supply_derivation TO app;
GRANT UPDATE (lifted_at, lifted_by) ON arrears_areahold TO app;
GRANT UPDATE (ended_at, ended_by, reason, review_on) ON arrears_vulnerable TO app;
GRANT UPDATE (opening_paise, reconciled_at, reconciled_by) ON arrears_conversion TO app;
GRANT UPDATE (seen_at) ON arrears_channel TO app;
-- What a cut on another ground rests on is written once, and closed once.
GRANT INSERT ON supply_request, supply_hazard, supply_finding TO app;
GRANT UPDATE (identified_by, withdrawn_at) ON supply_request TO app;
GRANT UPDATE (ended_at) ON supply_hazard TO app;
GRANT UPDATE (answered_by, paid_at) ON supply_finding TO app;
GRANT EXECUTE ON FUNCTION authority_ground, authority_own_request, authority_safety, authority_theft, authority_prepaid
    TO app, reader, interlock;
-- One person stops; the application may only stop, never re-arm.
GRANT SELECT ON interlock_switch TO app;
GRANT EXECUTE ON FUNCTION interlock_halt TO app, interlock;
GRANT EXECUTE ON FUNCTION interlock_attend TO app;
GRANT EXECUTE ON FUNCTION interlock_watch, interlock_arm TO interlock;
GRANT EXECUTE ON FUNCTION payment_dues TO app, reader;
GRANT EXECUTE ON FUNCTION payment_shares, payment_policy, payment_receipt, payment_take, payment_durable TO app;
GRANT INSERT, UPDATE (latest) ON payments_series TO app;
GRANT INSERT, UPDATE (asked_until) ON payments_poll TO app;
GRANT INSERT ON payments_policy, payments_counter, payments_day, payments_cheque, payments_suspense, payments_proposal,
    payments_attempt, payments_gatewayevent, payments_gatewaypayment, payments_bbpsfetch, payments_settlement,
    payments_settlementline, payments_difference TO app;
GRANT UPDATE (closed_at, expected_paise, counted_paise, denominations, reason) ON payments_day TO app;
GRANT UPDATE (cleared_at, bounced_at, decided_by, reason) ON payments_cheque TO app;
GRANT UPDATE (decided_by, decided_at, accepted) ON payments_proposal TO app;
GRANT UPDATE (handled_at, outcome, tries, not_before) ON payments_gatewayevent TO app;
GRANT UPDATE (status, paise, asked_at) ON payments_gatewaypayment TO app;
GRANT UPDATE (closed_at, closed_by, how) ON payments_difference TO app;

GRANT SELECT ON supply_drive, supply_order, interlock_warrant, interlock_line, interlock_cap, interlock_sending,
    interlock_switch, interlock_import TO interlock;
GRANT EXECUTE ON FUNCTION interlock_register, interlock_claim, interlock_send_cuts, interlock_send_restores,
    interlock_results, interlock_canary, interlock_pass_canary, interlock_stop, interlock_expire TO interlock;

GRANT SELECT ON headend_import TO headend;
GRANT EXECUTE ON FUNCTION headend_claim, headend_results, headend_pushers, headend_pushed, headend_called, headend_caller,
    headend_free, headend_wake TO headend;
GRANT EXECUTE ON FUNCTION address_forget TO headend, interlock;

-- Readings come in by the head-end alone; a schedule is added, and ended by its last day.
GRANT INSERT ON readings_load, readings_register, readings_event, readings_shown, readings_poison TO headend;
GRANT SELECT ON readings_load TO headend;
GRANT SELECT, INSERT, UPDATE ON headend_layout TO headend;
GRANT EXECUTE ON FUNCTION headend_collect, headend_collected, headend_push_new, ingest_take, ingest_adopt, ingest_keep, ingest_open,
    ingest_waiting, ingest_done, readings_partitions, readings_retire, readings_plan, readings_count_delivery TO headend;
GRANT INSERT ON readings_schedule TO app;
GRANT UPDATE (effective_to, accepted_by, accepted_at, reason) ON readings_schedule TO app;
GRANT EXECUTE ON FUNCTION readings_ask TO app;
GRANT EXECUTE ON FUNCTION readings_silent, readings_standing, readings_under TO app, reader;
