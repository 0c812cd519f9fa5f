/* SPDX-License-Identifier: Apache-2.0 */
#include "base/median.h"

#include <stdlib.h>

#include "base/status.h"

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

double lutra_median(double *values, size_t count) {
    LUTRA_ASSERT(count > 0);
    qsort(values, count, sizeof *values, ascending);
    return 0.5 * (values[(count - 1) / 2] + values[count / 2]);
}
