// SPDX-License-Identifier: MIT
// A registry in a schema of its own, with bundles to register. Header only, for tests of the registry.
#pragma once

#include "base/ini.h"
#include "integration/registry_fixture.h"
#include "model/bundle.h"
#include "registry/artefacts.h"
#include "registry/registry.h"
#include "registry/views.h"
#include "support/model.h"
#include "worker/entity.h"

#include <dirent.h>
#include <sys/stat.h>

#define MODEL "ranker"

struct bundles {
    struct registry_fixture fixture;
    struct gw_registry *registry;
    char folder[64]; // of bundles <n>/ and the cache
    struct gw_entity_vocabulary vocabulary;
    struct gw_feature_set *features;
    struct gw_arena arena;
};

// Removes a directory tree of our own making.
static inline void remove_tree(const char *path)
{
    DIR *entries = opendir(path);
    if (entries == NULL) {
        unlink(path);
        return;
    }
    for (const struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        char inner[1024];
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
            remove_tree(inner);
        }
    }
    closedir(entries);
    assert_int_equal(rmdir(path), 0);
}

static inline struct gw_registry *registry_handle(const struct bundles *bundles)
{
    struct gw_registry *registry = NULL;
    gw_err err = {0};
    const struct gw_registry_options options = {
        .uri = bundles->fixture.uri, .application = "godwit-test", .timeout_ms = 30000};
    assert_ok_err(gw_registry_new(&options, &registry, &err), &err);
    return registry;
}

static inline void bundles_open(struct bundles *bundles)
{
    char *text = NULL;
    size_t size = 0;
    gw_err err = {0};
    *bundles = (struct bundles){.folder = "/tmp/godwit-registry-XXXXXX"};
    registry_open(&bundles->fixture);
    bundles->registry = registry_handle(bundles);
    assert_non_null(mkdtemp(bundles->folder));
    gw_arena_init(&bundles->arena, 65536, 64 << 20);
    gw_entity_vocabulary_init(&bundles->vocabulary);
    assert_ok(gw_file_read(GW_SOURCE_DIR "/schemas/features.ini", 1 << 20, &text, &size, &err));
    assert_ok_err(
        gw_feature_set_compile("features.ini", text, size, &bundles->vocabulary.vocabulary, &bundles->features, &err),
        &err);
    gw_mem_free(text);
}

static inline void bundles_close(struct bundles *bundles)
{
    gw_arena_deinit(&bundles->arena);
    gw_feature_set_free(bundles->features);
    gw_registry_free(bundles->registry);
    remove_tree(bundles->folder);
    registry_close(&bundles->fixture);
}

static inline void bundle_path(const struct bundles *bundles, int number, char ret_path[128])
{
    snprintf(ret_path, 128, "%s/%d", bundles->folder, number);
}

// Bundle `number` differs from the others by its number.
static inline void bundle_write(const struct bundles *bundles, int number, char ret_path[128])
{
    bundle_path(bundles, number, ret_path);
    test_model_write_of(ret_path, "some", number, test_model_features, test_model_feature_count);
}

static inline struct gw_registry_change by(const char *reason)
{
    return (struct gw_registry_change){.actor = "tester", .reason = reason};
}

static inline gw_status register_path(struct bundles *bundles, const char *path, bool verify,
                                      struct gw_registry_outcome *ret_outcome, gw_err *err)
{
    const struct gw_registry_change change = by("");
    const struct gw_registry_register request = {
        .model = MODEL, .directory = path, .description = "", .features = verify ? bundles->features : NULL};
    return gw_registry_register(bundles->registry, &request, &change, ret_outcome, err);
}

// Makes the model with versions 1 (the baseline when `baseline`, else as the others) to `count`, all verified.
static inline void bundles_fill(struct bundles *bundles, int count, bool baseline)
{
    char path[128];
    gw_err err = {0};
    struct gw_registry_outcome outcome;
    const struct gw_registry_change change = by("made");
    struct gw_registry_create create = {.model = MODEL, .description = ""};
    if (baseline) {
        bundle_write(bundles, 1, path);
        create.baseline = path;
    }
    assert_ok_err(gw_registry_create(bundles->registry, &create, &change, &outcome, &err), &err);
    for (int number = baseline ? 2 : 1; number <= count; number++) {
        bundle_write(bundles, number, path);
        assert_ok_err(register_path(bundles, path, true, &outcome, &err), &err);
        assert_int_equal(outcome.version, number);
    }
}

static inline gw_status promote(struct gw_registry *registry, int32_t version, gw_err *err)
{
    struct gw_registry_outcome outcome;
    const struct gw_registry_change change = by("better");
    return gw_registry_promote(registry, MODEL, version, &change, &outcome, err);
}

// The route as text: "3:champion:9000 4:canary:1000 | 5" .
static inline const char *route_text(struct bundles *bundles)
{
    static char text[512];
    struct gw_route route;
    gw_err err = {0};
    size_t at = 0;
    gw_status status = gw_registry_route(bundles->registry, MODEL, &route, &err);
    if (status == GW_E_NOT_FOUND) {
        return "none";
    }
    assert_ok_err(status, &err);
    text[0] = '\0';
    for (uint32_t i = 0; i < route.target_count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d:%s:%u", i > 0 ? " " : "", route.targets[i].version,
                               route.targets[i].variant, route.targets[i].weight);
    }
    for (uint32_t i = 0; i < route.shadow_count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", i > 0 ? " " : " | ", route.shadows[i].version);
    }
    return text;
}

static inline enum gw_rollout_state state_of(struct bundles *bundles, int32_t version)
{
    struct gw_registry_version found;
    gw_err err = {0};
    assert_ok_err(gw_registry_get_version(bundles->registry, MODEL, version, &bundles->arena, &found, &err), &err);
    return found.state;
}

static inline int64_t revision_of(struct bundles *bundles)
{
    return registry_number(bundles->fixture.postgres, "SELECT revision FROM registry_models WHERE name = '" MODEL "'");
}

static inline int64_t event_count(struct bundles *bundles)
{
    return registry_number(bundles->fixture.postgres, "SELECT count(*) FROM registry_events");
}

// What must hold whatever happened: numbers without gaps, the clock and revisions at their last, the last route of the
// history the one that the versions' states make.
static inline void assert_consistent(struct bundles *bundles)
{
    struct gw_postgres *postgres = bundles->fixture.postgres;
    assert_int_equal(registry_number(postgres, "SELECT coalesce(max(sequence), 0) - count(*) FROM registry_events"), 0);
    assert_int_equal(registry_number(postgres, "SELECT c.sequence - (SELECT coalesce(max(sequence), 0) FROM "
                                               "registry_events) FROM registry_clock c"),
                     0);
    assert_int_equal(registry_number(postgres, "SELECT count(*) FROM registry_models m WHERE revision <> (SELECT "
                                               "max(sequence) FROM registry_events e WHERE e.model = m.name)"),
                     0);
    assert_int_equal(
        registry_number(postgres,
                        "SELECT count(*) FROM (SELECT DISTINCT ON (model) model, route FROM registry_events WHERE "
                        "route IS NOT NULL ORDER BY model, sequence DESC) r WHERE (SELECT count(*) FROM "
                        "registry_versions v WHERE v.model = r.model AND v.state IN ('CHAMPION', 'CANARY')) <> "
                        "jsonb_array_length(r.route->'targets')"),
        0);
    assert_int_equal(registry_number(postgres, "SELECT count(*) FROM registry_versions v WHERE v.state <> (SELECT "
                                               "to_state FROM registry_events e WHERE e.model = v.model AND e.version "
                                               "= v.version ORDER BY sequence DESC LIMIT 1)"),
                     0);
}
