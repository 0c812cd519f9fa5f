/* SPDX-License-Identifier: Apache-2.0 */
/* From a circuit to crypto parameters: one set for all of its look-ups, or one for each class. */
#ifndef LUTRA_SIM_CIRCUIT_PARAMETERS_H
#define LUTRA_SIM_CIRCUIT_PARAMETERS_H

#include <stdbool.h>
#include <stdint.h>

#include "sim/circuit.h"
#include "sim/circuit_lookups.h"

/** What is asked of the parameters. */
typedef struct {
    double p_error;        /* that one look-up is wrong, in (0, 1); 0: from global_p_error */
    double global_p_error; /* that an image meets any wrong look-up, in (0, 1) */
    uint32_t security_bits; /* 128 or 132 */
    LutraPartition partition;
} LutraParametersTarget;

/** A global p_error of 0.01 at 132 bits of security, one set. */
void lutra_parameters_target_default(LutraParametersTarget *target);

/** What was chosen, and why. */
typedef struct {
    uint64_t lookups;         /* per image, those of exact roundings included */
    double p_error;           /* per look-up, asked for; or the largest that keeps a global one */
    bool feasible;            /* the circuit has parameters */
    double expected_wrong;    /* look-ups per image, each with its own variance */
    double global_p_error;    /* that an image meets a wrong look-up or decryption */
    double output_p_error;    /* that a decrypted sum is wrong; 0 if not feasible */
    double cost;              /* operations of all look-ups, as crypto_cost.h counts them */
    double single_cost;       /* the same if they had one set; the same figure if they have */
    uint32_t widest;          /* operation index of the widest table; 0 if there is none */
    uint32_t widest_bits;     /* that it reads */
    /* if not feasible: */
    uint32_t obstacle;        /* operation index of the table that has no parameters even alone, of
                                 several the widest; or of the widest if each alone has some */
    uint32_t obstacle_bits;   /* that it reads; or of its sum if its digits are the trouble */
    bool is_obstacle_digits;  /* those that an exact rounding before it takes off */
    uint32_t enough_rounding; /* bits to round to that would be feasible; 0 = none found */
    LutraWeightNorm *norms;   /* (operation_count) of tables and the output; owned */
} LutraParametersChoice;

/** Frees and zeroes. */
void lutra_parameters_choice_deinit(LutraParametersChoice *choice);

/**
 * Chooses the cheapest set for a circuit that passed lutra_circuit_check, with tfhe-rs's noise
 * model and its centred modulus switch, and puts it into the circuit in place of what was there.
 * With a partition, the sets of its classes are then improved one after another (partition.h):
 * never dearer than the one. With a class for each table, sets that save less than 0.5 % of the
 * cost are given up for another table's. Classes that end with equal sets share it; sets are
 * numbered by the first table that uses them. A circuit for which there is no single set has no
 * partition.
 *
 * Every look-up keeps the p_error with its own table width and norm of weights: also those that
 * take off digits in exact roundings. A global p_error is that of all look-ups and decryptions
 * together, 1 - product of (1 - p_i), each with its own variance, and solved for. The sums that are
 * decrypted without a last look-up keep it too where a larger set can do that;
 * choice->output_p_error and global_p_error say what was reached. A circuit without encrypted
 * tables, or for which there is no set, has none afterwards.
 *
 * @param[out] choice  owned by the caller
 * @errors LUTRA_EINVAL a target outside its ranges; LUTRA_ENOMEM; both outputs are unchanged then.
 *         That there is no set is no error: see choice->feasible
 */
LUTRA_MUST_CHECK LutraStatus lutra_circuit_choose_parameters(LutraParametersChoice *choice,
                                                             LutraCircuit *circuit,
                                                             const LutraParametersTarget *target,
                                                             LutraError *error);

/** The set with which most elementary operations of an image's look-ups are done: the one that
 * stands for all where there is room for one. @param circuit  with crypto parameters */
const LutraCryptoParameters *lutra_circuit_main_set(const LutraCircuit *circuit);

/** The largest p_error of a circuit's sets; 0 if it has none. */
double lutra_circuit_worst_p_error(const LutraCircuit *circuit);

#endif
