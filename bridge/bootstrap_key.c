/* SPDX-License-Identifier: Apache-2.0 */
/* The bootstrap key in the Fourier domain; see bootstrap_key.h. */
#include "bridge/bootstrap_key.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "base/parallel.h"

bool lutra_bootstrap_key_supports(const LutraCryptoParameters *parameters) {
    return parameters->log2_poly >= LUTRA_FOURIER_MIN_LOG2 &&
           parameters->log2_poly <= LUTRA_FOURIER_MAX_LOG2 && parameters->pbs_level >= 1 &&
           parameters->pbs_base_log >= 1 && parameters->pbs_base_log <= 52 &&
           parameters->pbs_level * parameters->pbs_base_log <= 63 && parameters->ks_level >= 1 &&
           parameters->ks_base_log >= 1 && parameters->ks_base_log <= 31 &&
           parameters->ks_level * parameters->ks_base_log <= 63;
}

static size_t bit_polynomials(const LutraCryptoParameters *parameters) {
    const size_t columns = (size_t)parameters->glwe_dim + 1;
    return parameters->pbs_level * columns * columns;
}

size_t lutra_bootstrap_key_bit_points(const LutraCryptoParameters *parameters) {
    return bit_polynomials(parameters) << parameters->log2_poly;
}

LutraStatus lutra_bootstrap_key_init(LutraBootstrapKey *key,
                                     const LutraCryptoParameters *parameters, uint32_t cpu_flags,
                                     LutraError *error) {
    LUTRA_ASSERT(lutra_bootstrap_key_supports(parameters));
    LutraBootstrapKey made = {.parameters = *parameters};
    memset(key, 0, sizeof *key);
    lutra_lookup_kernels_init(&made.kernels, cpu_flags);
    LUTRA_TRY(lutra_fourier_plan_init(&made.plan, parameters->log2_poly, error));
    size_t count = 0;
    LutraStatus status =
        lutra_size_mul(&count, parameters->lwe_dim, lutra_bootstrap_key_bit_points(parameters));
    if (status == LUTRA_OK) {
        status = lutra_alloc(&made.points, count, sizeof(double), error);
    } else {
        (void)lutra_error_set(error, status, "the bootstrap key does not fit in memory");
    }
    if (status != LUTRA_OK) {
        lutra_fourier_plan_deinit(&made.plan);
        return status;
    }
    *key = made;
    return LUTRA_OK;
}

typedef struct {
    LutraBootstrapKey *key;
    size_t first_bit;
    const uint64_t *words;
    double *scratch; /* (threads, N) */
} FillWork;

/** One polynomial. The inverse transform multiplies by M: taken off here. */
static void fill_unit(void *user, size_t index, uint32_t worker) {
    const FillWork *const work = user;
    const LutraBootstrapKey *const key = work->key;
    const size_t n = (size_t)1 << key->parameters.log2_poly;
    const size_t polynomials = bit_polynomials(&key->parameters);
    const size_t bit = work->first_bit + index / polynomials;
    double *const scratch = work->scratch + worker * n;
    double *const target = key->points + bit * polynomials * n + index % polynomials * 16;
    for (size_t j = 0; j < n; j++) {
        scratch[j] = ldexp((double)(int64_t)work->words[index * n + j],
                           -64 - (int)key->plan.log2_points);
    }
    key->kernels.forward(scratch, &key->plan);
    for (size_t j = 0; j < n / 2; j++) {
        double *const block = target + j / 8 * polynomials * 16;
        block[j % 8] = scratch[j];
        block[8 + j % 8] = scratch[n / 2 + j];
    }
}

LutraStatus lutra_bootstrap_key_fill(LutraBootstrapKey *key, size_t first_bit, size_t count,
                                     const uint64_t *words, uint32_t threads, LutraError *error) {
    LUTRA_ASSERT(first_bit <= key->parameters.lwe_dim &&
                 count <= key->parameters.lwe_dim - first_bit);
    FillWork work = {.key = key, .first_bit = first_bit, .words = words};
    const size_t n = (size_t)1 << key->parameters.log2_poly;
    LUTRA_TRY(lutra_alloc(&work.scratch, threads * n, sizeof(double), error));
    lutra_parallel_for(threads, count * bit_polynomials(&key->parameters), fill_unit, &work);
    lutra_free(&work.scratch);
    return LUTRA_OK;
}

void lutra_bootstrap_key_deinit(LutraBootstrapKey *key) {
    lutra_fourier_plan_deinit(&key->plan);
    lutra_free(&key->points);
    memset(key, 0, sizeof *key);
}
