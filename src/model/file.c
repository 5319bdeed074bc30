// SPDX-License-Identifier: MIT
#include "model/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_cleanup(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
}

static gw_status io_failed(gw_err *err, const char *what, const char *path)
{
    return gw_fail(err, GW_E_IO, "%s '%s': %s", what, path, strerror(errno));
}

gw_status gw_model_path(const char *directory, const char *name, char ret_path[GW_MODEL_PATH_BYTES], gw_err *err)
{
    int length = snprintf(ret_path, GW_MODEL_PATH_BYTES, "%s/%s", directory, name);
    if (length < 0 || length >= GW_MODEL_PATH_BYTES) {
        return gw_fail(err, GW_E_TOO_LARGE, "path of '%.64s' is longer than %d bytes", name, GW_MODEL_PATH_BYTES - 1);
    }
    return GW_OK;
}

gw_status gw_model_write_file(const char *path, struct gw_slice bytes, gw_err *err)
{
    GW_CLEANUP(close_cleanup) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        return errno == EEXIST ? gw_fail(err, GW_E_CONFLICT, "'%s' exists", path)
                               : io_failed(err, "cannot create", path);
    }
    for (size_t at = 0; at < bytes.size;) {
        ssize_t written = write(fd, bytes.data + at, bytes.size - at);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return io_failed(err, "cannot write", path);
        }
        at += (size_t)written;
    }
    return fsync(fd) == 0 ? GW_OK : io_failed(err, "cannot flush", path);
}

gw_status gw_model_sync_directory(const char *path, gw_err *err)
{
    GW_CLEANUP(close_cleanup) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        return io_failed(err, "cannot flush", path);
    }
    return GW_OK;
}
