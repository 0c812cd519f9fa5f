/* SPDX-License-Identifier: Apache-2.0 */
/* Files that `lutra simulate` writes beside its report. */
#include <inttypes.h>

#include "base/chart.h"
#include "base/file.h"
#include "cli/csv_file.h"
#include "cli/gallery.h"
#include "cli/simulate.h"

static LutraStatus write_predictions(const SimulateOutcome *outcome, const uint16_t *labels,
                                     LutraError *error) {
    const SimulateOptions *const options = outcome->options;
    const LutraSimulation *const result = outcome->result;
    CliCsv csv;
    LUTRA_TRY(cli_csv_open(&csv, error));
    fputs("image,label,predicted,correct\n", csv.out);
    for (uint64_t i = 0; i < result->images; i++) {
        fprintf(csv.out, "%" PRIu64 ",%u,%" PRIu32 ",%d\n", i, labels[i], result->predictions[i],
                labels[i] == result->predictions[i] ? 1 : 0);
    }
    return cli_csv_close(&csv, options->predictions_path, options->common.force, error);
}

static LutraStatus write_confusion(const SimulateOutcome *outcome, LutraError *error) {
    const SimulateOptions *const options = outcome->options;
    const LutraSimulation *const result = outcome->result;
    const LutraDataset *const dataset = outcome->dataset;
    char subtitle[256];
    (void)snprintf(subtitle, sizeof subtitle, "%s, %s split, %" PRIu64 " images, top-1 %.2f %%",
                   dataset->name, lutra_split_name(options->split), result->images,
                   100.0 * (double)result->top1_hits / (double)result->images);
    return lutra_chart_write_confusion(outcome->circuit->name, subtitle, result->confusion,
                                       (const char *const *)dataset->class_names,
                                       result->class_count, options->confusion_path,
                                       options->common.force, error);
}

LutraStatus simulate_write_files(const SimulateOutcome *outcome, LutraError *error) {
    const SimulateOptions *const options = outcome->options;
    const LutraSimulation *const result = outcome->result;
    const LutraDataset *const dataset = outcome->dataset;
    const uint16_t *const labels = dataset->splits[options->split].labels;
    if (options->logits_path != NULL) {
        LUTRA_TRY(cli_write_logits(options->logits_path, options->common.force, labels,
                                   result->logits, result->images, result->class_count, error));
    }
    if (options->predictions_path != NULL) {
        LUTRA_TRY(write_predictions(outcome, labels, error));
    }
    if (options->confusion_path != NULL) {
        LUTRA_TRY(write_confusion(outcome, error));
    }
    if (options->gallery_path != NULL) {
        char title[256];
        (void)snprintf(title, sizeof title, "%s on %s, %s split: wrong answers are framed",
                       outcome->circuit->name, dataset->name, lutra_split_name(options->split));
        LUTRA_TRY(cli_gallery_write(title, dataset, options->split, result->predictions,
                                    result->images, options->gallery_path, options->common.force,
                                    error));
    }
    if (outcome->layers != NULL) {
        LUTRA_TRY(simulate_write_layers(outcome, error));
    }
    return LUTRA_OK;
}

LutraStatus simulate_check_outputs(const SimulateOptions *options, LutraError *error) {
    const char *const paths[] = {options->logits_path, options->predictions_path,
                                 options->confusion_path, options->gallery_path};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (paths[i] != NULL) {
            LUTRA_TRY(lutra_file_check_output(paths[i], options->common.force, error));
        }
    }
    return options->layers_folder == NULL ? LUTRA_OK : simulate_check_layers(options, error);
}
