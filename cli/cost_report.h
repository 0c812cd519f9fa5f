/* SPDX-License-Identifier: Apache-2.0 */
/* The machine profile of this user, and how commands show what a circuit costs with it. */
#ifndef LUTRA_CLI_COST_REPORT_H
#define LUTRA_CLI_COST_REPORT_H

#include "base/json.h"
#include "base/status.h"
#include "sim/cost_model.h"

typedef struct {
    LutraMachineProfile profile;
    char *path; /* it was read from, owned; NULL: the built-in one */
} CliProfile;

/**
 * Where `lutra bench --calibrate` writes and others look: $XDG_CONFIG_HOME/lutra/profile.ini, or
 * $HOME/.config/lutra/profile.ini. Heap, free with lutra_free.
 *
 * @errors LUTRA_EIO if neither variable is an absolute path; LUTRA_ENOMEM
 */
LUTRA_MUST_CHECK LutraStatus cli_profile_default_path(char **path, LutraError *error);

/**
 * Reads the profile at `path`, or the user's own if that is NULL, or takes the built-in one if
 * there is none.
 *
 * @errors those of lutra_machine_profile_read
 */
LUTRA_MUST_CHECK LutraStatus cli_profile_find(CliProfile *found, const char *path,
                                              LutraError *error);

void cli_profile_deinit(CliProfile *found);

/**
 * Predicts a circuit with the user's own profile, or the built-in one.
 *
 * @errors those of cli_profile_find and lutra_circuit_cost; *cost is unchanged
 */
LUTRA_MUST_CHECK LutraStatus cli_predict(LutraCircuitCost *cost, const LutraCircuit *circuit,
                                         uint32_t threads, LutraError *error);

/** Members "machine" and "predicted_..." of a JSON object. */
void cli_set_cost(LutraJson *object, const CliProfile *found, const LutraCircuitCost *cost);

/** The machine that a prediction is for, as one line with an advice for the built-in one. */
void cli_print_profile(const CliProfile *found);

/** "1.2 ms", "34 s", "5 min", "6.1 h" and the like into a buffer of 32 bytes; returns it. */
const char *cli_duration(char buffer[32], double seconds);

#endif
