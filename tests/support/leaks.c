/* SPDX-License-Identifier: Apache-2.0 */
/* Leaks of outside libraries that the leak checker shall pass over: fontconfig keeps its caches,
 * and HDF5 loses memory when a write fails. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void) {
    return "leak:libfontconfig\nleak:libhdf5\n";
}
