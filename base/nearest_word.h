/* SPDX-License-Identifier: Apache-2.0 */
/* The word that a mistyped one was probably meant to be. */
#ifndef LUTRA_BASE_NEAREST_WORD_H
#define LUTRA_BASE_NEAREST_WORD_H

#include <stddef.h>

/**
 * The entry of `words` that is fewest edits (insert, delete, replace, swap of neighbours) away from
 * `word`, or that begins with it or that it begins with.
 *
 * @param words  (count) valid words, none NULL
 * @return one of `words` if at most a third of its letters (and at least 1) differ, else NULL
 */
const char *lutra_nearest_word(const char *word, const char *const *words, size_t count);

#endif
