/* SPDX-License-Identifier: Apache-2.0 */
/* What every fuzz target shares. */
#ifndef LUTRA_TESTS_SUPPORT_FUZZ_H
#define LUTRA_TESTS_SUPPORT_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** The target's entry point; the name is that of libFuzzer. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/** Writes the input to a file of this process and returns its path; static buffer. */
const char *fuzz_file(const char *name, const uint8_t *data, size_t bytes);

/** Ends the process if the condition does not hold. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : fuzz_failed(#condition, __FILE__, __LINE__))
_Noreturn void fuzz_failed(const char *condition, const char *file, int line);

#endif
