/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The prepared form of a circuit. Every operation becomes one stage, except a rounding that only
 * one table reads: it runs inside that table's stage.
 *
 * Results lie pixel by pixel, (pixels, stride), lanes beyond the last channel zero, in the
 * narrowest of three formats: uint8 as distance from `low`, int16, int32.
 */
#ifndef LUTRA_SIM_CLEAR_PRIV_H
#define LUTRA_SIM_CLEAR_PRIV_H

#include "base/random_fill.h"
#include "sim/clear.h"
#include "sim/displace.h"
#include "sim/kernels.h"

typedef enum { VALUE_NONE = 0, VALUE_U8, VALUE_I16, VALUE_I32 } ValueFormat;

typedef struct {
    ValueFormat format;
    int32_t low;      /* uint8: value = code + low; low <= 0 <= low + 255 */
    LutraRange range; /* proved; for uint8 it contains 0 */
    uint32_t channels;
    uint32_t height;
    uint32_t width;
    size_t pixels; /* height * width */
    size_t stride; /* lanes per pixel */
    size_t offset; /* bytes from the start of the scratch */
} ClearValue;

typedef enum { DOT_TERNARY = 0, DOT_BYTES, DOT_WORDS, DOT_GENERAL } DotMethod;

/** linear (one window over the whole image) or conv. */
typedef struct {
    DotMethod method;
    LutraDotKernel kernel; /* NULL for DOT_GENERAL */
    LutraDotTask task;     /* x and y are set at run time */
    uint32_t kernel_height;
    uint32_t kernel_width;
    uint32_t window_stride;
    uint32_t padding;
    bool staged;         /* the input is copied: converted, or with a border of code 0 */
    size_t stage_offset; /* scratch */
    size_t stage_bytes;
    size_t pixel_bytes; /* of the staged, or plain, input */
    uint32_t levels;    /* ternary: codes of the input */
    void *weights;      /* owned, like the next three */
    int8_t *pair_tables;
    int32_t *correction;
    uint32_t *pixel_offsets;
} ClearDot;

/** Smallest and largest input of a channel for which something holds. */
typedef struct {
    int32_t *low;
    int32_t *high;
} ClearBounds;

/** table, with the rounding before it; steps or entry by entry. */
typedef struct {
    uint32_t x;           /* operation whose value is read: the rounding's input if it runs here */
    uint32_t round;       /* operation index of the rounding that runs here, or UINT32_MAX */
    bool observes_x;      /* x's statistics are taken here */
    bool steps;           /* thresholds; otherwise entry by entry */
    uint32_t level_count;
    size_t lanes;         /* stride of x: length of the arrays per channel */
    void *thresholds;     /* owned, like the rest */
    int16_t *direction;
    int16_t *base;
    int32_t *offsets;
    ClearBounds observed_x; /* inside x's observed range */
    ClearBounds observed_round;
    ClearBounds domain; /* inside the table's domain */
    ClearBounds all;    /* inside all three */
    size_t marked_offset; /* scratch: one byte per 16 channels */
} ClearTable;

/** Noise of a table's look-ups: see displace.h for the arrays per channel. */
typedef struct {
    const LutraNoisyRead *reads; /* (channels), of the plan; NULL: the look-ups draw no noise */
    uint32_t value_bits;         /* p of the sums, before the rounding */
    uint32_t dropped_bits;
    bool rounds;          /* approximately, by the look-up itself */
    int32_t *to_place;    /* (lanes), owned, like the next four */
    uint32_t *first;
    int32_t *low;
    int32_t *high;
    uint32_t *shares;     /* (distinct channels, 2^t) */
    uint32_t draw_low;
    uint32_t draw_high;
    size_t chunk_pixels;  /* pixels whose moved inputs are held at a time */
    size_t draws_offset;  /* scratch: draws of a chunk; then what else a chunk needs */
    size_t moved_offset;  /* inputs */
    size_t codes_offset;  /* results */
    size_t flagged_offset;
    size_t marked_offset;
} ClearNoise;

typedef struct {
    uint32_t operation;
    bool observed_later; /* a table's stage takes this value's statistics */
    ClearDot dot;
    ClearTable table;
    ClearNoise noise; /* of a table */
} ClearStage;

struct LutraClearProgram {
    const LutraCircuit *circuit;
    const LutraNoisePlan *plan; /* or NULL */
    LutraSimKernels kernels;
    LutraDisplaceKernels displace;
    LutraRandomFill fill;
    ClearValue *values; /* (operation_count) */
    ClearStage *stages; /* (stage_count) */
    uint32_t stage_count;
    size_t rows_offset; /* scratch: two rows of max_lanes int32 */
    size_t max_lanes;
    size_t scratch_bytes;
};

/** Lanes per pixel for a format. */
size_t lutra_clear_stride(ValueFormat format, uint32_t channels);

size_t lutra_clear_format_bytes(ValueFormat format);

LUTRA_MUST_CHECK LutraStatus lutra_clear_dot_prepare(ClearDot *dot, const ClearValue *y,
                                                     const ClearValue *x,
                                                     const LutraOperation *op,
                                                     const LutraSimKernels *kernels,
                                                     LutraError *error);
void lutra_clear_dot_deinit(ClearDot *dot);

/** The fastest method for this input format, these weights and this range of results. */
DotMethod lutra_clear_dot_method(const ClearValue *x, const LutraOperation *op, LutraRange range);

/** `table->x` and `table->round` are set; y's format is chosen by it. */
LUTRA_MUST_CHECK LutraStatus lutra_clear_table_prepare(ClearTable *table, ClearValue *y,
                                                       const LutraClearProgram *program,
                                                       uint32_t operation, LutraError *error);
void lutra_clear_table_deinit(ClearTable *table);

void lutra_clear_dot_run(const ClearDot *dot, const ClearValue *y, const ClearValue *x,
                         uint8_t *scratch, const LutraSimKernels *kernels);
/** Looks up a table's inputs; `image` addresses the draws of noise. @return false if, in a program
 * with noise, an input lies outside a table whose look-ups draw none: then the image must be run on
 * words (torus_run.h). */
bool lutra_clear_table_run(const LutraClearProgram *program, const ClearStage *stage,
                           LutraOperationStatistics *statistics, uint64_t image,
                           uint8_t *scratch);

/** Whether all sums fit in int32, negated entries beyond the ends of tables included. */
bool lutra_clear_ranges_fit(const LutraClearProgram *program);

/** Noise of a table's stage whose table is prepared; `stage->noise.reads` stays NULL without. */
LUTRA_MUST_CHECK LutraStatus lutra_clear_noise_prepare(ClearStage *stage,
                                                       const LutraClearProgram *program,
                                                       LutraError *error);
void lutra_clear_noise_deinit(ClearNoise *noise);

/** Upper 16 bits of the draws of a run of pixels; (count, channels). */
const uint16_t *lutra_clear_noise_draws(const LutraClearProgram *program, const ClearStage *stage,
                                        uint64_t image, size_t pixel, size_t count,
                                        uint8_t *scratch);

/** One look-up, decided exactly. */
typedef struct {
    int64_t value; /* the entry, or a negated one beyond the table's ends */
    int64_t exact; /* what is read without noise */
    bool is_displaced; /* noise led to another cell */
    bool is_outside; /* the input lay outside the table, or noise led there */
} ClearNoisyRead;

ClearNoisyRead lutra_clear_noisy_read(const LutraClearProgram *program, const ClearStage *stage,
                                      uint64_t image, size_t pixel, uint32_t channel, int32_t x);

/** Replaces the codes of the exact inputs, which lie in y already, by those of moved ones; what was
 * seen of y with them. */
void lutra_clear_noisy_steps(const LutraClearProgram *program, const ClearStage *stage,
                             LutraOperationStatistics *of_table, LutraStepsSeen *seen,
                             uint64_t image, uint8_t *scratch);

/** The task of a table's stage that is made of steps, and its kernel. */
LutraStepsTask lutra_clear_steps_task(const LutraClearProgram *program, const ClearStage *stage,
                                      uint8_t *scratch);
LutraStepsKernel lutra_clear_steps_kernel(const LutraClearProgram *program,
                                          const ClearStage *stage);

/** Adds what noise does to the decryption of the output's input `row`; counts it. */
void lutra_clear_noise_decrypt(const LutraClearProgram *program, const LutraOperation *op,
                               LutraOperationStatistics *statistics, uint64_t image,
                               int32_t *row);

/** One pixel's channels as int32; `row` has x->stride entries. */
void lutra_clear_load_row(int32_t *row, const ClearValue *x, const uint8_t *scratch, size_t pixel);
void lutra_clear_store_row(const int32_t *row, const ClearValue *y, uint8_t *scratch,
                           size_t pixel);

#endif
