/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures of a verification. */
#ifndef LUTRA_CLI_VERIFY_CHARTS_H
#define LUTRA_CLI_VERIFY_CHARTS_H

#include <stdbool.h>

#include "bridge/verify.h"

/** Logits of all samples: decrypted against simulated in the clear. @param what  data and setting
 * in a line */
LUTRA_MUST_CHECK LutraStatus verify_draw_logits(const LutraVerifyResult *result, const char *what,
                                                const char *path, bool force, LutraError *error);

/** Wrong results of each operation with look-ups, counted with their intervals beside expected.
 * Without any such operation there is no picture. */
LUTRA_MUST_CHECK LutraStatus verify_draw_layers(const LutraVerifyResult *result, const char *what,
                                                const char *path, bool force, LutraError *error);

#endif
