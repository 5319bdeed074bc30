// SPDX-License-Identifier: MIT
// Who stands on trial, by the history of one model. Pure: reads events, touches nothing.
//
// A champion stands against the one before it when a promotion put it there, whoever promoted. One that came back by a
// rollback does not: else two versions could take turns for ever. A canary stands against the champion, since it began
// to serve users; another share changes nothing.
#pragma once

#include "registry/views.h"

#define GW_RETRAIN_DUELS_MAX GW_ROUTE_TARGETS_MAX

struct gw_retrain_duel {
    char model[GW_ROUTE_NAME_BYTES];
    bool canary;      // else a champion
    int32_t version;  // that stands on trial
    int32_t former;   // what serves again when it is taken back
    int64_t sequence; // of the event that put it there
    int64_t since_ms; // of the same
    char digest[GW_ROUTE_DIGEST_BYTES];
    char former_digest[GW_ROUTE_DIGEST_BYTES];
};

// `events` of one model, newest first, back as far as they were read: what they do not reach stands on no trial, nor
// does a champion whose predecessor cannot come back (rejected, archived). Gives the number of duels, the champion's
// first.
size_t gw_retrain_guard_plan(const struct gw_registry_event *events, size_t count,
                             struct gw_retrain_duel ret_duels[GW_RETRAIN_DUELS_MAX]);

// Whether the two are the same trial: what was seen of one holds for the other.
bool gw_retrain_duel_is(const struct gw_retrain_duel *duel, const struct gw_retrain_duel *other);
