/* SPDX-License-Identifier: Apache-2.0 */
/* Every allocation of a noise study fails once: the status says so, the result stays as it was, no
 * context is left over. */
#include <string.h>

#include "bridge/noise_study.h"
#include "tests/bridge/planted_backend.h"
#include "tests/support/allocfail.h"
#include "tests/support/check.h"

enum { UNTOUCHED = 0x5A };

static LutraNoiseStudyResult result; /* large: not on the stack */
static LutraNoiseStudyResult before;

static LutraStatus study(LutraError *error) {
    LutraNoiseStudySettings settings;
    lutra_noise_study_default(&settings);
    settings.backend = &planted_operations;
    settings.parameters.lwe_dim = 100;
    settings.parameters.glwe_dim = 1;
    settings.parameters.log2_poly = 8;
    settings.parameters.pbs_level = 1;
    settings.parameters.pbs_base_log = 10;
    settings.parameters.ks_level = 2;
    settings.parameters.ks_base_log = 4;
    settings.parameters.lwe_std = 1e-5;
    settings.parameters.glwe_std = 1e-9;
    settings.precision_bits = 2;
    settings.norm_squared = 4;
    settings.outputs = 8;
    settings.confirmations = 4;
    settings.curve_values = 2;
    settings.curve_samples = 8;
    memset(&result, UNTOUCHED, sizeof result);
    memset(&before, UNTOUCHED, sizeof before);
    const LutraStatus status = lutra_noise_study(&result, &settings, error);
    if (status != LUTRA_OK) {
        assert_memory_equal(&result, &before, sizeof before);
    }
    assert_int_equal(planted.alive, 0);
    return status;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    allocfail_each(study);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("fault/alloc_noise", tests, NULL, NULL);
}
