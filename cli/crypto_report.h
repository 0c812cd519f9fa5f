/* SPDX-License-Identifier: Apache-2.0 */
/* How every command shows a set of crypto parameters. */
#ifndef LUTRA_CLI_CRYPTO_REPORT_H
#define LUTRA_CLI_CRYPTO_REPORT_H

#include "base/json.h"
#include "sim/crypto_parameters.h"

/** All fields of the set, and the bytes of keys and ciphertexts, as members of a JSON object. */
void cli_set_crypto_parameters(LutraJson *object, const LutraCryptoParameters *set);

/** Four lines on stdout: parameters, what they were chosen for, curve and date, sizes of keys. */
void cli_print_crypto_parameters(const LutraCryptoParameters *set);

#endif
