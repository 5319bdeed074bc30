// SPDX-License-Identifier: MIT
#include "http/spool.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Callers learn the class of the failure; the path and the system's own words are the operator's.
static gw_status failed(const char *what, const char **ret_detail)
{
    int error = errno;
    gw_log_error("http.spool_failed", "what='%s' reason='%s'", what, strerror(error));
    *ret_detail = error == ENOSPC || error == EDQUOT ? "there is no room on the disk for the body"
                                                     : "the body cannot be kept on the disk";
    return GW_E_IO;
}

gw_status gw_http_spool_open(struct gw_http_spool *spool, const char *directory, const char **ret_detail)
{
    char path[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/body-XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof path) {
        errno = ENAMETOOLONG;
        return failed("path", ret_detail);
    }
    int fd = mkostemp(path, O_CLOEXEC); // O_EXCL, 0600
    if (fd < 0) {
        return failed("create", ret_detail);
    }
    if (unlink(path) != 0 && errno != ENOENT) { // a process that starts clears leftovers of others
        gw_status status = failed("unlink", ret_detail);
        close(fd);
        return status;
    }
    *spool = (struct gw_http_spool){.fd = fd};
    return GW_OK;
}

gw_status gw_http_spool_append(struct gw_http_spool *spool, struct gw_slice bytes, const char **ret_detail)
{
    while (bytes.size > 0) {
        ssize_t written = write(spool->fd, bytes.data, bytes.size);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return failed("write", ret_detail);
        }
        bytes = gw_slice_make(bytes.data + written, bytes.size - (size_t)written);
        spool->size += (uint64_t)written;
    }
    return GW_OK;
}

void gw_http_spool_close(struct gw_http_spool *spool)
{
    if (spool->fd >= 0) {
        close(spool->fd);
        spool->fd = -1;
    }
}
