/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers along the axes of pictures; see chart_axis_priv.h. */
#include "base/chart_axis_priv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

double lutra_axis_step(double span, double count) {
    const double rough = span / fmax(count, 1);
    const double power = pow(10, floor(log10(rough)));
    const double lead = rough / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

void lutra_axis_label(char *label, double value, int decimals) {
    char digits[LUTRA_AXIS_LABEL_BYTES];
    (void)snprintf(digits, sizeof digits, "%.*f", decimals, fabs(value));
    const char *const point = strchr(digits, '.');
    const size_t whole = point == NULL ? strlen(digits) : (size_t)(point - digits);
    size_t used = 0;
    if (value < 0 && strspn(digits, "0.") != strlen(digits)) {
        memcpy(label, "\xe2\x88\x92", 3);
        used = 3;
    }
    for (size_t i = 0; digits[i] != '\0' && used + 2 < LUTRA_AXIS_LABEL_BYTES; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0 && whole > 4) {
            label[used++] = ',';
        }
        label[used++] = digits[i];
    }
    label[used] = '\0';
}
