/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/crypto_report.h"

#include <inttypes.h>
#include <math.h>

#include "cli/cli.h"
#include "sim/crypto_cost.h"
#include "sim/key_layout.h"
#include "sim/noise.h"
#include "sim/security_curve.h"

/** Of lutra_circuit_choose_parameters. */
static const LutraNoiseModel CIRCUIT_MODEL = LUTRA_NOISE_TFHE_RS;

static const char *modulus_switch(const LutraCryptoParameters *set) {
    return lutra_modulus_switch_name((LutraModulusSwitch)set->modulus_switch);
}

static void print_curve(const char *curve) {
    printf("security    %s; noise model %s\n", curve, lutra_noise_model_name(CIRCUIT_MODEL));
}

void cli_print_security(uint32_t security_bits) {
    print_curve(lutra_security_curve(security_bits)->name);
}

void cli_set_security(LutraJson *object, uint32_t security_bits) {
    lutra_json_set_i64(object, "security_bits", security_bits);
    lutra_json_set_text(object, "curve", lutra_security_curve(security_bits)->name);
    lutra_json_set_text(object, "noise_model", lutra_noise_model_name(CIRCUIT_MODEL));
}

/** Bytes of the keyswitch keys that lead to a circuit's set, from its own big key or others. */
static uint64_t keyswitch_bytes(const LutraCircuit *circuit, uint32_t set) {
    LutraKeyLayout layout;
    uint64_t bytes = 0;
    if (lutra_key_layout_init(&layout, circuit, NULL) != LUTRA_OK) {
        return lutra_keyswitch_key_bytes(&circuit->parameters[set]); /* out of memory */
    }
    for (uint32_t i = 0; i < layout.keyswitch_count; i++) {
        const LutraKeyswitchPair pair = layout.keyswitches[i];
        if (pair.to == set) {
            bytes += lutra_keyswitch_key_bytes_from(&circuit->parameters[set],
                                                    &circuit->parameters[pair.from]);
        }
    }
    lutra_key_layout_deinit(&layout);
    return bytes;
}

static void set_parameters(LutraJson *object, const LutraCryptoParameters *set,
                           uint64_t keyswitch) {
    const uint64_t bootstrap = lutra_bootstrap_key_bytes(set);
    lutra_json_set_i64(object, "glwe_dim", set->glwe_dim);
    lutra_json_set_i64(object, "log2_poly", set->log2_poly);
    lutra_json_set_i64(object, "lwe_dim", set->lwe_dim);
    lutra_json_set_i64(object, "pbs_level", set->pbs_level);
    lutra_json_set_i64(object, "pbs_base_log", set->pbs_base_log);
    lutra_json_set_i64(object, "ks_level", set->ks_level);
    lutra_json_set_i64(object, "ks_base_log", set->ks_base_log);
    lutra_json_set_text(object, "modulus_switch", modulus_switch(set));
    lutra_json_set_f64(object, "lwe_std", set->lwe_std);
    lutra_json_set_f64(object, "glwe_std", set->glwe_std);
    lutra_json_set_i64(object, "security_bits", set->security_bits);
    lutra_json_set_text(object, "curve", set->curve);
    lutra_json_set_i64(object, "precision_bits", set->precision_bits);
    lutra_json_set_f64(object, "norm2", set->norm2);
    lutra_json_set_f64(object, "p_error_target", set->p_error_target);
    lutra_json_set_f64(object, "p_error", set->p_error);
    lutra_json_set_f64(object, "cost", set->cost);
    lutra_json_set_i64(object, "bootstrap_key_bytes", (int64_t)bootstrap);
    lutra_json_set_i64(object, "keyswitch_key_bytes", (int64_t)keyswitch);
    lutra_json_set_i64(object, "key_bytes", (int64_t)(bootstrap + keyswitch));
    lutra_json_set_i64(object, "ciphertext_bytes", (int64_t)lutra_ciphertext_bytes(set));
}

void cli_set_crypto_parameters(LutraJson *object, const LutraCryptoParameters *set) {
    set_parameters(object, set, lutra_keyswitch_key_bytes(set));
}

static void print_parameters(const LutraCryptoParameters *set, uint64_t keyswitch_key_bytes) {
    char bootstrap[32];
    char keyswitch[32];
    printf("parameters  n %" PRIu32 ", k %" PRIu32 ", N %" PRIu32 ", bootstrap %" PRIu32
           " x %" PRIu32 " bits, keyswitch %" PRIu32 " x %" PRIu32 " bits, %s modulus switch\n",
           set->lwe_dim, set->glwe_dim, UINT32_C(1) << set->log2_poly, set->pbs_level,
           set->pbs_base_log, set->ks_level, set->ks_base_log, modulus_switch(set));
    printf("            for tables of %" PRIu32 " bits, norm %.6g; p_error %.3g (asked %.3g)\n",
           set->precision_bits, set->norm2, set->p_error, set->p_error_target);
    print_curve(set->curve);
    printf("keys        bootstrap %s, keyswitch %s\n",
           cli_bytes(bootstrap, (double)lutra_bootstrap_key_bytes(set)),
           cli_bytes(keyswitch, (double)keyswitch_key_bytes));
}

static bool uses(const LutraOperation *op, uint32_t set) {
    return op->kind == LUTRA_OPERATION_TABLE && lutra_operation_is_encrypted(op) &&
           op->u.table.parameter_index == set;
}

void cli_set_circuit_parameters(LutraJson *sets, const LutraCircuit *circuit) {
    for (uint32_t s = 0; s < circuit->parameter_count; s++) {
        LutraJson *const object = lutra_json_add_object(sets);
        set_parameters(object, &circuit->parameters[s], keyswitch_bytes(circuit, s));
        lutra_json_set_text(object, "noise_model", lutra_noise_model_name(CIRCUIT_MODEL));
        LutraJson *const tables = lutra_json_set_array(object, "tables");
        for (uint32_t i = 0; i < circuit->operation_count; i++) {
            if (uses(&circuit->operations[i], s)) {
                lutra_json_add_text(tables, circuit->operations[i].name);
            }
        }
    }
}

void cli_print_circuit_parameters(const LutraCircuit *circuit) {
    for (uint32_t s = 0; s < circuit->parameter_count; s++) {
        if (circuit->parameter_count > 1) {
            printf("set %" PRIu32 " of %" PRIu32 " ", s + 1, circuit->parameter_count);
            for (uint32_t i = 0; i < circuit->operation_count; i++) {
                if (uses(&circuit->operations[i], s)) {
                    printf(" %s", circuit->operations[i].name);
                }
            }
            putchar('\n');
        }
        print_parameters(&circuit->parameters[s], keyswitch_bytes(circuit, s));
    }
}
