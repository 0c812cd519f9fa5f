/* SPDX-License-Identifier: Apache-2.0 */
/* What tables and the output read: the report and the files of `lutra simulate --layers`. */
#include <inttypes.h>
#include <math.h>

#include "base/chart.h"
#include "base/file.h"
#include "base/hdf5_file.h"
#include "base/memory.h"
#include "cli/csv_file.h"
#include "cli/simulate.h"

enum { PANEL_COLUMNS = 3, MOST_PANELS = 96, TITLE_BYTES = 160, NOTE_BYTES = 160 };

static const char *const file_names[] = {"layers.csv", "layers.h5", "layers.png"};

static const LutraOperation *operation_of(const LutraLayerStatistics *layer) {
    return &layer->reading.circuit->operations[layer->reading.operation];
}

static const char *source_name(const LutraLayerStatistics *layer) {
    return layer->reading.circuit->operations[layer->reading.source].name;
}

static bool is_table(const LutraLayerStatistics *layer) {
    return layer->reading.table != NULL;
}

static uint32_t bucket_of(const LutraLayerStatistics *layer) {
    return UINT32_C(1) << layer->reading.dropped_bits;
}

static int64_t last_value(const LutraLayerStatistics *layer) {
    return layer->first_value + (int64_t)layer->value_count - 1;
}

static double near_share(const LutraLayerStatistics *layer) {
    return (double)layer->near_edge / (double)layer->reads;
}

static double zero_share(const LutraLayerStatistics *layer) {
    for (size_t i = 0; i < layer->result_count; i++) {
        if (layer->result_values[i] == 0) {
            return (double)layer->results[i] / (double)layer->reads;
        }
    }
    return 0.0;
}

double simulate_expected_changed(const LutraCircuitStatistics *layers) {
    double sum = 0.0;
    bool any = false;
    for (uint32_t i = 0; i < layers->layer_count; i++) {
        sum += layers->layers[i].expected_changed + layers->layers[i].expected_rounding;
        any = any || layers->layers[i].is_predicted;
    }
    return any ? sum : (double)NAN;
}

/** Runs with noise in this layer alone; NULL if there are none. */
static const SimulateAlone *alone_of(const SimulateOutcome *outcome,
                                     const LutraLayerStatistics *layer) {
    const SimulateAlone *const alone = outcome->layers->alone;
    return alone == NULL || !alone[layer->reading.operation].was_run
               ? NULL
               : &alone[layer->reading.operation];
}

static double share_of(const SimulateOutcome *outcome, uint64_t images) {
    return (double)images / (double)outcome->result->images;
}

/* --- report ----------------------------------------------------------------------------------- */

/** Noise in one layer at a time. */
static void print_alone(const SimulateOutcome *outcome) {
    const LutraCircuitStatistics *const layers = &outcome->layers->statistics;
    const double clear = share_of(outcome, outcome->layers->clear_top1_hits);
    printf("\nOnly one layer noisy, the others exact; top-1 without noise %.2f %%\n\n",
           100.0 * clear);
    printf("%-16s %8s %9s %16s\n", "table", "top-1", "lost", "answers changed");
    for (uint32_t i = 0; i < layers->layer_count; i++) {
        const SimulateAlone *const alone = alone_of(outcome, &layers->layers[i]);
        if (alone != NULL) {
            const double top1 = share_of(outcome, alone->top1_hits);
            printf("%-16s %6.2f %% %7.2f %% %14.2f %%\n", operation_of(&layers->layers[i])->name,
                   100.0 * top1, 100.0 * (clear - top1),
                   100.0 * share_of(outcome, alone->answers_changed));
        }
    }
}

void simulate_print_layers(const SimulateOutcome *outcome) {
    const LutraCircuitStatistics *const layers = &outcome->layers->statistics;
    const double changed = simulate_expected_changed(layers);
    puts("\nWhat tables read, in steps of the accumulator before rounding. edges: where a table\n"
         "changes, per channel; near: look-ups at most half a bucket from an edge; noise: its\n"
         "standard deviation at the look-up; changed: look-ups per image that it should change\n");
    printf("%-16s %-10s %6s %9s %9s %6s %7s %7s %7s %10s\n", "table", "reads", "bucket", "mean",
           "deviation", "edges", "near", "entropy", "noise", "changed");
    for (uint32_t i = 0; i < layers->layer_count; i++) {
        const LutraLayerStatistics *const layer = &layers->layers[i];
        printf("%-16s %-10s %6" PRIu32 " %9.1f %9.1f", operation_of(layer)->name,
               source_name(layer), bucket_of(layer), layer->mean, layer->deviation);
        if (is_table(layer)) {
            printf(" %6.1f %5.1f %% %7.2f", layer->edges_per_channel, 100.0 * near_share(layer),
                   layer->result_entropy_bits);
        }
        if (layer->is_predicted) {
            printf(" %7.3g %10.3g", layer->noise_deviation,
                   layer->expected_changed + layer->expected_rounding);
        }
        putchar('\n');
    }
    if (isfinite(changed)) {
        printf("\nexpected    %.3g look-ups per image with another result\n", changed);
    }
    if (outcome->layers->alone != NULL) {
        print_alone(outcome);
        putchar('\n');
    }
    printf("files       %s in %s\n", "layers.csv, layers.h5, layers.png",
           outcome->options->layers_folder);
}

static void set_if(LutraJson *object, const char *key, bool known, double value) {
    lutra_json_set_f64(object, key, known ? value : (double)NAN);
}

void simulate_set_layer(LutraJson *object, const SimulateOutcome *outcome, uint32_t operation) {
    const LutraCircuitStatistics *const layers = &outcome->layers->statistics;
    for (uint32_t i = 0; i < layers->layer_count; i++) {
        const LutraLayerStatistics *const layer = &layers->layers[i];
        if (layer->reading.operation != operation) {
            continue;
        }
        lutra_json_set_text(object, "reads", source_name(layer));
        lutra_json_set_i64(object, "values_read", (int64_t)layer->reads);
        lutra_json_set_i64(object, "bucket_steps", bucket_of(layer));
        lutra_json_set_i64(object, "read_min_steps", layer->first_value);
        lutra_json_set_i64(object, "read_max_steps", last_value(layer));
        lutra_json_set_f64(object, "mean_steps", layer->mean);
        lutra_json_set_f64(object, "deviation_steps", layer->deviation);
        set_if(object, "edges_per_channel", is_table(layer), layer->edges_per_channel);
        set_if(object, "near_edge_share", is_table(layer), near_share(layer));
        set_if(object, "result_entropy_bits", is_table(layer), layer->result_entropy_bits);
        set_if(object, "noise_deviation_steps", layer->is_predicted, layer->noise_deviation);
        set_if(object, "expected_displaced_lookups_per_image", layer->is_predicted,
               layer->expected_displaced);
        set_if(object, "expected_changed_lookups_per_image", layer->is_predicted,
               layer->expected_changed);
        set_if(object, "expected_wrong_roundings_per_image", layer->is_predicted,
               layer->expected_rounding);
        const SimulateAlone *const alone = alone_of(outcome, layer);
        if (alone != NULL) {
            lutra_json_set_f64(object, "top1_alone", share_of(outcome, alone->top1_hits));
            lutra_json_set_f64(object, "answers_changed_alone",
                               share_of(outcome, alone->answers_changed));
        }
    }
}

/* --- layers.csv ------------------------------------------------------------------------------- */

static LutraStatus write_csv(const SimulateOutcome *outcome, const char *path, LutraError *error) {
    CliCsv csv;
    LUTRA_TRY(cli_csv_open(&csv, error));
    fputs("name,kind,reads,values_read,bucket_steps,read_min_steps,read_max_steps,mean_steps,"
          "deviation_steps,zero_share,result_entropy_bits,edges_per_channel,near_edge_share,"
          "noise_deviation_steps,expected_displaced_per_image,expected_changed_per_image,"
          "expected_wrong_roundings_per_image,top1_alone,answers_changed_alone\n",
          csv.out);
    for (uint32_t i = 0; i < outcome->layers->statistics.layer_count; i++) {
        const LutraLayerStatistics *const layer = &outcome->layers->statistics.layers[i];
        const SimulateAlone *const alone = alone_of(outcome, layer);
        fprintf(csv.out,
                "%s,%s,%s,%" PRIu64 ",%" PRIu32 ",%" PRId64 ",%" PRId64 ",%.9g,%.9g",
                operation_of(layer)->name, lutra_operation_kind_name(operation_of(layer)->kind),
                source_name(layer), layer->reads, bucket_of(layer), layer->first_value,
                last_value(layer), layer->mean, layer->deviation);
        if (is_table(layer)) {
            fprintf(csv.out, ",%.9g,%.9g,%.9g,%.9g", zero_share(layer),
                    layer->result_entropy_bits, layer->edges_per_channel, near_share(layer));
        } else {
            fputs(",,,,", csv.out);
        }
        if (layer->is_predicted) {
            fprintf(csv.out, ",%.9g,%.9g,%.9g,%.9g", layer->noise_deviation,
                    layer->expected_displaced, layer->expected_changed, layer->expected_rounding);
        } else {
            fputs(",,,,", csv.out);
        }
        if (alone != NULL) {
            fprintf(csv.out, ",%.9g,%.9g\n", share_of(outcome, alone->top1_hits),
                    share_of(outcome, alone->answers_changed));
        } else {
            fputs(",,\n", csv.out);
        }
    }
    return cli_csv_close(&csv, path, outcome->options->common.force, error);
}

/* --- layers.h5 -------------------------------------------------------------------------------- */

static LutraStatus write_array(LutraH5 *file, const char *group, const char *name,
                               const void *data, LutraH5Type type, size_t count,
                               LutraError *error) {
    char path[LUTRA_NAME_BYTES + 64];
    const uint64_t dims[] = {count};
    (void)snprintf(path, sizeof path, "%s/%s", group, name);
    return lutra_h5_write(file, path, data, type, 1, dims, error);
}

static LutraStatus write_group(LutraH5 *file, const LutraLayerStatistics *layer, uint32_t index,
                               LutraError *error) {
    const LutraOperation *const op = operation_of(layer);
    char group[LUTRA_NAME_BYTES + 24];
    (void)snprintf(group, sizeof group, "layers/%04" PRIu32 "_%s", index, op->name);
    LUTRA_TRY(lutra_h5_write_text(file, group, "name", op->name, error));
    LUTRA_TRY(lutra_h5_write_text(file, group, "kind", lutra_operation_kind_name(op->kind),
                                  error));
    LUTRA_TRY(lutra_h5_write_text(file, group, "reads", source_name(layer), error));
    LUTRA_TRY(lutra_h5_write_i64(file, group, "values_read", (int64_t)layer->reads, error));
    LUTRA_TRY(lutra_h5_write_i64(file, group, "bucket", bucket_of(layer), error));
    LUTRA_TRY(lutra_h5_write_i64(file, group, "first_value", layer->first_value, error));
    LUTRA_TRY(lutra_h5_write_f64(file, group, "mean", layer->mean, error));
    LUTRA_TRY(lutra_h5_write_f64(file, group, "deviation", layer->deviation, error));
    LUTRA_TRY(write_array(file, group, "histogram", layer->histogram, LUTRA_H5_U64,
                          layer->value_count, error));
    if (is_table(layer)) {
        LUTRA_TRY(lutra_h5_write_i64(file, group, "channels", op->shape.channels, error));
        LUTRA_TRY(lutra_h5_write_i64(file, group, "near_edge", (int64_t)layer->near_edge, error));
        LUTRA_TRY(lutra_h5_write_f64(file, group, "result_entropy_bits",
                                     layer->result_entropy_bits, error));
        LUTRA_TRY(lutra_h5_write_f64(file, group, "edges_per_channel", layer->edges_per_channel,
                                     error));
        LUTRA_TRY(write_array(file, group, "edges", layer->edges, LUTRA_H5_U32,
                              layer->value_count, error));
        LUTRA_TRY(write_array(file, group, "result_values", layer->result_values, LUTRA_H5_I32,
                              layer->result_count, error));
        LUTRA_TRY(write_array(file, group, "results", layer->results, LUTRA_H5_U64,
                              layer->result_count, error));
    }
    if (layer->is_predicted) {
        LUTRA_TRY(lutra_h5_write_f64(file, group, "noise_deviation", layer->noise_deviation,
                                     error));
        LUTRA_TRY(lutra_h5_write_f64(file, group, "expected_displaced", layer->expected_displaced,
                                     error));
        LUTRA_TRY(lutra_h5_write_f64(file, group, "expected_changed", layer->expected_changed,
                                     error));
        LUTRA_TRY(lutra_h5_write_f64(file, group, "expected_rounding", layer->expected_rounding,
                                     error));
    }
    return LUTRA_OK;
}

static LutraStatus write_h5(const SimulateOutcome *outcome, const char *path, LutraError *error) {
    const SimulateOptions *const options = outcome->options;
    LutraH5 *file = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_h5_create(&file, path, options->common.force, error));
    LUTRA_TRY_GOTO(status, lutra_h5_write_text(file, "", "format", "lutra.layers/1", error));
    LUTRA_TRY_GOTO(status, lutra_h5_write_text(file, "", "circuit", outcome->circuit->name, error));
    LUTRA_TRY_GOTO(status,
                   lutra_h5_write_text(file, "", "data_source", outcome->dataset->source, error));
    LUTRA_TRY_GOTO(status, lutra_h5_write_text(file, "", "data_checksum",
                                               outcome->dataset->checksum, error));
    LUTRA_TRY_GOTO(status, lutra_h5_write_text(file, "", "split",
                                               lutra_split_name(options->split), error));
    LUTRA_TRY_GOTO(status, lutra_h5_write_i64(file, "", "images",
                                              (int64_t)outcome->layers->statistics.images, error));
    for (uint32_t i = 0; i < outcome->layers->statistics.layer_count; i++) {
        LUTRA_TRY_GOTO(status,
                       write_group(file, &outcome->layers->statistics.layers[i], i, error));
    }
    status = lutra_h5_commit(&file, error);
done:
    lutra_h5_close(&file);
    return status;
}

/* --- layers.png ------------------------------------------------------------------------------- */

typedef struct {
    LutraHistogramPanel panel;
    char title[TITLE_BYTES];
    char note[NOTE_BYTES];
    double *shares;
    double *edges;
} Panel;

static void describe(Panel *panel, const LutraLayerStatistics *layer) {
    const LutraOperation *const op = operation_of(layer);
    const double changed = layer->expected_changed + layer->expected_rounding;
    (void)snprintf(panel->title, TITLE_BYTES, "%s reads %s", op->name, source_name(layer));
    if (!is_table(layer)) {
        (void)snprintf(panel->note, NOTE_BYTES, "the client's logits");
    } else if (!layer->is_predicted) {
        (void)snprintf(panel->note, NOTE_BYTES, "%.1f %% near an edge",
                       100.0 * near_share(layer));
    } else {
        (void)snprintf(panel->note, NOTE_BYTES, "%.1f %% near an edge; noise changes %.*g an image",
                       100.0 * near_share(layer), changed >= 100.0 ? 4 : 2, changed);
    }
}

static LutraStatus init_panel(Panel *panel, const LutraLayerStatistics *layer,
                              LutraError *error) {
    LUTRA_TRY(lutra_alloc(&panel->shares, layer->value_count, sizeof(double), error));
    LUTRA_TRY(lutra_alloc(&panel->edges, layer->value_count, sizeof(double), error));
    for (size_t i = 0; i < layer->value_count; i++) {
        panel->shares[i] = (double)layer->histogram[i] / (double)layer->reads;
        panel->edges[i] =
            is_table(layer) ? (double)layer->edges[i] / operation_of(layer)->shape.channels : 0.0;
    }
    describe(panel, layer);
    panel->panel = (LutraHistogramPanel){
        .title = panel->title,
        .note = panel->note,
        .first = (double)layer->first_value,
        .count = layer->value_count,
        .shares = panel->shares,
        .edges = is_table(layer) ? panel->edges : NULL,
        .bucket = layer->reading.dropped_bits > 0 ? (double)bucket_of(layer) : (double)NAN,
        .deviation = layer->is_predicted ? layer->noise_deviation : (double)NAN};
    return LUTRA_OK;
}

static LutraStatus write_png(const SimulateOutcome *outcome, const char *path, LutraError *error) {
    const LutraCircuitStatistics *const layers = &outcome->layers->statistics;
    const uint32_t count = layers->layer_count < MOST_PANELS ? layers->layer_count : MOST_PANELS;
    LutraStatus status = LUTRA_OK;
    char title[256];
    char subtitle[256];
    char cut[64] = "";
    char number[32];
    Panel *panels = NULL;
    LutraHistogramPanel *histograms = NULL;
    LUTRA_TRY_GOTO(status, lutra_alloc(&panels, count, sizeof *panels, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&histograms, count, sizeof *histograms, error));
    for (uint32_t i = 0; i < count; i++) {
        LUTRA_TRY_GOTO(status, init_panel(&panels[i], &layers->layers[i], error));
        histograms[i] = panels[i].panel;
    }
    if (count < layers->layer_count) {
        (void)snprintf(cut, sizeof cut, "; the first %" PRIu32 " of %" PRIu32 " layers", count,
                       layers->layer_count);
    }
    (void)snprintf(title, sizeof title, "%s: what tables read", outcome->circuit->name);
    (void)snprintf(subtitle, sizeof subtitle, "%s, %s split, %s images%s",
                   outcome->dataset->name, lutra_split_name(outcome->options->split),
                   cli_grouped(number, layers->images), cut);
    const LutraHistogramPage page = {
        .title = title,
        .subtitle = subtitle,
        .x_label = "x: accumulator before rounding, integer steps",
        .shares_label = "share of values read (up)",
        .edges_label = "table edges per channel (down)",
        .columns = PANEL_COLUMNS};
    status = lutra_chart_write_histograms(&page, histograms, count, path,
                                          outcome->options->common.force, error);
done:
    for (uint32_t i = 0; panels != NULL && i < count; i++) {
        lutra_free(&panels[i].shares);
        lutra_free(&panels[i].edges);
    }
    lutra_free(&panels);
    lutra_free(&histograms);
    return status;
}

/* --- files ------------------------------------------------------------------------------------ */

LutraStatus simulate_check_layers(const SimulateOptions *options, LutraError *error) {
    LUTRA_TRY(lutra_folder_create(options->layers_folder, error));
    for (size_t i = 0; i < sizeof file_names / sizeof file_names[0]; i++) {
        char *path = NULL;
        LUTRA_TRY(lutra_file_path_in(&path, options->layers_folder, file_names[i], error));
        const LutraStatus status = lutra_file_check_output(path, options->common.force, error);
        lutra_free(&path);
        LUTRA_TRY(status);
    }
    return LUTRA_OK;
}

LutraStatus simulate_write_layers(const SimulateOutcome *outcome, LutraError *error) {
    LutraStatus (*const writers[])(const SimulateOutcome *, const char *, LutraError *) = {
        write_csv, write_h5, write_png};
    for (size_t i = 0; i < sizeof file_names / sizeof file_names[0]; i++) {
        char *path = NULL;
        LUTRA_TRY(lutra_file_path_in(&path, outcome->options->layers_folder, file_names[i],
                                     error));
        const LutraStatus status = writers[i](outcome, path, error);
        lutra_free(&path);
        LUTRA_TRY(status);
    }
    return LUTRA_OK;
}
