/*
 * The race between a cut and a payment, for one meter and one connection.
 *
 * Two interlock workers lease one cut (and, later, one restore) and drive one meter; one payer pays at any moment. A
 * step here is what can happen between two others in the real system: taking one row lock, one statement, one commit,
 * one frame. Uncommitted changes are not modelled as shared state: they become visible in the atomic step that commits.
 *
 * Faults, each from a budget: a worker dies at any step (its transaction rolls back, its lease lies until it expires,
 * its frames stay on the wire); a worker stalls at any step while another takes over its lease and it then goes on; a
 * request or an answer is lost; a worker gives up waiting although the frame is still under way; a worker finds that it
 * has marked a cut sent too long ago to write it, and says so.
 *
 * Promises, checked by assertions unless said otherwise:
 *   I1  no cut is marked sent after the payment's commit; and none moves the relay after the restore was confirmed;
 *   I1  a payer's relay ends closed, always and under weak fairness (the LTL property `lit`);
 *   I2  a cut is sent twice at most, so there is at most one repeat; and every order comes to an end (`settled`);
 *   nonces  no invocation counter is used twice;
 *   deadlock  only idle workers and a listening meter may stand still (end states).
 *
 * What each guard is good for is shown by taking it away (spin -a -DNAME); each of these must fail:
 *   ONE_STATEMENT      the right to cut is derived in the statement that waits for the locks, from its old snapshot
 *   NO_FENCE_LOCK      the derivation does not lock the fence row
 *   COUNTER_PER_FRAME  no block is reserved at a takeover: each frame takes the meter's next counter when it is written
 *   RESYNC             no block is reserved: each claim asks the meter for its highest counter and goes on from there
 *   CLAIM_WAITS        a claim waits for the meter's row instead of passing over it, while results hold it
 *   NO_EXPIRY          a lease ends only when its holder gives it back
 *   NO_LIMIT           a cut whose end is unknown is sent again and again
 *   NO_RESTORE         a payment that finds the cut sent queues nothing
 * And two that are no fault: REACH_DARK and REACH_LIT fail where the model cuts, and restores after a cut, so that the
 * promises above are not kept for want of anything happening. With PART the payer pays a part: the fence rises, his
 * order is left alone, and only the fence stands between him and the cut. With ONE_NAME the two workers go by one name,
 * as two attempts in one process do, and only the lease's token tells them apart.
 */

#ifndef FAULTS
#define FAULTS 2
#endif

/*
 * Each claim opens one connection: one for the cut, one for the restore and one more for every fault; asserted. Where
 * counters are not kept apart the meter refuses what comes out of order, and where names are not, one worker spoils
 * another's sending: there a fault costs two claims, and the search goes no further.
 */
#if defined(COUNTER_PER_FRAME) || defined(RESYNC) || defined(ONE_NAME)
#define CONNECTIONS (2 + 2 * FAULTS)
#define may_claim (token < CONNECTIONS)
#else
#define CONNECTIONS (2 + FAULTS)
#define may_claim true
#endif
#define BLOCK 3

#define PAYER 3

mtype:state = { absent, authorised, claimed, sent, unknown, confirmed, cancelled, field_task, unsent };
mtype:frame = { nothing, read, cut, reconnect };
mtype:answer = { none, closed, open, refused, lost };

/* The database as committed. */
mtype:state cut_order = authorised;
mtype:state restore_order = absent;
byte cut_by, restore_by;        /* claimed_by */
byte sends;                     /* how often the cut was marked sent, less what was not written after all */
byte written;                   /* how often its ACTION was written */
bool paid;                      /* the ledger, and with it the fence: they change in one commit */
byte lease;                     /* the meter row: who holds it, 0 for nobody */
bool orphan;                    /* its holder died: it expires by itself */
byte token;                     /* risen by each claim; names the connection as well */
byte next_counter = 1;

/* Row locks: 0, a worker or PAYER. */
byte switch_row, fence_row, cut_row, restore_row, meter_row;

/* The meter and the wire to it, one request under way per connection. */
mtype:answer relay = closed;
byte seen;                      /* highest invocation counter accepted */
mtype:frame wire[CONNECTIONS + 1] = nothing;
byte number[CONNECTIONS + 1];
mtype:answer answer[CONNECTIONS + 1] = none;
bool gone[CONNECTIONS + 1];     /* nobody waits at this connection any more */
#ifdef NONCES
int used;                       /* a bit for each counter used */
#endif

bool acknowledged;
bool doomed;                    /* a worker dies before its next step */
byte faults = FAULTS;           /* how many more will happen */

#define under_way(order) (order == claimed || order == sent || order == unknown)
#ifdef NO_EXPIRY
#define free_lease (lease == 0)
#else
#define free_lease (lease == 0 || orphan || faults > 0)
#endif

#ifdef CLAIM_WAITS
#define meter_free free_lease
#define lock_meter skip
#else
#define meter_free (meter_row == 0 && free_lease)
#define lock_meter meter_row = me
#endif

/* What a sending checks of order and lease, and what results check of the order, besides the lease's token. */
#ifdef ONE_NAME
#define named(by) true
#define holds(by) (lease != 0 && !orphan)
#else
#define named(by) (by == me)
#define holds(by) (by == me && lease == me)
#endif

#define waiting(order) (order == authorised || under_way(order))

ltl lit { [] (acknowledged -> <> [] (relay == closed)) }
ltl settled { <> [] (!waiting(cut_order) && !waiting(restore_order)) }

inline take(row) {
    atomic { row == 0 -> row = me }
}

inline release_rows() {
    if :: switch_row == me -> switch_row = 0 :: else fi;
    if :: fence_row == me -> fence_row = 0 :: else fi;
    if :: cut_row == me -> cut_row = 0 :: else fi;
    if :: restore_row == me -> restore_row = 0 :: else fi;
    if :: meter_row == me -> meter_row = 0 :: else fi
}

/* ---- the meter: takes the request of any connection, in any order ---- */

inline serve(c) {
    if
    :: number[c] > seen ->
        seen = number[c];
        if
        :: wire[c] == cut ->
#ifdef REACH_DARK
            assert(false);
#endif
            assert(restore_order != confirmed);
            relay = open
        :: wire[c] == reconnect ->
#ifdef REACH_LIT
            assert(relay == closed);
#endif
            relay = closed
        :: else
        fi;
        if
        :: answer[c] = relay
        :: faults > 0 -> faults--; answer[c] = lost
        fi
    :: number[c] <= seen -> answer[c] = refused
    :: faults > 0 -> faults--; answer[c] = lost
    fi;
    wire[c] = nothing;
    number[c] = 0;
    if
    :: gone[c] -> answer[c] = none; gone[c] = false
    :: else
    fi
}

active proctype Meter() {
    byte at;
end_listening:
    do
    :: atomic {
        if
        :: wire[1] != nothing -> at = 1
        :: wire[2] != nothing -> at = 2
#if CONNECTIONS > 2
        :: wire[3] != nothing -> at = 3
#endif
#if CONNECTIONS > 3
        :: wire[4] != nothing -> at = 4
#endif
#if CONNECTIONS > 4
        :: wire[5] != nothing -> at = 5
#endif
#if CONNECTIONS > 5
        :: wire[6] != nothing -> at = 6
#endif
        fi;
        serve(at);
        at = 0
       }
    od
}

/* ---- the payer ---- */

active proctype Payment() {
    byte me = PAYER;
    take(fence_row);
#ifdef PART
    atomic { paid = true; release_rows() }      /* something is left to pay, and the fence has risen */
#else
    take(cut_row);
    /* Ledger and fence are written, seen by nobody before the commit; and the order stands still. */
    atomic {
        paid = true;
        if
        :: cut_order == authorised || cut_order == claimed -> cut_order = cancelled
        :: cut_order == sent || cut_order == unknown || cut_order == confirmed || cut_order == field_task ->
#ifdef NO_RESTORE
            skip
#else
            restore_order = authorised
#endif
        fi;
        release_rows()
    };
    acknowledged = true
#endif
}

/* ---- the interlock ---- */

/* Writes a frame with a counter of our block: 0 associates and reads, 1 acts, 2 reads back. */
inline write(what, offset) {
    atomic {
        wire[mine] = what;
#ifdef COUNTER_PER_FRAME
        number[mine] = next_counter;
        next_counter++;
#else
        number[mine] = base + offset;
#endif
#ifdef NONCES
        assert(!(used & (1 << number[mine])));
        used = used | (1 << number[mine])
#endif
    }
}

/* Waits for the answer, or stops waiting: `heard` is none when there was no answer that says anything. */
inline hear() {
    if
    :: atomic { answer[mine] == closed || answer[mine] == open -> heard = answer[mine]; answer[mine] = none }
    :: atomic { answer[mine] == refused || answer[mine] == lost -> heard = none; answer[mine] = none }
    :: atomic { answer[mine] == none && faults > 0 -> faults--; heard = none }
    fi
}

inline hang_up() {
    gone[mine] = (wire[mine] != nothing);
    answer[mine] = none
}

inline let_go() {
    if
    :: lease == me && token == mine -> lease = 0; orphan = false
    :: else
    fi
}

inline forget() {
    mine = 0;
    base = 0;
    heard = none;
    outcome = absent;
    right = false;
    restoring = false
}

/* One statement: the right to cut from what is committed when it begins. */
inline derive() {
    right = !paid
}

proctype Interlock(byte me) {
    byte mine, base;            /* our connection (the lease's token) and our block of counters */
    bool restoring, right;
    mtype:answer heard = none;
    mtype:state outcome = absent;
    do
    :: {
        atomic { forget() };

        /* Claim: the order's row and the meter's, where lease and counters are; rows that others hold are passed over. */
end_idle:
        if
        :: atomic {
            may_claim && cut_row == 0 && meter_free && (cut_order == authorised || under_way(cut_order)) ->
            lock_meter;
            cut_row = me
           }
        :: atomic {
            may_claim && restore_row == 0 && meter_free && (restore_order == authorised || under_way(restore_order)) &&
            !under_way(cut_order) ->
            lock_meter;
            restore_row = me;
            restoring = true
           }
        fi;
#ifdef CLAIM_WAITS
        take(meter_row);
#endif
        atomic {
            if
            :: free_lease ->
                if
                :: lease != 0 && !orphan -> faults--
                :: else
                fi;
#ifdef RESYNC
                base = seen + 1;
#else
                base = next_counter;
#endif
#if !defined(RESYNC) && !defined(COUNTER_PER_FRAME)
                next_counter = next_counter + BLOCK;
#endif
                lease = me;
                orphan = false;
                token++;
                assert(token <= CONNECTIONS);
                mine = token;
                if
                :: restoring ->
                    restore_by = me;
                    restore_order = (restore_order == authorised -> claimed :
                                     (restore_order == sent -> unknown : restore_order))
                :: else ->
                    cut_by = me;
                    cut_order = (cut_order == authorised -> claimed : (cut_order == sent -> unknown : cut_order))
                fi
            :: else
            fi;
            release_rows()
        };
        if
        :: mine == 0 -> goto done
        :: else
        fi;

        /* Associate, and read the relay. */
        write(read, 0);
        hear();
        if
        :: heard == none -> goto give_up
        :: else
        fi;

        if
        :: restoring ->
            if
            :: heard == closed -> outcome = confirmed; goto results
            :: else
            fi;
            take(restore_row);
            atomic {
                if
                :: (restore_order == claimed || restore_order == unknown) && holds(restore_by) ->
                    restore_order = sent;
                    right = true
                :: else
                fi;
                release_rows()
            };
            if
            :: right -> write(reconnect, 1)
            :: else -> goto lost_it
            fi

        :: else ->
            if
            :: heard == open -> outcome = confirmed; goto results   /* an earlier sending did it */
            :: else
            fi;
            /* The moment of sending. */
#ifdef ONE_STATEMENT
            derive();
#endif
            take(switch_row);
#ifndef NO_FENCE_LOCK
            take(fence_row);
#endif
#ifndef ONE_STATEMENT
            derive();
#endif
            take(cut_row);
            atomic {
                if
                :: !((cut_order == claimed || cut_order == unknown) && holds(cut_by)) -> right = false
                :: else ->
                    if
                    :: !right -> cut_order = cancelled
#ifndef NO_LIMIT
                    :: right && sends == 2 -> cut_order = field_task; right = false
#endif
                    :: else ->
                        cut_order = sent;
                        sends++;
                        assert(!paid);
                        assert(sends <= 2)
                    fi
                fi;
                release_rows()
            };
            if
            :: right -> write(cut, 1); atomic { written++; assert(written <= 2) }
            :: atomic { right && faults > 0 -> faults--; outcome = unsent }; goto results   /* later than 250 ms */
            :: else -> goto lost_it
            fi
        fi;
        hear();
        if
        :: heard == none -> goto give_up
        :: else
        fi;

        write(read, 2);
        hear();
        if
        :: heard == (restoring -> closed : open) -> outcome = confirmed; goto results
        :: else
        fi;

give_up:
        /* Not sent yet: given back. Sent: unknown, never failed. */
        outcome = (right -> unknown : authorised);

results:
        take(meter_row);
        if
        :: restoring -> take(restore_row)
        :: else -> take(cut_row)
        fi;
        atomic {
            if
            :: lease == me && token == mine && restoring && named(restore_by) && under_way(restore_order) ->
                restore_order = (restore_order == claimed || outcome == confirmed -> outcome : unknown)
            :: lease == me && token == mine && !restoring && named(cut_by) && under_way(cut_order) ->
                if
                :: outcome == unsent && cut_order == sent -> sends--
                :: else
                fi;
                cut_order = (cut_order == claimed || outcome == confirmed -> outcome : unknown)
            :: else
            fi;
            let_go();
            hang_up();
            release_rows()
        };
        goto done;

lost_it:
        take(meter_row);
        atomic { let_go(); hang_up(); release_rows() };

done:
        skip
    } unless {
        atomic {
            doomed ->
            doomed = false;
            if
            :: lease == me -> orphan = true
            :: else
            fi;
            if
            :: mine != 0 -> hang_up()
            :: else
            fi;
            release_rows()
        }
    }
    od
}

active proctype Death() {
    do
    :: atomic { faults > 0 && !doomed -> faults--; doomed = true }
    :: break
    od
}

#ifdef FOREVER
/* Spin's weak fairness looks at endless runs only: with a clock that ticks, a run that comes to rest is one of them. */
active proctype Clock() {
    do
    :: sends <= 2   /* always; a bare skip is refused here */
    od
}
#endif

init {
    atomic { run Interlock(1); run Interlock(2) }
}
