// SPDX-License-Identifier: MIT
#include "worker/retrain_champions.h"

#include "base/mem.h"
#include "worker/retrain_trained.h"

#include <stdio.h>
#include <string.h>

enum { MODELS_MAX = 1024 };

struct entry {
    struct gw_retrain_champion champion;
    uint64_t asked; // the call that asked last; 0: free
};

struct gw_retrain_champions {
    struct entry entries[MODELS_MAX];
    uint64_t calls;
};

struct gw_retrain_champions *gw_retrain_champions_new(void)
{
    return gw_mem_calloc(1, sizeof(struct gw_retrain_champions));
}

void gw_retrain_champions_free(struct gw_retrain_champions *champions)
{
    gw_mem_free(champions);
}

static struct gw_retrain_champion *find(struct gw_retrain_champions *self, const char *model)
{
    struct entry *oldest = &self->entries[0];
    self->calls++;
    for (size_t i = 0; i < MODELS_MAX; i++) {
        struct entry *entry = &self->entries[i];
        if (entry->asked > 0 && strcmp(entry->champion.model, model) == 0) {
            entry->asked = self->calls;
            return &entry->champion;
        }
        oldest = entry->asked < oldest->asked ? entry : oldest;
    }
    *oldest = (struct entry){.asked = self->calls};
    snprintf(oldest->champion.model, sizeof oldest->champion.model, "%s", model);
    return &oldest->champion;
}

static gw_status read_reference(struct gw_registry *registry, const char *model, int32_t champion,
                                struct gw_arena *arena, struct gw_retrain_decay_reference *ret_reference, gw_err *err)
{
    struct gw_registry_version version;
    struct gw_retrain_decay_reference reference = {.version = champion};
    GW_TRY(gw_registry_get_version(registry, model, champion, arena, &version, err));
    gw_retrain_primary_head(&version, reference.head, sizeof reference.head);
    reference.normalised_entropy = gw_retrain_trained_version(&version, reference.head, "normalised_entropy");
    *ret_reference = reference;
    return GW_OK;
}

gw_status gw_retrain_champions_get(struct gw_retrain_champions *self, struct gw_registry *registry, const char *model,
                                   struct gw_arena *arena, struct gw_retrain_champion **ret_champion, gw_err *err)
{
    struct gw_registry_model row = {0};
    gw_status status = gw_registry_get_model(registry, model, arena, &row, err);
    if (status != GW_OK && status != GW_E_NOT_FOUND) {
        return status;
    }
    struct gw_retrain_champion *champion = find(self, model);
    if (row.champion == 0) {
        champion->reference = (struct gw_retrain_decay_reference){0};
    } else if (champion->reference.version != row.champion) {
        GW_TRY(read_reference(registry, model, row.champion, arena, &champion->reference, err));
    }
    *ret_champion = champion;
    return GW_OK;
}
