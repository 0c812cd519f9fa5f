/* SPDX-License-Identifier: Apache-2.0 */
/* How every command shows a set of crypto parameters. */
#ifndef LUTRA_CLI_CRYPTO_REPORT_H
#define LUTRA_CLI_CRYPTO_REPORT_H

#include "base/json.h"
#include "sim/circuit.h"

/** All fields of the set, and the bytes of keys and ciphertexts, as members of a JSON object. */
void cli_set_crypto_parameters(LutraJson *object, const LutraCryptoParameters *set);

/** Four lines on stdout: parameters, what they were chosen for, curve and date, sizes of keys. */
void cli_print_crypto_parameters(const LutraCryptoParameters *set);

/**
 * The sets of a circuit, each as above and with the tables that use it: an array of objects with
 * one more member, `tables`.
 */
void cli_set_circuit_parameters(LutraJson *sets, const LutraCircuit *circuit);

/** The sets of a circuit on stdout; where there are several, each behind a line that names its
 * tables. */
void cli_print_circuit_parameters(const LutraCircuit *circuit);

/** The largest p_error of a circuit's sets; 0 if it has none. */
double cli_largest_p_error(const LutraCircuit *circuit);

#endif
