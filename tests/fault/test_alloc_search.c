/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a search fails once: the status says so, the result stays as it was. */
#include <string.h>

#include "sim/search.h"
#include "tests/support/allocfail.h"
#include "tests/support/check.h"

static LutraStatus price(void *user, LutraSearchPrice *price, const LutraSearchSetting *setting,
                         LutraError *error) {
    (void)user;
    (void)error;
    *price = (LutraSearchPrice){.feasible = true, .lookups = {1, 1}};
    price->seconds = setting->bits[0] + (2.0 * setting->bits[1]);
    return LUTRA_OK;
}

static LutraStatus measure(void *user, LutraSearchCounts *counts, const LutraSearchSetting *setting,
                           const LutraSearchTask *task, LutraError *error) {
    (void)user;
    (void)error;
    const uint64_t dropped = 16 - setting->bits[0] - (uint64_t)setting->bits[1];
    *counts = (LutraSearchCounts){.images = task->images, .worse = dropped * task->images / 200};
    return LUTRA_OK;
}

static LutraStatus search(LutraError *error) {
    static const uint32_t table_bits[] = {8, 8};
    static const uint32_t bits[] = {8, 6, 4};
    static const uint32_t reference[] = {0};
    const LutraSearchProblem problem = {.table_count = 2,
                                        .table_bits = table_bits,
                                        .bits = bits,
                                        .bits_count = 3,
                                        .reference = reference,
                                        .variant_count = 1,
                                        .sharing = LUTRA_SHARING_SET_PER_TABLE,
                                        .budget = 0.021,
                                        .selection_images = 1000,
                                        .confirmation_images = 100000};
    const LutraSearchWorker worker = {price, measure, NULL, NULL};
    LutraSearchResult result;
    LutraSearchResult before;
    memset(&result, 0x5A, sizeof result);
    before = result;
    const LutraStatus status = lutra_search_run(&result, &problem, &worker, error);
    if (status != LUTRA_OK) {
        assert_memory_equal(&result, &before, sizeof result);
        return status;
    }
    assert_int_not_equal(result.chosen, LUTRA_SEARCH_NONE);
    lutra_search_result_deinit(&result);
    return LUTRA_OK;
}

static void each_allocation_of_a_search_fails_once(void **state) {
    (void)state;
    allocfail_each(search);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_of_a_search_fails_once),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("alloc_search", tests, NULL, NULL);
}
