// SPDX-License-Identifier: MIT
// "The nearest is ...": finds the name that was meant, for messages about names that do not exist.
#pragma once

#include <stddef.h>

struct gw_suggestion {
    const char *wanted; // borrowed, need not end in NUL
    size_t wanted_length;
    const char *nearest; // NULL: nothing close yet; borrowed from the offers
    size_t distance;
    char text[160];
};

void gw_suggestion_start(struct gw_suggestion *suggestion, const char *wanted, size_t wanted_length);

// Considers a name; keeps it when it is close enough and closer than the ones before.
void gw_suggestion_offer(struct gw_suggestion *suggestion, const char *candidate);

// "; the nearest is 'x'", or "" when nothing is close. Valid as long as the suggestion.
const char *gw_suggestion_text(struct gw_suggestion *suggestion);
