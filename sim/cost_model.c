/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds and bytes of a circuit under encryption; see cost_model.h. */
#include "sim/cost_model.h"

#include <math.h>
#include <stdbool.h>

#include "base/memory.h"
#include "sim/crypto_cost.h"
#include "sim/key_layout.h"
#include "sim/operations.h"

/* As in bridge/lookup.c. */
static const uint64_t GROUP_CACHE_BYTES = 512 << 10;
static const uint64_t LARGEST_GROUP = 16;
static const uint64_t LARGEST_BATCH = 64;
static const uint64_t BATCHES_PER_THREAD = 2; /* of one step */

static uint64_t divide_up(uint64_t a, uint64_t b) {
    return (a + b - 1) / b;
}

/* ---- one look-up, keys ---- */

/** The profile's value at N. points: (LUTRA_PROFILE_POLYS), 0 where there is none. */
static double at_poly(const double *points, uint32_t log2_poly) {
    const uint32_t place = log2_poly - LUTRA_SMALLEST_LOG2_POLY;
    uint32_t below = LUTRA_PROFILE_POLYS;
    uint32_t above = LUTRA_PROFILE_POLYS;
    for (uint32_t i = 0; i < LUTRA_PROFILE_POLYS; i++) {
        if (points[i] > 0.0 && i <= place) {
            below = i;
        }
        if (points[i] > 0.0 && i >= place && above == LUTRA_PROFILE_POLYS) {
            above = i;
        }
    }
    if (below == LUTRA_PROFILE_POLYS || above == LUTRA_PROFILE_POLYS || below == above) {
        return points[below == LUTRA_PROFILE_POLYS ? above : below];
    }
    const double share = (double)(place - below) / (double)(above - below);
    return exp((1.0 - share) * log(points[below]) + share * log(points[above]));
}

/** Core-seconds with `threads` at work, relative to all of the profile's. */
static double share_of_load(const LutraMachineProfile *profile, double alone, uint32_t threads) {
    if (threads >= profile->threads) {
        return 1.0;
    }
    const double load = (double)(threads - 1) / (double)(profile->threads - 1);
    return alone + load * (1.0 - alone);
}

LutraLookupGroups lutra_cost_groups(const LutraCryptoParameters *set, uint64_t count,
                                    uint32_t threads) {
    const uint64_t bytes = sizeof(uint64_t) * (set->glwe_dim + 1) << set->log2_poly;
    uint64_t largest = GROUP_CACHE_BYTES / bytes;
    largest = largest < 1 ? 1 : largest > LARGEST_GROUP ? LARGEST_GROUP : largest;
    const uint64_t step = threads * LARGEST_BATCH * BATCHES_PER_THREAD;
    const uint64_t at_once = count < step ? count : step;
    const uint64_t rounds = divide_up(at_once, threads * LARGEST_BATCH);
    const uint64_t batch = divide_up(at_once, threads * rounds);
    return (LutraLookupGroups){batch, divide_up(batch, divide_up(batch, largest))};
}

LutraLookupCost lutra_cost_of_lookup(const LutraCryptoParameters *set,
                                     const LutraCryptoParameters *from,
                                     const LutraMachineProfile *profile, uint64_t count,
                                     uint32_t threads) {
    LUTRA_ASSERT(count >= 1 && threads >= 1);
    const uint32_t busy = count < threads ? (uint32_t)count : threads;
    const double load = share_of_load(profile, profile->bootstrap_alone, busy);
    const LutraLookupGroups groups = lutra_cost_groups(set, count, threads);
    const uint32_t level = set->pbs_level == 1 ? 0 : 1;
    const double keyswitch =
        lutra_cost_keyswitch(from->glwe_dim << from->log2_poly, set->lwe_dim, set->ks_level);
    const double cmux = lutra_cost_cmux(set->glwe_dim, set->log2_poly, set->pbs_level);
    return (LutraLookupCost){
        .keyswitch = load * (keyswitch * profile->keyswitch +
                             (double)lutra_keyswitch_key_bytes_from(set, from) *
                                 profile->key_byte / (double)groups.batch),
        .bootstrap = load * (set->lwe_dim * cmux *
                                 at_poly(profile->bootstrap[level], set->log2_poly) +
                             (double)lutra_bootstrap_key_bytes(set) * profile->key_byte /
                                 (double)groups.group)};
}

static double cost_of_bootstrap_key(const LutraCryptoParameters *set,
                                    const LutraMachineProfile *profile) {
    return (double)lutra_bootstrap_key_bytes(set) / sizeof(uint64_t) *
           at_poly(profile->bootstrap_key, set->log2_poly);
}

static double cost_of_keyswitch_key(const LutraCryptoParameters *set,
                                    const LutraCryptoParameters *from,
                                    const LutraMachineProfile *profile) {
    return (double)lutra_keyswitch_key_bytes_from(set, from) / sizeof(uint64_t) *
           profile->keyswitch_key;
}

double lutra_cost_of_keys(const LutraCryptoParameters *set, const LutraMachineProfile *profile) {
    return cost_of_bootstrap_key(set, profile) + cost_of_keyswitch_key(set, set, profile);
}

/* ---- linear operations ---- */

/** Output positions whose input at tap `tap` lies inside an axis of `extent`. */
static uint64_t positions_inside(uint32_t positions, uint32_t extent, uint32_t stride,
                                 uint32_t padding, uint32_t tap) {
    uint64_t inside = 0;
    for (uint32_t r = 0; r < positions; r++) {
        const int64_t at = (int64_t)r * stride + tap - padding;
        inside += at >= 0 && at < extent;
    }
    return inside;
}

LutraLinearCounts lutra_cost_conv_counts(const LutraConvOperation *conv, LutraShape shape,
                                         LutraShape x_shape) {
    LutraLinearCounts counts = {0};
    const size_t taps = (size_t)conv->kernel * conv->kernel;
    const size_t filters = (size_t)shape.channels * conv->in_channels;
    for (size_t tap = 0; tap < taps; tap++) {
        uint64_t units = 0;
        uint64_t others = 0;
        for (size_t i = 0; i < filters; i++) {
            const int8_t weight = conv->weights[i * taps + tap];
            units += weight == 1 || weight == -1;
            others += weight < -1 || weight > 1;
        }
        const uint64_t inside =
            positions_inside(shape.height, x_shape.height, conv->stride, conv->padding,
                             (uint32_t)(tap / conv->kernel)) *
            positions_inside(shape.width, x_shape.width, conv->stride, conv->padding,
                             (uint32_t)(tap % conv->kernel));
        counts.additions += inside * units;
        counts.multiplications += inside * others;
    }
    return counts;
}

/* What a run does; every step mirrors bridge/encrypted.c. */
typedef struct {
    LutraCircuitCost *cost;
    const LutraCircuit *circuit;
    const LutraMachineProfile *profile;
    LutraKeyLayout layout;
    uint32_t *readers; /* (operation_count) that have yet to read a result */
    bool *encrypted;   /* (operation_count) the result exists as ciphertexts */
    uint64_t alive;    /* bytes of ciphertexts */
} Walk;

static uint64_t elements_of(const Walk *walk, uint32_t index) {
    return lutra_shape_elements(walk->circuit->operations[index].shape);
}

/** The set under whose big key an operation's result stands. */
static const LutraCryptoParameters *set_of_result(const Walk *walk, uint32_t index) {
    return &walk->circuit->parameters[walk->layout.set_of_result[index]];
}

static uint64_t bytes_of(const Walk *walk, uint32_t index) {
    return elements_of(walk, index) * lutra_ciphertext_bytes(set_of_result(walk, index));
}

static void allocate(Walk *walk, uint64_t bytes) {
    walk->alive += bytes;
    if (walk->alive > walk->cost->ciphertext_bytes) {
        walk->cost->ciphertext_bytes = walk->alive;
    }
}

/** Core-seconds of a linear operation as if ciphertexts were one word. */
static double linear_core_seconds(const Walk *walk, const LutraOperation *op) {
    const LutraMachineProfile *const profile = walk->profile;
    const double elements = (double)lutra_shape_elements(op->shape);
    const LutraShape x_shape = walk->circuit->operations[op->inputs[0]].shape;
    LutraLinearCounts counts = {0};
    double streamed = elements;
    if (op->kind == LUTRA_OPERATION_CONV) {
        counts = lutra_cost_conv_counts(&op->u.conv, op->shape, x_shape);
    } else if (op->kind == LUTRA_OPERATION_LINEAR) {
        const LutraConvOperation conv = lutra_linear_as_conv(&op->u.linear);
        counts = lutra_cost_conv_counts(&conv, (LutraShape){op->shape.channels, 1, 1},
                                        (LutraShape){op->u.linear.in_features, 1, 1});
    } else if (op->kind == LUTRA_OPERATION_SUM_POOL) {
        streamed *= (double)op->u.sum_pool.kernel * op->u.sum_pool.kernel;
    }
    return (double)counts.additions * profile->addition +
           (double)counts.multiplications * profile->multiplication +
           streamed * profile->streaming;
}

/** Adds work on all words of an operation's ciphertexts, given what it is for one. */
static void add_linear(Walk *walk, uint32_t index, double core_seconds_of_word) {
    LutraOperationCost *const cost = &walk->cost->operations[index];
    const uint32_t threads = walk->cost->threads;
    const double words =
        (double)lutra_ciphertext_bytes(set_of_result(walk, index)) / sizeof(uint64_t);
    const double core_seconds = core_seconds_of_word * words *
                                share_of_load(walk->profile, walk->profile->linear_alone, threads);
    cost->core_seconds += core_seconds;
    cost->seconds += core_seconds / threads;
    walk->cost->linear_core_seconds += core_seconds;
}

static void add_lookups(Walk *walk, uint32_t index, uint64_t count, uint32_t times) {
    LutraOperationCost *const cost = &walk->cost->operations[index];
    const uint32_t threads = walk->cost->threads;
    const LutraCircuit *const circuit = walk->circuit;
    const uint32_t set = lutra_key_layout_lookup_set(&walk->layout, circuit, index);
    const LutraLookupCost one = lutra_cost_of_lookup(
        &circuit->parameters[set], set_of_result(walk, circuit->operations[index].inputs[0]),
        walk->profile, count, threads);
    const double lookups = (double)count * times;
    cost->lookups += count * times;
    cost->core_seconds += lookups * (one.keyswitch + one.bootstrap);
    cost->seconds += (double)divide_up(count, threads) * times * (one.keyswitch + one.bootstrap);
    walk->cost->keyswitch_core_seconds += lookups * one.keyswitch;
    walk->cost->bootstrap_core_seconds += lookups * one.bootstrap;
}

/** An operation that works in its input's ciphertexts if nobody else reads them. */
static void take_input(Walk *walk, uint32_t index) {
    const LutraOperation *const op = &walk->circuit->operations[index];
    if (walk->readers[op->inputs[0]] == 1) {
        walk->alive -= bytes_of(walk, op->inputs[0]);
        walk->encrypted[op->inputs[0]] = false;
    } else {
        add_linear(walk, index,
                   (double)lutra_shape_elements(op->shape) * walk->profile->streaming);
    }
}

static void encrypt_input(Walk *walk, uint32_t index) {
    if (walk->encrypted[index]) {
        return;
    }
    const double words = (double)bytes_of(walk, index) / sizeof(uint64_t);
    walk->cost->input_bytes += bytes_of(walk, index);
    walk->cost->encrypt_seconds += words * walk->profile->encryption / walk->cost->threads;
    walk->encrypted[index] = true;
    allocate(walk, bytes_of(walk, index));
}

static void walk_encrypted(Walk *walk, uint32_t index) {
    const LutraOperation *const op = &walk->circuit->operations[index];
    LutraOperationCost *const cost = &walk->cost->operations[index];
    const uint64_t elements = elements_of(walk, index);
    for (uint32_t k = 0; k < op->input_count; k++) {
        encrypt_input(walk, op->inputs[k]);
    }
    cost->ciphertext_bytes = bytes_of(walk, index);
    const bool same_key = walk->layout.set_of_result[index] ==
                          walk->layout.set_of_result[op->inputs[0]]; /* as large as the input */
    const bool in_place = (op->kind == LUTRA_OPERATION_TABLE && same_key) ||
                          op->kind == LUTRA_OPERATION_ROUND ||
                          (op->kind == LUTRA_OPERATION_ADD && op->inputs[0] != op->inputs[1] &&
                           walk->readers[op->inputs[0]] == 1);
    if (in_place) {
        take_input(walk, index);
    }
    allocate(walk, bytes_of(walk, index));
    walk->encrypted[index] = true;
    if (op->kind == LUTRA_OPERATION_TABLE) {
        add_lookups(walk, index, elements, 1);
    } else if (op->kind != LUTRA_OPERATION_ROUND) {
        add_linear(walk, index, linear_core_seconds(walk, op));
    } else if (op->u.round.mode == LUTRA_ROUNDING_EXACT && op->u.round.dropped_bits > 0) {
        const uint32_t bits = op->u.round.dropped_bits;
        allocate(walk, bytes_of(walk, index)); /* each bit is shifted out and subtracted */
        walk->alive -= bytes_of(walk, index);
        add_lookups(walk, index, elements, bits);
        add_linear(walk, index, 2.0 * bits * (double)elements * walk->profile->streaming);
    }
}

static void release_inputs(Walk *walk, const LutraOperation *op) {
    for (uint32_t k = 0; k < op->input_count; k++) {
        const uint32_t input = op->inputs[k];
        walk->readers[input]--;
        if (walk->readers[input] == 0 && walk->encrypted[input]) {
            walk->alive -= bytes_of(walk, input);
            walk->encrypted[input] = false;
        }
    }
}

static void walk_circuit(Walk *walk) {
    const LutraCircuit *const circuit = walk->circuit;
    LutraCircuitCost *const cost = walk->cost;
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        for (uint32_t k = 0; k < circuit->operations[i].input_count; k++) {
            walk->readers[circuit->operations[i].inputs[k]]++;
        }
    }
    for (uint32_t i = 0; i < circuit->operation_count; i++) {
        if (lutra_operation_is_encrypted(&circuit->operations[i])) {
            walk_encrypted(walk, i);
        }
        release_inputs(walk, &circuit->operations[i]);
        cost->lookups += cost->operations[i].lookups;
        cost->seconds += cost->operations[i].seconds;
        cost->core_seconds += cost->operations[i].core_seconds;
    }
}

static void add_keys(Walk *walk) {
    const LutraCryptoParameters *const sets = walk->circuit->parameters;
    double core_seconds = 0.0;
    for (uint32_t i = 0; i < walk->circuit->parameter_count; i++) {
        core_seconds += cost_of_bootstrap_key(&sets[i], walk->profile);
        walk->cost->key_bytes += lutra_bootstrap_key_bytes(&sets[i]);
    }
    for (uint32_t i = 0; i < walk->layout.keyswitch_count; i++) {
        const LutraKeyswitchPair pair = walk->layout.keyswitches[i];
        core_seconds += cost_of_keyswitch_key(&sets[pair.to], &sets[pair.from], walk->profile);
        walk->cost->key_bytes += lutra_keyswitch_key_bytes_from(&sets[pair.to], &sets[pair.from]);
    }
    walk->cost->keygen_seconds = core_seconds / walk->cost->threads;
}

LutraStatus lutra_circuit_cost(LutraCircuitCost *cost, const LutraCircuit *circuit,
                               const LutraMachineProfile *profile, uint32_t threads,
                               LutraError *error) {
    LutraCircuitCost made = {.operation_count = circuit->operation_count, .threads = threads};
    Walk walk = {.cost = &made,
                 .circuit = circuit,
                 .profile = profile};
    LutraStatus status = LUTRA_OK;
    LUTRA_ASSERT(threads >= 1);
    if (circuit->parameter_count == 0) {
        return lutra_error_set(error, LUTRA_EUNAVAILABLE,
                               "'%s' has no crypto parameters: its cost cannot be predicted",
                               circuit->name);
    }
    const uint32_t count = circuit->operation_count;
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.operations, count, sizeof *made.operations, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&walk.readers, count, sizeof *walk.readers, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&walk.encrypted, count, sizeof *walk.encrypted, error));
    LUTRA_TRY_GOTO(status, lutra_key_layout_init(&walk.layout, circuit, error));
    walk_circuit(&walk);
    add_keys(&walk);
    made.memory_bytes = made.key_bytes + made.ciphertext_bytes;
    *cost = made;
    made = (LutraCircuitCost){0};
done:
    lutra_key_layout_deinit(&walk.layout);
    lutra_free(&walk.readers);
    lutra_free(&walk.encrypted);
    lutra_circuit_cost_deinit(&made);
    return status;
}

void lutra_circuit_cost_deinit(LutraCircuitCost *cost) {
    lutra_free(&cost->operations);
    *cost = (LutraCircuitCost){0};
}
