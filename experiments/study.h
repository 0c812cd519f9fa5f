/* SPDX-License-Identifier: Apache-2.0 */
/* Many settings of one subject: their circuits, what these cost, and what they answer. */
#ifndef LUTRA_EXPERIMENTS_STUDY_H
#define LUTRA_EXPERIMENTS_STUDY_H

#include "experiments/subject.h"
#include "quant/lower.h"
#include "sim/circuit_parameters.h"
#include "sim/cost_model.h"

enum { LUTRA_STUDY_RANKS = 3 };

/** What one circuit is made with. */
typedef struct {
    uint32_t bits; /* LUTRA_ROUNDING_NONE or bits that every table reads */
    LutraRoundingMode mode;
    LutraOffsetRule offsets;
    double p_error;         /* of a look-up; 0: no crypto parameters, no noise */
    const char *clear_from; /* operations that run on the client; NULL: none */
    const char *clear_to;
    LutraPartition partition; /* of the tables into sets of crypto parameters */
} LutraStudySetting;

/** What it gave. Counts are means over the repeats of noise. */
typedef struct {
    LutraStudySetting setting;
    bool feasible; /* false: no crypto parameters for it; only bits and look-ups mean something */
    uint64_t images;
    double hits[LUTRA_STUDY_RANKS]; /* images whose label is among the first 1, 2, 3 answers */
    double worse;                   /* images that row 0 alone answers rightly */
    double better;                  /* images that this row alone answers rightly */
    uint64_t out_of_range;
    double simulate_seconds;
    uint64_t lookups;     /* of an image */
    uint32_t widest_bits; /* of the sums before rounding */
    LutraCryptoParameters set;
    double expected_wrong; /* look-ups of an image that noise makes wrong, rounding edges apart */
    double seconds;        /* predicted, of an image on real ciphertexts */
    double core_seconds;
    double keygen_seconds;
    uint64_t key_bytes;
    uint64_t input_bytes;
    uint64_t output_bytes; /* that the client gets back */
    double clear_macs;     /* share of the multiply-adds that the client does itself */
} LutraStudyRow;

/**
 * The circuit of a setting.
 *
 * @param[out] circuit  owned by the caller
 * @param[out] row      everything but the counts; row->setting is read
 * @param      dataset  whose training images calibrate
 */
LUTRA_MUST_CHECK LutraStatus lutra_study_circuit(LutraCircuit *circuit, LutraStudyRow *row,
                                                 LutraSubject *subject, const LutraDataset *dataset,
                                                 const LutraExperimentRun *run, LutraError *error);

/**
 * Runs all settings over the images; with noise `repeats` times, if they have a p_error.
 *
 * @param[in,out] rows  (count) with their settings; the first is what others are compared with
 */
LUTRA_MUST_CHECK LutraStatus lutra_study_run(LutraStudyRow *rows, uint32_t count,
                                             LutraSubject *subject, const LutraDataset *dataset,
                                             const LutraImages *images, uint32_t repeats,
                                             const LutraExperimentRun *run, LutraError *error);

/** Fraction of right first answers with its interval; repeats do not narrow it. */
LUTRA_MUST_CHECK LutraStatus lutra_study_add_top(LutraFigures *figures, const char *quantity,
                                                 const char *at, const LutraStudyRow *row,
                                                 uint32_t rank, LutraError *error);

/** Accuracy of row 0 less this one's, with Tango's interval for pairs. */
LUTRA_MUST_CHECK LutraStatus lutra_study_add_loss(LutraFigures *figures, const char *quantity,
                                                  const char *at, const LutraStudyRow *row,
                                                  LutraError *error);

/** "6 bits" or "no rounding"; returns it. */
const char *lutra_study_bits_text(char text[32], uint32_t bits);

extern const char *const lutra_study_offset_names[3]; /* by LutraOffsetRule */
extern const char *const lutra_study_mode_names[2];   /* by LutraRoundingMode */

#endif
