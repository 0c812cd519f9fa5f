/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers along the axes of pictures. */
#ifndef LUTRA_BASE_CHART_AXIS_PRIV_H
#define LUTRA_BASE_CHART_AXIS_PRIV_H

enum { LUTRA_AXIS_LABEL_BYTES = 32 };

/** The step 1, 2 or 5 times a power of ten that gives at most `count` steps. */
double lutra_axis_step(double span, double count);

/** "-12,345.50" with a true minus sign into a buffer of LUTRA_AXIS_LABEL_BYTES. */
void lutra_axis_label(char *label, double value, int decimals);

#endif
