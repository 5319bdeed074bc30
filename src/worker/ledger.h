// SPDX-License-Identifier: MIT
// Every record delivered by a committed read ends in exactly one outcome. The counts are cumulative per input partition
// and are stored with the offset they belong to, so they survive a crash and can be added up (tests/integration).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// X(suffix, letter in the stored text, name in metrics)
#define GW_OUTCOME_MAP(X)                                                                                              \
    X(OUTPUT, 'o', "output")           /* gave an output, or was applied to state or a sink */                         \
    X(ERROR_OUTPUT, 'e', "error")      /* gave an output that says what was wrong */                                   \
    X(DEAD_LETTER, 'd', "dead_letter") /* went to <topic>.dlq with a reason */                                         \
    X(IGNORED, 'i', "ignored")         /* skipped for a counted reason: duplicate, deleted, not ours */

enum gw_outcome {
#define X(suffix, letter, name) GW_OUTCOME_##suffix,
    GW_OUTCOME_MAP(X)
#undef X
        GW_OUTCOME_COUNT
};

struct gw_ledger {
    uint64_t counts[GW_OUTCOME_COUNT];
};

const char *gw_outcome_name(enum gw_outcome outcome);

// Writes "o=12 e=0 d=1 i=3". `size` of 128 always suffices.
void gw_ledger_format(const struct gw_ledger *ledger, char *text, size_t size);

// Reads it back. False (and zero counts) when the text is not a ledger, such as an offset committed by another tool.
bool gw_ledger_parse(const char *text, struct gw_ledger *ret_ledger);

uint64_t gw_ledger_total(const struct gw_ledger *ledger);
