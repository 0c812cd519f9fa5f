/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prepared form of a circuit for bit-sliced execution. A stage computes one element after the
 * other for all images: the code of a dot product, a pool, a sum or a stored value, then, if a
 * table follows, its rounding and the table's code, which is stored.
 *
 * A value is stored as codes x - low >= 0, (height, width, channels, planes), with a border of
 * code 0 - low as wide as the padding of its readers.
 */
#ifndef LUTRA_SIM_SLICED_PRIV_H
#define LUTRA_SIM_SLICED_PRIV_H

#include "sim/sliced.h"
#include "sim/sliced_kernels.h"

enum {
    SLICED_TILE = 64,       /* pixels of one channel that are sliced together */
    SLICED_PANEL = 12,      /* channels of one pixel that are computed together */
    SLICED_BOUND_WORDS = 4, /* mask words per plane: exact and coarse bounds, low and high */
};

#define SLICED_NONE UINT32_MAX /* no such operation */

typedef struct {
    bool stored;      /* else it lives only inside the stage that computes it */
    LutraRange range; /* proved; it contains 0 */
    uint32_t planes;
    LutraShape shape;
    uint32_t border;
    size_t element_bytes;
    size_t pixel_bytes;
    size_t row_bytes; /* with both borders */
    size_t offset;    /* bytes from the start of the scratch */
    size_t bytes;
} SlicedValue;

/** linear (one window over the whole image), conv or sum_pool. */
typedef struct {
    uint32_t window_stride; /* pixels */
    uint32_t margin;        /* the first window starts so many pixels inside the border */
    LutraSlicedDot *dots;   /* (channels), owned */
    uint32_t *taps;         /* owned; of all dots; of a pool relative to the channel's element */
    size_t channel_bytes;   /* pool: from one channel's window to the next; else 0 */
} SlicedWindow;

/** table, with the rounding before it. */
typedef struct {
    LutraSlicedSteps *steps; /* (channels), owned, like the words */
    int32_t *words;
} SlicedTable;

typedef struct {
    uint32_t x;          /* operation whose element is computed or, if stored before, read */
    uint32_t last_reader; /* last stage that reads the result; stage_count: the output */
    bool computes_x;     /* else it was stored by an earlier stage */
    uint32_t round;      /* or SLICED_NONE */
    uint32_t table;      /* or SLICED_NONE: then x is stored */
    SlicedWindow window; /* linear, conv, sum_pool */
    SlicedTable to_code;
    LutraRange *allowed; /* (channels) x that is observed and in the domain; owned */
    bool same_bounds;    /* for all channels */
} SlicedStage;

struct LutraSlicedProgram {
    const LutraCircuit *circuit;
    LutraSlicedKernels kernels;
    uint32_t plane_bytes;
    SlicedValue *values; /* (operation_count) */
    SlicedStage *stages; /* (stage_count) */
    uint32_t stage_count;
    size_t used_offset;    /* scratch: one plane, the lanes in use */
    size_t element_offset; /* scratch: planes of SLICED_PANEL elements, before the table */
    size_t bounds_offset;  /* scratch: mask words of lowest and highest x of each channel */
    size_t bytes_offset;   /* scratch: one byte a lane, of one tile of pixels */
    size_t scratch_bytes;
};

/** The operation whose result a stage stores. */
uint32_t lutra_sliced_result(const SlicedStage *stage);

/** Fewest planes, at least 1, that hold 0 .. largest. */
uint32_t lutra_sliced_planes(uint64_t largest);

/** x -> round -> bucket of channel c; x itself without a rounding. */
int64_t lutra_sliced_bucket(const LutraCircuit *circuit, uint32_t round, uint32_t channel,
                            int64_t x);

/** All x of channel c whose bucket lies in `buckets`; of an empty range, an empty one. */
LutraRange lutra_sliced_range_of_buckets(const LutraCircuit *circuit, uint32_t round,
                                         uint32_t channel, LutraRange buckets);

/** Domain of a table. */
LutraRange lutra_sliced_domain(const LutraTableOperation *table);

LutraRange lutra_sliced_meet(LutraRange a, LutraRange b);

/** Whether all weights are -1, 0 or 1, and a window's sum is worth counting bit by bit. */
bool lutra_sliced_window_applies(const LutraOperation *op, const SlicedValue *x);

LUTRA_MUST_CHECK LutraStatus lutra_sliced_window_prepare(SlicedWindow *window,
                                                         const LutraOperation *op,
                                                         const SlicedValue *y,
                                                         const SlicedValue *x,
                                                         LutraError *error);
void lutra_sliced_window_deinit(SlicedWindow *window);

/** `applies` becomes false, without an error, if some channel changes at too many places. */
LUTRA_MUST_CHECK LutraStatus lutra_sliced_table_prepare(SlicedTable *to_code, bool *applies,
                                                        const LutraSlicedProgram *program,
                                                        const SlicedStage *stage,
                                                        LutraError *error);
void lutra_sliced_table_deinit(SlicedTable *to_code);

#endif
