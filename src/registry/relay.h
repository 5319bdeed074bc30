// SPDX-License-Identifier: MIT
// The outbox: publishes the history to model_events (every event) and model_routes (its route, when it carries one), in
// the order of the sequence, each event once, in Kafka transactions.
//
// Two things keep it in order with any number of relays. The transactional id is fixed, so that starting a relay fences
// every former one and aborts what it left open; and only after that the last record of each topic is read: what is
// behind it in the history is what is missing there. So a crash anywhere (before or after either commit) loses nothing
// and repeats nothing. The advisory lock in PostgreSQL is there so that two relays do not fence each other for ever:
// the one that does not get it waits. A relay that hangs loses its session, and with it the lock, after GW_RELAY_IDLE_S
// (PostgreSQL 14 and later; before, when its host drops the connection); when it wakes up it sees that before it
// commits, and if it did not, Kafka would refuse the commit.
//
// A topic that was made anew, also under a running relay, gets the whole history again. model_events that retention has emptied goes on behind what
// registry_relay says; model_routes is compacted and gets the routes again, which readers ignore unless newer.
//
// The lock belongs to the session and to the schema that the tables are in, so `uri` must not lead through a proxy that
// pools transactions, and installations in schemas of one database do not meet.
#pragma once

#include "kafka/client.h"
#include "registry/registry.h"

#include <stdatomic.h>

#define GW_RELAY_IDLE_S 30

struct gw_relay;

struct gw_relay_options {
    const struct gw_registry_options *registry; // copied
    const struct gw_kafka_options *kafka;       // borrowed as long as the relay lives
    const char *events_topic;                   // full names; borrowed as long as the relay lives
    const char *routes_topic;
    uint32_t events_schema_id; // under which values are framed
    uint32_t routes_schema_id;
    const char *transactional_id;
    const atomic_bool *stop; // NULL: never; set: a run ends at its next step. Borrowed as long as the relay lives
};

// Opens lazily: neither database nor Kafka is asked.
GW_CHECK gw_status gw_relay_new(const struct gw_relay_options *options, struct gw_relay **ret_relay, gw_err *err);
void gw_relay_free(struct gw_relay *relay); // gives the lock back

enum gw_relay_state {
    GW_RELAY_WAITING,   // another relay has the lock
    GW_RELAY_CAUGHT_UP, // everything in the history is published
};

// Publishes what there is. Takes the lock first when it does not have it; then, once, init_transactions and the look at
// the topics' ends. *ret_published (may be NULL) is the last sequence known to be in the topics; 0 while waiting.
// One indexed SELECT when there is nothing to do, and every few seconds a look at the topics' ends; may take tens of seconds when Kafka or PostgreSQL hang.
//
// Every failure gives up lock and producer; the next call begins anew, after a short pause during which calls fail at
// once with GW_E_UNAVAILABLE.
// `stop` ends it between two steps, none of which takes longer than a statement and ten seconds.
//   GW_E_UNAVAILABLE, GW_E_TIMEOUT    database or Kafka away; the outcome of a commit was open, and is settled when the
//                                     next call begins. Also: stopped; fenced, which is not final here. Another relay
//                                     took over; when that happens again and again, two databases publish under one
//                                     transactional id
//   GW_E_MISMATCH     a topic with more than one partition; a topic that is ahead of the history, so that the database
//                     is not the one it was published from, or was restored from a backup; a gap in the history; a schema
//                     that is not this build's
//   GW_E_MALFORMED, GW_E_UNKNOWN_SCHEMA    the last record of a topic is not one of ours
GW_CHECK gw_status gw_relay_run(struct gw_relay *relay, enum gw_relay_state *ret_state, int64_t *ret_published,
                                gw_err *err);
