/*
 * The takeover of a lease: a worker is stopped, its lease runs out, another takes over, and the first one wakes up.
 *
 * One order, one meter, two workers. `cut_versus_payment.pml` has the payer and the locks; here a worker may be stopped
 * at every step for as long as it likes, the breath between "may I?" and the ACTION included, where no database can
 * hold it back and the 250 ms have been looked at already. A stop is nothing but another's steps in between; what it
 * needs is that the lease runs out under one that lives, and that is taken from a budget. Frames lie on the wire until
 * the meter takes them, in any order and after any time; one whose sender is gone as well.
 *
 * Faults, from a second budget: a worker dies at any step; a request or an answer is lost; a worker gives up waiting
 * while the frame is still under way; the meter acknowledges and does not move; the 250 ms are over.
 *
 * Promises, by assertions:
 *   counters    no invocation counter is used twice, and the meter refuses the frames of who was overtaken alone;
 *   token       a result changes the order only under the lease that it was taken under, and only a holder marks sent;
 *   no double   no ACTION moves a relay that is open already, none moves one whose order has ended with a read of the
 *               relay, and none one that was never marked sent; an order is marked sent twice at most;
 *   unfinished  whenever nobody can do anything more, the order has ended and no lease is held (end states); and it
 *               comes to that in every fair run (the LTL property `ends`).
 * An order that ends as a field task because nobody reached the meter (`unreached`) tells a person to look; it promises
 * nothing of a frame that lies between a stopped worker and that meter, and a model that said so would be wrong.
 *
 * What each guard is good for is shown by taking it away (spin -a -DNAME); each of these must fail:
 *   SAME_COUNTERS    a takeover reserves no block: it goes on from where the one before began
 *   LOWER_COUNTERS   a block is reserved, and a takeover's lies below that of the one before
 *   NO_TOKEN         a result counts by its worker's name alone
 *   NO_HOLDER        whoever asks may mark sent, whatever became of his lease
 *   NO_READ          a takeover sends again without reading the relay
 *   ANY_COUNTER      the meter takes a frame with any counter
 *   NO_EXPIRY        the lease of a dead worker does not run out
 *   NO_UNKNOWN       a takeover finds an order that was sent as one that was only claimed, and sends as if for the
 *                    first time
 * REACH_STALE fails where a frame of a worker that was overtaken comes to the meter: it happens, and it is refused.
 */

#ifndef STOPS
#define STOPS 2
#endif
#ifndef FAULTS
#define FAULTS 1
#endif

#define CLAIMS (2 + STOPS + FAULTS)     /* one, one for each stop and fault, one after a meter that did not move */
#define BLOCK 3
#define TRIES 3                         /* claims after which a meter that nobody reaches is a person's */
#define SENDS 2

mtype:state = { authorised, claimed, sent, unknown, confirmed, unmoved, unreached, back, unsent };
mtype:frame = { nothing, read, cut };
mtype:answer = { none, closed, open, refused, lost };

/* The database as committed. */
mtype:state order = authorised;
byte lease;                     /* who holds the meter's lease, 0 for nobody */
bool over;                      /* it has run out */
bool orphan;                    /* its holder died: it runs out by itself */
byte token;                     /* risen by each claim; names the connection as well */
byte tries, sends;
#ifdef LOWER_COUNTERS
byte next_counter = BLOCK * CLAIMS + 1;
#else
byte next_counter = 1;
#endif

/* The meter and the wire to it, one request under way per connection. */
mtype:answer relay = closed;
byte seen;                      /* highest invocation counter accepted */
mtype:frame wire[CLAIMS + 1] = nothing;
byte number[CLAIMS + 1];
mtype:answer answer[CLAIMS + 1] = none;
bool gone[CLAIMS + 1];          /* nobody waits at this connection any more */
int used;                       /* a bit for each counter used */

bool doomed;                    /* a worker dies before its next step */
byte stops = STOPS, faults = FAULTS;

#define under_way (order == claimed || order == sent || order == unknown)
#define ended (order == confirmed || order == unmoved || order == unreached)
#define free (lease == 0 || over)
#define claimable (free && (order == authorised || under_way))

#ifdef NO_HOLDER
#define holds true
#else
#define holds (lease == me && !over && token == mine)
#endif
#ifdef NO_TOKEN
#define counts true
#else
#define counts (lease == me && token == mine)
#endif

ltl ends { <> [] (ended && lease == 0) }

/* ---- the meter ---- */

inline serve(c) {
    if
#ifdef ANY_COUNTER
    :: number[c] > 0 ->
#else
    :: number[c] > seen ->
#endif
        seen = (number[c] > seen -> number[c] : seen);
        if
        :: wire[c] == cut ->
            assert(relay == closed);
            assert(order == sent || order == unknown || order == unreached);
            if
            :: relay = open
            :: faults > 0 -> faults--               /* acknowledged, and not moved */
            fi
        :: else
        fi;
        if
        :: answer[c] = relay
        :: faults > 0 -> faults--; answer[c] = lost
        fi
#ifndef ANY_COUNTER
    :: number[c] <= seen ->
        assert(c != token);                         /* it refuses who was overtaken, and nobody else */
#ifdef REACH_STALE
        assert(wire[c] != cut);
#endif
        answer[c] = refused
#endif
    :: faults > 0 -> faults--; answer[c] = lost     /* the request never came */
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
#if CLAIMS > 2
        :: wire[3] != nothing -> at = 3
#endif
#if CLAIMS > 3
        :: wire[4] != nothing -> at = 4
#endif
#if CLAIMS > 4
        :: wire[5] != nothing -> at = 5
#endif
#if CLAIMS > 5
        :: wire[6] != nothing -> at = 6
#endif
#if CLAIMS > 6
#error "the meter listens to six connections"
#endif
        fi;
        serve(at);
        at = 0
       }
    od
}

/* ---- time: leases run out, under the dead for nothing, under the living from the budget ---- */

active proctype Time() {
    do
#ifndef NO_EXPIRY
    :: atomic { lease != 0 && !over && orphan -> over = true }
#endif
    :: atomic { lease != 0 && !over && !orphan && stops > 0 -> stops--; over = true }
    :: ended && lease == 0 -> break
    od
}

active proctype Death() {
    if
    :: atomic { faults > 0 -> faults--; doomed = true }
    :: skip
    fi
}

/* ---- a worker ---- */

/* Writes a frame with a counter of our block: 0 associates and reads, 1 acts, 2 reads back. */
inline write(what, offset) {
    atomic {
        wire[mine] = what;
        number[mine] = base + offset;
        assert(!(used & (1 << number[mine])));
        used = used | (1 << number[mine])
    }
}

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

inline forget() {
    mine = 0;
    base = 0;
    heard = none;
    outcome = back;
    may = false;
    before = 0
}

proctype Worker(byte me) {
    byte mine, base, before;    /* our connection (the lease's token), our block, how often it was sent before us */
    bool may;
    mtype:answer heard = none;
    mtype:state outcome = back;
    do
    :: {
        if
        :: ended && free -> goto home
        :: atomic {
            claimable ->
            forget();
            lease = me;
            over = false;
            orphan = false;
            token++;
            assert(token <= CLAIMS);
            mine = token;
            tries++;
            before = sends;
#ifdef LOWER_COUNTERS
            next_counter = next_counter - BLOCK;
            base = next_counter;
#else
            base = next_counter;
#ifndef SAME_COUNTERS
            next_counter = next_counter + BLOCK;
#endif
#endif
#ifdef NO_UNKNOWN
            order = claimed
#else
            order = (order == authorised -> claimed : (order == sent -> unknown : order))
#endif
           }
        fi;

#ifdef NO_READ
        if
        :: before > 0 -> goto sending
        :: else
        fi;
#endif
        write(read, 0);
        hear();
        if
        :: heard == none ->
            outcome = (tries >= TRIES -> unreached : back);
            goto results
        :: heard == open ->
            outcome = confirmed;
            goto results
        :: else
        fi;
        if
        :: before == SENDS -> outcome = unmoved; goto results
        :: else
        fi;

sending:
        /* The moment of sending. From here to the ACTION it may stand still for as long as it likes. */
        atomic {
            if
            :: (order == claimed || order == unknown) && holds ->
                order = sent;
                sends++;
                may = true;
                assert(lease == me && token == mine);
                assert(sends <= SENDS)
            :: else
            fi
        };
        if
        :: !may -> goto lost_it
        :: else
        fi;
        if
        :: write(cut, 1)
        :: atomic { faults > 0 -> faults--; outcome = unsent }; goto results    /* later than 250 ms */
        fi;
        hear();
        if
        :: heard == none -> goto results
        :: else
        fi;

        write(read, 2);
        hear();
        if
        :: heard == open -> outcome = confirmed
        :: heard == closed && before + 1 == SENDS -> outcome = unmoved
        :: else
        fi;

results:
        atomic {
            if
            :: counts && under_way ->
                assert(token == mine);
                if
                :: outcome == unsent && order == sent -> sends--
                :: else
                fi;
                order = (outcome == back || outcome == unsent -> (order == claimed -> authorised : unknown) : outcome);
                lease = 0;
                over = false
            :: counts && !under_way -> lease = 0; over = false
            :: else
            fi;
            hang_up();
            mine = 0
        };
        goto done;

lost_it:
        atomic {
            if
            :: lease == me && token == mine -> lease = 0; over = false
            :: else
            fi;
            hang_up();
            mine = 0
        };

done:
        skip
    } unless {
        atomic {
            doomed ->
            doomed = false;
            if
            :: lease == me && mine == token -> orphan = true
            :: else
            fi;
            if
            :: mine != 0 -> hang_up()
            :: else
            fi
        }
    }
    od;
home:
    skip
}

#ifdef FOREVER
/* Spin's weak fairness looks at endless runs only: with a clock that ticks, a run that comes to rest is one of them. */
active proctype Clock() {
    do
    :: sends <= SENDS
    od
}
#endif

init {
    atomic { run Worker(1); run Worker(2) }
}
