// SPDX-License-Identifier: MIT
#include "api/scratch.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX      "upload-"
#define BODY_PREFIX "body-" // http/spool.c: there for an instant only
#define OPEN_MAX_FD 8

// Opens and locks a directory. -1: it is in use, or gone.
static int lock_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

gw_status gw_api_scratch_make(const char *root, struct gw_api_scratch *scratch, gw_err *err)
{
    scratch->lock = -1;
    int length = snprintf(scratch->path, sizeof scratch->path, "%s/" PREFIX "XXXXXX", root);
    if (length < 0 || (size_t)length >= sizeof scratch->path) {
        return gw_fail(err, GW_E_TOO_LARGE, "the path of the directory for uploads is too long");
    }
    if (mkdtemp(scratch->path) == NULL) {
        return gw_fail(err, GW_E_IO, "no directory for the upload: %s", strerror(errno));
    }
    scratch->lock = lock_directory(scratch->path);
    if (scratch->lock < 0) {
        rmdir(scratch->path);
        return gw_fail(err, GW_E_IO, "no directory for the upload: it cannot be locked");
    }
    return GW_OK;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_tree(const char *path)
{
    if (nftw(path, remove_entry, OPEN_MAX_FD, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0) {
        gw_log_warn("upload.not_removed", "path='%s' reason='%s'", path, strerror(errno));
    }
}

void gw_api_scratch_remove(struct gw_api_scratch *scratch)
{
    if (scratch->lock >= 0) {
        remove_tree(scratch->path);
        close(scratch->lock);
        scratch->lock = -1;
    }
}

void gw_api_scratch_hide(const struct gw_api_scratch *scratch, gw_err *err)
{
    const size_t length = strlen(scratch->path);
    for (char *at = strstr(err->message, scratch->path); at != NULL && length > 0; at = strstr(at, scratch->path)) {
        const char *behind = at + length + (at[length] == '/');
        memmove(at, behind, strlen(behind) + 1);
    }
}

static gw_status make_directories(const char *root, gw_err *err)
{
    char path[GW_API_SCRATCH_BYTES];
    int length = snprintf(path, sizeof path, "%s", root);
    if (length < 0 || (size_t)length >= sizeof path) {
        return gw_fail(err, GW_E_IO, "the path of the directory for uploads is too long");
    }
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0755); // the last one tells
        *slash = '/';
    }
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        return gw_fail(err, GW_E_IO, "directory for uploads '%s': %s", path, strerror(errno));
    }
    return GW_OK;
}

static void sweep_entry(const char *root, const char *name)
{
    char path[GW_API_SCRATCH_BYTES + 256];
    snprintf(path, sizeof path, "%s/%s", root, name);
    if (strncmp(name, BODY_PREFIX, strlen(BODY_PREFIX)) == 0) {
        (void)unlink(path);
        return;
    }
    int lock = strncmp(name, PREFIX, strlen(PREFIX)) == 0 ? lock_directory(path) : -1;
    if (lock >= 0) {
        remove_tree(path);
        close(lock);
    }
}

gw_status gw_api_scratch_sweep(const char *root, gw_err *err)
{
    GW_TRY(make_directories(root, err));
    DIR *directory = opendir(root);
    if (directory == NULL) {
        return gw_fail(err, GW_E_IO, "directory for uploads '%s': %s", root, strerror(errno));
    }
    for (const struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        sweep_entry(root, entry->d_name);
    }
    closedir(directory);
    return GW_OK;
}
