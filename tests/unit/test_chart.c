/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures: what must be visible in them, read back from the PNG. */
#include <math.h>
#include <string.h>

#include "base/chart.h"
#include "base/file.h"
#include "base/png_image.h"
#include "tests/support/check.h"

static uint32_t colour_at(const LutraImage *image, uint32_t x, uint32_t y) {
    const uint8_t *const p = image->pixels + ((size_t)y * image->width + x) * 3;
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static size_t count_colour(const LutraImage *image, uint32_t colour) {
    size_t count = 0;
    for (uint32_t y = 0; y < image->height; y++) {
        for (uint32_t x = 0; x < image->width; x++) {
            count += colour_at(image, x, y) == colour;
        }
    }
    return count;
}

static void read_back(LutraImage *image, const char *path) {
    LutraError error;
    check_status(lutra_png_read(image, path, 3, &error), LUTRA_OK, &error);
}

enum { FIRST = 0x0B3C6F, SECOND = 0xE07B00, ALERT = 0xC0271F };

static const double x_values[] = {1, 2, 3, 4};
static const double y_values[] = {0.1, 0.7, (double)NAN, 0.4};
static const double lows[] = {0.05, 0.6, 0.2, 0.0};
static const double highs[] = {0.2, 0.8, 0.4, 0.5};

static void curves_and_intervals_are_drawn(void **state) {
    (void)state;
    LutraError error;
    LutraChart chart;
    lutra_chart_default(&chart);
    assert_int_equal(chart.width, 960);
    assert_true(isnan(chart.y_min));
    chart.title = "title";
    chart.subtitle = "bad \xff byte";
    const LutraSeries series[] = {
        {"line", x_values, y_values, NULL, NULL, 4, true, false},
        {"points", x_values, y_values, lows, highs, 4, false, true},
    };
    const char *const path = check_temporary("curves.png");
    for (int log = 0; log < 2; log++) {
        chart.y_log10 = log == 1;
        chart.x_log10 = log == 1;
        check_status(lutra_chart_write(&chart, series, 2, path, true, &error), LUTRA_OK, &error);
        LutraImage image = {0};
        read_back(&image, path);
        assert_int_equal(image.width, 960);
        assert_int_equal(image.height, 640);
        assert_true(count_colour(&image, FIRST) > 200);
        assert_true(count_colour(&image, SECOND) > 100);
        lutra_image_deinit(&image);
    }
    const LutraSeries unnamed = {NULL, x_values, y_values, NULL, NULL, 4, true, false};
    LutraImage with = {0};
    LutraImage without = {0};
    check_status(lutra_chart_write(&chart, series, 1, path, true, &error), LUTRA_OK, &error);
    read_back(&with, path);
    check_status(lutra_chart_write(&chart, &unnamed, 1, path, true, &error), LUTRA_OK, &error);
    read_back(&without, path);
    assert_true(memcmp(with.pixels, without.pixels, (size_t)960 * 640 * 3) != 0);
    lutra_image_deinit(&with);
    lutra_image_deinit(&without);
}

/* Columns of the picture in which a vertical line of the grid stands. */
static uint32_t grid_columns(const char *path) {
    enum { GRID = 0xE4E7EB };
    LutraImage image = {0};
    uint32_t columns = 0;
    read_back(&image, path);
    for (uint32_t x = 0; x < image.width; x++) {
        uint32_t rows = 0;
        for (uint32_t y = 0; y < image.height; y++) {
            rows += colour_at(&image, x, y) == GRID;
        }
        columns += rows > image.height / 2;
    }
    lutra_image_deinit(&image);
    return columns;
}

static void whole_x_have_whole_ticks(void **state) {
    (void)state;
    static const double epochs[] = {1, 2, 3};
    static const double times[] = {1, 1.5, 3};
    LutraError error;
    LutraChart chart;
    const char *const path = check_temporary("ticks.png");
    lutra_chart_default(&chart);
    for (size_t count = 1; count <= 3; count++) {
        const LutraSeries series = {NULL, epochs, y_values, NULL, NULL, count, false, false};
        check_status(lutra_chart_write(&chart, &series, 1, path, true, &error), LUTRA_OK, &error);
        assert_int_equal(grid_columns(path), count);
    }
    const LutraSeries series = {NULL, times, y_values, NULL, NULL, 3, false, false};
    check_status(lutra_chart_write(&chart, &series, 1, path, true, &error), LUTRA_OK, &error);
    assert_true(grid_columns(path) > 3);
}

static void odd_data_still_give_a_picture(void **state) {
    (void)state;
    LutraError error;
    LutraChart chart;
    lutra_chart_default(&chart);
    chart.width = 320;
    chart.height = 240;
    static const double huge[] = {-1e300, 1e300, (double)INFINITY, 0};
    static const double same[] = {5, 5, 5, 5};
    static const double nothing[] = {(double)NAN, (double)NAN, (double)NAN, (double)NAN};
    static const double tiny[] = {1e-17, 1e-300, 0, -1};
    const LutraSeries series[] = {
        {"a", x_values, huge, NULL, NULL, 4, true, true},
        {"b", same, same, same, same, 4, true, true},
        {"c", x_values, nothing, nothing, nothing, 4, true, true},
        {"d", x_values, tiny, tiny, x_values, 4, true, true},
        {"e", NULL, NULL, NULL, NULL, 0, true, true},
    };
    const char *const path = check_temporary("odd.png");
    for (int log = 0; log < 2; log++) {
        chart.y_log10 = log == 1;
        chart.x_log10 = log == 1;
        for (size_t i = 0; i < 5; i++) {
            check_status(lutra_chart_write(&chart, &series[i], 1, path, true, &error), LUTRA_OK,
                         &error);
        }
        check_status(lutra_chart_write(&chart, NULL, 0, path, true, &error), LUTRA_OK, &error);
    }
    chart.y_log10 = false;
    chart.y_min = 50;
    check_status(lutra_chart_write(&chart, &series[1], 1, path, true, &error), LUTRA_OK, &error);
}

static void impossible_requests_are_refused(void **state) {
    (void)state;
    LutraError error;
    LutraChart chart;
    const char *const path = check_temporary("refused.png");
    lutra_chart_default(&chart);
    chart.width = 319;
    check_status(lutra_chart_write(&chart, NULL, 0, path, true, &error), LUTRA_EINVAL, &error);
    chart.width = 20000;
    check_status(lutra_chart_write(&chart, NULL, 0, path, true, &error), LUTRA_EINVAL, &error);
    lutra_chart_default(&chart);
    chart.y_min = 1;
    chart.y_max = 1;
    check_status(lutra_chart_write(&chart, NULL, 0, path, true, &error), LUTRA_EINVAL, &error);
    chart.y_max = 2;
    chart.y_min = 0;
    chart.y_log10 = true;
    check_status(lutra_chart_write(&chart, NULL, 0, path, true, &error), LUTRA_EINVAL, &error);
    assert_false(lutra_file_exists(path));
    chart.y_log10 = false;
    check_status(lutra_chart_write(&chart, NULL, 0, path, false, &error), LUTRA_OK, &error);
    check_status(lutra_chart_write(&chart, NULL, 0, path, false, &error), LUTRA_EINVAL, &error);
    check_status(lutra_chart_write(&chart, NULL, 0, "/nowhere/x.png", false, &error), LUTRA_EIO,
                 &error);
    check_status(lutra_chart_write_grid("", NULL, 0, 1, 1, 2, 2, path, true, &error), LUTRA_EINVAL,
                 &error);
    check_status(lutra_chart_write_confusion("", NULL, NULL, NULL, 0, path, true, &error),
                 LUTRA_EINVAL, &error);
}

static void a_matrix_is_darker_where_the_share_is_larger(void **state) {
    (void)state;
    LutraError error;
    static const uint64_t counts[] = {90, 10, 0, 0};
    static const char *const names[] = {"first", "second"};
    const char *const path = check_temporary("matrix.png");
    check_status(lutra_chart_write_confusion("t", NULL, counts, names, 2, path, true, &error),
                 LUTRA_OK, &error);
    LutraImage image = {0};
    read_back(&image, path);
    /* Cells are 96 pixels wide; the frame's first corner is the first axis-coloured pixel. */
    uint32_t left = 0;
    uint32_t top = 0;
    for (uint32_t y = 0; y < image.height && left == 0; y++) {
        for (uint32_t x = 0; x < image.width && left == 0; x++) {
            if (colour_at(&image, x, y) == 0x8A9099) {
                left = x;
                top = y;
            }
        }
    }
    assert_true(left > 0);
    const uint32_t many = colour_at(&image, left + 10, top + 10) & 255u;
    const uint32_t few = colour_at(&image, left + 106, top + 10) & 255u;
    const uint32_t none = colour_at(&image, left + 10, top + 106) & 255u;
    assert_true(many < few && few < none);
    assert_int_equal(none, 255);
    lutra_image_deinit(&image);
    static uint64_t zeros[100 * 100];
    static const char *many_names[100];
    for (size_t i = 0; i < 100; i++) {
        many_names[i] = "name";
    }
    check_status(lutra_chart_write_confusion("t", "s", zeros, many_names, 100, path, true, &error),
                 LUTRA_OK, &error);
}

static void grids_enlarge_without_smoothing(void **state) {
    (void)state;
    LutraError error;
    static uint8_t red_left[3 * 28 * 28];
    for (size_t i = 0; i < 28 * 28; i++) {
        red_left[i] = i % 28 < 14 ? 255 : 0;
    }
    LutraTile tiles[3] = {{red_left, "one\ntwo", false},
                          {red_left, NULL, true},
                          {red_left, "a caption that is far too long for its tile", false}};
    const char *const path = check_temporary("grid.png");
    check_status(lutra_chart_write_grid("t", tiles, 3, 2, 3, 28, 28, path, true, &error), LUTRA_OK,
                 &error);
    LutraImage image = {0};
    read_back(&image, path);
    /* 28 pixels become 112: three tiles show 3 * 112 * 56 pixels of each colour. */
    assert_true(count_colour(&image, 0xFF0000) == 3 * 112 * 56);
    assert_true(count_colour(&image, 0x000000) == 3 * 112 * 56);
    assert_true(count_colour(&image, ALERT) >= 4 * 4 * 112);
    lutra_image_deinit(&image);
    tiles[1].highlight = false;
    check_status(lutra_chart_write_grid("t", tiles, 3, 2, 1, 28, 28, path, true, &error), LUTRA_OK,
                 &error);
    read_back(&image, path);
    assert_true(count_colour(&image, 0xFF0000) == 0);
    assert_int_equal(count_colour(&image, ALERT), 0);
    lutra_image_deinit(&image);
}

static void equal_charts_are_equal_files(void **state) {
    (void)state;
    LutraError error;
    LutraChart chart;
    LutraBytes bytes[2] = {{0}, {0}};
    lutra_chart_default(&chart);
    const LutraSeries series = {"line", x_values, y_values, lows, highs, 4, true, true};
    for (int i = 0; i < 2; i++) {
        const char *const path = check_temporary("same.png");
        check_status(lutra_chart_write(&chart, &series, 1, path, true, &error), LUTRA_OK, &error);
        check_status(lutra_file_read(&bytes[i], path, 1 << 24, &error), LUTRA_OK, &error);
    }
    assert_int_equal(bytes[0].bytes, bytes[1].bytes);
    assert_memory_equal(bytes[0].data, bytes[1].data, bytes[0].bytes);
    lutra_bytes_deinit(&bytes[0]);
    lutra_bytes_deinit(&bytes[1]);
}

/* What is drawn in the rows of the picture where `colour` stands: first and last row. */
static void rows_of(const LutraImage *image, uint32_t colour, uint32_t *first, uint32_t *last) {
    *first = UINT32_MAX;
    for (uint32_t y = 0; y < image->height; y++) {
        for (uint32_t x = image->width / 8; x < image->width; x++) {
            if (y > 80 && colour_at(image, x, y) == colour) { /* below the legend */
                *first = *first == UINT32_MAX ? y : *first;
                *last = y;
            }
        }
    }
}

static void histograms_stand_above_their_edges(void **state) {
    (void)state;
    enum { COUNT = 2000 };
    static double shares[COUNT];
    static double edges[COUNT];
    LutraError error;
    const char *const path = check_temporary("histograms.png");
    const LutraHistogramPage page = {"title", NULL, "x", "up", "down", 2};
    LutraHistogramPanel panels[] = {
        {.title = "wide", .note = "note", .first = -900, .count = COUNT},
        {.title = "one value", .first = 5, .count = 1},
        {.title = "no edges", .first = 0, .count = 7}};
    shares[1999] = 1.0;
    edges[3] = 0.5;
    for (size_t i = 0; i < 3; i++) {
        panels[i].shares = shares + COUNT - panels[i].count;
        panels[i].edges = i == 2 ? NULL : edges;
        panels[i].bucket = i == 0 ? 1e9 : (double)NAN;
        panels[i].deviation = i == 1 ? 0.01 : (double)NAN;
    }
    uint32_t widths[2];
    for (size_t count = 1; count <= 3; count += 2) {
        LutraImage image = {0};
        check_status(lutra_chart_write_histograms(&page, panels, count, path, true, &error),
                     LUTRA_OK, &error);
        read_back(&image, path);
        uint32_t up[2] = {0, 0};
        uint32_t down[2] = {0, 0};
        rows_of(&image, FIRST, &up[0], &up[1]);
        rows_of(&image, SECOND, &down[0], &down[1]);
        if (count == 1) { /* one tall bar, and below it one edge */
            assert_true(up[1] - up[0] > 60);
            assert_true(down[1] - down[0] > 25);
            assert_true(up[1] <= down[0]);
        }
        widths[count / 2] = image.width;
        lutra_image_deinit(&image);
    }
    assert_true(widths[1] > widths[0]);
    check_status(lutra_chart_write_histograms(&page, panels, 0, path, true, &error), LUTRA_EINVAL,
                 &error);
    check_status(lutra_chart_write_histograms(&page, panels, 100000, path, true, &error),
                 LUTRA_EINVAL, &error);
}

static void named_positions_have_a_line_each_while_they_fit(void **state) {
    (void)state;
    static const char *const names[] = {"none", "8", "seven", "6", "5 bits, and a long name", "4"};
    static const double places[] = {0, 1, 2, 3};
    const LutraSeries series = {"line", places, y_values, NULL, NULL, 4, true, true};
    LutraError error;
    LutraChart chart;
    const char *const path = check_temporary("names.png");
    lutra_chart_default(&chart);
    chart.x_names = names;
    for (chart.x_name_count = 1; chart.x_name_count <= 4; chart.x_name_count++) {
        check_status(lutra_chart_write(&chart, &series, 1, path, true, &error), LUTRA_OK, &error);
        assert_int_equal(grid_columns(path), chart.x_name_count);
    }
    chart.x_name_count = 6;
    chart.width = 500; /* the long name has room for itself if every second is left out */
    check_status(lutra_chart_write(&chart, &series, 1, path, true, &error), LUTRA_OK, &error);
    assert_in_range(grid_columns(path), 2, 3);
    chart.x_log10 = true;
    check_status(lutra_chart_write(&chart, &series, 1, path, true, &error), LUTRA_EINVAL, &error);
    chart.x_log10 = false;
    chart.x_name_count = 0;
    check_status(lutra_chart_write(&chart, &series, 1, path, true, &error), LUTRA_EINVAL, &error);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histograms_stand_above_their_edges),
        cmocka_unit_test(curves_and_intervals_are_drawn),
        cmocka_unit_test(named_positions_have_a_line_each_while_they_fit),
        cmocka_unit_test(whole_x_have_whole_ticks),
        cmocka_unit_test(odd_data_still_give_a_picture),
        cmocka_unit_test(impossible_requests_are_refused),
        cmocka_unit_test(a_matrix_is_darker_where_the_share_is_larger),
        cmocka_unit_test(grids_enlarge_without_smoothing),
        cmocka_unit_test(equal_charts_are_equal_files),
    };
    return cmocka_run_group_tests_name("chart", tests, NULL, NULL);
}
