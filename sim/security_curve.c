/* SPDX-License-Identifier: Apache-2.0 */
/* The two curves as constants. */
#include "sim/security_curve.h"

#include <math.h>
#include <stddef.h>

/* Two bits of noise in a 64-bit word. */
#define FLOOR_LOG2_STD (2.0 - 64.0)

static const LutraSecurityCurve curves[] = {
    {.name = "concrete, Gaussian noise, binary keys, 128 bits, 2025-06-16",
     .date = "2025-06-16",
     .security_bits = 128,
     .smallest_dim = 450,
     .slope = -0.025696778711484593,
     .bias = 2.675931372549016,
     .floor_log2_std = FLOOR_LOG2_STD},
    {.name = "concrete, Gaussian noise, binary keys, 132 bits, 2025-06-16",
     .date = "2025-06-16",
     .security_bits = 132,
     .smallest_dim = 450,
     .slope = -0.024891456582633045,
     .bias = 2.65734593837534,
     .floor_log2_std = FLOOR_LOG2_STD},
};

const LutraSecurityCurve *lutra_security_curve(uint32_t security_bits) {
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        if (curves[i].security_bits == security_bits) {
            return &curves[i];
        }
    }
    return NULL;
}

double lutra_security_std(const LutraSecurityCurve *curve, uint32_t dim) {
    if (dim < curve->smallest_dim) {
        return NAN;
    }
    return exp2(fmax(curve->slope * dim + curve->bias, curve->floor_log2_std));
}
