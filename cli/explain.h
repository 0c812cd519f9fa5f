/* SPDX-License-Identifier: Apache-2.0 */
/* What `lutra simulate --explain` knows of one image, and how it is told. */
#ifndef LUTRA_CLI_EXPLAIN_H
#define LUTRA_CLI_EXPLAIN_H

#include "cli/simulate.h"
#include "sim/image_reading.h"

/** All that is known of one image; owned unless said. */
typedef struct {
    const SimulateOptions *options; /* not owned, like the next two */
    const LutraCircuit *circuit;
    const LutraDataset *dataset;
    const uint8_t *pixels; /* not owned */
    uint32_t label;
    LutraImageValues values;
    bool is_predicted; /* the circuit has crypto parameters */
    LutraPrediction prediction;
    LutraImageReading *readings; /* (operation_count), of tables */
    uint32_t *ranked;            /* (class_count) classes by logit, the largest first */
    double expected_changed;     /* look-ups, roundings included */
} CliExplanation;

typedef struct {
    int32_t min;
    int32_t max;
    size_t zeros;
} CliValueRange;

/** Of an operation's results. */
CliValueRange explain_range(const CliExplanation *known, uint32_t operation);

/** The largest logit minus the second; NAN with one class. */
double explain_margin(const CliExplanation *known);

/** Both print on stdout and return an exit code. */
int explain_print_text(const CliExplanation *known);
int explain_print_json(const CliExplanation *known);

#endif
