/* SPDX-License-Identifier: Apache-2.0 */
/* Programmable bootstraps of many ciphertexts; see lookup.h. */
#include "bridge/lookup.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

enum {
    KEYSWITCH_ROWS = 32,            /* of the key at a time: they stay in the second cache */
    ACCUMULATOR_BYTES = 512 * 1024, /* of accumulators that share a pass through the key */
    LARGEST_GROUP = 16,
    BATCHES_PER_THREAD = 2, /* between two calls of the progress function */
    PADDING = 16            /* doubles between arrays of points, so that they use different sets */
};

/* --- keyswitch and modulus switch ------------------------------------------------------------- */

/** Input bits whose rows go through the kernel together. */
static size_t inputs_at_once(const LutraCryptoParameters *parameters) {
    return parameters->ks_level >= KEYSWITCH_ROWS ? 1 : KEYSWITCH_ROWS / parameters->ks_level;
}

size_t lutra_lookup_ticks_scratch(const LutraCryptoParameters *parameters, size_t count) {
    const size_t rows = inputs_at_once(parameters) * parameters->ks_level;
    return count * ((size_t)parameters->lwe_dim + 1 + rows);
}

/** Signed digits of one word, deepest level first, as tfhe-rs balances them: a digit of half a base
 * is taken up or down by what follows it. */
static void balanced_digits(int64_t *digits, uint64_t word, uint32_t base_log, uint32_t level) {
    const uint32_t kept = base_log * level;
    const uint64_t twice = word >> (63 - kept);
    const uint64_t value = ((twice + 1) >> 1) & ((UINT64_C(1) << kept) - 1);
    const uint64_t over = (((value - 1) | (twice & 1) << (kept - 1)) & value) >> (kept - 1);
    int64_t state = (int64_t)(value - (over << kept));
    for (uint32_t i = 0; i < level; i++) {
        const uint64_t digit = (uint64_t)state & ((UINT64_C(1) << base_log) - 1);
        state >>= base_log; /* arithmetic in every compiler that this is built with */
        const uint64_t carry = (((digit - 1) | (uint64_t)state) & digit) >> (base_log - 1);
        state += (int64_t)carry;
        digits[i] = (int64_t)(digit - (carry << base_log));
    }
}

/** Asks for `words` words of the key, which come from memory: the kernel walks through them in
 * columns, in an order that no processor foresees. */
static void fetch(const uint64_t *words, size_t count) {
    for (size_t i = 0; i < count; i += 8) {
        __builtin_prefetch(words + i, 0, 2);
    }
}

/** Small ciphertexts, negated but for the inputs' bodies: sums of digits times rows. */
static void keyswitch_batch(uint64_t *sums, const LutraLookupKernels *kernels,
                            const LutraCryptoParameters *parameters,
                            const LutraKeyswitchKey *keyswitch, const uint64_t *inputs,
                            size_t count, int64_t *digits) {
    const size_t columns = (size_t)parameters->lwe_dim + 1;
    const uint32_t level = parameters->ks_level;
    const size_t bits = keyswitch->input_words - 1;
    const size_t step = inputs_at_once(parameters);
    memset(sums, 0, count * columns * sizeof *sums);
    for (size_t first = 0; first < bits; first += step) {
        const size_t taken = bits - first < step ? bits - first : step;
        const size_t next = bits - first - taken < step ? bits - first - taken : step;
        fetch(keyswitch->words + (first + taken) * level * columns, next * level * columns);
        for (size_t i = 0; i < count; i++) {
            for (size_t b = 0; b < taken; b++) {
                balanced_digits(digits + (i * taken + b) * level,
                                inputs[i * keyswitch->input_words + first + b],
                                parameters->ks_base_log, level);
            }
        }
        kernels->keyswitch(sums, digits, keyswitch->words + first * level * columns, columns,
                           taken * level, count);
    }
}

/** What takes the mean of the mask's rounding errors off the body, and half a tick: the centred
 * modulus switch of tfhe-rs, to its last bit. */
static uint64_t centring(const uint64_t *mask, size_t n, uint32_t log2_ticks) {
    const uint32_t shift = 64 - log2_ticks;
    uint64_t halves = 0;
    int64_t doubled = 0;
    for (size_t j = 0; j < n; j++) {
        const uint64_t rounded = (mask[j] + (UINT64_C(1) << (shift - 1))) >> shift << shift;
        const int64_t error = (int64_t)(rounded - mask[j]);
        const int64_t half = error / 2;
        halves += (uint64_t)half;
        doubled += 2 * half - error;
    }
    return halves - (uint64_t)(doubled / 2) - (UINT64_C(1) << (shift - 1));
}

void lutra_lookup_ticks(uint32_t *ticks, const LutraLookupKernels *kernels,
                        const LutraCryptoParameters *parameters,
                        const LutraKeyswitchKey *keyswitch, const uint64_t *inputs, size_t count,
                        uint64_t *scratch) {
    const size_t columns = (size_t)parameters->lwe_dim + 1;
    const uint32_t log2_ticks = parameters->log2_poly + 1;
    const uint32_t shift = 64 - log2_ticks;
    keyswitch_batch(scratch, kernels, parameters, keyswitch, inputs, count,
                    (int64_t *)(void *)(scratch + count * columns));
    for (size_t i = 0; i < count; i++) {
        uint64_t *const small = scratch + i * columns;
        for (size_t j = 0; j < columns; j++) {
            small[j] = 0 - small[j];
        }
        small[columns - 1] += inputs[(i + 1) * keyswitch->input_words - 1];
        if (parameters->modulus_switch == LUTRA_MODULUS_SWITCH_CENTERED) {
            small[columns - 1] += centring(small, columns - 1, log2_ticks);
        }
        for (size_t j = 0; j < columns; j++) {
            const uint64_t tick = (small[j] + (UINT64_C(1) << (shift - 1))) >> shift;
            ticks[i * columns + j] = (uint32_t)(tick & ((UINT64_C(1) << log2_ticks) - 1));
        }
    }
}

typedef struct {
    uint32_t *ticks;
    const LutraBootstrapKey *key;
    const LutraKeyswitchKey *keyswitch;
    const uint64_t *inputs;
    size_t count;
    uint64_t *scratch; /* (threads, scratch_words) */
    size_t scratch_words;
} TicksWork;

static void ticks_unit(void *user, size_t index, uint32_t worker) {
    const TicksWork *const work = user;
    const LutraCryptoParameters *const set = &work->key->parameters;
    const size_t first = index * LUTRA_LOOKUP_BATCH;
    const size_t rest = work->count - first;
    lutra_lookup_ticks(work->ticks + first * ((size_t)set->lwe_dim + 1), &work->key->kernels, set,
                       work->keyswitch, work->inputs + first * work->keyswitch->input_words,
                       rest < LUTRA_LOOKUP_BATCH ? rest : LUTRA_LOOKUP_BATCH,
                       work->scratch + worker * work->scratch_words);
}

LutraStatus lutra_lookup_all_ticks(uint32_t *ticks, const LutraBootstrapKey *key,
                                   const LutraKeyswitchKey *keyswitch, const uint64_t *inputs,
                                   size_t count, uint32_t threads, LutraError *error) {
    TicksWork work = {.ticks = ticks,
                      .key = key,
                      .keyswitch = keyswitch,
                      .inputs = inputs,
                      .count = count,
                      .scratch_words =
                          lutra_lookup_ticks_scratch(&key->parameters, LUTRA_LOOKUP_BATCH)};
    LUTRA_ASSERT(threads >= 1);
    LUTRA_TRY(lutra_alloc(&work.scratch, threads * work.scratch_words, sizeof(uint64_t), error));
    lutra_parallel_for(threads, (count + LUTRA_LOOKUP_BATCH - 1) / LUTRA_LOOKUP_BATCH, ticks_unit,
                       &work);
    lutra_free(&work.scratch);
    return LUTRA_OK;
}

/* --- blind rotation --------------------------------------------------------------------------- */

typedef struct {
    uint64_t *outputs;
    const LutraBootstrapKey *key;
    const LutraKeyswitchKey *keyswitch;
    const uint64_t *inputs;
    const LutraBackendTables *tables;
    const uint32_t *table_of_ciphertext;
    size_t count;
    size_t batch;
    size_t group;
    unsigned char *scratch; /* (threads, scratch_bytes) */
    size_t scratch_bytes;
} Work;

typedef struct {
    uint64_t *small;        /* of lutra_lookup_ticks */
    uint64_t *accumulators; /* (group, k+1, N) */
    double *rows;           /* (l (k+1), N + PADDING) */
    double *sums;           /* (k+1, N + PADDING) */
    uint32_t *ticks;        /* (batch, n+1) */
} Scratch;

static size_t words_of(const LutraCryptoParameters *parameters) {
    return ((size_t)parameters->glwe_dim << parameters->log2_poly) + 1;
}

static size_t aligned(size_t bytes) {
    return (bytes + LUTRA_ALIGNMENT_BYTES - 1) / LUTRA_ALIGNMENT_BYTES * LUTRA_ALIGNMENT_BYTES;
}

/** Where everything stands in one worker's block; gives the block's size. */
static size_t lay_out(Scratch *scratch, unsigned char *block, const LutraCryptoParameters *set,
                      size_t batch, size_t group) {
    const size_t columns = (size_t)set->glwe_dim + 1;
    const size_t n = (size_t)1 << set->log2_poly;
    const size_t sizes[5] = {
        lutra_lookup_ticks_scratch(set, batch) * sizeof(uint64_t),
        group * columns * n * sizeof(uint64_t),
        set->pbs_level * columns * (n + PADDING) * sizeof(double),
        columns * (n + PADDING) * sizeof(double),
        batch * ((size_t)set->lwe_dim + 1) * sizeof(uint32_t)};
    size_t at[6] = {0};
    for (size_t i = 0; i < 5; i++) {
        at[i + 1] = at[i] + aligned(sizes[i]);
    }
    if (scratch != NULL) {
        scratch->small = (uint64_t *)(void *)(block + at[0]);
        scratch->accumulators = (uint64_t *)(void *)(block + at[1]);
        scratch->rows = (double *)(void *)(block + at[2]);
        scratch->sums = (double *)(void *)(block + at[3]);
        scratch->ticks = (uint32_t *)(void *)(block + at[4]);
    }
    return at[5];
}

/**
 * The table as a polynomial, turned back by the body: each entry fills a box of N / 2^bits, and
 * boxes are centred on the encoded inputs. What leaves at the front comes in again at the end with
 * its sign changed (X^N = -1).
 */
static void fill_accumulator(uint64_t *accumulator, const LutraCryptoParameters *set,
                             const uint64_t *table, uint32_t bits, uint32_t body) {
    const size_t n = (size_t)1 << set->log2_poly;
    const size_t width = n >> bits;
    memset(accumulator, 0, set->glwe_dim * n * sizeof *accumulator);
    uint64_t *const polynomial = accumulator + set->glwe_dim * n;
    for (size_t j = 0; j < n; j++) {
        const size_t entry = (j + body + width / 2) / width & (((size_t)2 << bits) - 1);
        polynomial[j] = entry >> bits == 0 ? table[entry] : 0 - table[entry - ((size_t)1 << bits)];
    }
}

/** accumulator += bit * (X^rotation accumulator - accumulator) */
static void rotate_by_bit(const LutraBootstrapKey *key, uint64_t *accumulator, const double *bit,
                          size_t rotation, const Scratch *scratch) {
    const LutraCryptoParameters *const set = &key->parameters;
    const size_t columns = (size_t)set->glwe_dim + 1;
    const size_t n = (size_t)1 << set->log2_poly;
    const size_t stride = n + PADDING;
    const LutraDigits digits = {set->pbs_base_log, set->pbs_level};
    for (size_t c = 0; c < columns; c++) {
        key->kernels.rotated_digits(scratch->rows + c * stride, columns * stride,
                                    accumulator + c * n, n, rotation, digits);
        for (size_t i = 0; i < set->pbs_level; i++) {
            key->kernels.forward(scratch->rows + (i * columns + c) * stride, &key->plan);
        }
    }
    key->kernels.products(scratch->sums, scratch->rows, bit, n, stride,
                          set->pbs_level * columns, columns);
    for (size_t c = 0; c < columns; c++) {
        key->kernels.inverse(scratch->sums + c * stride, &key->plan);
        key->kernels.add_torus(accumulator + c * n, scratch->sums + c * stride, n);
    }
}

/** The constant coefficient as a ciphertext under the big key. */
static void extract(uint64_t *output, const LutraCryptoParameters *set,
                    const uint64_t *accumulator) {
    const size_t n = (size_t)1 << set->log2_poly;
    for (size_t c = 0; c < set->glwe_dim; c++) {
        output[c * n] = accumulator[c * n];
        for (size_t j = 1; j < n; j++) {
            output[c * n + j] = 0 - accumulator[c * n + n - j];
        }
    }
    output[set->glwe_dim * n] = accumulator[set->glwe_dim * n];
}

static void rotate_group(const Work *work, size_t first, size_t count, const uint32_t *ticks,
                         const Scratch *scratch) {
    const LutraBootstrapKey *const key = work->key;
    const LutraCryptoParameters *const set = &key->parameters;
    const LutraBackendTables *const tables = work->tables;
    const size_t words = ((size_t)set->glwe_dim + 1) << set->log2_poly;
    const size_t columns = (size_t)set->lwe_dim + 1;
    for (size_t i = 0; i < count; i++) {
        const size_t table =
            work->table_of_ciphertext == NULL ? 0 : work->table_of_ciphertext[first + i];
        fill_accumulator(scratch->accumulators + i * words, set,
                         tables->words + (table << tables->table_bits), tables->table_bits,
                         ticks[i * columns + columns - 1]);
    }
    const size_t bit_points = lutra_bootstrap_key_bit_points(set);
    for (size_t b = 0; b < set->lwe_dim; b++) {
        for (size_t i = 0; i < count; i++) {
            if (ticks[i * columns + b] != 0) {
                rotate_by_bit(key, scratch->accumulators + i * words, key->points + b * bit_points,
                              ticks[i * columns + b], scratch);
            }
        }
    }
    for (size_t i = 0; i < count; i++) {
        extract(work->outputs + (first + i) * words_of(set), set,
                scratch->accumulators + i * words);
    }
}

static void batch_unit(void *user, size_t index, uint32_t worker) {
    const Work *const work = user;
    const LutraCryptoParameters *const set = &work->key->parameters;
    const size_t first = index * work->batch;
    const size_t count = work->count - first < work->batch ? work->count - first : work->batch;
    Scratch scratch;
    (void)lay_out(&scratch, work->scratch + worker * work->scratch_bytes, set, work->batch,
                  work->group);
    lutra_lookup_ticks(scratch.ticks, &work->key->kernels, set, work->keyswitch,
                       work->inputs + first * work->keyswitch->input_words, count, scratch.small);
    for (size_t i = 0; i < count; i += work->group) {
        rotate_group(work, first + i, count - i < work->group ? count - i : work->group,
                     scratch.ticks + i * ((size_t)set->lwe_dim + 1), &scratch);
    }
}

/** Size of equal batches, none above the largest, that keep all threads busy to the end. */
static size_t even_batch(size_t count, size_t threads, size_t largest) {
    const size_t rounds = (count + threads * largest - 1) / (threads * largest);
    const size_t batches = threads * (rounds > 0 ? rounds : 1);
    const size_t batch = (count + batches - 1) / batches;
    return batch > 0 ? batch : 1;
}

static size_t group_of(const LutraCryptoParameters *set) {
    const size_t bytes = sizeof(uint64_t) * (((size_t)set->glwe_dim + 1) << set->log2_poly);
    const size_t group = ACCUMULATOR_BYTES / bytes;
    return group < 1 ? 1 : group > LARGEST_GROUP ? LARGEST_GROUP : group;
}

static LutraStatus check(const LutraCryptoParameters *set, size_t count,
                         const LutraBackendTables *tables, const uint32_t *table_of_ciphertext,
                         LutraError *error) {
    if (tables->table_bits > set->log2_poly || tables->table_count == 0) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "%zu tables of %u bits; should be at least 1 of at most %u",
                               tables->table_count, tables->table_bits, set->log2_poly);
    }
    for (size_t i = 0; table_of_ciphertext != NULL && i < count; i++) {
        if (table_of_ciphertext[i] >= tables->table_count) {
            return lutra_error_set(error, LUTRA_EINVAL, "a table index is not below %zu",
                                   tables->table_count);
        }
    }
    return LUTRA_OK;
}

LutraStatus lutra_lookup_run(uint64_t *outputs, const LutraBootstrapKey *key,
                             const LutraKeyswitchKey *keyswitch, const uint64_t *inputs,
                             size_t count, const LutraBackendTables *tables,
                             const uint32_t *table_of_ciphertext, uint32_t threads,
                             const LutraProgress *progress, LutraError *error) {
    const LutraCryptoParameters *const set = &key->parameters;
    LUTRA_ASSERT(threads >= 1);
    LUTRA_TRY(check(set, count, tables, table_of_ciphertext, error));
    const size_t step = (size_t)threads * LUTRA_LOOKUP_BATCH * BATCHES_PER_THREAD;
    Work work = {.key = key,
                 .keyswitch = keyswitch,
                 .tables = tables,
                 .batch = even_batch(count < step ? count : step, threads, LUTRA_LOOKUP_BATCH),
                 .group = group_of(set)};
    work.scratch_bytes = lay_out(NULL, NULL, set, work.batch, work.group);
    LUTRA_TRY(lutra_alloc(&work.scratch, threads, work.scratch_bytes, error));
    LutraStatus status = LUTRA_OK;
    for (size_t first = 0; first < count && status == LUTRA_OK; first += step) {
        if (lutra_progress_tick(progress, "look-ups", first, count, NAN)) {
            status = lutra_error_set(error, LUTRA_ECANCELLED, "the look-ups were cancelled");
            break;
        }
        work.count = count - first < step ? count - first : step;
        work.batch = even_batch(work.count, threads, LUTRA_LOOKUP_BATCH); /* never a larger one */
        work.inputs = inputs + first * keyswitch->input_words;
        work.outputs = outputs + first * words_of(set);
        work.table_of_ciphertext =
            table_of_ciphertext == NULL ? NULL : table_of_ciphertext + first;
        lutra_parallel_for(threads, (work.count + work.batch - 1) / work.batch, batch_unit, &work);
    }
    if (status == LUTRA_OK && lutra_progress_tick(progress, "look-ups", count, count, NAN)) {
        status = lutra_error_set(error, LUTRA_ECANCELLED, "the look-ups were cancelled");
    }
    lutra_free(&work.scratch);
    return status;
}
