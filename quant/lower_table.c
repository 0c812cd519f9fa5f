/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: the model's own expression on every integer of a domain. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "quant/lower_priv.h"
#include "quant/window_codes.h"

static float pending_sum(const LutraPending *pending, uint32_t channel, int64_t x) {
    const float z = (float)x * pending->scale;
    return pending->bias == NULL ? z : z + pending->bias[channel];
}

int32_t lutra_pending_code(const LutraPending *pending, uint32_t channel, int64_t x) {
    const LutraQuantizer *quantizer = &pending->quantizer;
    if (pending->reads_window > 0) {
        const uint32_t highest = (uint32_t)(quantizer->code_max - quantizer->code_min);
        return quantizer->code_min +
               (int32_t)lutra_window_level(pending->reads_window, highest, x);
    }
    float z = pending_sum(pending, channel, x);
    if (pending->norm != NULL) {
        const LutraLayerParameters *norm = pending->norm;
        z = lutra_affine_value(z, norm->running_mean[channel],
                               lutra_inverse_deviation(norm->running_variance[channel],
                                                       pending->epsilon),
                               norm->gamma[channel], norm->beta[channel]);
    }
    const int32_t code = lutra_quantizer_code(quantizer, z);
    return pending->writes_window == 0
               ? code
               : (int32_t)lutra_window_code(pending->writes_window,
                                            (uint32_t)(code - quantizer->code_min));
}

double lutra_pending_density(const LutraPending *pending, uint32_t channel, int64_t x) {
    if (pending->norm == NULL) {
        return 1.0;
    }
    const float mean = pending->norm->running_mean[channel];
    const float variance = pending->norm->running_variance[channel];
    const float inverse = lutra_inverse_deviation(variance, pending->epsilon);
    const double u = (double)((pending_sum(pending, channel, x) - mean) * inverse);
    return exp(-0.5 * u * u);
}

static uint64_t hash_row(const int32_t *row, size_t count) {
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a over whole entries */
    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ (uint32_t)row[i]) * 0x100000001b3u;
    }
    return hash;
}

/* Rows that are kept so far. */
typedef struct {
    int32_t *entries; /* (capacity, entry_count) */
    uint64_t *hashes; /* (channels) */
    uint32_t count;
    uint32_t capacity;
} Rows;

static LutraStatus grow_rows(Rows *rows, uint32_t channels, size_t entry_count,
                             LutraError *error) {
    size_t count = 0;
    const uint32_t wanted = rows->capacity == 0 ? 1 : rows->capacity * 2;
    const uint32_t capacity = wanted < channels ? wanted : channels;
    LUTRA_TRY(lutra_size_mul(&count, capacity, entry_count));
    LUTRA_TRY(lutra_resize(&rows->entries, rows->count * entry_count, count,
                           sizeof *rows->entries, error));
    rows->capacity = capacity;
    return LUTRA_OK;
}

/* Index of a kept row equal to the candidate, or rows->count. */
static uint32_t find_row(const Rows *rows, const int32_t *candidate, uint64_t hash,
                         size_t entry_count) {
    for (uint32_t i = 0; i < rows->count; i++) {
        if (rows->hashes[i] == hash &&
            memcmp(rows->entries + (i * entry_count), candidate,
                   entry_count * sizeof *candidate) == 0) {
            return i;
        }
    }
    return rows->count;
}

static void evaluate_row(int32_t *row, size_t entry_count, int64_t first, uint32_t channel,
                         const LutraPending *pending, const LutraTableDomain *domain) {
    const int64_t unit = (int64_t)1 << domain->dropped_bits;
    const int64_t offset = domain->offsets == NULL ? 0 : domain->offsets[channel];
    for (size_t i = 0; i < entry_count; i++) {
        const int64_t x = ((first + (int64_t)i) * unit) - offset;
        row[i] = lutra_pending_code(pending, channel, x);
    }
}

LutraStatus lutra_table_build(LutraTableOperation *table, const LutraPending *pending,
                              const LutraTableDomain *domain, LutraError *error) {
    const size_t entry_count = (size_t)1 << domain->encoding.bits;
    const int64_t first = lutra_encoding_min(domain->encoding);
    Rows rows = {0};
    uint32_t *table_of_channel = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&rows.hashes, domain->channels, sizeof *rows.hashes, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&table_of_channel, domain->channels,
                                       sizeof *table_of_channel, error));
    for (uint32_t c = 0; c < domain->channels; c++) {
        if (rows.count == rows.capacity) {
            LUTRA_TRY_GOTO(status, grow_rows(&rows, domain->channels, entry_count, error));
        }
        int32_t *candidate = rows.entries + (rows.count * entry_count);
        evaluate_row(candidate, entry_count, first, c, pending, domain);
        const uint64_t hash = hash_row(candidate, entry_count);
        const uint32_t found = find_row(&rows, candidate, hash, entry_count);
        table_of_channel[c] = found;
        if (found == rows.count) {
            rows.hashes[rows.count++] = hash;
        }
    }
    *table = (LutraTableOperation){.table_count = rows.count,
                                   .entry_count = (uint32_t)entry_count,
                                   .first_input = (int32_t)first,
                                   .entries = rows.entries,
                                   .table_of_channel = table_of_channel};
    rows.entries = NULL;
    table_of_channel = NULL;
done:
    lutra_free(&rows.entries);
    lutra_free(&rows.hashes);
    lutra_free(&table_of_channel);
    return status;
}
