// SPDX-License-Identifier: MIT
#include "rollout/state.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

static const char *const state_names[GW_ROLLOUT_STATE_COUNT] = {
#define X(suffix, name) [GW_ROLLOUT_##suffix] = name,
    GW_ROLLOUT_STATE_MAP(X)
#undef X
};

static const struct {
    const char *name;
    uint32_t from; // set of states
    enum gw_rollout_state to;
} verbs[GW_ROLLOUT_VERB_COUNT] = {
#define X(suffix, name, from, to) [GW_ROLLOUT_VERB_##suffix] = {name, from, GW_ROLLOUT_##to},
    GW_ROLLOUT_VERB_MAP(X)
#undef X
};

const char *gw_rollout_state_name(enum gw_rollout_state state)
{
    GW_ASSERT((unsigned)state < GW_ROLLOUT_STATE_COUNT);
    return state_names[state];
}

const char *gw_rollout_verb_name(enum gw_rollout_verb verb)
{
    GW_ASSERT((unsigned)verb < GW_ROLLOUT_VERB_COUNT);
    return verbs[verb].name;
}

// Appends to a list in a text of fixed size; what does not fit is cut.
static void append(char *list, size_t size, const char *name)
{
    size_t used = strlen(list);
    snprintf(list + used, size - used, "%s%s", used > 0 ? ", " : "", name);
}

gw_status gw_rollout_state_parse(const char *name, enum gw_rollout_state *ret_state, gw_err *err)
{
    char list[128] = "";
    for (int s = 0; s < GW_ROLLOUT_STATE_COUNT; s++) {
        if (strcmp(name, state_names[s]) == 0) {
            *ret_state = (enum gw_rollout_state)s;
            return GW_OK;
        }
        append(list, sizeof list, state_names[s]);
    }
    return gw_fail(err, GW_E_MALFORMED, "'%.32s' is no state of a version; there are %s", name, list);
}

gw_status gw_rollout_move(enum gw_rollout_state from, enum gw_rollout_verb verb, enum gw_rollout_state *ret_to,
                          gw_err *err)
{
    GW_ASSERT((unsigned)from < GW_ROLLOUT_STATE_COUNT && (unsigned)verb < GW_ROLLOUT_VERB_COUNT);
    if ((verbs[verb].from & (1u << from)) != 0) {
        *ret_to = from == GW_ROLLOUT_REJECTED ? from : verbs[verb].to;
        return GW_OK;
    }
    char legal[128] = "";
    for (int v = 0; v < GW_ROLLOUT_VERB_COUNT; v++) {
        if ((verbs[v].from & (1u << from)) != 0) {
            append(legal, sizeof legal, verbs[v].name);
        }
    }
    return gw_fail(err, GW_E_CONFLICT, "version is %s: cannot %s it, legal %s %s", state_names[from], verbs[verb].name,
                   strchr(legal, ',') != NULL ? "are" : "is", legal[0] != '\0' ? legal : "nothing");
}
