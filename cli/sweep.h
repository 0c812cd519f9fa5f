/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `lutra sweep`: settings and their circuits, the table of results, and reports. */
#ifndef LUTRA_CLI_SWEEP_H
#define LUTRA_CLI_SWEEP_H

#include "base/interval.h"
#include "cli/cli.h"
#include "quant/lower.h"
#include "sim/circuit_parameters.h"
#include "sim/simulate_many.h"

enum { SWEEP_MOST_VALUES = 32, SWEEP_IDENTITY_BYTES = 256 };

/** What is varied, and what is the same for all. */
typedef struct {
    CliCommon common;
    const char *source; /* circuit or model file */
    const char *data;
    const char *folder;
    uint32_t rounding[SWEEP_MOST_VALUES]; /* LUTRA_ROUNDING_NONE or bits, each once */
    uint32_t rounding_count;
    LutraOffsetRule offsets[SWEEP_MOST_VALUES];
    uint32_t offset_count;
    double p_errors[SWEEP_MOST_VALUES]; /* 0: no noise */
    uint32_t p_error_count;
    LutraRoundingMode mode;
    bool each_layer;
    uint32_t security_bits;
    LutraPartition partition;
    LutraSplitKind split;
    uint64_t limit;
    uint64_t calibration; /* training images; 0 = all */
    uint32_t repeats;
    bool resume;
} SweepOptions;

/* ---- settings and circuits ---- */

typedef struct {
    uint32_t rounding; /* LUTRA_ROUNDING_NONE or bits */
    LutraOffsetRule offsets;
    char layer[LUTRA_NAME_BYTES]; /* the one table that is rounded; "" = all */
    LutraRoundingMode mode;
    double p_error; /* 0: no noise */
} SweepSetting;

bool sweep_setting_equal(const SweepSetting *a, const SweepSetting *b);

/** What circuits are made from. */
typedef struct {
    bool is_model;
    char checksum[17]; /* of the file's bytes, 16 hex digits */
    LutraModel model;
    LutraCalibration calibrations[3]; /* by LutraOffsetRule; empty where nothing needs it */
    uint64_t calibration_images;
    LutraCircuit plain; /* without rounding and offsets */
} SweepSource;

/**
 * Reads a circuit, or reads, calibrates and lowers a model.
 *
 * @param progress  may be NULL
 * @errors LUTRA_EDATA a circuit that is rounded already; LUTRA_EINVAL offsets asked of a circuit
 */
LUTRA_MUST_CHECK LutraStatus sweep_source_read(SweepSource *source, const SweepOptions *options,
                                               const LutraProgress *progress, LutraError *error);
void sweep_source_deinit(SweepSource *source);

/**
 * All settings, (count), free with lutra_free: the circuit without rounding and noise first, asked
 * for or not, because the others are compared with it.
 */
LUTRA_MUST_CHECK LutraStatus sweep_settings(SweepSetting **settings, uint32_t *count,
                                            const SweepSource *source,
                                            const SweepOptions *options, LutraError *error);

/**
 * The circuit of one setting, with crypto parameters if it asks for a p_error.
 *
 * @param[out] choice  of the parameters; owned by the caller; zeroed without a p_error
 */
LUTRA_MUST_CHECK LutraStatus sweep_circuit(LutraCircuit *circuit, LutraParametersChoice *choice,
                                           const SweepSource *source, const SweepSetting *setting,
                                           const SweepOptions *options, LutraError *error);

/* ---- results ---- */

/** One row of sweep.csv. Counts are sums over the repeats. */
typedef struct {
    SweepSetting setting;
    bool feasible;     /* false: no crypto parameters, so the counts are 0 and mean nothing */
    uint64_t hits;     /* right answers */
    uint64_t worse;    /* images that the plain circuit alone answers rightly */
    uint64_t better;   /* images that this one alone answers rightly */
    uint64_t out_of_range;
    uint64_t lookups;  /* of an image */
    double p_error;    /* reached, of the worst look-up; this and what follows: 0 without noise */
    uint32_t lwe_dim;  /* n; with several sets those of lutra_circuit_main_set */
    uint32_t glwe_dim; /* k */
    uint32_t log2_poly;
    double cost;              /* of one look-up (crypto_parameters.h) */
    double predicted_seconds; /* of one image on real ciphertexts, with the threads of this run */
    uint32_t parameter_sets;
    double seconds;
} SweepRow;

/** Rows in the order in which they were finished, and what they have in common. */
typedef struct {
    SweepRow *rows; /* (count), owned */
    uint32_t count;
    uint64_t images;  /* of the split that were run */
    uint32_t repeats; /* of noisy settings */
    char identity[SWEEP_IDENTITY_BYTES]; /* last columns of every line: what the rows stand for */
} SweepTable;

void sweep_table_deinit(SweepTable *table);

/** Sets images, repeats and identity. */
LUTRA_MUST_CHECK LutraStatus sweep_table_init(SweepTable *table, const SweepOptions *options,
                                              const SweepSource *source,
                                              const LutraDataset *dataset, LutraError *error);

LUTRA_MUST_CHECK LutraStatus sweep_table_add(SweepTable *table, const SweepRow *row,
                                             LutraError *error);

/** NULL if there is none. */
const SweepRow *sweep_table_find(const SweepTable *table, const SweepSetting *setting);

/** Runs of the images that a row counts: the repeats, or 1 without noise. */
uint32_t sweep_row_runs(const SweepTable *table, const SweepRow *row);

/** The largest p_error that a row reached; 0 if none has noise. */
double sweep_worst_p_error(const SweepTable *table);

/** Fraction of right answers, and the 95 % interval of Clopper and Pearson of one run. */
double sweep_row_top1(const SweepTable *table, const SweepRow *row, LutraInterval *interval);

/** Accuracy of the plain circuit less this one's, and Tango's 95 % interval from the discordant
 * images; with repeats from their mean numbers, which is on the wide side. */
double sweep_row_loss(const SweepTable *table, const SweepRow *row, LutraInterval *interval);

LUTRA_MUST_CHECK LutraStatus sweep_table_write(const SweepTable *table, const char *path,
                                               LutraError *error);

/**
 * Adds the rows of a file that sweep_table_write wrote.
 *
 * @errors LUTRA_EINVAL rows of another circuit, data set or setting that all rows share;
 *         LUTRA_EDATA no such file; the table may have got rows by then
 */
LUTRA_MUST_CHECK LutraStatus sweep_table_read(SweepTable *table, const char *path,
                                              LutraError *error);

/* ---- reports ---- */

/** "none" or the bits, into a buffer of 16 bytes; returns it. */
const char *sweep_rounding_text(char text[16], uint32_t rounding);

/** The table on stdout; returns an exit code. */
int sweep_print(const SweepOptions *options, const SweepSource *source, const SweepTable *table,
                const LutraDataset *dataset);
int sweep_print_json(const SweepOptions *options, const SweepSource *source,
                     const SweepTable *table, const LutraDataset *dataset);

/** Accuracy against rounding, of the rows for all layers. */
LUTRA_MUST_CHECK LutraStatus sweep_draw_accuracy(const SweepOptions *options,
                                                 const SweepSource *source,
                                                 const SweepTable *table,
                                                 const LutraDataset *dataset, const char *path,
                                                 LutraError *error);

/** Loss of each layer that was rounded alone. */
LUTRA_MUST_CHECK LutraStatus sweep_draw_layers(const SweepOptions *options,
                                               const SweepSource *source, const SweepTable *table,
                                               const LutraDataset *dataset, const char *path,
                                               LutraError *error);

#endif
