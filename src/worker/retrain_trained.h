// SPDX-License-Identifier: MIT
// Numbers that the trainer measured and wrote into a bundle's metadata (src/train/main.c), found again wherever the
// registry keeps them. Pure.
#pragma once

#include "registry/views.h"

// heads.<head>.<measure> of a bundle's metadata, such as base_rate; NaN when it is not there.
double gw_retrain_trained(const char *metadata_json, const char *head, const char *measure);

// The same of a version of the registry, whose bundle need not be loaded: what godwit trained has it in its metrics,
// what was registered from a directory in its metrics or its lineage (registry/registry.h).
double gw_retrain_trained_version(const struct gw_registry_version *version, const char *head, const char *measure);

// The name of a version's primary head, from its signature; "" when it is not there, or longer than that.
void gw_retrain_primary_head(const struct gw_registry_version *version, char *ret_head, size_t size);
