/* SPDX-License-Identifier: Apache-2.0 */
/* The profile for machines that have none of their own: medians of three runs of lutra bench
 * --calibrate. */
#include "sim/machine_profile.h"

#define AT(log2_poly) ((log2_poly) - LUTRA_SMALLEST_LOG2_POLY)

static const LutraMachineProfile zen4 = {
    .cpu = "AMD Zen 4 core (AVX-512)",
    .backend = "tfhe-rs 1.7.0",
    .version = "0.1.0",
    .date = "2026-12-01",
    .threads = 2,
    .bootstrap = {{[AT(8)] = 9.495e-11,
                   [AT(9)] = 9.797e-11,
                   [AT(10)] = 8.086e-11,
                   [AT(11)] = 7.868e-11,
                   [AT(12)] = 7.283e-11,
                   [AT(13)] = 9.445e-11},
                  {[AT(8)] = 9.567e-11,
                   [AT(9)] = 9.736e-11,
                   [AT(10)] = 7.916e-11,
                   [AT(11)] = 7.798e-11,
                   [AT(12)] = 7.189e-11,
                   [AT(13)] = 8.591e-11}},
    .bootstrap_key = {[AT(8)] = 1.121e-07,
                      [AT(9)] = 1.553e-07,
                      [AT(10)] = 1.764e-07,
                      [AT(11)] = 2.013e-07,
                      [AT(12)] = 2.807e-07,
                      [AT(13)] = 3.783e-07},
    .keyswitch = 1.496e-11,
    .keyswitch_key = 3.211e-08,
    .key_byte = 6.647e-11,
    .encryption = 2.901e-08,
    .addition = 8.859e-11,
    .multiplication = 1.055e-10,
    .streaming = 5.441e-09,
    .bootstrap_alone = 0.9871,
    .linear_alone = 1.024,
};

const LutraMachineProfile *lutra_machine_profile_builtin(void) {
    return &zen4;
}
