/* SPDX-License-Identifier: Apache-2.0 */
/* Restricted edit distance (optimal string alignment) over three rows of the usual table. */
#include "base/nearest_word.h"

#include <stdbool.h>
#include <string.h>

enum { MAX_WORD = 63 };

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Edits from a to b; both at most MAX_WORD letters. */
static size_t edit_distance(const char *a, size_t a_length, const char *b, size_t b_length) {
    size_t rows[3][MAX_WORD + 1] = {{0}};
    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        const size_t *above = rows[(i + 2) % 3];
        const size_t *two_above = rows[(i + 1) % 3];
        size_t *row = rows[i % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            const size_t replace = above[j - 1] + (a[i - 1] != b[j - 1]);
            size_t best = smaller(replace, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                best = smaller(best, two_above[j - 2] + 1);
            }
            row[j] = best;
        }
    }
    return rows[a_length % 3][b_length];
}

const char *lutra_nearest_word(const char *word, const char *const *words, size_t count) {
    const size_t length = strlen(word);
    if (length == 0 || length > MAX_WORD) {
        return NULL;
    }
    const char *best = NULL;
    size_t best_distance = MAX_WORD;
    for (size_t i = 0; i < count; i++) {
        const size_t other = strlen(words[i]);
        if (other == 0 || other > MAX_WORD) {
            continue;
        }
        const size_t shared = smaller(length, other);
        const bool prefix = shared >= 3 && strncmp(word, words[i], shared) == 0;
        const size_t distance = prefix ? 1 : edit_distance(word, length, words[i], other);
        const size_t allowed = other / 3 > 0 ? other / 3 : 1;
        if (distance <= allowed && distance < best_distance) {
            best = words[i];
            best_distance = distance;
        }
    }
    return best;
}
