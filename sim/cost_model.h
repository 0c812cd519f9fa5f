/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a circuit costs on real ciphertexts: seconds, bytes and look-ups of each operation and of
 * the whole, predicted from the circuit, its crypto parameters and the profile of a machine.
 *
 * Counts of elementary operations come from formulas and are exact: those of crypto_cost.h for
 * look-ups and keys, weights that are not 0 and lie inside the image for linear operations. The
 * profile has the seconds of each kind (machine_profile.h says why those of a bootstrap depend on
 * N). One look-up takes, in core-seconds,
 *
 *   KS(k N, n, l) * keyswitch + keyswitch key bytes / batch * key_byte
 *   + n CMUX(k, N, l) * bootstrap[l][N] + bootstrap key bytes / group * key_byte
 *
 * because `batch` ciphertexts pass through the keyswitch key together, and `group` of these through
 * the bootstrap key. An N between two that the profile has is interpolated on a logarithmic scale,
 * one outside takes the nearest.
 *
 * @assumes  nothing else runs on the machine; T threads share work evenly, but a look-up stays on
 *           one of them; more threads than the profile was measured with are each as fast as those,
 *           which needs as many processors. Time that `verify` spends on comparing is not counted.
 */
#ifndef LUTRA_SIM_COST_MODEL_H
#define LUTRA_SIM_COST_MODEL_H

#include "sim/circuit.h"
#include "sim/machine_profile.h"

/** One operation, for one image. Operations on the client cost nothing here. */
typedef struct {
    uint64_t lookups;
    double seconds; /* wall time, like all `seconds` here, with all threads */
    double core_seconds;
    uint64_t ciphertext_bytes; /* of the result; 0 if it is not encrypted */
} LutraOperationCost;

typedef struct {
    uint32_t operation_count;
    LutraOperationCost *operations; /* (operation_count), owned */
    uint32_t threads;
    uint64_t lookups;
    double seconds;                /* of the encrypted operations of one image */
    double core_seconds;
    double bootstrap_core_seconds; /* three parts of core_seconds */
    double keyswitch_core_seconds;
    double linear_core_seconds;
    double keygen_seconds;
    double encrypt_seconds;
    uint64_t key_bytes;        /* all bootstrap and keyswitch keys */
    uint64_t input_bytes;      /* ciphertexts that the client sends */
    uint64_t ciphertext_bytes; /* most that are alive at once */
    uint64_t memory_bytes;     /* keys and those ciphertexts, without the program's own */
} LutraCircuitCost;

/** Core-seconds of one look-up, by part. */
typedef struct {
    double keyswitch;
    double bootstrap;
} LutraLookupCost;

/** Ciphertexts that pass through the keys together. */
typedef struct {
    uint64_t batch; /* through the keyswitch key */
    uint64_t group; /* through the bootstrap key; at most the batch */
} LutraLookupGroups;

/** When `count` >= 1 are looked up at once: what bridge/lookup.c does, so that all threads have as
 * much to do and the accumulators of a group stay in a second-level cache. */
LutraLookupGroups lutra_cost_groups(const LutraCryptoParameters *set, uint64_t count,
                                    uint32_t threads);

/** Of each of `count` >= 1 look-ups that are done at once, on ciphertexts under the big key of
 * `from`: the set itself, or another one (key_layout.h). */
LutraLookupCost lutra_cost_of_lookup(const LutraCryptoParameters *set,
                                     const LutraCryptoParameters *from,
                                     const LutraMachineProfile *profile, uint64_t count,
                                     uint32_t threads);

/** Core-seconds of generating the bootstrap key and the keyswitch key of a set. */
double lutra_cost_of_keys(const LutraCryptoParameters *set, const LutraMachineProfile *profile);

/** Multiply-adds of ciphertexts in a linear operation or convolution, by kind of weight. */
typedef struct {
    uint64_t additions;       /* weights +-1 */
    uint64_t multiplications; /* others but 0 */
} LutraLinearCounts;

/** @param x_shape  of the input; weights outside the image are not counted */
LutraLinearCounts lutra_cost_conv_counts(const LutraConvOperation *conv, LutraShape shape,
                                         LutraShape x_shape);

/**
 * Predicts one image.
 *
 * @param[out] cost     owned by the caller; unchanged on error
 * @param      circuit  passed lutra_circuit_check
 * @param      profile  passed lutra_machine_profile_check
 * @param      threads  >= 1
 * @errors LUTRA_EUNAVAILABLE the circuit has no crypto parameters; LUTRA_EDATA as
 *         lutra_key_layout_init; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_cost(LutraCircuitCost *cost,
                                                const LutraCircuit *circuit,
                                                const LutraMachineProfile *profile,
                                                uint32_t threads, LutraError *error);

/** Frees and zeroes. */
void lutra_circuit_cost_deinit(LutraCircuitCost *cost);

#endif
