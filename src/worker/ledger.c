// SPDX-License-Identifier: MIT
#include "worker/ledger.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    char letter;
    const char *name;
} outcomes[GW_OUTCOME_COUNT] = {
#define X(suffix, letter, name) {letter, name},
    GW_OUTCOME_MAP(X)
#undef X
};

const char *gw_outcome_name(enum gw_outcome outcome)
{
    GW_ASSERT((unsigned)outcome < GW_OUTCOME_COUNT);
    return outcomes[outcome].name;
}

void gw_ledger_format(const struct gw_ledger *ledger, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; i < GW_OUTCOME_COUNT && used < size; i++) {
        int written = snprintf(text + used, size - used, "%s%c=%" PRIu64, i > 0 ? " " : "", outcomes[i].letter,
                               ledger->counts[i]);
        used += written > 0 ? (size_t)written : 0;
    }
}

bool gw_ledger_parse(const char *text, struct gw_ledger *ret_ledger)
{
    *ret_ledger = (struct gw_ledger){0};
    struct gw_ledger parsed = {0};
    for (int i = 0; i < GW_OUTCOME_COUNT; i++) {
        if (text[0] != outcomes[i].letter || text[1] != '=' || text[2] < '0' || text[2] > '9') {
            return false;
        }
        char *end = NULL;
        parsed.counts[i] = strtoull(text + 2, &end, 10);
        if (*end != (i + 1 < GW_OUTCOME_COUNT ? ' ' : '\0')) {
            return false;
        }
        text = end + 1;
    }
    *ret_ledger = parsed;
    return true;
}

uint64_t gw_ledger_total(const struct gw_ledger *ledger)
{
    uint64_t total = 0;
    for (int i = 0; i < GW_OUTCOME_COUNT; i++) {
        total += ledger->counts[i];
    }
    return total;
}
