// SPDX-License-Identifier: MIT
#include "simulator/alias.h"

#include "base/check.h"
#include "base/mem.h"

gw_status gw_sim_alias_init(struct gw_sim_alias *alias, uint32_t capacity, gw_err *err)
{
    *alias = (struct gw_sim_alias){.capacity = capacity};
    alias->accept = gw_mem_calloc(capacity, sizeof *alias->accept);
    alias->other = gw_mem_calloc(capacity, sizeof *alias->other);
    alias->work = gw_mem_calloc(capacity, sizeof *alias->work);
    alias->weights = gw_mem_calloc(capacity, sizeof *alias->weights);
    if (alias->accept == NULL || alias->other == NULL || alias->work == NULL || alias->weights == NULL) {
        gw_sim_alias_deinit(alias);
        return gw_fail(err, GW_E_MEMORY, "no memory to sample from %u items", capacity);
    }
    return GW_OK;
}

void gw_sim_alias_deinit(struct gw_sim_alias *alias)
{
    gw_mem_free(alias->weights);
    gw_mem_free(alias->work);
    gw_mem_free(alias->other);
    gw_mem_free(alias->accept);
    *alias = (struct gw_sim_alias){0};
}

void gw_sim_alias_build(struct gw_sim_alias *alias, uint32_t count)
{
    GW_ASSERT(count <= alias->capacity);
    double sum = 0.0;
    for (uint32_t i = 0; i < count; i++) {
        sum += alias->weights[i];
    }
    GW_ASSERT(count == 0 || sum > 0.0);

    // `work` holds the slots below the mean from the front and those above it from the back.
    uint32_t low = 0;
    uint32_t high = count;
    for (uint32_t i = 0; i < count; i++) {
        alias->weights[i] *= count / sum;
        if (alias->weights[i] < 1.0) {
            alias->work[low++] = i;
        } else {
            alias->work[--high] = i;
        }
    }
    // Each low slot is filled up from a high one, which may become low itself.
    while (low > 0 && high < count) {
        uint32_t poor = alias->work[--low];
        uint32_t rich = alias->work[high];
        alias->accept[poor] = (float)alias->weights[poor];
        alias->other[poor] = rich;
        alias->weights[rich] -= 1.0 - alias->weights[poor];
        if (alias->weights[rich] < 1.0) {
            high++;
            alias->work[low++] = rich;
        }
    }
    // What is left is full up to rounding.
    while (low > 0) {
        uint32_t slot = alias->work[--low];
        alias->accept[slot] = 1.0f;
        alias->other[slot] = slot;
    }
    while (high < count) {
        uint32_t slot = alias->work[high++];
        alias->accept[slot] = 1.0f;
        alias->other[slot] = slot;
    }
    alias->count = count;
}
