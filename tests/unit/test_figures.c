/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/figures.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "tests/support/check.h"

static LutraFigure figure(LutraFigureKind kind, double value, double low, double high) {
    return (LutraFigure){.quantity = "q", .kind = kind, .value = value, .interval = {low, high}};
}

static void text_is_read_as_it_was_written(void **state) {
    (void)state;
    static const char text[] =
        "# lutra.figures/1\n"
        "# data: a, b: c\n"
        "quantity,at,unit,kind,value,low_95,high_95,trials,note\n"
        "top-1,6 bits,fraction,simulated,0.5,0.1870860284,0.8129139716,10,\n"
        "look-ups,,,counted,976,976,976,0,exact\n"
        "time,,s,timed,1.5,,,0,\n";
    LutraFigures figures = {0};
    char *again = NULL;
    check_status(lutra_figures_parse(&figures, text, "x", NULL), LUTRA_OK, NULL);
    assert_int_equal(figures.count, 3);
    assert_string_equal(lutra_figures_fact(&figures, "data"), "a, b: c");
    assert_null(lutra_figures_fact(&figures, "network"));
    assert_true(isnan(lutra_figures_find(&figures, "time", "")->interval.low));
    assert_null(lutra_figures_find(&figures, "top-1", ""));
    check_status(lutra_figures_text(&again, &figures, NULL), LUTRA_OK, NULL);
    assert_string_equal(again, text);
    lutra_free(&again);
    lutra_figures_deinit(&figures);
}

static void counted_fractions_get_the_binomial_interval(void **state) {
    (void)state;
    LutraFigures figures = {0};
    check_status(lutra_figures_parse(&figures,
                                     "# lutra.figures/1\n"
                                     "quantity,at,unit,kind,value,low_95,high_95,trials,note\n"
                                     "a,,fraction,published,0.5,,,10,\n",
                                     "x", NULL),
                 LUTRA_OK, NULL);
    check_close(figures.figures[0].interval.low, 0.18708602844739, 1e-9);
    check_close(figures.figures[0].interval.high, 0.81291397155261, 1e-9);
    lutra_figures_deinit(&figures);
}

static void mistakes_are_named_with_their_line(void **state) {
    (void)state;
#define BEGIN "# lutra.figures/1\nquantity,at,unit,kind,value,low_95,high_95,trials,note\n"
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"", "x:1: should be '# lutra.figures/1'"},
        {"# lutra.figures/2\n", "x:1: should be '# lutra.figures/1'"},
        {"# lutra.figures/1\n# no colon\n", "x:2: should be '# KEY: VALUE'"},
        {"# lutra.figures/1\na,b\n", "x:2: unknown columns"},
        {BEGIN "a,,,counted,1,1,1\n", "x:3: should have 9 cells and a quantity"},
        {BEGIN ",,,counted,1,1,1,0,\n", "x:3: should have 9 cells and a quantity"},
        {BEGIN "a,,,guessed,1,1,1,0,\n", "x:3: unknown kind"},
        {BEGIN "a,,,counted,one,1,1,0,\n", "x:3: value, low_95"},
        {BEGIN "a,,,counted,nan,1,1,0,\n", "x:3: value, low_95"},
        {BEGIN "a,,,counted,1,1,1,-1,\n", "x:3: value, low_95"},
        {BEGIN "a,,,counted,1,1,1,0,\na,,,counted,1,1,1,0,\n", "x:4: the same quantity"},
    };
#undef BEGIN
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        LutraFigures figures = {0};
        LutraError error = {""};
        check_status(lutra_figures_parse(&figures, cases[i].text, "x", &error), LUTRA_EDATA,
                     &error);
        if (strncmp(error.message, cases[i].message, strlen(cases[i].message)) != 0) {
            fail_msg("case %zu: '%s'", i, error.message);
        }
        assert_null(figures.figures);
    }
}

static void texts_cannot_break_the_format(void **state) {
    (void)state;
    LutraFigures figures = {0};
    LutraFigure bad = figure(LUTRA_FIGURE_COUNTED, 1, 1, 1);
    char *text = NULL;
    (void)snprintf(bad.note, sizeof bad.note, "a,\"b\"\nc");
    check_status(lutra_figures_add(&figures, &bad, NULL), LUTRA_OK, NULL);
    check_status(lutra_figures_set_fact(&figures, "k", "v\nw", NULL), LUTRA_OK, NULL);
    check_status(lutra_figures_text(&text, &figures, NULL), LUTRA_OK, NULL);
    assert_non_null(strstr(text, "# k: v w\n"));
    assert_non_null(strstr(text, "q,,,counted,1,1,1,0,a;'b' c\n"));
    lutra_free(&text);
    /* the same quantity and place again replaces */
    bad.value = 2;
    check_status(lutra_figures_add(&figures, &bad, NULL), LUTRA_OK, NULL);
    assert_int_equal(figures.count, 1);
    assert_true(figures.figures[0].value == 2.0);
    lutra_figures_deinit(&figures);
}

static void differences_add_their_distances_in_squares(void **state) {
    (void)state;
    const double nan = (double)NAN;
    const LutraFigure ours = figure(LUTRA_FIGURE_SIMULATED, 0.80, 0.77, 0.84);
    const LutraFigure theirs = figure(LUTRA_FIGURE_SIMULATED, 0.86, 0.82, 0.89);
    LutraFigureDifference d = lutra_figure_difference(&ours, &theirs);
    check_close(d.difference, -0.06, 1e-12);
    check_close(d.interval.low, -0.06 - hypot(0.03, 0.03), 1e-12);
    check_close(d.interval.high, -0.06 + hypot(0.04, 0.04), 1e-12);
    assert_true(d.is_apart);
    const LutraFigure near = figure(LUTRA_FIGURE_SIMULATED, 0.84, 0.80, 0.87);
    assert_false(lutra_figure_difference(&ours, &near).is_apart);
    /* exact ones must be equal; one without an interval counts as exact beside one that has one */
    const LutraFigure four = figure(LUTRA_FIGURE_COUNTED, 4, 4, 4);
    const LutraFigure five = figure(LUTRA_FIGURE_COUNTED, 5, 5, 5);
    assert_false(lutra_figure_difference(&four, &four).is_apart);
    assert_true(lutra_figure_difference(&four, &five).is_apart);
    const LutraFigure bare = figure(LUTRA_FIGURE_PUBLISHED, 0.9, nan, nan);
    assert_true(lutra_figure_difference(&ours, &bare).is_apart);
    /* two without intervals: nothing can be said */
    assert_false(lutra_figure_difference(&bare, &bare).is_apart);
    const LutraFigure none = figure(LUTRA_FIGURE_SIMULATED, nan, nan, nan);
    assert_true(lutra_figure_difference(&none, &ours).is_apart);
    assert_false(lutra_figure_difference(&none, &none).is_apart);
}

static void people_read_percents_and_units(void **state) {
    (void)state;
    char text[96];
    LutraFigure f = figure(LUTRA_FIGURE_SIMULATED, 0.8923, 0.8861, 0.8983);
    (void)snprintf(f.unit, sizeof f.unit, "fraction");
    assert_string_equal(lutra_figure_value_text(text, &f, f.value), "89.23 %");
    assert_string_equal(lutra_figure_interval_text(text, &f), "88.61 % .. 89.83 %");
    assert_string_equal(lutra_figure_value_text(text, &f, 1e-5), "1e-05");
    assert_string_equal(lutra_figure_value_text(text, &f, (double)NAN), "");
    (void)snprintf(f.unit, sizeof f.unit, "s");
    assert_string_equal(lutra_figure_value_text(text, &f, 13.4321), "13.43 s");
    f = figure(LUTRA_FIGURE_COUNTED, 158336, 158336, 158336);
    assert_string_equal(lutra_figure_value_text(text, &f, f.value), "158336");
    assert_string_equal(lutra_figure_interval_text(text, &f), "exact");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_as_it_was_written),
        cmocka_unit_test(counted_fractions_get_the_binomial_interval),
        cmocka_unit_test(mistakes_are_named_with_their_line),
        cmocka_unit_test(texts_cannot_break_the_format),
        cmocka_unit_test(differences_add_their_distances_in_squares),
        cmocka_unit_test(people_read_percents_and_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
