// SPDX-License-Identifier: MIT
// The states of a model version, and the verbs that move it from one to the other.
//
//   REGISTERED -> VERIFIED -> SHADOW -> CANARY -> CHAMPION -> RETIRED       REJECTED from any, for good
//
// Steps may be left out: a verified version can be promoted at once. A version serves users in CANARY and CHAMPION only.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// X(suffix, name)
#define GW_ROLLOUT_STATE_MAP(X)                                                                                        \
    X(REGISTERED, "REGISTERED") /* stored, not yet loaded by anybody */                                               \
    X(VERIFIED, "VERIFIED")     /* loads, reproduces its golden rows, its features exist */                           \
    X(SHADOW, "SHADOW")         /* scores unseen, beside the champion */                                              \
    X(CANARY, "CANARY")         /* serves its share of users */                                                       \
    X(CHAMPION, "CHAMPION")     /* serves everybody else; at most one a model */                                      \
    X(RETIRED, "RETIRED")       /* served once, or was put away */                                                    \
    X(REJECTED, "REJECTED")     /* must not serve; says why */

enum gw_rollout_state {
#define X(suffix, name) GW_ROLLOUT_##suffix,
    GW_ROLLOUT_STATE_MAP(X)
#undef X
        GW_ROLLOUT_STATE_COUNT
};

#define GW_ROLLOUT_IN(suffix) (1u << GW_ROLLOUT_##suffix)

// What may be done to a version.  X(suffix, name, states from which it is legal, state it leads to)
// `demote` is what happens to the former champion and to canaries when another version takes their place; `unshadow`
// and `unsplit` end a role without another taking it. Nothing leads out of REJECTED: `archive`, which gives the artefact
// up, leaves a rejected version where it is.
#define GW_ROLLOUT_VERB_MAP(X)                                                                                         \
    X(VERIFY, "verify", GW_ROLLOUT_IN(REGISTERED), VERIFIED)                                                           \
    X(START_SHADOW, "shadow",                                                                                          \
      GW_ROLLOUT_IN(VERIFIED) | GW_ROLLOUT_IN(RETIRED) | GW_ROLLOUT_IN(CANARY), SHADOW)                                \
    X(UNSHADOW, "unshadow", GW_ROLLOUT_IN(SHADOW), VERIFIED)                                                           \
    X(SPLIT, "split",                                                                                                  \
      GW_ROLLOUT_IN(VERIFIED) | GW_ROLLOUT_IN(SHADOW) | GW_ROLLOUT_IN(RETIRED) | GW_ROLLOUT_IN(CANARY), CANARY)        \
    X(PROMOTE, "promote",                                                                                              \
      GW_ROLLOUT_IN(VERIFIED) | GW_ROLLOUT_IN(SHADOW) | GW_ROLLOUT_IN(CANARY) | GW_ROLLOUT_IN(RETIRED), CHAMPION)      \
    X(ROLLBACK, "rollback", GW_ROLLOUT_IN(RETIRED), CHAMPION)                                                          \
    X(DEMOTE, "demote", GW_ROLLOUT_IN(CHAMPION) | GW_ROLLOUT_IN(CANARY), RETIRED)                                      \
    X(ARCHIVE, "archive",                                                                                              \
      GW_ROLLOUT_IN(REGISTERED) | GW_ROLLOUT_IN(VERIFIED) | GW_ROLLOUT_IN(RETIRED) | GW_ROLLOUT_IN(REJECTED), RETIRED) \
    X(REJECT, "reject",                                                                                                \
      GW_ROLLOUT_IN(REGISTERED) | GW_ROLLOUT_IN(VERIFIED) | GW_ROLLOUT_IN(SHADOW) | GW_ROLLOUT_IN(CANARY) |            \
          GW_ROLLOUT_IN(CHAMPION) | GW_ROLLOUT_IN(RETIRED),                                                            \
      REJECTED)

enum gw_rollout_verb {
#define X(suffix, name, from, to) GW_ROLLOUT_VERB_##suffix,
    GW_ROLLOUT_VERB_MAP(X)
#undef X
        GW_ROLLOUT_VERB_COUNT
};

const char *gw_rollout_state_name(enum gw_rollout_state state);
const char *gw_rollout_verb_name(enum gw_rollout_verb verb);

// The state of this name. GW_E_MALFORMED names the ones there are.
GW_CHECK gw_status gw_rollout_state_parse(const char *name, enum gw_rollout_state *ret_state, gw_err *err);

// The state that the verb leads to. GW_E_CONFLICT when it is not legal from `from`; the message names what is legal from
// there: "version is CHAMPION: cannot archive it, legal are demote, reject" (`demote` only by promoting another one).
GW_CHECK gw_status gw_rollout_move(enum gw_rollout_state from, enum gw_rollout_verb verb,
                                   enum gw_rollout_state *ret_to, gw_err *err);
