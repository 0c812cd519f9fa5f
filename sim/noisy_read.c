/* SPDX-License-Identifier: Apache-2.0 */
/* Reads with noise; see noisy_read.h. */
#include "sim/noisy_read.h"

#include <math.h>

#include "base/status.h"

/** probability * 2^64, at most UINT64_MAX. */
static uint64_t draws_of(double probability) {
    const double draws = ldexp(probability, 64);
    return draws >= 0x1p64 ? UINT64_MAX : (uint64_t)draws;
}

/** All draws but a probability's, at least one of them; keeps what is tiny exact. */
static uint64_t draws_but(double probability) {
    const uint64_t above = draws_of(probability);
    return above == 0 ? UINT64_MAX : UINT64_MAX - above + 1;
}

static uint64_t plain_share(double wrong, int64_t k) {
    if (k < 0) {
        return 0;
    }
    return k == 0 ? draws_of(0.5 * wrong) : k == 1 ? draws_but(0.5 * wrong) : UINT64_MAX;
}

uint64_t lutra_noisy_share_below(const LutraNoisyRead *read, int64_t off_centre, int64_t k) {
    if (read->wrong > 0.0) {
        return plain_share(read->wrong, k);
    }
    const double cell = exp2(-1.0 - read->bits);
    const double edge =
        ((double)k - 0.5) * cell - ldexp((double)off_centre, -64) - read->bias;
    if (read->deviation == 0.0) {
        return edge > 0.0 ? UINT64_MAX : 0;
    }
    const double z = edge / (read->deviation * sqrt(2.0));
    return z < 0.0 ? draws_of(0.5 * erfc(-z)) : draws_but(0.5 * erfc(z));
}

int64_t lutra_noisy_displacement(const LutraNoisyRead *read, int64_t off_centre, uint64_t u) {
    LUTRA_ASSERT(read->bits <= 61);
    const uint64_t draw = u == UINT64_MAX ? UINT64_MAX - 1 : u; /* UINT64_MAX means all */
    int64_t k = 0;
    while (draw >= lutra_noisy_share_below(read, off_centre, k + 1)) {
        k++;
    }
    while (draw < lutra_noisy_share_below(read, off_centre, k)) {
        k--;
    }
    return k;
}
