// SPDX-License-Identifier: MIT
#include "base/suggest.h"

#include "base/macros.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES_MAX 96

// Levenshtein distance, one row of the table at a time.
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t row[NAME_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
            diagonal = row[j];
            row[j] = GW_MIN(replaced, GW_MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}

void gw_suggestion_start(struct gw_suggestion *suggestion, const char *wanted, size_t wanted_length)
{
    *suggestion = (struct gw_suggestion){.wanted = wanted, .wanted_length = wanted_length};
}

void gw_suggestion_offer(struct gw_suggestion *suggestion, const char *candidate)
{
    size_t length = strlen(candidate);
    if (length > NAME_BYTES_MAX || suggestion->wanted_length > NAME_BYTES_MAX) {
        return;
    }
    size_t distance = edit_distance(suggestion->wanted, suggestion->wanted_length, candidate, length);
    size_t allowed = suggestion->wanted_length / 4 + 1;
    if (distance <= allowed && (suggestion->nearest == NULL || distance < suggestion->distance)) {
        suggestion->nearest = candidate;
        suggestion->distance = distance;
    }
}

const char *gw_suggestion_text(struct gw_suggestion *suggestion)
{
    if (suggestion->nearest == NULL) {
        return "";
    }
    snprintf(suggestion->text, sizeof suggestion->text, "; the nearest is '%s'", suggestion->nearest);
    return suggestion->text;
}
