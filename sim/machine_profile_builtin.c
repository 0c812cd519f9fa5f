/* SPDX-License-Identifier: Apache-2.0 */
/* The profile for machines that have none of their own: what lutra bench --calibrate measured. */
#include "sim/machine_profile.h"

#define AT(log2_poly) ((log2_poly) - LUTRA_SMALLEST_LOG2_POLY)

static const LutraMachineProfile zen3 = {
    .cpu = "AMD Zen 3 core (AVX2)",
    .backend = "tfhe-rs 1.7.0",
    .version = "0.1.0",
    .date = "2026-11-22",
    .threads = 2,
    .bootstrap = {{[AT(8)] = 2.38e-10, [AT(9)] = 2.25e-10, [AT(10)] = 2.03e-10,
                   [AT(11)] = 1.96e-10, [AT(12)] = 1.92e-10, [AT(13)] = 1.91e-10},
                  {[AT(8)] = 2.17e-10, [AT(9)] = 2.01e-10, [AT(10)] = 1.94e-10,
                   [AT(11)] = 1.89e-10, [AT(12)] = 1.83e-10, [AT(13)] = 1.83e-10}},
    .bootstrap_key = {[AT(8)] = 1.22e-7, [AT(9)] = 1.51e-7, [AT(10)] = 1.89e-7,
                      [AT(11)] = 2.2e-7, [AT(12)] = 2.84e-7, [AT(13)] = 3.81e-7},
    .keyswitch = 7.8e-11,
    .keyswitch_key = 3.7e-8,
    .key_byte = 4.7e-11,
    .encryption = 3.3e-8,
    .addition = 4.2e-10,
    .multiplication = 1.6e-9,
    .streaming = 5.8e-9,
    .bootstrap_alone = 1.0,
    .linear_alone = 1.0,
};

const LutraMachineProfile *lutra_machine_profile_builtin(void) {
    return &zen3;
}
