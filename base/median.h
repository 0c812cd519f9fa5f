/* SPDX-License-Identifier: Apache-2.0 */
/* The middle of some numbers. */
#ifndef LUTRA_BASE_MEDIAN_H
#define LUTRA_BASE_MEDIAN_H

#include <stddef.h>

/**
 * Sorts values from the smallest to the largest, in place.
 *
 * @param count  >= 1
 * @return the one in the middle, or the mean of the two there
 */
double lutra_median(double *values, size_t count);

#endif
