/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/simulate_many.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/circuit_copy.h"

/* Passes ticks of one case on as ticks of all. */
typedef struct {
    const LutraProgress *listener;
    uint64_t before; /* images of the cases before */
    uint64_t total;  /* images of all cases */
} Relay;

static int relay_tick(void *user, const char *stage, uint64_t done, uint64_t total, double figure) {
    const Relay *const relay = user;
    (void)total;
    return lutra_progress_tick(relay->listener, stage, relay->before + done, relay->total, figure);
}

static void relay_note(void *user, const char *line) {
    const Relay *const relay = user;
    lutra_progress_note(relay->listener, line);
}

/* An earlier case with the same answers, or `index`. */
static uint32_t find_equal(const LutraSimulationCase *cases, uint32_t index) {
    const LutraSimulationCase *const wanted = &cases[index];
    for (uint32_t i = 0; wanted->mode != LUTRA_MODE_NOISY && i < index; i++) {
        const LutraCircuit *const both[] = {wanted->circuit, cases[i].circuit};
        const uint32_t operations = wanted->circuit->operation_count;
        if (cases[i].mode == wanted->mode && cases[i].circuit->operation_count == operations &&
            lutra_circuit_common_prefix(both, 2) == operations) {
            return i;
        }
    }
    return index;
}

static LutraStatus copy_array(void *copy, const void *from, size_t count, size_t element_bytes,
                              LutraError *error) {
    if (from == NULL) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_alloc(copy, count, element_bytes, error));
    void *to = NULL;
    memcpy(&to, copy, sizeof to);
    memcpy(to, from, count * element_bytes);
    return LUTRA_OK;
}

static LutraStatus copy_simulation(LutraSimulation *copy, const LutraSimulation *from,
                                   LutraError *error) {
    const size_t classes = from->class_count;
    const size_t images = (size_t)from->images;
    LutraSimulation built = *from;
    LutraStatus status = LUTRA_OK;
    built.confusion = NULL;
    built.predictions = NULL;
    built.logits = NULL;
    built.operations = NULL;
    built.seconds = 0.0;
    LUTRA_TRY_GOTO(status, copy_array(&built.confusion, from->confusion, classes * classes,
                                      sizeof *from->confusion, error));
    LUTRA_TRY_GOTO(status, copy_array(&built.predictions, from->predictions, images,
                                      sizeof *from->predictions, error));
    LUTRA_TRY_GOTO(status, copy_array(&built.logits, from->logits, images * classes,
                                      sizeof *from->logits, error));
    LUTRA_TRY_GOTO(status, copy_array(&built.operations, from->operations, from->operation_count,
                                      sizeof *from->operations, error));
    *copy = built;
    return LUTRA_OK;
done:
    lutra_simulation_deinit(&built);
    return status;
}

static LutraStatus run_case(LutraSimulation *results, const LutraSimulationCase *cases,
                            uint32_t index, const LutraImages *images,
                            const LutraSimulateSettings *settings, Relay *relay,
                            LutraError *error) {
    const LutraProgress progress = {relay_tick, relay_note, relay};
    const uint32_t equal = find_equal(cases, index);
    LutraSimulateSettings own = *settings;
    if (equal < index) {
        const uint64_t done = relay->before + results[equal].images;
        LUTRA_TRY(copy_simulation(&results[index], &results[equal], error));
        (void)lutra_progress_tick(settings->progress, "simulate", done, relay->total, (double)NAN);
        return LUTRA_OK; /* a wish to stop is heard by the next case that runs */
    }
    own.mode = cases[index].mode;
    own.noise = cases[index].noise;
    own.progress = settings->progress == NULL ? NULL : &progress;
    return lutra_simulate(&results[index], cases[index].circuit, images, &own, error);
}

LutraStatus lutra_simulate_many(LutraSimulation *simulations, const LutraSimulationCase *cases,
                                uint32_t count, const LutraImages *images,
                                const LutraSimulateSettings *settings,
                                const LutraSimulationListener *listener, LutraError *error) {
    const uint64_t each =
        settings->limit != 0 && settings->limit < images->count ? settings->limit : images->count;
    Relay relay = {.listener = settings->progress, .total = each * count};
    LutraSimulation *results = NULL;
    LutraStatus status = lutra_alloc(&results, count, sizeof *results, error);
    for (uint32_t i = 0; status == LUTRA_OK && i < count; i++) {
        relay.before = each * i;
        status = run_case(results, cases, i, images, settings, &relay, error);
        if (status == LUTRA_ECANCELLED) {
            const uint64_t done = relay.before + results[i].images;
            status = lutra_error_set(error, LUTRA_ECANCELLED, "stopped after %llu of %llu images",
                                     (unsigned long long)done, (unsigned long long)relay.total);
        }
        if (status == LUTRA_OK && listener != NULL && listener->finished != NULL) {
            status = listener->finished(listener->user, i, &results[i], error);
        }
    }
    if (status == LUTRA_OK || status == LUTRA_ECANCELLED) {
        memcpy(simulations, results, count * sizeof *results);
    } else {
        for (uint32_t i = 0; results != NULL && i < count; i++) {
            lutra_simulation_deinit(&results[i]);
        }
    }
    lutra_free(&results);
    return status;
}
