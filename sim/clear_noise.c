/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Noise of clear execution. A look-up that noise moves by k cells reads what an input k cells
 * further on would have read: inputs are moved, then looked up as always.
 */
#include <string.h>

#include "base/memory.h"
#include "sim/clear_priv.h"
#include "sim/operations.h"
#include "sim/torus_lookup.h"
#include "sim/torus_rounding.h"

enum {
    CHUNK_ELEMENTS = 4096, /* what a chunk holds stays in the first-level cache */
    DRAW_SHIFT = 48,       /* draws are compared by their upper 16 bits */
    MOST_SHARES = 1 << 22  /* of one table: a channel has one for each place in a cell */
};

static bool has_too_many_shares(const LutraOperation *op) {
    return ((uint64_t)op->shape.channels << op->u.round.dropped_bits) > MOST_SHARES;
}

static bool is_approximate(const LutraOperation *op) {
    return lutra_operation_is_encrypted(op) && op->kind == LUTRA_OPERATION_ROUND &&
           op->u.round.mode == LUTRA_ROUNDING_APPROXIMATE && op->u.round.dropped_bits > 0;
}

/** Readers of an operation, and whether one of them is neither encrypted nor the output. */
static uint32_t count_readers(const LutraCircuit *circuit, uint32_t index, bool *by_client) {
    uint32_t readers = 0;
    for (uint32_t i = index + 1; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        for (uint32_t k = 0; k < op->input_count; k++) {
            if (op->inputs[k] == index) {
                readers++;
                *by_client = *by_client || (!lutra_operation_is_encrypted(op) &&
                                            op->kind != LUTRA_OPERATION_OUTPUT);
            }
        }
    }
    return readers;
}

bool lutra_clear_noise_applies(const LutraCircuit *circuit, const LutraNoisePlan *plan) {
    if (plan->settings.kind == LUTRA_NOISE_SOURCES) {
        return false;
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        const LutraNoisyOperation *const noisy = &plan->operations[i];
        bool by_client = false;
        const uint32_t readers = count_readers(circuit, i, &by_client);
        if ((noisy->reads != NULL && op->kind != LUTRA_OPERATION_TABLE) ||
            (lutra_operation_is_encrypted(op) && by_client) ||
            (is_approximate(op) && (readers != 1 || has_too_many_shares(op)))) {
            return false;
        }
    }
    return true;
}

bool lutra_clear_ranges_fit(const LutraClearProgram *program) {
    for (uint32_t i = 0; i < program->circuit->operation_count; i++) {
        const LutraRange range = program->values[i].range;
        if (range.min < -INT32_MAX || range.max > INT32_MAX) {
            return false;
        }
    }
    return true;
}

/* --- preparation ------------------------------------------------------------------------------ */

/** Distance of an input at a place of its cell from the cell's centre, in units of 2^-64. */
static int64_t off_centre_of(const ClearNoise *noise, uint32_t place) {
    if (!noise->rounds) {
        return 0;
    }
    const int64_t half = INT64_C(1) << (noise->dropped_bits - 1);
    LutraWordRounding rounding;
    lutra_word_rounding_default(&rounding, (LutraEncoding){.bits = noise->value_bits},
                                noise->dropped_bits, false);
    return (int64_t)lutra_word_round_approximate(
        lutra_word_encode((int64_t)place - half, noise->value_bits), &rounding);
}

/** Shares of one channel's places; widens what may move more than a cell. */
static void fill_shares(ClearNoise *noise, uint32_t *shares, const LutraNoisyRead *read) {
    for (uint32_t place = 0; place < UINT32_C(1) << noise->dropped_bits; place++) {
        const int64_t off_centre = off_centre_of(noise, place);
        const uint64_t down = lutra_noisy_share_below(read, off_centre, 0) >> DRAW_SHIFT;
        const uint64_t up = lutra_noisy_share_below(read, off_centre, 1) >> DRAW_SHIFT;
        const uint32_t two_down =
            (uint32_t)(lutra_noisy_share_below(read, off_centre, -1) >> DRAW_SHIFT);
        const uint32_t two_up =
            (uint32_t)(lutra_noisy_share_below(read, off_centre, 2) >> DRAW_SHIFT);
        shares[place] = (uint32_t)(up << 16 | down);
        noise->draw_low = two_down > noise->draw_low ? two_down : noise->draw_low;
        noise->draw_high = two_up < noise->draw_high ? two_up : noise->draw_high;
    }
}

/** Shares of all channels; channels with equal ones share them. */
static LutraStatus prepare_shares(ClearNoise *noise, uint32_t channels, LutraError *error) {
    const size_t places = (size_t)1 << noise->dropped_bits;
    uint32_t rows = 0;
    LUTRA_TRY(lutra_alloc(&noise->shares, channels * places, sizeof(uint32_t), error));
    noise->draw_high = UINT16_MAX;
    for (uint32_t c = 0; c < channels; c++) {
        uint32_t *const row = noise->shares + rows * places;
        uint32_t same = 0;
        fill_shares(noise, row, &noise->reads[c]);
        while (memcmp(noise->shares + same * places, row, places * sizeof *row) != 0) {
            same++;
        }
        noise->first[c] = (uint32_t)(same * places);
        rows += same == rows ? 1 : 0;
    }
    return LUTRA_OK;
}

static int32_t limited(int64_t value, int64_t min, int64_t max) {
    return (int32_t)(value < min ? min : value > max ? max : value);
}

/** Inputs that may move a cell down, and up, and stay in the table and in their format. */
static void prepare_bounds(ClearNoise *noise, const LutraClearProgram *program,
                           const ClearStage *stage) {
    const LutraOperation *const op = &program->circuit->operations[stage->operation];
    const ClearValue *const x = &program->values[stage->table.x];
    const LutraRoundOperation *const round =
        stage->table.round == UINT32_MAX
            ? NULL
            : &program->circuit->operations[stage->table.round].u.round;
    const int64_t cell = INT64_C(1) << noise->dropped_bits;
    const int64_t half = cell / 2;
    const int64_t last = (int64_t)op->u.table.first_input + op->u.table.entry_count - 1;
    const int64_t most = (x->format == VALUE_I16 ? INT16_MAX : INT32_MAX) - cell;
    for (uint32_t c = 0; c < x->channels; c++) {
        const int64_t offset = round == NULL || round->offsets == NULL ? 0 : round->offsets[c];
        noise->to_place[c] = (int32_t)(offset + half);
        noise->low[c] = limited((op->u.table.first_input + 1) * cell - half - offset, -most, most);
        noise->high[c] = limited(last * cell - 1 - half - offset, -most, most);
    }
}

static void prepare_chunks(ClearNoise *noise, const ClearValue *x) {
    const size_t pixels = CHUNK_ELEMENTS / x->stride;
    noise->chunk_pixels = pixels < 1 ? 1 : pixels > x->pixels ? x->pixels : pixels;
}

LutraStatus lutra_clear_noise_prepare(ClearStage *stage, const LutraClearProgram *program,
                                      LutraError *error) {
    ClearNoise *const noise = &stage->noise;
    if (program->plan == NULL || program->plan->operations[stage->operation].reads == NULL) {
        return LUTRA_OK;
    }
    const ClearValue *const x = &program->values[stage->table.x];
    const LutraOperation *const sums = &program->circuit->operations[stage->table.x];
    noise->reads = program->plan->operations[stage->operation].reads;
    noise->value_bits = sums->encoding.bits;
    if (stage->table.round != UINT32_MAX) {
        const LutraOperation *const round = &program->circuit->operations[stage->table.round];
        noise->rounds = is_approximate(round);
        noise->dropped_bits = round->u.round.dropped_bits;
    }
    LUTRA_TRY(lutra_alloc(&noise->to_place, x->stride, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&noise->first, x->stride, sizeof(uint32_t), error));
    LUTRA_TRY(lutra_alloc(&noise->low, x->stride, sizeof(int32_t), error));
    LUTRA_TRY(lutra_alloc(&noise->high, x->stride, sizeof(int32_t), error));
    prepare_bounds(noise, program, stage);
    prepare_chunks(noise, x);
    return prepare_shares(noise, x->channels, error);
}

void lutra_clear_noise_deinit(ClearNoise *noise) {
    lutra_free(&noise->to_place);
    lutra_free(&noise->first);
    lutra_free(&noise->low);
    lutra_free(&noise->high);
    lutra_free(&noise->shares);
}

/* --- draws ------------------------------------------------------------------------------------ */

const uint16_t *lutra_clear_noise_draws(const LutraClearProgram *program, const ClearStage *stage,
                                        uint64_t image, size_t pixel, size_t count,
                                        uint8_t *scratch) {
    const LutraNoiseAddress address = lutra_noise_plan_address(
        program->plan, LUTRA_STREAM_LOOKUP, stage->operation, image, 0);
    const size_t channels = program->values[stage->operation].channels;
    const size_t element = pixel * channels;
    const size_t skipped = element % LUTRA_NOISE_ELEMENTS_PER_BLOCK;
    const size_t blocks = (skipped + count * channels + LUTRA_NOISE_ELEMENTS_PER_BLOCK - 1) /
                          LUTRA_NOISE_ELEMENTS_PER_BLOCK;
    uint8_t *const draws = scratch + stage->noise.draws_offset;
    program->fill((uint32_t *)(void *)draws, address.key,
                  address.counter + element / LUTRA_NOISE_ELEMENTS_PER_BLOCK, blocks);
    return (const uint16_t *)(const void *)draws + skipped; /* words are little-endian */
}

ClearNoisyRead lutra_clear_noisy_read(const LutraClearProgram *program, const ClearStage *stage,
                                      uint64_t image, size_t pixel, uint32_t channel, int32_t x) {
    const ClearNoise *const noise = &stage->noise;
    const LutraOperation *const op = &program->circuit->operations[stage->operation];
    const LutraEncoding encoding = program->circuit->operations[op->inputs[0]].encoding;
    const LutraWordTable table =
        lutra_word_table_of(&op->u.table, channel, encoding, op->encoding);
    const size_t element = pixel * program->values[stage->operation].channels + channel;
    const int64_t placed = (int64_t)x + noise->to_place[channel];
    const uint32_t place = (uint32_t)placed & ((UINT32_C(1) << noise->dropped_bits) - 1);
    const int64_t bucket = (placed - place) / (INT64_C(1) << noise->dropped_bits);
    const uint64_t u = lutra_noise_uniform(
        lutra_noise_plan_address(program->plan, LUTRA_STREAM_LOOKUP, stage->operation, image, 0),
        element);
    const int64_t cells =
        lutra_noisy_displacement(&noise->reads[channel], off_centre_of(noise, place), u);
    const uint64_t step = (uint64_t)(bucket - op->u.table.first_input);
    const LutraWordLookup exact = lutra_word_read_step(&table, step);
    const LutraWordLookup found = lutra_word_read_step(&table, step + (uint64_t)cells);
    return (ClearNoisyRead){
        .value = found.value,
        .exact = exact.value,
        .is_displaced = found.step != exact.step,
        .is_outside = found.in_padding || !lutra_encoding_holds(encoding, bucket)};
}

void lutra_clear_noise_decrypt(const LutraClearProgram *program, const LutraOperation *op,
                               LutraOperationStatistics *statistics, uint64_t image,
                               int32_t *row) {
    const LutraNoisyRead *const decodes = program->plan->operations[op->inputs[0]].decodes;
    const LutraEncoding encoding = op->encoding;
    if (!lutra_operation_is_encrypted(&program->circuit->operations[op->inputs[0]])) {
        return; /* the client's own sums */
    }
    for (size_t c = 0; c < op->shape.channels; c++) {
        const uint64_t word = lutra_word_encode(row[c], encoding.bits);
        int64_t cells = 0;
        if (decodes != NULL) {
            const LutraNoiseAddress address = lutra_noise_plan_address(
                program->plan, LUTRA_STREAM_DECODE, op->inputs[0], image, 0);
            cells = lutra_noisy_displacement(&decodes[c], 0, lutra_noise_uniform(address, c));
        }
        const int64_t decoded =
            lutra_word_decode(word + lutra_word_encode(cells, encoding.bits), encoding);
        const int64_t exact = lutra_word_decode(word, encoding);
        statistics->displaced += decoded != exact;
        statistics->changed += decoded != exact;
        row[c] = (int32_t)decoded;
    }
}
