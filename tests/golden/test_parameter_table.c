/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter search against whole published tables, at 128 and 132 bits of security: every
 * precision of 1 to 10 bits with every norm of 2^0 to 2^31, and where the table ends. The files
 * name their sources. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/parameters.h"
#include "tests/support/check.h"

enum { PRECISIONS = 10, NORMS = 32, FIELDS = 11 };

/** One line; p_error is the last field. */
typedef struct {
    bool is_stated;
    double fields[FIELDS];
} Line;

static void read_table(Line table[PRECISIONS][NORMS], const char *path) {
    FILE *file = fopen(path, "r");
    char text[256];
    uint32_t lines = 0;
    assert_non_null(file);
    memset(table, 0, PRECISIONS * sizeof table[0]);
    while (fgets(text, sizeof text, file) != NULL) {
        Line line = {.is_stated = true};
        char *at = text;
        if (text[0] < '0' || text[0] > '9') {
            continue;
        }
        for (size_t i = 0; i < FIELDS; i++) {
            line.fields[i] = strtod(at, &at);
            at += *at == ',';
        }
        const size_t precision = (size_t)line.fields[0];
        const size_t log2_norm = (size_t)line.fields[1];
        assert_true(precision >= 1 && precision <= PRECISIONS && log2_norm < NORMS);
        table[precision - 1][log2_norm] = line;
        lines++;
    }
    (void)fclose(file);
    assert_int_equal(lines, 235);
}

static void check_table(uint32_t security_bits, const char *path) {
    static Line table[PRECISIONS][NORMS];
    LutraError error = {""};
    LutraParameterSearch *search = NULL;
    read_table(table, path);
    check_status(lutra_parameter_search_create(&search, security_bits, LUTRA_NOISE_CONCRETE,
                                               &error),
                 LUTRA_OK, &error);
    for (uint32_t precision = 1; precision <= PRECISIONS; precision++) {
        for (uint32_t log2_norm = 0; log2_norm < NORMS; log2_norm++) {
            const Line *const line = &table[precision - 1][log2_norm];
            LutraParametersSettings settings;
            LutraCryptoParameters set;
            lutra_parameters_default(&settings);
            settings.precision_bits = precision;
            settings.norm2 = exp2(log2_norm);
            settings.p_error = 1.0 - 0.999936657516;
            settings.security_bits = security_bits;
            settings.sum_size = 4096;
            check_status(lutra_parameter_search_run(&set, search, &settings, &error),
                         line->is_stated ? LUTRA_OK : LUTRA_EINFEASIBLE, &error);
            if (!line->is_stated) {
                continue;
            }
            const double found[FIELDS] = {precision,         log2_norm,       set.glwe_dim,
                                          set.log2_poly,     set.lwe_dim,     set.pbs_level,
                                          set.pbs_base_log,  set.ks_level,    set.ks_base_log,
                                          floor(set.cost / 0x1p20), set.p_error * 1e5};
            for (size_t i = 0; i + 1 < FIELDS; i++) {
                check_close(found[i], line->fields[i], 0.0);
            }
            check_close(found[FIELDS - 1], line->fields[FIELDS - 1], 0.0501); /* two digits */
        }
    }
    lutra_parameter_search_destroy(&search);
}

static void every_line_at_128_bits_comes_out(void **state) {
    (void)state;
    check_table(128, "tests/golden/data/v0_last_128.csv");
}

static void every_line_at_132_bits_comes_out(void **state) {
    (void)state;
    check_table(132, "tests/golden/data/v0_last_132.csv");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_line_at_128_bits_comes_out),
                                       cmocka_unit_test(every_line_at_132_bits_comes_out)};
    return cmocka_run_group_tests_name("parameters: published tables", tests, NULL, NULL);
}
