/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts of all parameter sets; see circuit_keys.h. */
#include "bridge/circuit_keys.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "sim/crypto_cost.h"

static bool reads_itself(const LutraKeyLayout *layout, uint32_t set) {
    for (uint32_t i = 0; i < layout->keyswitch_count; i++) {
        if (layout->keyswitches[i].from == set && layout->keyswitches[i].to == set) {
            return true;
        }
    }
    return false;
}

static uint64_t count_bytes(const LutraKeyLayout *layout, const LutraCircuit *circuit) {
    const LutraCryptoParameters *const sets = circuit->parameters;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < circuit->parameter_count; i++) {
        bytes += lutra_bootstrap_key_bytes(&sets[i]);
    }
    for (uint32_t i = 0; i < layout->keyswitch_count; i++) {
        const LutraKeyswitchPair pair = layout->keyswitches[i];
        bytes += lutra_keyswitch_key_bytes_from(&sets[pair.to], &sets[pair.from]);
    }
    return bytes;
}

static LutraStatus create_sets(LutraCircuitKeys *keys, const LutraBackendOperations *operations,
                               const LutraCircuit *circuit, const LutraBackendSettings *settings,
                               LutraError *error) {
    const uint32_t count = circuit->parameter_count;
    if (count > 1 && operations->create_reader == NULL) {
        return lutra_error_set(error, LUTRA_EUNAVAILABLE,
                               "the circuit has %u crypto parameter sets, but this backend runs "
                               "one: compile it without '--partition'",
                               count);
    }
    if (count > 1 && settings->maximum_key_bytes > 0 &&
        keys->key_bytes > settings->maximum_key_bytes) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "the keys would have %" PRIu64 " bytes; at most %" PRIu64
                               " are allowed: raise the limit or compile with fewer bits",
                               keys->key_bytes, settings->maximum_key_bytes);
    }
    for (uint32_t i = 0; i < count; i++) {
        LutraBackendSettings own = *settings;
        own.without_keyswitch = !reads_itself(&keys->layout, i);
        LUTRA_TRY(lutra_backend_create(&keys->sets[i], operations, &circuit->parameters[i], &own,
                                       error));
    }
    return LUTRA_OK;
}

LutraStatus lutra_circuit_keys_init(LutraCircuitKeys *keys,
                                    const LutraBackendOperations *operations,
                                    const LutraCircuit *circuit,
                                    const LutraBackendSettings *settings, LutraError *error) {
    LutraCircuitKeys made = {.set_count = circuit->parameter_count};
    const uint32_t count = circuit->operation_count;
    LutraStatus status = LUTRA_OK;
    memset(keys, 0, sizeof *keys);
    if (circuit->parameter_count == 0) {
        return lutra_error_set(error, LUTRA_EINVAL, "the circuit has no crypto parameters");
    }
    LUTRA_TRY_GOTO(status, lutra_key_layout_init(&made.layout, circuit, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.sets, made.set_count, sizeof *made.sets, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.readers, made.layout.keyswitch_count,
                                       sizeof *made.readers, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.lookup_sets, count, sizeof(uint32_t), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&made.inputs, count, sizeof(uint32_t), error));
    for (uint32_t i = 0; i < count; i++) {
        if (lutra_operation_pbs(&circuit->operations[i]) > 0) {
            made.lookup_sets[i] = lutra_key_layout_lookup_set(&made.layout, circuit, i);
            made.inputs[i] = circuit->operations[i].inputs[0];
        }
    }
    made.key_bytes = count_bytes(&made.layout, circuit);
    LUTRA_TRY_GOTO(status, create_sets(&made, operations, circuit, settings, error));
    *keys = made;
    made = (LutraCircuitKeys){0};
done:
    lutra_circuit_keys_deinit(&made);
    return status;
}

/** Seed of context `index`; the first has the caller's own. */
static const uint8_t *seed_of(uint8_t *seed, const uint8_t *test_seed, uint32_t index) {
    if (test_seed == NULL) {
        return NULL;
    }
    memcpy(seed, test_seed, LUTRA_TEST_SEED_BYTES);
    for (uint32_t i = 0; i < sizeof index; i++) {
        seed[i] ^= (uint8_t)(index >> (8 * i));
    }
    return seed;
}

LutraStatus lutra_circuit_keys_generate(LutraCircuitKeys *keys, const uint8_t *test_seed,
                                        const LutraProgress *progress, LutraError *error) {
    uint8_t seed[LUTRA_TEST_SEED_BYTES];
    for (uint32_t i = 0; i < keys->set_count; i++) {
        const LutraBackend *const set = &keys->sets[i];
        LUTRA_TRY(set->operations->generate_keys(set->context, seed_of(seed, test_seed, i),
                                                 progress, error));
    }
    for (uint32_t i = 0; i < keys->layout.keyswitch_count; i++) {
        const LutraKeyswitchPair pair = keys->layout.keyswitches[i];
        LutraBackend *const reader = &keys->readers[i];
        if (pair.from != pair.to) {
            reader->operations = keys->sets[pair.to].operations;
            LUTRA_TRY(reader->operations->create_reader(
                &reader->context, keys->sets[pair.to].context, keys->sets[pair.from].context,
                seed_of(seed, test_seed, keys->set_count + i), progress, error));
        }
    }
    return LUTRA_OK;
}

void lutra_circuit_keys_deinit(LutraCircuitKeys *keys) {
    for (uint32_t i = 0; keys->readers != NULL && i < keys->layout.keyswitch_count; i++) {
        lutra_backend_destroy(&keys->readers[i]);
    }
    for (uint32_t i = 0; keys->sets != NULL && i < keys->set_count; i++) {
        lutra_backend_destroy(&keys->sets[i]);
    }
    lutra_free(&keys->readers);
    lutra_free(&keys->sets);
    lutra_free(&keys->lookup_sets);
    lutra_free(&keys->inputs);
    lutra_key_layout_deinit(&keys->layout);
    memset(keys, 0, sizeof *keys);
}

const LutraBackend *lutra_circuit_keys_of_result(const LutraCircuitKeys *keys,
                                                 uint32_t operation) {
    return &keys->sets[keys->layout.set_of_result[operation]];
}

const LutraBackend *lutra_circuit_keys_of_lookups(const LutraCircuitKeys *keys,
                                                  uint32_t operation) {
    const uint32_t to = keys->lookup_sets[operation];
    const uint32_t from = keys->layout.set_of_result[keys->inputs[operation]];
    for (uint32_t i = 0; from != to && i < keys->layout.keyswitch_count; i++) {
        if (keys->layout.keyswitches[i].from == from && keys->layout.keyswitches[i].to == to) {
            return &keys->readers[i];
        }
    }
    return &keys->sets[to];
}
