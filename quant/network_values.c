/* SPDX-License-Identifier: Apache-2.0 */
#include "quant/network_values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FRACTION_PART = 1 << 24, MAX_CODE = 32767 };

/* Reads digits at *text in [0, max] and moves *text behind them. */
static bool take_digits(uint32_t *value, const char **text, uint32_t max) {
    const char *p = *text;
    uint64_t sum = 0;
    if (*p < '0' || *p > '9') {
        return false;
    }
    for (; *p >= '0' && *p <= '9'; p++) {
        sum = (sum * 10) + (uint64_t)(*p - '0');
        if (sum > max) {
            return false;
        }
    }
    *value = (uint32_t)sum;
    *text = p;
    return true;
}

static bool take_integer(int32_t *value, const char **text) {
    const char *p = *text;
    const bool negative = *p == '-';
    if (negative || *p == '+') {
        p++;
    }
    uint32_t magnitude = 0;
    if (!take_digits(&magnitude, &p, MAX_CODE)) {
        return false;
    }
    *value = negative ? -(int32_t)magnitude : (int32_t)magnitude;
    *text = p;
    return true;
}

bool lutra_value_unsigned(uint32_t *value, const char *text, uint32_t min, uint32_t max) {
    uint32_t read = 0;
    if (!take_digits(&read, &text, max) || *text != '\0' || read < min) {
        return false;
    }
    *value = read;
    return true;
}

/* strtof takes blanks, hexadecimal, "inf" and "nan" too: only plain decimals are let through. */
static bool decimal_span(const char *text, size_t length) {
    return length > 0 && length < 32 && strspn(text, "0123456789+-.eE") >= length;
}

static bool real_of_span(float *value, const char *text, size_t length) {
    char copy[32];
    if (!decimal_span(text, length)) {
        return false;
    }
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *end = NULL;
    const float read = strtof(copy, &end);
    if (end == copy || *end != '\0' || !isfinite(read)) {
        return false;
    }
    *value = read;
    return true;
}

bool lutra_value_real(float *value, const char *text) {
    return real_of_span(value, text, strlen(text));
}

bool lutra_value_yes_no(bool *value, const char *text) {
    const bool yes = strcmp(text, "yes") == 0;
    if (!yes && strcmp(text, "no") != 0) {
        return false;
    }
    *value = yes;
    return true;
}

bool lutra_value_codes(int32_t *min, int32_t *max, const char *text) {
    int32_t low = 0;
    int32_t high = 0;
    if (!take_integer(&low, &text) || strncmp(text, "..", 2) != 0) {
        return false;
    }
    text += 2;
    if (!take_integer(&high, &text) || *text != '\0' || low >= high) {
        return false;
    }
    *min = low;
    *max = high;
    return true;
}

bool lutra_value_range(float *min, float *max, const char *text) {
    float low = 0.0f;
    float high = 0.0f;
    const char *dots = strstr(text, "..");
    if (dots == NULL || !real_of_span(&low, text, (size_t)(dots - text)) ||
        !lutra_value_real(&high, dots + 2) || !(low < high)) {
        return false;
    }
    *min = low;
    *max = high;
    return true;
}

bool lutra_value_step(float *value, const char *text) {
    float step = 0.0f;
    if (strchr(text, '/') == NULL) {
        if (!lutra_value_real(&step, text)) {
            return false;
        }
    } else {
        uint32_t above = 0;
        uint32_t below = 0;
        if (!take_digits(&above, &text, MAX_FRACTION_PART) || *text != '/') {
            return false;
        }
        text++;
        if (!take_digits(&below, &text, MAX_FRACTION_PART) || *text != '\0' || below == 0) {
            return false;
        }
        step = (float)above / (float)below;
    }
    if (!(step > 0.0f)) {
        return false;
    }
    *value = step;
    return true;
}

bool lutra_value_list(float *values, uint32_t *count, const char *text, uint32_t most) {
    float read[64];
    uint32_t used = 0;
    for (;;) {
        const size_t blanks = strspn(text, " \t");
        const size_t length = strcspn(text + blanks, ",");
        size_t trimmed = length;
        while (trimmed > 0 && strchr(" \t", text[blanks + trimmed - 1]) != NULL) {
            trimmed--;
        }
        if (used == most || used == 64 || !real_of_span(&read[used], text + blanks, trimmed)) {
            return false;
        }
        used++;
        text += blanks + length;
        if (*text == '\0') {
            break;
        }
        text++;
    }
    memcpy(values, read, used * sizeof *values);
    *count = used;
    return true;
}

bool lutra_value_shape(LutraShape *shape, const char *text, uint32_t max) {
    uint32_t extents[3] = {0, 0, 0};
    for (int i = 0; i < 3; i++) {
        if (!take_digits(&extents[i], &text, max) || extents[i] == 0) {
            return false;
        }
        if (*text != (i < 2 ? 'x' : '\0')) {
            return false;
        }
        text++;
    }
    *shape = (LutraShape){extents[0], extents[1], extents[2]};
    return true;
}
