/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Security curves: the least noise that makes an LWE ciphertext of a given dimension as hard to
 * break as a stated number of bits, for binary keys and the modulus 2^64.
 *
 *   log2 std(dim) = max(slope * dim + bias, floor), std as a fraction of the torus
 *
 * A curve is a fit to the attacks that were known and estimated at its date; it ages. Whatever
 * prints parameters prints the curve's name too.
 */
#ifndef LUTRA_SIM_SECURITY_CURVE_H
#define LUTRA_SIM_SECURITY_CURVE_H

#include <stdint.h>

typedef struct {
    const char *name; /* origin, kind, security and date; < LUTRA_CURVE_NAME_BYTES */
    const char *date; /* the date alone, ISO 8601: the state of the source it was taken from */
    uint32_t security_bits;
    uint32_t smallest_dim; /* below it the line says nothing */
    double slope;          /* per unit of dimension */
    double bias;
    double floor_log2_std; /* rounding to 64-bit words needs at least this much noise */
} LutraSecurityCurve;

/**
 * The curve of a security level, with static storage; NULL if there is none.
 *
 * The 132-bit curve is the 128-bit claim with a margin for attacks that improve.
 *
 * @param security_bits  128 or 132
 * @source zama-ai/concrete, Gaussian curves; tfhe-rs 1.7.0 uses the same 132-bit line
 */
const LutraSecurityCurve *lutra_security_curve(uint32_t security_bits);

/**
 * Standard deviation of fresh noise, as a fraction of the torus.
 *
 * @param curve  not NULL
 * @param dim    n of a small key or k * N of a big one
 * @return NaN if dim is below curve->smallest_dim
 */
double lutra_security_std(const LutraSecurityCurve *curve, uint32_t dim);

#endif
