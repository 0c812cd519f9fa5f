/* SPDX-License-Identifier: Apache-2.0 */
/* Measures a machine profile; see bench_calibrate.h. */
#include "cli/bench_calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/cpu.h"
#include "base/memory.h"
#include "base/random.h"
#include "bridge/backend.h"
#include "bridge/linear.h"
#include "sim/cost_model.h"
#include "sim/crypto_cost.h"

enum {
    REPEATS = 3,
    ROUNDS = 3, /* of two sets by turns, where their difference is asked */
    USUAL_LOG2_POLY = 11,
    MOST_LWE_DIM = 800,
    LEAST_LWE_DIM = 128,
    KEYSWITCH_LEVEL = 5,
    MANY_KEYSWITCH_LEVELS = 20, /* 20 x KEYSWITCH_BASE_LOG bits is nearly a whole word */
    KEYSWITCH_BASE_LOG = 3,
    TABLE_BITS = 2,
    CHANNELS = 32, /* of the convolution that is timed, in and out */
    KERNEL = 3,
    EXTENT = 6,
    STREAMED = 2048 /* ciphertexts */
};

/* Larger than a third-level cache, so that keys come from memory as they do in earnest. */
static const uint64_t KEY_BYTES = 64 << 20;
/* What a difference of times that noise made negative counts as. */
static const double LEAST_SECONDS = 1e-15;

/** Seconds of all threads of this process. */
static double core_seconds(void) {
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

typedef struct {
    const BenchCalibration *calibration;
    LutraMachineProfile profile;
    uint64_t done; /* steps */
    uint64_t steps;
} Work;

static LutraStatus step(Work *work, LutraError *error) {
    const bool stop = lutra_progress_tick(&work->calibration->progress->progress, "calibrating",
                                          work->done++, work->steps, NAN);
    return stop ? lutra_error_set(error, LUTRA_ECANCELLED, "the calibration was cancelled")
                : LUTRA_OK;
}

/* ---- one parameter set ---- */

/** A set of usual shape, with keys of about KEY_BYTES: a bootstrap is proportional to n, so a
 * smaller n saves time and loses nothing. Its noise does not matter. */
static LutraCryptoParameters set_for(uint32_t log2_poly, uint32_t level, uint32_t ks_level) {
    static const uint32_t dims[] = {5, 3, 2}; /* what is chosen for N = 256, 512, 1024 */
    const uint32_t place = log2_poly - LUTRA_SMALLEST_LOG2_POLY;
    LutraCryptoParameters set = {.lwe_dim = 1,
                                 .glwe_dim = place < 3 ? dims[place] : 1,
                                 .log2_poly = log2_poly,
                                 .pbs_level = level,
                                 .pbs_base_log = level == 1 ? 23 : 15,
                                 .ks_level = ks_level,
                                 .ks_base_log = KEYSWITCH_BASE_LOG,
                                 .modulus_switch = LUTRA_MODULUS_SWITCH_CENTERED,
                                 .lwe_std = 0x1p-18,
                                 .glwe_std = 0x1p-50};
    const uint64_t dim = KEY_BYTES / lutra_bootstrap_key_bytes(&set);
    set.lwe_dim = dim > MOST_LWE_DIM    ? MOST_LWE_DIM
                  : dim < LEAST_LWE_DIM ? LEAST_LWE_DIM
                                        : (uint32_t)dim;
    return set;
}

/** Core-seconds: of the keys, and per ciphertext of the others. */
typedef struct {
    double keys;
    double encryption;
    double lookup;
    double lone_lookup; /* of one that has the keys for itself */
} Times;

static LutraStatus time_lookups(Times *times, const LutraBackend *backend, uint64_t *ciphertexts,
                                size_t count, LutraError *error) {
    static const uint64_t entries[1 << TABLE_BITS] = {0, UINT64_C(1) << 61, UINT64_C(1) << 62,
                                                      UINT64_C(3) << 61};
    const LutraBackendTables tables = {entries, 1, TABLE_BITS};
    const LutraBackendOperations *const operations = backend->operations;
    for (uint32_t i = 0; i < REPEATS; i++) {
        double start = core_seconds();
        LUTRA_TRY(operations->bootstrap(backend->context, ciphertexts, ciphertexts, count, &tables,
                                        NULL, NULL, error));
        times->lookup = fmin(times->lookup, (core_seconds() - start) / (double)count);
        start = core_seconds();
        LUTRA_TRY(operations->bootstrap(backend->context, ciphertexts, ciphertexts, 1, &tables,
                                        NULL, NULL, error));
        times->lone_lookup = fmin(times->lone_lookup, core_seconds() - start);
    }
    return LUTRA_OK;
}

/** Look-ups that are timed at once, for each thread: one full group. */
static uint64_t full_group(const LutraCryptoParameters *set) {
    return lutra_cost_groups(set, 64, 1).group;
}

static LutraStatus time_context(Times *times, const LutraBackend *backend, size_t count,
                                LutraError *error) {
    const LutraBackendOperations *const operations = backend->operations;
    const size_t words = operations->ciphertext_words(backend->context);
    uint64_t *ciphertexts = NULL;
    uint64_t *plain = NULL;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&ciphertexts, count * words, sizeof(uint64_t), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&plain, count, sizeof(uint64_t), error));
    double start = core_seconds();
    LUTRA_TRY_GOTO(status, operations->generate_keys(backend->context, NULL, NULL, error));
    times->keys = core_seconds() - start;
    start = core_seconds();
    LUTRA_TRY_GOTO(status, operations->encrypt(backend->context, ciphertexts, plain, count, error));
    times->encryption = (core_seconds() - start) / (double)(count * words);
    status = time_lookups(times, backend, ciphertexts, count, error);
done:
    lutra_free(&ciphertexts);
    lutra_free(&plain);
    return status;
}

static const Times NOT_YET = {.lookup = HUGE_VAL, .lone_lookup = HUGE_VAL};

/** Times everything that a set does, in full groups of all threads; of look-ups the fastest, those
 * that `times` has already included. */
static LutraStatus time_set(Times *times, Work *work, const LutraCryptoParameters *set,
                            uint32_t threads, LutraError *error) {
    LutraBackend backend = {0};
    LutraBackendSettings settings;
    lutra_backend_settings_default(&settings);
    settings.threads = threads;
    LUTRA_TRY(step(work, error));
    LUTRA_TRY(lutra_backend_create(&backend, lutra_backend_tfhe(), set, &settings, error));
    const LutraStatus status =
        time_context(times, &backend, (size_t)(full_group(set) * threads), error);
    lutra_backend_destroy(&backend);
    return status;
}

static double words_of(uint64_t bytes) {
    return (double)bytes / sizeof(uint64_t);
}

static LutraStatus time_keys(double *seconds, const LutraCryptoParameters *set, uint32_t threads,
                             LutraError *error) {
    LutraBackend backend = {0};
    LutraBackendSettings settings;
    lutra_backend_settings_default(&settings);
    settings.threads = threads;
    LUTRA_TRY(lutra_backend_create(&backend, lutra_backend_tfhe(), set, &settings, error));
    const double start = core_seconds();
    const LutraStatus status =
        backend.operations->generate_keys(backend.context, NULL, NULL, error);
    *seconds = fmin(*seconds, core_seconds() - start);
    lutra_backend_destroy(&backend);
    return status;
}

/** Core-seconds of one word of a keyswitching key: what more levels add to the generation of keys
 * whose bootstrapping key is as small as it can be (k = 1, one level), so that the difference is
 * most of the time and not a little noise between two large numbers. */
static LutraStatus time_keyswitch_key(Work *work, uint32_t log2_poly, LutraError *error) {
    LutraCryptoParameters few = set_for(log2_poly, 1, 1);
    few.glwe_dim = 1;
    const uint64_t dim = KEY_BYTES / (sizeof(uint64_t) * MANY_KEYSWITCH_LEVELS << log2_poly);
    few.lwe_dim = dim > MOST_LWE_DIM ? MOST_LWE_DIM : (uint32_t)dim;
    LutraCryptoParameters many = few;
    many.ks_level = MANY_KEYSWITCH_LEVELS;
    double shorter = HUGE_VAL;
    double longer = HUGE_VAL;
    LUTRA_TRY(step(work, error));
    for (uint32_t i = 0; i < REPEATS; i++) {
        LUTRA_TRY(time_keys(&shorter, &few, work->profile.threads, error));
        LUTRA_TRY(time_keys(&longer, &many, work->profile.threads, error));
    }
    work->profile.keyswitch_key = (longer - shorter) / words_of(lutra_keyswitch_key_bytes(&many) -
                                                                lutra_keyswitch_key_bytes(&few));
    return LUTRA_OK;
}

/** Core-seconds of the keyswitch in one of the look-ups that time_set times. */
static double keyswitch_of(const LutraCryptoParameters *set, const LutraMachineProfile *profile) {
    return lutra_cost_keyswitch(set->glwe_dim << set->log2_poly, set->lwe_dim, set->ks_level) *
               profile->keyswitch +
           (double)lutra_keyswitch_key_bytes(set) * profile->key_byte / (double)full_group(set);
}

/** What does not depend on N, from one set of usual size. A keyswitch is what more levels add to a
 * look-up: a tenth, so both are timed by turns, lest a change of the clock becomes a keyswitch. */
static LutraStatus calibrate_common(Work *work, LutraError *error) {
    LutraMachineProfile *const profile = &work->profile;
    const uint32_t smallest = work->calibration->smallest_log2_poly;
    const uint32_t largest = work->calibration->largest_log2_poly;
    const uint32_t log2_poly = USUAL_LOG2_POLY < smallest  ? smallest
                               : USUAL_LOG2_POLY > largest ? largest
                                                           : USUAL_LOG2_POLY;
    const LutraCryptoParameters set = set_for(log2_poly, 1, KEYSWITCH_LEVEL);
    const LutraCryptoParameters many = set_for(log2_poly, 1, MANY_KEYSWITCH_LEVELS);
    Times all = NOT_YET;
    Times longer = NOT_YET;
    Times alone = NOT_YET;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        LUTRA_TRY(time_set(&all, work, &set, profile->threads, error));
        LUTRA_TRY(time_set(&longer, work, &many, profile->threads, error));
    }
    LUTRA_TRY(time_set(&alone, work, &set, 1, error));
    LUTRA_TRY(time_keyswitch_key(work, log2_poly, error));
    const double group = (double)full_group(&set);
    const double bytes =
        (double)(lutra_bootstrap_key_bytes(&set) + lutra_keyswitch_key_bytes(&set));
    profile->key_byte =
        fmax(LEAST_SECONDS, (alone.lone_lookup - alone.lookup) / (bytes * (1.0 - 1.0 / group)));
    profile->bootstrap_alone = alone.lookup / all.lookup;
    profile->encryption = all.encryption;
    const uint32_t dim = set.glwe_dim << set.log2_poly;
    const double more_bytes =
        (double)(lutra_keyswitch_key_bytes(&many) - lutra_keyswitch_key_bytes(&set));
    profile->keyswitch = (longer.lookup - all.lookup - more_bytes * profile->key_byte / group) /
                         (lutra_cost_keyswitch(dim, many.lwe_dim, many.ks_level) -
                          lutra_cost_keyswitch(dim, set.lwe_dim, set.ks_level));
    return LUTRA_OK;
}

/** The points of one N. */
static LutraStatus calibrate_poly(Work *work, uint32_t log2_poly, LutraError *error) {
    LutraMachineProfile *const profile = &work->profile;
    const uint32_t place = log2_poly - LUTRA_SMALLEST_LOG2_POLY;
    double key_seconds = 0.0;
    double key_words = 0.0;
    for (uint32_t i = 0; i < LUTRA_PROFILE_LEVELS; i++) {
        const LutraCryptoParameters set = set_for(log2_poly, i + 1, KEYSWITCH_LEVEL);
        const uint64_t bytes = lutra_bootstrap_key_bytes(&set);
        Times times = NOT_YET;
        LUTRA_TRY(time_set(&times, work, &set, profile->threads, error));
        const double stream = (double)bytes * profile->key_byte / (double)full_group(&set);
        profile->bootstrap[i][place] =
            (times.lookup - keyswitch_of(&set, profile) - stream) /
            (set.lwe_dim * lutra_cost_cmux(set.glwe_dim, set.log2_poly, set.pbs_level));
        key_seconds +=
            times.keys - words_of(lutra_keyswitch_key_bytes(&set)) * profile->keyswitch_key;
        key_words += words_of(bytes);
    }
    profile->bootstrap_key[place] = key_seconds / key_words;
    return LUTRA_OK;
}

/* ---- linear operations ---- */

typedef struct {
    uint64_t *x; /* ciphertexts; the numbers in them do not matter */
    uint64_t *y;
    int8_t *weights;
    size_t words;
    LutraLinearKernels kernels;
} Linear;

/** Weights as trained networks have them: `weight` with both signs and 0, without order. */
static void fill_weights(const Linear *linear, int8_t weight, uint64_t seed) {
    const LutraRandomKey key = {.seed = seed, .stream = LUTRA_STREAM_CIRCUIT};
    for (size_t i = 0; i < (size_t)CHANNELS * CHANNELS * KERNEL * KERNEL; i++) {
        linear->weights[i] = (int8_t)(((int)lutra_random_below(key, i, 3) - 1) * weight);
    }
}

/** Core-seconds of one word of a convolution whose weights are 0 and +-weight. */
static double time_conv(const Linear *linear, int8_t weight, uint64_t seed, uint32_t threads) {
    const LutraShape shape = {CHANNELS, EXTENT, EXTENT};
    const LutraShape x_shape = {CHANNELS, EXTENT, EXTENT};
    const LutraConvOperation conv = {CHANNELS, KERNEL, 1, KERNEL / 2, linear->weights};
    double best = HUGE_VAL;
    fill_weights(linear, weight, seed);
    const LutraLinearCounts counts = lutra_cost_conv_counts(&conv, shape, x_shape);
    for (uint32_t i = 0; i < REPEATS; i++) {
        const double start = core_seconds();
        lutra_ciphertexts_conv(linear->y, &linear->kernels, &conv, shape, linear->x, x_shape,
                               linear->words, threads);
        best = fmin(best, core_seconds() - start);
    }
    return best / ((double)(counts.additions + counts.multiplications) * (double)linear->words);
}

/** Core-seconds of one word of a sum that is written to fresh memory. */
static LutraStatus time_streaming(double *seconds, const Linear *linear, uint32_t threads,
                                  LutraError *error) {
    const size_t count = STREAMED * linear->words;
    *seconds = HUGE_VAL;
    for (uint32_t i = 0; i < REPEATS; i++) {
        uint64_t *sum = NULL;
        const double start = core_seconds();
        LUTRA_TRY(lutra_alloc(&sum, count, sizeof *sum, error));
        lutra_ciphertexts_add(sum, linear->x, linear->y, count, threads);
        *seconds = fmin(*seconds, (core_seconds() - start) / (double)count);
        lutra_free(&sum);
    }
    return LUTRA_OK;
}

static LutraStatus calibrate_linear(Work *work, LutraError *error) {
    LutraMachineProfile *const profile = &work->profile;
    const size_t elements = (size_t)CHANNELS * EXTENT * EXTENT;
    const size_t count = elements > STREAMED ? elements : STREAMED;
    Linear linear = {.words = (1 << USUAL_LOG2_POLY) + 1};
    lutra_linear_kernels_init(&linear.kernels, work->calibration->common->cpu_flags);
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, step(work, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&linear.x, count * linear.words, sizeof(uint64_t), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&linear.y, count * linear.words, sizeof(uint64_t), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&linear.weights,
                                       (size_t)CHANNELS * CHANNELS * KERNEL * KERNEL, 1, error));
    for (size_t i = 0; i < count * linear.words; i++) {
        linear.x[i] = i * UINT64_C(0x9E3779B97F4A7C15);
    }
    const uint64_t seed = work->calibration->common->seed;
    profile->multiplication = time_conv(&linear, 3, seed, profile->threads);
    profile->addition = time_conv(&linear, 1, seed, profile->threads);
    profile->linear_alone = time_conv(&linear, 1, seed, 1) / profile->addition;
    status = time_streaming(&profile->streaming, &linear, profile->threads, error);
done:
    lutra_free(&linear.x);
    lutra_free(&linear.y);
    lutra_free(&linear.weights);
    return status;
}

/* ---- the whole ---- */

static void copy_plain(char text[LUTRA_PROFILE_TEXT_BYTES], const char *from) {
    size_t length = 0;
    for (; from[length] != '\0' && length < LUTRA_PROFILE_TEXT_BYTES - 1; length++) {
        const char c = from[length];
        text[length] = c < ' ' || c > '~' || c == '#' || c == ';' ? ' ' : c;
    }
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    text[length] = '\0';
}

/** Measured values have no more digits than this. */
static void round_value(double *value) {
    char text[32];
    (void)snprintf(text, sizeof text, "%.4g", *value);
    *value = strtod(text, NULL);
}

static void round_values(LutraMachineProfile *profile) {
    double *const single[] = {
        &profile->keyswitch,  &profile->keyswitch_key,   &profile->key_byte,
        &profile->encryption, &profile->addition,        &profile->multiplication,
        &profile->streaming,  &profile->bootstrap_alone, &profile->linear_alone};
    for (size_t i = 0; i < sizeof single / sizeof single[0]; i++) {
        round_value(single[i]);
    }
    for (uint32_t i = 0; i < LUTRA_PROFILE_POLYS; i++) {
        round_value(&profile->bootstrap[0][i]);
        round_value(&profile->bootstrap[1][i]);
        round_value(&profile->bootstrap_key[i]);
    }
}

static void describe(LutraMachineProfile *profile, uint32_t threads) {
    char cpu[LUTRA_CPU_MODEL_BYTES];
    const time_t now = time(NULL);
    struct tm day = {0};
    lutra_cpu_model(cpu);
    copy_plain(profile->cpu, cpu);
    copy_plain(profile->backend, lutra_backend_tfhe()->name());
    copy_plain(profile->version, LUTRA_VERSION);
    (void)gmtime_r(&now, &day);
    (void)strftime(profile->date, sizeof profile->date, "%Y-%m-%d", &day);
    profile->threads = threads;
}

LutraStatus bench_calibrate(LutraMachineProfile *profile, const BenchCalibration *calibration,
                            LutraError *error) {
    const uint32_t first = calibration->smallest_log2_poly;
    const uint32_t last = calibration->largest_log2_poly;
    Work work = {.calibration = calibration,
                 .steps = (uint64_t)LUTRA_PROFILE_LEVELS * (last - first + 1) + 3 + 2 * ROUNDS};
    LUTRA_TRY(lutra_backend_check(lutra_backend_tfhe(), error));
    describe(&work.profile, calibration->common->threads);
    LUTRA_TRY(calibrate_linear(&work, error));
    LUTRA_TRY(calibrate_common(&work, error));
    for (uint32_t i = first; i <= last; i++) {
        LUTRA_TRY(calibrate_poly(&work, i, error));
    }
    round_values(&work.profile);
    const LutraStatus status = lutra_machine_profile_check(&work.profile, error);
    if (status != LUTRA_OK) {
        return lutra_error_prefix(error, status, "the machine was too busy to be measured");
    }
    *profile = work.profile;
    return LUTRA_OK;
}
