/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes of the operating system, and the wiping of secrets. */
#ifndef LUTRA_BASE_ENTROPY_H
#define LUTRA_BASE_ENTROPY_H

#include <stddef.h>

#include "base/status.h"

/** Fills at most 256 bytes. LUTRA_EIO if the system has none to give. */
LUTRA_MUST_CHECK LutraStatus lutra_entropy(void *data, size_t bytes, LutraError *error);

/** Overwrites with zeros, in a way that no compiler leaves out. */
void lutra_wipe(void *data, size_t bytes);

#endif
