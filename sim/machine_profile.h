/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast one machine does the elementary work of real FHE: the numbers that turn the counts of
 * cost_model.h into seconds. `lutra bench --calibrate` measures them.
 *
 * Every speed is in core-seconds of one elementary operation while `threads` threads work at once,
 * so that shared memory and caches are part of it. The elementary operations are
 *
 *   bootstrap      one operation of lutra_cost_cmux. A point per N and level, because the count is
 *                  a model: how much of a processor's width a transform uses, and whether its
 *                  accumulators stay in the caches, depends on N
 *   keyswitch      one operation of lutra_cost_keyswitch
 *   key_byte       one byte of bootstrap or keyswitch key that has to come from memory; a group of
 *                  ciphertexts shares it
 *   bootstrap_key, keyswitch_key   generation of one word of that key. Products of polynomials are
 *                  part of the former, so it has a point per N
 *   encryption     one word of a fresh ciphertext
 *   addition       one word times a weight of +-1, added to a sum that stays in the caches
 *   multiplication the same for any other weight
 *   streaming      one word of a result, written to or read from memory
 */
#ifndef LUTRA_SIM_MACHINE_PROFILE_H
#define LUTRA_SIM_MACHINE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "sim/parameters.h"

enum {
    LUTRA_PROFILE_POLYS = LUTRA_LARGEST_LOG2_POLY - LUTRA_SMALLEST_LOG2_POLY + 1,
    LUTRA_PROFILE_LEVELS = 2, /* 1, and 2 for all above */
    LUTRA_PROFILE_TEXT_BYTES = 96
};

typedef struct {
    char cpu[LUTRA_PROFILE_TEXT_BYTES];     /* what was measured; the texts are for people */
    char backend[LUTRA_PROFILE_TEXT_BYTES]; /* library of ciphertexts, with version */
    char version[LUTRA_PROFILE_TEXT_BYTES]; /* of lutra */
    char date[LUTRA_PROFILE_TEXT_BYTES];    /* YYYY-MM-DD */
    uint32_t threads;                       /* 1 .. 1024 */
    /* By log2 N - LUTRA_SMALLEST_LOG2_POLY; an N has all of its points, or 0 in all. */
    double bootstrap[LUTRA_PROFILE_LEVELS][LUTRA_PROFILE_POLYS];
    double bootstrap_key[LUTRA_PROFILE_POLYS];
    double keyswitch;
    double keyswitch_key;
    double key_byte;
    double encryption;
    double addition;
    double multiplication;
    double streaming;
    /* Core-seconds of one thread that works alone, relative to the above. */
    double bootstrap_alone;
    double linear_alone;
} LutraMachineProfile;

/** A profile that was measured once, on one common processor: for machines without their own. */
const LutraMachineProfile *lutra_machine_profile_builtin(void);

/**
 * Text: not empty, printable, without '#', ';' or blanks at the ends. Speeds: above 0 and below a
 * second; relative ones from 1/100 to 100. At least one N.
 *
 * @errors LUTRA_EDATA naming the field
 */
LUTRA_MUST_CHECK LutraStatus lutra_machine_profile_check(const LutraMachineProfile *profile,
                                                         LutraError *error);

/**
 * The profile as INI text, described in docs/formats.md. Heap, free with lutra_free.
 *
 * @param profile  passed lutra_machine_profile_check
 */
LUTRA_MUST_CHECK LutraStatus lutra_machine_profile_text(char **text,
                                                        const LutraMachineProfile *profile,
                                                        LutraError *error);

/**
 * Reads the same text: every field once and nothing else; passes lutra_machine_profile_check then.
 *
 * @param name  what errors call the text
 * @errors LUTRA_EDATA naming the line or the field; LUTRA_ENOMEM; *profile is unchanged
 */
LUTRA_MUST_CHECK LutraStatus lutra_machine_profile_parse(LutraMachineProfile *profile,
                                                         const char *text, const char *name,
                                                         LutraError *error);

/** Files of that text. */
LUTRA_MUST_CHECK LutraStatus lutra_machine_profile_write(const LutraMachineProfile *profile,
                                                         const char *path, bool force,
                                                         LutraError *error);
LUTRA_MUST_CHECK LutraStatus lutra_machine_profile_read(LutraMachineProfile *profile,
                                                        const char *path, LutraError *error);

#endif
