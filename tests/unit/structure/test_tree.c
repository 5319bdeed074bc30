// SPDX-License-Identifier: MIT
// Checks over the source tree: who may include whom, where foreign headers and the word "tweet" may stand, and what
// every file begins with. The rules are the tables; src/README.md says why they are so.
#include "base/ini.h"
#include "base/mem.h"
#include "support/testkit.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define PURE     "avro feature model label quality drift rollout simulator"
#define ADAPTERS "kafka redis postgres http"
#define DOMAINS  "store registry admin"

// What a folder may include besides itself. `records` is generated from schemas/*.avsc.
static const struct {
    const char *folder;
    const char *may_include;
} layers[] = {
    {"base", ""},
    {"avro", "base"},
    {"feature", "base"},
    {"model", "base"},
    {"label", "base"},
    {"quality", "base"},
    {"drift", "base"},
    {"rollout", "base"},
    {"simulator", "base"},
    {"kafka", "base"},
    {"redis", "base"},
    {"postgres", "base"},
    {"http", "base"},
    {"config", "base"},
    {"ui", "base"},
    {"train", "base " PURE},
    {"store", "base records " PURE " " ADAPTERS},
    {"registry", "base records " PURE " " ADAPTERS},
    {"admin", "base records " PURE " " ADAPTERS},
    {"api", "base records config ui " PURE " " ADAPTERS " " DOMAINS},
    {"worker", "base records config ui api " PURE " " ADAPTERS " " DOMAINS},
    {"cli", "base records config ui api worker " PURE " " ADAPTERS " " DOMAINS},
};

// Headers of other people's libraries, by how their names begin, and the folders that may include them.
static const struct {
    const char *prefix;
    const char *folders;
} foreign[] = {
    {"librdkafka/", "kafka"},
    {"hiredis", "redis"},
    {"libpq", "postgres"},
    {"postgresql/", "postgres"},
    {"microhttpd", "http"},
    {"curl/", "http"},
    {"xgboost/", "train"},
    {"avro", "admin"},
    {"jansson", "admin api"},
    // Pure folders have no clock, thread or network.
    {"pthread", "base " ADAPTERS " " DOMAINS " api worker cli"},
    {"threads.h", ""},
    {"time.h", "base " ADAPTERS " " DOMAINS " api worker cli"},
    {"sys/time.h", "base"},
    {"sys/socket.h", ADAPTERS " api worker cli"},
    {"netdb.h", ADAPTERS},
};

static const char tweet_folders[] = "label simulator worker api cli";

static int failures;

#define COMPLAIN(...)                                                                                                  \
    do {                                                                                                               \
        print_error(__VA_ARGS__);                                                                                      \
        failures++;                                                                                                    \
    } while (0)

// True when `word` is one of the words of `list`.
static bool has_word(const char *list, const char *word, size_t length)
{
    for (const char *at = list; *at != '\0'; at += strspn(at, " ")) {
        size_t size = strcspn(at, " ");
        if (size == length && memcmp(at, word, length) == 0) {
            return true;
        }
        at += size;
    }
    return false;
}

struct source {
    const char *path;   // from the top of the tree
    const char *folder; // the folder below src/
    const char *text;
};

typedef void (*check_source)(const struct source *source);

static bool has_suffix(const char *name, const char *suffix)
{
    size_t length = strlen(name);
    size_t size = strlen(suffix);
    return length >= size && strcmp(name + length - size, suffix) == 0;
}

static void visit_file(const char *path, const char *folder, check_source check)
{
    char *text = NULL;
    size_t size = 0;
    gw_err err = {0};
    assert_ok_err(gw_file_read(path, 1 << 22, &text, &size, &err), &err);
    const struct source source = {.path = path + strlen(GW_SOURCE_DIR) + 1, .folder = folder, .text = text};
    check(&source);
    gw_mem_free(text);
}

// Calls check for the C files below `path`. `folder` is NULL at the top: there the folder's own name is taken.
static void visit_folder(const char *path, const char *folder, int depth, check_source check)
{
    assert_true(depth < 16);
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort);
    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        char inner[PATH_MAX];
        struct stat info;
        int length = snprintf(inner, sizeof inner, "%s/%s", path, name);
        assert_true(length > 0 && (size_t)length < sizeof inner);
        if (name[0] != '.' && lstat(inner, &info) == 0) {
            if (S_ISDIR(info.st_mode)) {
                visit_folder(inner, folder != NULL ? folder : name, depth + 1, check);
            } else if (S_ISREG(info.st_mode) && (has_suffix(name, ".c") || has_suffix(name, ".h"))) {
                visit_file(inner, folder != NULL ? folder : "", check);
            }
        }
        free(entries[i]);
    }
    free(entries);
}

static void visit_tree(const char *top, check_source check)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", GW_SOURCE_DIR, top);
    failures = 0;
    visit_folder(path, NULL, 0, check);
    assert_int_equal(failures, 0);
}

static const char *allowed_includes(const char *folder)
{
    for (size_t i = 0; i < GW_COUNT_OF(layers); i++) {
        if (strcmp(layers[i].folder, folder) == 0) {
            return layers[i].may_include;
        }
    }
    return NULL;
}

// Gives the name in the next #include of `text` and its opening quote; NULL at the end.
static const char *next_include(const char *text, char *ret_quote, size_t *ret_length, const char **ret_rest)
{
    static const char directive[] = "#include ";
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += line[0] == '\n' ? 1 : 0;
        if (strncmp(line, directive, sizeof directive - 1) == 0) {
            const char *name = line + sizeof directive;
            *ret_quote = name[-1];
            *ret_length = strcspn(name, "\">\n");
            *ret_rest = name + *ret_length;
            return name;
        }
    }
    return NULL;
}

static void check_direction(const struct source *source)
{
    const char *allowed = allowed_includes(source->folder);
    if (allowed == NULL) {
        COMPLAIN("%s: folder '%s' is in no layer\n", source->path, source->folder);
        return;
    }
    char quote = '"';
    size_t length = 0;
    const char *rest = source->text;
    for (const char *name = rest; (name = next_include(rest, &quote, &length, &rest)) != NULL;) {
        if (quote != '"') {
            continue;
        }
        size_t folder_length = strcspn(name, "/\"");
        bool own = folder_length == strlen(source->folder) && strncmp(name, source->folder, folder_length) == 0;
        if (!own && !has_word(allowed, name, folder_length)) {
            COMPLAIN("%s includes \"%.*s\"; '%s' may include: %s\n", source->path, (int)length, name, source->folder,
                     allowed);
        }
    }
}

static void check_foreign(const struct source *source)
{
    char quote = '"';
    size_t length = 0;
    const char *rest = source->text;
    for (const char *name = rest; (name = next_include(rest, &quote, &length, &rest)) != NULL;) {
        for (size_t i = 0; quote == '<' && i < GW_COUNT_OF(foreign); i++) {
            if (strncmp(name, foreign[i].prefix, strlen(foreign[i].prefix)) == 0 &&
                !has_word(foreign[i].folders, source->folder, strlen(source->folder))) {
                COMPLAIN("%s includes <%.*s>, which is for: %s\n", source->path, (int)length, name,
                         foreign[i].folders[0] != '\0' ? foreign[i].folders : "nobody");
            }
        }
    }
}

static void check_domain(const struct source *source)
{
    if (has_word(tweet_folders, source->folder, strlen(source->folder))) {
        return;
    }
    const char *found = strcasestr(source->text, "tweet");
    if (found != NULL) {
        int line = 1;
        for (const char *c = source->text; c < found; c++) {
            line += *c == '\n';
        }
        COMPLAIN("%s:%d: only %s know what a tweet is\n", source->path, line, tweet_folders);
    }
}

static void check_start(const struct source *source)
{
    static const char licence[] = "// SPDX-License-Identifier: MIT\n";
    if (strncmp(source->text, licence, sizeof licence - 1) != 0) {
        COMPLAIN("%s: does not begin with its licence\n", source->path);
    }
    if (has_suffix(source->path, ".h") && strstr(source->text, "\n#pragma once\n") == NULL) {
        COMPLAIN("%s: no #pragma once\n", source->path);
    }
}

static void folders_include_only_what_their_layer_allows(void **state)
{
    (void)state;
    visit_tree("src", check_direction);
}

static void foreign_headers_stay_in_their_adapter(void **state)
{
    (void)state;
    visit_tree("src", check_foreign);
}

static void only_the_domain_folders_know_tweets(void **state)
{
    (void)state;
    visit_tree("src", check_domain);
}

static void every_file_begins_with_its_licence(void **state)
{
    (void)state;
    visit_tree("src", check_start);
    visit_tree("tests", check_start);
}

static void every_folder_of_src_has_a_readme(void **state)
{
    (void)state;
    struct dirent **entries = NULL;
    int count = scandir(GW_SOURCE_DIR "/src", &entries, NULL, alphasort);
    assert_true(count > 0);
    failures = 0;
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat info;
        snprintf(path, sizeof path, "%s/src/%s", GW_SOURCE_DIR, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            snprintf(path, sizeof path, "%s/src/%s/README.md", GW_SOURCE_DIR, entries[i]->d_name);
            if (stat(path, &info) != 0) {
                COMPLAIN("src/%s has no README.md\n", entries[i]->d_name);
            }
        }
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(failures, 0);
}

// The checks must see what they look for; a rule that never fires would pass for ever.
static void checks_find_what_they_forbid(void **state)
{
    (void)state;
    static const struct {
        check_source check;
        struct source source;
        int failures;
    } cases[] = {
        {check_direction, {"src/base/x.c", "base", "#include \"base/err.h\"\n#include \"kafka/client.h\"\n"}, 1},
        {check_direction, {"src/kafka/x.c", "kafka", "// x\n#include \"redis/redis.h\"\n#include \"base/err.h\"\n"}, 1},
        {check_direction, {"src/store/x.c", "store", "#include \"config/config.h\"\n#include \"records/a.h\"\n"}, 1},
        {check_direction, {"src/new/x.c", "new", ""}, 1},
        {check_direction, {"src/cli/x.c", "cli", "#include \"worker/loop.h\"\n#include <stdio.h>\n"}, 0},
        {check_foreign, {"src/store/x.c", "store", "#include <hiredis/hiredis.h>\n"}, 1},
        {check_foreign, {"src/drift/x.c", "drift", "#include <time.h>\n#include <pthread.h>\n"}, 2},
        {check_foreign, {"src/redis/x.c", "redis", "#include <hiredis/hiredis.h>\n"}, 0},
        {check_domain, {"src/base/x.c", "base", "a\n// TweetId\n"}, 1},
        {check_domain, {"src/label/x.c", "label", "tweet"}, 0},
        {check_start, {"src/base/x.h", "base", "// SPDX-License-Identifier: MIT\n"}, 1},
        {check_start, {"src/base/x.c", "base", "int x;\n"}, 1},
    };
    for (size_t i = 0; i < GW_COUNT_OF(cases); i++) {
        failures = 0;
        cases[i].check(&cases[i].source);
        assert_int_equal(failures, cases[i].failures);
    }
}

GW_TESTS(folders_include_only_what_their_layer_allows, foreign_headers_stay_in_their_adapter,
         only_the_domain_folders_know_tweets, every_file_begins_with_its_licence, every_folder_of_src_has_a_readme,
         checks_find_what_they_forbid)
