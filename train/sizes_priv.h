/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on sizes of blocks. */
#ifndef LUTRA_TRAIN_SIZES_PRIV_H
#define LUTRA_TRAIN_SIZES_PRIV_H

#include <stddef.h>

static inline size_t lutra_ceiling(size_t a, size_t b) {
    return (a + b - 1) / b;
}

static inline size_t lutra_round_up(size_t value, size_t multiple) {
    return lutra_ceiling(value, multiple) * multiple;
}

static inline size_t lutra_smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

#endif
