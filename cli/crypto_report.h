/* SPDX-License-Identifier: Apache-2.0 */
/* How every command shows a set of crypto parameters. */
#ifndef LUTRA_CLI_CRYPTO_REPORT_H
#define LUTRA_CLI_CRYPTO_REPORT_H

#include "base/json.h"
#include "sim/circuit.h"

/** The curve with its date and level, and the noise model of circuits: a line on stdout, or members
 * of a JSON object. @param security_bits  128 or 132 */
void cli_print_security(uint32_t security_bits);
void cli_set_security(LutraJson *object, uint32_t security_bits);

/** All fields of the set, and the bytes of keys and ciphertexts, as members of a JSON object. */
void cli_set_crypto_parameters(LutraJson *object, const LutraCryptoParameters *set);

/**
 * The sets of a circuit, each as above: an array of objects with two more members, `noise_model`
 * and `tables`, those that use it. Keyswitch keys are those that lead to the set from the sets
 * whose results its tables read.
 */
void cli_set_circuit_parameters(LutraJson *sets, const LutraCircuit *circuit);

/** The sets of a circuit on stdout, four lines each: parameters, what they were chosen for, curve
 * with its date and noise model, sizes of keys. Where there are several, each behind a line that
 * names its tables. */
void cli_print_circuit_parameters(const LutraCircuit *circuit);

#endif
