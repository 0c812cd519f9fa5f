/* SPDX-License-Identifier: Apache-2.0 */
/* One image's way through a circuit, for a person at a terminal: picture, operations, logits. */
#include <inttypes.h>

#include "cli/explain.h"

enum {
    PICTURE_COLUMNS = 48, /* at most */
    PICTURE_ROWS = 24,
    FACTS = 7, /* lines beside the picture */
    FACT_BYTES = 160,
    MOST_CLASSES = 10 /* that are shown */
};

/** Mean over all channels of a block of pixels. */
static double brightness(const CliExplanation *known, uint32_t row, uint32_t rows, uint32_t column,
                         uint32_t columns) {
    const LutraDataset *const data = known->dataset;
    double sum = 0.0;
    double count = 0.0;
    for (uint32_t c = 0; c < data->channels; c++) {
        for (uint32_t y = row; y < row + rows && y < data->height; y++) {
            for (uint32_t x = column; x < column + columns && x < data->width; x++) {
                sum += known->pixels[((size_t)c * data->height + y) * data->width + x];
                count += 1.0;
            }
        }
    }
    return sum / count;
}

/** One line of the picture, from dark to bright; characters are twice as high as wide. */
static void draw_line(char *line, const CliExplanation *known, uint32_t row, uint32_t block) {
    static const char ramp[] = " .:-=+*#%@";
    const uint32_t columns = (known->dataset->width + block - 1) / block;
    for (uint32_t c = 0; c < columns; c++) {
        const double value = brightness(known, row * 2 * block, 2 * block, c * block, block);
        line[c] = ramp[(size_t)(value * (sizeof ramp - 2) / 255.0 + 0.5)];
    }
    line[columns] = '\0';
}

static void state_facts(char facts[FACTS][FACT_BYTES], const CliExplanation *known) {
    const SimulateOptions *const options = known->options;
    const LutraCircuit *const circuit = known->circuit;
    char **const names = known->dataset->class_names;
    char number[32];
    const uint32_t answer = known->ranked[0];
    (void)snprintf(facts[0], FACT_BYTES, "image     %" PRIu64 " of %s, %s split",
                   options->explained_image, known->dataset->name,
                   lutra_split_name(options->split));
    (void)snprintf(facts[1], FACT_BYTES, "circuit   %s (%s)", options->circuit_path,
                   circuit->name);
    (void)snprintf(facts[2], FACT_BYTES, "label     %" PRIu32 ", %s", known->label,
                   names[known->label]);
    (void)snprintf(facts[3], FACT_BYTES, "answer    %" PRIu32 ", %s: %s", answer, names[answer],
                   answer == known->label ? "right" : "wrong");
    if (circuit->class_count >= 2) {
        (void)snprintf(facts[4], FACT_BYTES, "margin    %.4g over %" PRIu32 ", %s",
                       explain_margin(known), known->ranked[1], names[known->ranked[1]]);
    }
    (void)snprintf(facts[5], FACT_BYTES, "look-ups  %s",
                   cli_grouped(number, lutra_circuit_pbs(circuit)));
    if (known->is_predicted) {
        (void)snprintf(facts[6], FACT_BYTES, "changed   %.3g of them expected, by noise",
                       known->expected_changed);
    }
}

static void print_picture(const CliExplanation *known) {
    char facts[FACTS][FACT_BYTES] = {{0}};
    const uint32_t height = known->dataset->height;
    const uint32_t width = known->dataset->width;
    uint32_t block = 1;
    while (width > block * PICTURE_COLUMNS || height > 2 * block * PICTURE_ROWS) {
        block++;
    }
    const uint32_t rows = (height + 2 * block - 1) / (2 * block);
    const uint32_t columns = (width + block - 1) / block;
    state_facts(facts, known);
    for (uint32_t r = 0; r < rows || r < FACTS; r++) {
        char line[PICTURE_COLUMNS + 1] = "";
        if (r < rows) {
            draw_line(line, known, r, block);
        }
        if (r < FACTS && facts[r][0] != '\0') {
            printf("  %-*s   %s\n", (int)columns, line, facts[r]);
        } else {
            printf("  %s\n", line);
        }
    }
}

/** Channel (row,column) of the closest look-up, its value and how far its edge is.
 *
 * @param x  what the table reads */
static void print_closest(const LutraImageReading *seen, const int32_t *x, LutraShape shape) {
    if (!seen->has_edges) {
        printf("  the table is constant");
        return;
    }
    const size_t plane = (size_t)shape.height * shape.width;
    const size_t pixel = seen->closest % plane;
    char where[64];
    if (plane == 1) {
        (void)snprintf(where, sizeof where, "%zu", seen->closest);
    } else {
        (void)snprintf(where, sizeof where, "%zu (%zu,%zu)", seen->closest / plane,
                       pixel / shape.width, pixel % shape.width);
    }
    printf("  %-11s %5" PRId32 " %5.1f", where, x[seen->closest], seen->closest_distance);
}

/** A rounding that runs before a table is told with that table. */
static bool is_told(const LutraOperation *op) {
    return op->kind != LUTRA_OPERATION_ROUND && op->kind != LUTRA_OPERATION_OUTPUT;
}

static void print_operations(const CliExplanation *known) {
    const LutraCircuit *const circuit = known->circuit;
    const bool predicted = known->is_predicted;
    printf("\n%-12s %-10s %6s %6s %6s %6s %6s", "operation", "shape", "min", "max", "zeros",
           "bucket", "near");
    if (predicted) {
        printf(" %6s %8s", "noisy", "changed");
    }
    printf("  %-11s %5s %5s\n", "closest", "value", "edge");
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        const LutraOperation *const op = &circuit->operations[i];
        const size_t count = lutra_shape_elements(op->shape);
        char shape[48];
        if (!is_told(op)) {
            continue;
        }
        const CliValueRange range = explain_range(known, i);
        (void)snprintf(shape, sizeof shape, "%" PRIu32 "x%" PRIu32 "x%" PRIu32,
                       op->shape.channels, op->shape.height, op->shape.width);
        printf("%-12s %-10s %6" PRId32 " %6" PRId32 " %4.0f %%", op->name, shape, range.min,
               range.max, 100.0 * (double)range.zeros / (double)count);
        if (op->kind == LUTRA_OPERATION_TABLE) {
            const LutraReading reading = lutra_reading_of(circuit, i);
            const LutraImageReading *const seen = &known->readings[i];
            printf(" %6" PRIu32 " %6" PRIu64, UINT32_C(1) << reading.dropped_bits,
                   seen->near_edge);
            if (predicted && lutra_operation_is_encrypted(op)) {
                printf(" %6" PRIu64 " %8.2g", seen->within_deviation,
                       seen->expected_changed + seen->expected_rounding);
            } else if (predicted) {
                printf(" %6s %8s", "", "");
            }
            print_closest(seen, known->values.values[reading.source], op->shape);
        }
        putchar('\n');
    }
    puts("\nbucket: accumulator steps that a table's rounding joins; near: values at most half a\n"
         "bucket from an edge, where the table's result changes; closest: channel (row,column)\n"
         "most in danger, its accumulator, and how many steps it stands from the edge.");
    if (predicted) {
        puts("noisy: values at most one deviation of noise from an edge; changed: look-ups with "
             "another\nresult, as many as the noise model expects.");
    }
}

static void print_logits(const CliExplanation *known) {
    const LutraCircuit *const circuit = known->circuit;
    const uint32_t last = circuit->operation_count - 1;
    const LutraOutputOperation *const output = &circuit->operations[last].u.output;
    printf("\nThe client decrypts the sums, multiplies them by %.4g and applies %" PRIu32
           " affine step%s:\n\n",
           (double)output->scale, output->step_count, output->step_count == 1 ? "" : "s");
    printf("%4s  %-20s %8s %10s\n", "rank", "class", "sum", "logit");
    for (uint32_t r = 0; r < circuit->class_count; r++) {
        const uint32_t c = known->ranked[r];
        if (r >= MOST_CLASSES && c != known->label) {
            continue;
        }
        char name[128];
        (void)snprintf(name, sizeof name, "%" PRIu32 " %s", c, known->dataset->class_names[c]);
        printf("%4" PRIu32 "  %-20s %8" PRId32 " %10.4f%s%s\n", r + 1, name,
               known->values.values[last][c], (double)known->values.logits[c],
               r == 0 ? "  answer" : "", c == known->label ? "  label" : "");
    }
    if (circuit->class_count > MOST_CLASSES) {
        printf("      the first %d of %" PRIu32 " classes, and the label\n", MOST_CLASSES,
               circuit->class_count);
    }
}

int explain_print_text(const CliExplanation *known) {
    print_picture(known);
    print_operations(known);
    print_logits(known);
    return cli_end_text("lutra simulate");
}
