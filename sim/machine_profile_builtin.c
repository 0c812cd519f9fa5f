/* SPDX-License-Identifier: Apache-2.0 */
/* The profile for machines that have none of their own: what lutra bench --calibrate measured. */
#include "sim/machine_profile.h"

#define AT(log2_poly) ((log2_poly) - LUTRA_SMALLEST_LOG2_POLY)

static const LutraMachineProfile zen4 = {
    .cpu = "AMD Zen 4 core (AVX-512)",
    .backend = "tfhe-rs 1.7.0",
    .version = "0.1.0",
    .date = "2026-12-01",
    .threads = 2,
    .bootstrap = {{[AT(8)] = 9.199e-11, [AT(9)] = 8.206e-11, [AT(10)] = 8.134e-11,
                   [AT(11)] = 7.445e-11, [AT(12)] = 7.999e-11, [AT(13)] = 9.36e-11},
                  {[AT(8)] = 9.195e-11, [AT(9)] = 8.331e-11, [AT(10)] = 7.877e-11,
                   [AT(11)] = 7.353e-11, [AT(12)] = 8.878e-11, [AT(13)] = 8.974e-11}},
    .bootstrap_key = {[AT(8)] = 1.054e-07, [AT(9)] = 1.306e-07, [AT(10)] = 1.76e-07,
                      [AT(11)] = 1.981e-07, [AT(12)] = 2.722e-07, [AT(13)] = 3.71e-07},
    .keyswitch = 3.807e-11,
    .keyswitch_key = 3.177e-08,
    .key_byte = 8.113e-11,
    .encryption = 2.742e-08,
    .addition = 4.529e-10,
    .multiplication = 1.485e-09,
    .streaming = 5.415e-09,
    .bootstrap_alone = 1.0,
    .linear_alone = 1.0,
};

const LutraMachineProfile *lutra_machine_profile_builtin(void) {
    return &zen4;
}
