/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `lutra search`: circuits and their runs, the table of results, and reports. */
#ifndef LUTRA_CLI_SEARCH_H
#define LUTRA_CLI_SEARCH_H

#include "cli/cli.h"
#include "cli/cost_report.h"
#include "cli/source_file.h"
#include "quant/lower.h"
#include "sim/circuit_parameters.h"
#include "sim/circuit_round.h"
#include "sim/search.h"

enum { SEARCH_MOST_ERRORS = 16, SEARCH_IDENTITY_BYTES = 256 };

/** What is asked for. */
typedef struct {
    CliCommon common;
    const char *source; /* circuit or model file */
    const char *data;
    const char *folder;
    double budget; /* largest loss, in points of top-1 */
    uint32_t bits[LUTRA_MAX_ROUNDING]; /* falling, each once */
    uint32_t bits_count;
    LutraRoundingMode modes[2];
    uint32_t mode_count;
    LutraOffsetRule offsets[3];
    uint32_t offset_count;
    double p_errors[SEARCH_MOST_ERRORS]; /* falling, each once; none: global_p_error */
    uint32_t p_error_count;
    double global_p_error;
    uint32_t security_bits;
    LutraPartition partition;
    uint64_t held_out; /* training images that calibration does not see; 0: SEARCH_HELD_OUT_SHARE */
    uint64_t images;   /* of those, to choose on; 0: SEARCH_SELECTION_SHARE */
    bool resume;
} SearchOptions;

/** Shares of the training images that are held out, and of these that choices are made on. */
#define SEARCH_HELD_OUT_SHARE 0.4
#define SEARCH_SELECTION_SHARE 0.25

/** What a variant's number stands for. */
typedef struct {
    LutraRoundingMode mode;
    LutraOffsetRule offsets;
    LutraParametersTarget target;
} SearchVariant;

/** Labelled images, some of a dataset's in an order of their own. */
typedef struct {
    LutraSplit split; /* owned */
    uint8_t *plain_hits; /* (count) whether the circuit without rounding is right, owned; or NULL */
} SearchImages;

/** Everything that a search reads and makes. */
typedef struct {
    const SearchOptions *options;
    const LutraProgress *progress;
    /* the source */
    bool is_model;
    char checksum[CLI_CHECKSUM_BYTES];
    LutraModel model;
    LutraCalibration calibrations[3]; /* by LutraOffsetRule; empty where nothing needs it */
    uint64_t calibration_images;
    LutraCircuit plain; /* without rounding and offsets */
    uint32_t *table_bits; /* (tables) */
    /* images */
    LutraDataset dataset; /* without its images */
    uint32_t *order;      /* (train images): calibration, selection, confirmation */
    uint64_t train_images;
    SearchImages parts[2]; /* selection, confirmation */
    /* settings */
    SearchVariant *variants;
    uint32_t *reference;
    uint32_t variant_count;
    /* rows: those of the file that is gone on with, then those of this run */
    char *csv_path;
    char identity[SEARCH_IDENTITY_BYTES];
    LutraSearchRow *known; /* (known_count), owned; prices are not set */
    uint32_t known_count;
    LutraSearchRow *rows; /* (row_count), owned */
    uint32_t row_count;
    double written; /* when the table was, lutra_seconds */
    uint64_t shown; /* images that progress has counted in its stage */
    LutraSearchStage shown_stage;
    CliProfile machine; /* what prices follow, with its own number of threads */
    LutraSearchResult result;
    LutraCircuit chosen; /* the circuit of result.chosen; empty without one */
} Search;

void search_deinit(Search *search);

/** Reads data and source, splits the training images, calibrates, runs the plain circuit. */
LUTRA_MUST_CHECK LutraStatus search_prepare(Search *search, LutraError *error);

/** Fills in the callbacks; `search` must outlive them. */
LutraSearchWorker search_worker(Search *search);

/** The circuit of a setting, with crypto parameters if there are any. */
LUTRA_MUST_CHECK LutraStatus search_circuit(LutraCircuit *circuit, LutraParametersChoice *choice,
                                            const Search *search,
                                            const LutraSearchSetting *setting, LutraError *error);

/** Name of the n-th table. */
const char *search_table_name(const Search *search, uint32_t table);

/* ---- files ---- */

/** Sets what all rows have in common; with --resume adds the rows that are known. */
LUTRA_MUST_CHECK LutraStatus search_table_open(Search *search, LutraError *error);

/** Writes all rows. */
LUTRA_MUST_CHECK LutraStatus search_table_write(const Search *search, LutraError *error);

/** Counts of a run that is known: of this setting and table, on these images. */
const LutraSearchRow *search_table_find(const Search *search, const LutraSearchSetting *setting,
                                        const LutraSearchTask *task);

/** pareto.csv: the settings that nothing beats, from the dearest to the cheapest. */
LUTRA_MUST_CHECK LutraStatus search_write_pareto(const Search *search, const char *path,
                                                 LutraError *error);

/** split.csv: to which part each training image belongs. */
LUTRA_MUST_CHECK LutraStatus search_write_split(const Search *search, const char *path,
                                                LutraError *error);

/** Makes the chosen circuit and writes it with how it was chosen: circuit.h5. */
LUTRA_MUST_CHECK LutraStatus search_write_circuit(Search *search, const char *path,
                                                  LutraError *error);

/** pareto.png: loss against cost. Nothing if no setting has parameters. */
LUTRA_MUST_CHECK LutraStatus search_draw(const Search *search, const char *path,
                                         LutraError *error);

/* ---- reports ---- */

/** On stdout; an exit code. */
int search_print(const Search *search);
int search_print_json(const Search *search);

#endif
