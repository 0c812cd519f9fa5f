/* SPDX-License-Identifier: Apache-2.0 */
/* Losses by hand and by central differences; ranks with ties and NaN; TensorNorm. */
#include <math.h>
#include <string.h>

#include "tests/support/check.h"
#include "train/loss.h"

enum { CLASSES = 4, IMAGES = 3, ALL = CLASSES * IMAGES };

static const uint16_t labels[IMAGES] = {2, 0, 3};

static void fill(float *logits) {
    for (size_t i = 0; i < ALL; i++) {
        logits[i] = (float)(4.0 * lutra_random_uniform(check_key(1), i)) - 2.0f;
    }
}

static void test_by_hand(void **state) {
    (void)state;
    /* two classes, one image: log(1 + e^-1) and ((1 - 2)+)^2, (1 + 1)^2 over two numbers */
    const float logits[2] = {2.0f, 1.0f};
    const uint16_t label = 0;
    check_close(lutra_loss(NULL, LUTRA_LOSS_CROSS_ENTROPY, logits, &label, 2, 1),
                log(1.0 + exp(-1.0)), 1e-12);
    check_close(lutra_loss(NULL, LUTRA_LOSS_SQUARED_HINGE, logits, &label, 2, 1), 2.0, 1e-12);
}

static void test_large_logits(void **state) {
    (void)state;
    const float logits[2] = {3000.0f, -3000.0f};
    const uint16_t label = 1;
    float gradient[2];
    check_close(lutra_loss(gradient, LUTRA_LOSS_CROSS_ENTROPY, logits, &label, 2, 1), 6000.0, 1e-9);
    check_close((double)gradient[0], 1.0, 1e-6);
    check_close((double)gradient[1], -1.0, 1e-6);
}

static void test_gradient(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        float logits[ALL];
        float gradient[ALL];
        fill(logits);
        (void)lutra_loss(gradient, (LutraLossKind)kind, logits, labels, CLASSES, IMAGES);
        for (size_t i = 0; i < ALL; i++) {
            const float own = logits[i];
            const float h = 0x1p-10f;
            logits[i] = own + h;
            const double above =
                lutra_loss(NULL, (LutraLossKind)kind, logits, labels, CLASSES, IMAGES);
            const double up = (double)logits[i];
            logits[i] = own - h;
            const double below =
                lutra_loss(NULL, (LutraLossKind)kind, logits, labels, CLASSES, IMAGES);
            const double down = (double)logits[i];
            logits[i] = own;
            check_close((double)gradient[i], (above - below) / (up - down), 2e-6);
        }
    }
}

/* Independent: probabilities by plain division, targets written out. */
static double plain_training_loss(const LutraLossTerms *terms, const float *logits) {
    double total = 0.0;
    for (size_t n = 0; n < IMAGES; n++) {
        double own[CLASSES];
        double soft[CLASSES];
        double theirs[CLASSES];
        double sums[3] = {0.0, 0.0, 0.0};
        for (size_t c = 0; c < CLASSES; c++) {
            own[c] = exp((double)logits[(c * IMAGES) + n]);
            soft[c] = exp((double)logits[(c * IMAGES) + n] / terms->temperature);
            theirs[c] = exp((double)terms->teacher[(c * IMAGES) + n] / terms->temperature);
            sums[0] += own[c];
            sums[1] += soft[c];
            sums[2] += theirs[c];
        }
        for (size_t c = 0; c < CLASSES; c++) {
            const double target = (c == labels[n] ? 1.0 - terms->smoothing : 0.0) +
                                  (terms->smoothing / CLASSES);
            const double p = theirs[c] / sums[2];
            total -= (1.0 - terms->teacher_weight) * target * log(own[c] / sums[0]);
            total += terms->teacher_weight * terms->temperature * terms->temperature * p *
                     log(p / (soft[c] / sums[1]));
        }
    }
    return total / IMAGES;
}

static void test_distillation(void **state) {
    (void)state;
    float teacher[ALL];
    for (size_t i = 0; i < ALL; i++) {
        teacher[i] = (float)(9.0 * lutra_random_uniform(check_key(2), i)) - 4.0f;
    }
    static const double cases[4][3] = {
        {0.0, 0.9, 3.0}, {0.1, 0.4, 1.0}, {0.3, 0.0, 2.0}, {0.0, 1.0, 0.5}};
    for (size_t k = 0; k < 4; k++) {
        float logits[ALL];
        float gradient[ALL];
        const LutraLossTerms terms = {LUTRA_LOSS_CROSS_ENTROPY, cases[k][0], teacher, cases[k][1],
                                      cases[k][2]};
        fill(logits);
        check_close(lutra_training_loss(gradient, &terms, logits, labels, CLASSES, IMAGES),
                    plain_training_loss(&terms, logits), 1e-12);
        for (size_t i = 0; i < ALL; i++) {
            const float own = logits[i];
            const float h = 0x1p-10f;
            logits[i] = own + h;
            const double above = plain_training_loss(&terms, logits);
            const double up = (double)logits[i];
            logits[i] = own - h;
            const double below = plain_training_loss(&terms, logits);
            const double slope = (above - below) / (up - (double)logits[i]);
            logits[i] = own;
            check_close((double)gradient[i], slope, 2e-6);
        }
    }
    /* a student that says the same loses nothing to the teacher */
    const LutraLossTerms same = {LUTRA_LOSS_SQUARED_HINGE, 0.0, teacher, 1.0, 4.0};
    float gradient[ALL];
    check_close(lutra_training_loss(gradient, &same, teacher, labels, CLASSES, IMAGES), 0.0, 1e-12);
    for (size_t i = 0; i < ALL; i++) {
        check_close((double)gradient[i], 0.0, 1e-12);
    }
}

static void test_ranks(void **state) {
    (void)state;
    /* (classes, images): columns are images */
    const float logits[12] = {1.0f, 5.0f, 2.0f, 1.0f, 5.0f, NAN,
                              1.0f, 7.0f, 0.0f, 1.0f, 5.0f, 3.0f};
    const uint16_t wanted[3] = {2, 1, 3};
    const uint16_t broken[3] = {0, 0, 1};
    uint32_t ranks[3];
    lutra_label_ranks(ranks, logits, wanted, 4, 3);
    assert_int_equal(ranks[0], 2); /* ties: lower classes stand before */
    assert_int_equal(ranks[1], 2); /* 7, then the other 5 of class 0 */
    assert_int_equal(ranks[2], 1); /* NaN stands before everything */
    lutra_label_ranks(ranks, logits, broken, 4, 3);
    assert_int_equal(ranks[0], 0);
    assert_int_equal(ranks[2], 3); /* a label with NaN is never right */
}

static double norm_objective(const double *x, const double *g, double weight, double shift) {
    double mean = 0.0;
    double variance = 0.0;
    double total = 0.0;
    for (int i = 0; i < ALL; i++) {
        mean += x[i] / ALL;
    }
    for (int i = 0; i < ALL; i++) {
        variance += (x[i] - mean) * (x[i] - mean) / ALL;
    }
    for (int i = 0; i < ALL; i++) {
        total += g[i] * (((x[i] - mean) / sqrt(variance + 1e-4) * weight) + shift);
    }
    return total;
}

static void test_tensor_norm(void **state) {
    (void)state;
    float values[ALL];
    float gradient[ALL];
    double x[ALL];
    double g[ALL];
    float mean = 0.0f;
    float variance = 0.0f;
    float weight_gradient = 0.0f;
    float shift_gradient = 0.0f;
    fill(values);
    for (size_t i = 0; i < ALL; i++) {
        gradient[i] = (float)(lutra_random_uniform(check_key(2), i) - 0.3);
        x[i] = (double)values[i];
        g[i] = (double)gradient[i];
    }
    lutra_tensor_statistics(&mean, &variance, values, ALL);
    lutra_tensor_norm_backward(gradient, &weight_gradient, &shift_gradient, values, ALL, mean,
                               1.0f / sqrtf(variance + 1e-4f), 1.5f);
    const double h = 1e-4;
    for (int i = 0; i < ALL; i++) {
        const double own = x[i];
        x[i] = own + h;
        const double above = norm_objective(x, g, 1.5, 0.1);
        x[i] = own - h;
        const double below = norm_objective(x, g, 1.5, 0.1);
        x[i] = own;
        check_close((double)gradient[i], (above - below) / (2.0 * h), 2e-6);
    }
    check_close((double)weight_gradient,
                (norm_objective(x, g, 1.5 + h, 0.1) - norm_objective(x, g, 1.5 - h, 0.1)) /
                    (2.0 * h), 1e-5);
    check_close((double)shift_gradient,
                (norm_objective(x, g, 1.5, 0.1 + h) - norm_objective(x, g, 1.5, 0.1 - h)) /
                    (2.0 * h), 1e-5);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),  cmocka_unit_test(test_large_logits),
        cmocka_unit_test(test_gradient), cmocka_unit_test(test_distillation),
        cmocka_unit_test(test_ranks),
        cmocka_unit_test(test_tensor_norm),
    };
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("loss", tests, NULL, NULL);
}
