/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cost_report.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/memory.h"

LutraStatus cli_profile_default_path(char **path, LutraError *error) {
    const char *const config = getenv("XDG_CONFIG_HOME");
    const char *const home = getenv("HOME");
    if (config != NULL && config[0] == '/') {
        return lutra_file_path_in(path, config, "lutra/profile.ini", error);
    }
    if (home != NULL && home[0] == '/') {
        return lutra_file_path_in(path, home, ".config/lutra/profile.ini", error);
    }
    return lutra_error_set(error, LUTRA_EIO,
                           "neither XDG_CONFIG_HOME nor HOME is an absolute path: name the "
                           "machine profile");
}

LutraStatus cli_profile_find(CliProfile *found, const char *path, LutraError *error) {
    CliProfile made = {.profile = *lutra_machine_profile_builtin()};
    LutraStatus status = LUTRA_OK;
    if (path != NULL) {
        LUTRA_TRY_GOTO(status, lutra_string_copy(&made.path, path, error));
    } else {
        status = cli_profile_default_path(&made.path, NULL);
        if (status == LUTRA_ENOMEM) {
            return lutra_error_set(error, status, "out of memory");
        }
        if (status != LUTRA_OK || !lutra_file_exists(made.path)) {
            lutra_free(&made.path);
        }
    }
    status = made.path == NULL ? LUTRA_OK
                               : lutra_machine_profile_read(&made.profile, made.path, error);
done:
    if (status == LUTRA_OK) {
        *found = made;
    } else {
        cli_profile_deinit(&made);
    }
    return status;
}

void cli_profile_deinit(CliProfile *found) {
    lutra_free(&found->path);
    *found = (CliProfile){.path = NULL};
}

LutraStatus cli_predict(LutraCircuitCost *cost, const LutraCircuit *circuit, uint32_t threads,
                        LutraError *error) {
    CliProfile machine = {.path = NULL};
    LUTRA_TRY(cli_profile_find(&machine, NULL, error));
    const LutraStatus status =
        lutra_circuit_cost(cost, circuit, &machine.profile, threads, error);
    cli_profile_deinit(&machine);
    return status;
}

void cli_set_cost(LutraJson *object, const CliProfile *found, const LutraCircuitCost *cost) {
    LutraJson *const machine = lutra_json_set_object(object, "machine");
    lutra_json_set_text(machine, "cpu", found->profile.cpu);
    lutra_json_set_text(machine, "backend", found->profile.backend);
    lutra_json_set_text(machine, "date", found->profile.date);
    lutra_json_set_bool(machine, "calibrated", found->path != NULL);
    if (found->path != NULL) {
        lutra_json_set_text(machine, "profile", found->path);
    } else {
        lutra_json_set_null(machine, "profile");
    }
    lutra_json_set_i64(object, "threads", cost->threads);
    lutra_json_set_f64(object, "predicted_seconds", cost->seconds);
    lutra_json_set_f64(object, "predicted_core_seconds", cost->core_seconds);
    lutra_json_set_f64(object, "predicted_bootstrap_core_seconds", cost->bootstrap_core_seconds);
    lutra_json_set_f64(object, "predicted_keyswitch_core_seconds", cost->keyswitch_core_seconds);
    lutra_json_set_f64(object, "predicted_linear_core_seconds", cost->linear_core_seconds);
    lutra_json_set_f64(object, "predicted_keygen_seconds", cost->keygen_seconds);
    lutra_json_set_f64(object, "predicted_encrypt_seconds", cost->encrypt_seconds);
    lutra_json_set_i64(object, "predicted_ciphertext_bytes", (int64_t)cost->ciphertext_bytes);
    lutra_json_set_i64(object, "predicted_memory_bytes", (int64_t)cost->memory_bytes);
}

void cli_print_profile(const CliProfile *found) {
    if (found->path == NULL) {
        printf("estimated for an %s; run lutra bench --calibrate\n", found->profile.cpu);
    } else {
        printf("calibrated on %s (%s, %s)\n", found->profile.cpu, found->profile.date,
               found->path);
    }
}

const char *cli_duration(char buffer[32], double seconds) {
    const double minute = 60.0;
    const double hour = 3600.0;
    const double day = 24.0 * hour;
    if (seconds < 1.0) {
        (void)snprintf(buffer, 32, "%.3g ms", 1e3 * seconds);
    } else if (seconds < 5.0 * minute) {
        (void)snprintf(buffer, 32, "%.3g s", seconds);
    } else if (seconds < 3.0 * hour) {
        (void)snprintf(buffer, 32, "%.3g min", seconds / minute);
    } else if (seconds < 3.0 * day) {
        (void)snprintf(buffer, 32, "%.3g h", seconds / hour);
    } else {
        (void)snprintf(buffer, 32, "%.3g days", seconds / day);
    }
    return buffer;
}
