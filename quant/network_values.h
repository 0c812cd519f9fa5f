/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of a network file: text to numbers. Every function reads the whole text or fails; on
 * failure the output is unchanged.
 */
#ifndef LUTRA_QUANT_NETWORK_VALUES_H
#define LUTRA_QUANT_NETWORK_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/circuit.h"

/** Decimal digits, in [min, max]. */
bool lutra_value_unsigned(uint32_t *value, const char *text, uint32_t min, uint32_t max);

/** A finite decimal number such as -1, 0.25 or 1e-4. */
bool lutra_value_real(float *value, const char *text);

/** "yes" or "no". */
bool lutra_value_yes_no(bool *value, const char *text);

/** "A..B" in integers, A < B, both within +-32767. */
bool lutra_value_codes(int32_t *min, int32_t *max, const char *text);

/** "A..B" in finite decimal numbers, A < B. */
bool lutra_value_range(float *min, float *max, const char *text);

/** A positive number: decimal, or "A/B" with whole A and B up to 2^24, divided in single
 * precision. */
bool lutra_value_step(float *value, const char *text);

/** "A, B, ...": 1 .. most finite decimal numbers with commas between. */
bool lutra_value_list(float *values, uint32_t *count, const char *text, uint32_t most);

/** "CxHxW", each extent in [1, max]. */
bool lutra_value_shape(LutraShape *shape, const char *text, uint32_t max);

#endif
