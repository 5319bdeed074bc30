// SPDX-License-Identifier: MIT
// "GWEX" files: labelled feature vectors, as the simulator and the label export write them and godwit-train reads them.
//
// Little-endian: "GWEX0001", u32 size of the header, the header (JSON: {"features":[...], "labels":[name of bit 0,
// of bit 1, ...], "layout":"hex"}), then records without padding:
//   i64 time_ms, u64 label_bits, f32 weight, u32 reserved (0), f32 features[F] (NaN = missing).
// The number of records is what the file's size says; a file cut within a record is refused.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stdint.h>

#define GW_EXAMPLES_LABELS_MAX   64
#define GW_EXAMPLES_HEADER_BYTES ((size_t)1 << 20) // at most

struct gw_example {
    int64_t time_ms;     // event time, UTC
    uint64_t label_bits; // bit i: labels[i] happened
    float weight;        // finite, > 0: 1 / the share at which such examples were kept
    const float *features;
};

// What the header says. Strings are borrowed on writing, the reader's on reading.
struct gw_examples_header {
    size_t feature_count; // 1 to GW_BUNDLE_FEATURES_MAX
    const char *const *feature_names;
    size_t label_count; // 1 to GW_EXAMPLES_LABELS_MAX
    const char *const *label_names;
    const char *layout; // fingerprint of the plan that assembled the vectors, lower-case hex; "" when unknown
};

struct gw_examples_writer;

// Opens "path.aside" for writing; `path` appears when gw_examples_finish renames it. GW_E_INVALID, GW_E_IO,
// GW_E_MEMORY.
GW_CHECK gw_status gw_examples_writer_new(const char *path, const struct gw_examples_header *header,
                                          struct gw_examples_writer **ret_writer, gw_err *err);
// Buffered. GW_E_INVALID: weight not finite or not positive. GW_E_IO.
GW_CHECK gw_status gw_examples_append(struct gw_examples_writer *writer, const struct gw_example *example, gw_err *err);
// Flushes to the disk and renames over `path`. Call once, before free.
GW_CHECK gw_status gw_examples_finish(struct gw_examples_writer *writer, gw_err *err);
// Without a finish the file written aside is removed. NULL is legal.
void gw_examples_writer_free(struct gw_examples_writer *writer);

struct gw_examples_reader;

// Opens and checks header and size. GW_E_NOT_FOUND, GW_E_MALFORMED, GW_E_INVALID, GW_E_TOO_LARGE, GW_E_IO, GW_E_MEMORY.
GW_CHECK gw_status gw_examples_reader_new(const char *path, struct gw_examples_reader **ret_reader, gw_err *err);
void gw_examples_reader_free(struct gw_examples_reader *reader);

const struct gw_examples_header *gw_examples_header(const struct gw_examples_reader *reader);
uint64_t gw_examples_count(const struct gw_examples_reader *reader);

// Gives the next example; ret_example->features is valid until the next call. *ret_more false: there is none left.
// GW_E_INVALID names the record: its weight is not finite or not positive. GW_E_IO, also when the file shrank.
GW_CHECK gw_status gw_examples_next(struct gw_examples_reader *reader, struct gw_example *ret_example, bool *ret_more,
                                    gw_err *err);
