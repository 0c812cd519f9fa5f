/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A circuit: the integer program that runs under FHE, as plain data.
 *
 * Operations stand in topological order; each names its inputs by index. Values are tensors of
 * integers (C,H,W), row-major; a vector has H = W = 1. Only the client-side ends are float.
 *
 *   input      client: 8-bit pixel -> code, one table of 256 codes per channel; then encryption
 *   linear     y[o] = sum_i w[o][i] * x[i] over the flattened input (C,H,W order)
 *   conv       y[o,r,c] = sum w[o,i,a,b] * x[i, r*stride+a-padding, c*stride+b-padding];
 *              outside the image x is code 0
 *   sum_pool   y[c,r,s] = sum over a kernel x kernel window, windows at multiples of stride
 *   add        y = x0 + x1
 *   round      y = (x + offset[c] + 2^(t-1)) >> t, floor: half up; t = 0 only adds the offset.
 *              The result counts buckets: it is in units of 2^t.
 *   table      y = entries[table_of_channel[c]][x - first_input]; one PBS per element
 *   output     client: decryption, then float affine steps per channel -> logits
 *
 * Every encrypted value has an encoding: x stands on the torus as x * 2^(63 - bits) mod 2^64, one
 * padding bit above `bits` message bits. linear, conv, sum_pool and add keep the encoding of their
 * inputs (all equal); round gives bits - t; a table may set any.
 *
 * Legend: C,H,W = channels, height, width; p = bits; t = dropped bits.
 */
#ifndef LUTRA_SIM_CIRCUIT_H
#define LUTRA_SIM_CIRCUIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "sim/crypto_parameters.h"

enum {
    LUTRA_NAME_BYTES = 64,
    LUTRA_MAX_OPERATION_INPUTS = 2,
    LUTRA_MAX_AFFINE_STEPS = 4,
    LUTRA_MAX_TABLE_BITS = 16, /* widest table input */
    LUTRA_MAX_VALUE_BITS = 31, /* widest accumulator: every value fits in int32_t */
    LUTRA_MAX_OPERATIONS = 4096,
    LUTRA_MAX_CIRCUIT_ELEMENTS = 1 << 26
};

/* Pinned numbers: they stand in circuit files. */
typedef enum {
    LUTRA_OPERATION_INPUT = 0,
    LUTRA_OPERATION_LINEAR = 1,
    LUTRA_OPERATION_CONV = 2,
    LUTRA_OPERATION_SUM_POOL = 3,
    LUTRA_OPERATION_ADD = 4,
    LUTRA_OPERATION_ROUND = 5,
    LUTRA_OPERATION_TABLE = 6,
    LUTRA_OPERATION_OUTPUT = 7
} LutraOperationKind;

typedef enum {
    LUTRA_ROUNDING_EXACT = 0,      /* bit extraction: t one-bit PBS more per element */
    LUTRA_ROUNDING_APPROXIMATE = 1 /* the following PBS rounds by itself */
} LutraRoundingMode;

/** Bits that a rounding leaves: none, i.e. no rounding, or 1 .. LUTRA_MAX_ROUNDING. */
enum { LUTRA_ROUNDING_NONE = 0, LUTRA_MAX_ROUNDING = LUTRA_MAX_TABLE_BITS };

typedef struct {
    uint32_t channels;
    uint32_t height;
    uint32_t width;
} LutraShape;

/** Positions of a window along one axis; 0 if it does not fit. stride >= 1. */
uint32_t lutra_window_positions(uint32_t extent, uint32_t kernel, uint32_t stride,
                                uint32_t padding);

/** Elements of a shape; 0 if any extent is 0. Shapes are bounded so that this cannot overflow. */
size_t lutra_shape_elements(LutraShape shape);

bool lutra_shape_equal(LutraShape a, LutraShape b);

typedef struct {
    uint32_t bits; /* message bits p below the padding bit, 1 .. LUTRA_MAX_VALUE_BITS */
    bool is_signed;
} LutraEncoding;

/** Smallest and largest value of an encoding: [0, 2^p - 1] or [-2^(p-1), 2^(p-1) - 1]. */
int64_t lutra_encoding_min(LutraEncoding encoding);
int64_t lutra_encoding_max(LutraEncoding encoding);

bool lutra_encoding_holds(LutraEncoding encoding, int64_t value);

/** Fewest bits of an encoding that holds [min, max]; signed iff min < 0. */
LutraEncoding lutra_encoding_of_range(int64_t min, int64_t max);

/** Low bits to drop so that `kept` are left: 0 if there are no more, or LUTRA_ROUNDING_NONE. */
uint32_t lutra_rounding_dropped_bits(LutraEncoding encoding, uint32_t kept);

typedef struct {
    int64_t min;
    int64_t max;
} LutraRange;

typedef struct {
    float scale;             /* real value of one code step, for reports */
    int16_t *code_of_pixel;  /* (C, 256), owned */
} LutraInputOperation;

typedef struct {
    uint32_t in_features;
    int8_t *weights; /* (out, in), owned */
} LutraLinearOperation;

typedef struct {
    uint32_t in_channels;
    uint32_t kernel; /* square */
    uint32_t stride;
    uint32_t padding;
    int8_t *weights; /* (out, in, kernel, kernel), owned */
} LutraConvOperation;

typedef struct {
    uint32_t kernel;
    uint32_t stride;
} LutraSumPoolOperation;

typedef struct {
    uint32_t dropped_bits; /* t */
    LutraRoundingMode mode;
    int32_t *offsets; /* (C) or NULL, owned */
} LutraRoundOperation;

typedef struct {
    uint32_t table_count;
    uint32_t entry_count;       /* 2^p of the input's encoding */
    int32_t first_input;        /* -2^(p-1) if the input is signed, else 0 */
    int32_t *entries;           /* (table_count, entry_count), owned */
    uint32_t *table_of_channel; /* (C), owned */
    uint32_t parameter_index;   /* into LutraCircuit.parameters */
} LutraTableOperation;

/** ((x - mean) * inverse_deviation) * weight + bias, single precision, in this order: BatchNorm and
 * TensorNorm at inference. Training, table building and the client's output call this function. */
static inline float lutra_affine_value(float x, float mean, float inverse_deviation, float weight,
                                       float bias) {
    return ((x - mean) * inverse_deviation) * weight + bias;
}

/** y = lutra_affine_value(x, ...). */
typedef struct {
    float *mean;              /* (C), owned, like the next three */
    float *inverse_deviation; /* (C) */
    float *weight;            /* (C) */
    float *bias;              /* (C) */
} LutraAffineStep;

/** logit[c] = steps applied in order to ((float)x[c] * scale). */
typedef struct {
    float scale;
    uint32_t step_count;
    LutraAffineStep steps[LUTRA_MAX_AFFINE_STEPS];
} LutraOutputOperation;

typedef struct {
    char name[LUTRA_NAME_BYTES]; /* the network file's layer, unique */
    LutraOperationKind kind;
    uint32_t input_count;
    uint32_t inputs[LUTRA_MAX_OPERATION_INPUTS]; /* indexes of earlier operations */
    LutraShape shape;                            /* of the result */
    LutraEncoding encoding;                      /* of the result; output: of its input */
    LutraRange static_range;   /* bound from weights and input codes alone */
    LutraRange observed_range; /* seen in calibration; empty (min > max) if never calibrated */
    bool in_clear;             /* runs on the client, in the clear (hybrid) */
    union {
        LutraInputOperation input;
        LutraLinearOperation linear;
        LutraConvOperation conv;
        LutraSumPoolOperation sum_pool;
        LutraRoundOperation round;
        LutraTableOperation table;
        LutraOutputOperation output;
    } u;
} LutraOperation;

typedef struct {
    char *name;         /* the network's */
    char *network_text; /* INI text it was lowered from, for the record; may be "" */
    char *provenance;   /* one JSON object: settings, data checksum, versions; may be "{}" */
    uint32_t class_count;
    uint32_t operation_count;
    LutraOperation *operations; /* owned; [0] is the input, the last is the output */
    uint32_t parameter_count;   /* 0: no crypto parameters were chosen */
    LutraCryptoParameters *parameters;
} LutraCircuit;

/** Frees what the operation's kind owns. */
void lutra_operation_deinit(LutraOperation *operation);

void lutra_circuit_deinit(LutraCircuit *circuit);

/**
 * Checks every invariant stated in this header. Everything that runs a circuit relies on it and
 * checks nothing again. In particular:
 *   - operation 0 is the only input, the last is the only output, every other result is used;
 *   - shapes follow from the operation's settings; at most LUTRA_MAX_CIRCUIT_ELEMENTS in all;
 *   - linear, conv, sum_pool and add have the encoding of their inputs, round has t bits fewer;
 *     codes and table entries lie in their encoding; a table has 2^p entries, p = its input's bits;
 *   - static_range contains lutra_operation_static_range and lies in int32_t, also while a rounding
 *     adds its offset and half a step;
 *   - results that meet in a sum come from tables of one crypto parameter set (key_layout.h);
 *   - operations in the clear are a prefix or a suffix: no encrypted value needs a value in the
 *     clear that was decrypted before.
 *
 * @errors LUTRA_EDATA naming the operation
 */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_check(const LutraCircuit *circuit, LutraError *error);

/**
 * Smallest range that every result is proved to lie in, given ranges of its inputs: from weights,
 * codes and reachable table entries alone. Sums that could pass +-2^61, far beyond any legal value,
 * are bounded by +-2^62.
 *
 * @param operation  the output gives its input's range
 * @param x_shape    shape of the first input; ignored by the input operation
 * @param inputs     (input_count) ranges within int32_t; ignored by the input operation
 */
LutraRange lutra_operation_static_range(const LutraOperation *operation, LutraShape x_shape,
                                        const LutraRange *inputs);

/** A fixed word for a kind, such as "sum_pool"; never NULL. */
const char *lutra_operation_kind_name(LutraOperationKind kind);

/** Whether an operation runs on ciphertexts; inputs and outputs do not. */
bool lutra_operation_is_encrypted(const LutraOperation *operation);

/** Low bits that an encrypted approximate rounding leaves in its words for the table that reads
 * them to drop; 0 for any other operation. */
uint32_t lutra_operation_bits_left(const LutraOperation *operation);

/** Look-ups (PBS) of one operation per image: table elements; exact rounding: t per element.
 * Operations in the clear have none. */
uint64_t lutra_operation_pbs(const LutraOperation *operation);

/** Multiply-adds of one operation per image (linear and conv; sum_pool and add count 0). */
uint64_t lutra_operation_macs(const LutraOperation *operation);

uint64_t lutra_circuit_pbs(const LutraCircuit *circuit);
uint64_t lutra_circuit_macs(const LutraCircuit *circuit);

/** HDF5 form, described in circuit_file.c. Reading ends with lutra_circuit_check. */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_write(const LutraCircuit *circuit, const char *path,
                                                 bool force, LutraError *error);
LUTRA_MUST_CHECK LutraStatus lutra_circuit_read(LutraCircuit *circuit, const char *path,
                                                LutraError *error);

#endif
