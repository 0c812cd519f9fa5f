/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of reading and writing figures, of comparing runs and of their report fails
 * once: the status says so, outputs stay as they were, and no page has the final name. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/memory.h"
#include "experiments/experiment.h"
#include "experiments/report.h"
#include "tests/support/allocfail.h"
#include "tests/support/check.h"

enum { UNTOUCHED = 0x5A, PATH = 400 };

static const char text[] =
    "# lutra.figures/1\n# experiment: small\n# question: Does it work?\n"
    "# setting: quick\n# complete: yes\n# holds: yes\n"
    "quantity,at,unit,kind,value,low_95,high_95,trials,note\n"
    "top-1,6 bits,fraction,simulated,0.5,,,100,\n"
    "look-ups of an image,,,counted,976,976,976,0,all\n";
static const uint8_t picture[] = {0x89, 'P', 'N', 'G', 13, 10, 26, 10};

/* The program's table has real experiments; this one has what the report asks: names of files. */
static const char *const files[] = {"chart.png", "table.csv", NULL};
static const LutraExperiment small = {.name = "small", .files = files};
const LutraExperiment *const lutra_experiments[] = {&small, NULL};

static struct {
    char folder[PATH];
    char figures[PATH];
    char expected[PATH];
    char page[PATH];
} paths;

static void check_untouched(LutraStatus status, const void *object, size_t bytes) {
    const uint8_t *const p = object;
    for (size_t i = 0; status != LUTRA_OK && i < bytes; i++) {
        assert_int_equal(p[i], UNTOUCHED);
    }
}

static LutraStatus parse_figures(LutraError *error) {
    LutraFigures figures;
    memset(&figures, UNTOUCHED, sizeof figures);
    const LutraStatus status = lutra_figures_parse(&figures, text, "small.csv", error);
    check_untouched(status, &figures, sizeof figures);
    if (status == LUTRA_OK) {
        assert_int_equal(figures.count, 2);
        lutra_figures_deinit(&figures);
    }
    return status;
}

static void make_figures(LutraFigures *figures) {
    LutraError error = {""};
    check_status(lutra_figures_parse(figures, text, "small.csv", &error), LUTRA_OK, &error);
}

/* A figure and a fact are added, or both lists are as long as before. */
static LutraStatus add_figures(LutraError *error) {
    const uint64_t count = allocfail_countdown;
    LutraFigures figures;
    (void)allocfail_stop();
    make_figures(&figures);
    const uint32_t facts = figures.fact_count;
    allocfail_after(count);
    LutraStatus status = lutra_figures_set_fact(&figures, "machine", "any", error);
    assert_int_equal(figures.fact_count, facts + (status == LUTRA_OK));
    if (status == LUTRA_OK) {
        status = lutra_figures_set_fact(&figures, "machine", "another", error);
        assert_string_equal(lutra_figures_fact(&figures, "machine"),
                            status == LUTRA_OK ? "another" : "any");
    }
    if (status == LUTRA_OK) {
        status = lutra_figures_add_fraction(&figures, "top-1", "5 bits", LUTRA_FIGURE_SIMULATED, 1,
                                            2, error);
        assert_int_equal(figures.count, 2 + (status == LUTRA_OK));
    }
    lutra_figures_deinit(&figures);
    return status;
}

static LutraStatus write_figures(LutraError *error) {
    const uint64_t count = allocfail_countdown;
    const char *const path = check_temporary("written.csv");
    LutraFigures figures;
    (void)allocfail_stop();
    make_figures(&figures);
    allocfail_after(count);
    const LutraStatus status = lutra_figures_write(&figures, path, true, error);
    assert_int_equal(lutra_file_exists(path), status == LUTRA_OK);
    (void)remove(path);
    lutra_figures_deinit(&figures);
    return status;
}

static LutraStatus read_run(LutraError *error) {
    LutraCompare run;
    memset(&run, UNTOUCHED, sizeof run);
    const LutraStatus status = lutra_compare_read(&run, paths.folder, NULL, paths.expected, error);
    check_untouched(status, &run, sizeof run);
    if (status == LUTRA_OK) {
        assert_int_equal(run.compared, 2);
        assert_int_equal(run.moved, 0);
        lutra_compare_deinit(&run);
    }
    return status;
}

static LutraStatus write_page(LutraError *error) {
    const uint64_t count = allocfail_countdown;
    LutraCompare run = {0};
    LutraError earlier = {""};
    (void)allocfail_stop();
    check_status(lutra_compare_read(&run, paths.folder, NULL, paths.expected, &earlier), LUTRA_OK,
                 &earlier);
    allocfail_after(count);
    const LutraStatus status = lutra_report_write(&run, 1, "by a test", paths.page, false, error);
    assert_int_equal(lutra_file_exists(paths.page), status == LUTRA_OK);
    (void)remove(paths.page);
    lutra_compare_deinit(&run);
    return status;
}

static void each_allocation_of_figures_fails_once(void **state) {
    (void)state;
    allocfail_each(parse_figures);
    allocfail_each(add_figures);
    allocfail_each(write_figures);
}

static void each_allocation_of_a_comparison_fails_once(void **state) {
    (void)state;
    allocfail_each(read_run);
}

static void each_allocation_of_a_report_fails_once(void **state) {
    (void)state;
    allocfail_each(write_page);
}

static int make_run(void **state) {
    LutraError error = {""};
    char chart[PATH + 16];
    (void)state;
    (void)snprintf(paths.folder, PATH, "%s", check_temporary("run"));
    (void)snprintf(paths.figures, PATH, "%s", check_temporary("run/figures.csv"));
    (void)snprintf(paths.expected, PATH, "%s", check_temporary("expected.csv"));
    (void)snprintf(paths.page, PATH, "%s", check_temporary("report.html"));
    (void)snprintf(chart, sizeof chart, "%s/chart.png", paths.folder);
    (void)mkdir(paths.folder, 0755);
    check_status(lutra_file_write(paths.figures, text, sizeof text - 1, true, &error), LUTRA_OK,
                 &error);
    check_status(lutra_file_write(paths.expected, text, sizeof text - 1, true, &error), LUTRA_OK,
                 &error);
    check_status(lutra_file_write(chart, picture, sizeof picture, true, &error), LUTRA_OK, &error);
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_figures_fails_once),
        cmocka_unit_test(each_allocation_of_a_comparison_fails_once),
        cmocka_unit_test(each_allocation_of_a_report_fails_once),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("alloc_report", tests, make_run, NULL);
}
