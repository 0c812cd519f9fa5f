/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/simulate_many.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "sim/circuit_copy.h"
#include "sim/simulate_priv.h"
#include "sim/sliced.h"

/* Passes ticks of one pass on as ticks of all cases. */
typedef struct {
    const LutraProgress *listener;
    uint64_t before; /* images of the cases that are done */
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

typedef struct {
    const LutraSimulationCase *cases;
    uint32_t count;
    LutraSimulation *results; /* (count) */
    bool *done;               /* (count) */
    const LutraImages *images;
    const LutraSimulateSettings *settings;
    Relay relay;
} Many;

static void take_copy(Many *many, uint32_t index, uint64_t images) {
    many->done[index] = true;
    many->relay.before += images;
    /* a wish to stop is heard by the next case that runs */
    (void)lutra_progress_tick(many->relay.listener, "simulate", many->relay.before,
                              many->relay.total, (double)NAN);
}

/** Runs case `index`, and with it later ones in clear mode that can share its pass. */
static LutraStatus run_together(Many *many, uint32_t index, LutraError *error) {
    const LutraSimulationCase *const cases = many->cases;
    const LutraProgress progress = {relay_tick, relay_note, &many->relay};
    LutraSimulation *results[LUTRA_SLICED_MOST_TOGETHER];
    const LutraCircuit *circuits[LUTRA_SLICED_MOST_TOGETHER];
    uint32_t indices[LUTRA_SLICED_MOST_TOGETHER];
    uint32_t count = 0;
    for (uint32_t i = index; i < many->count && count < LUTRA_SLICED_MOST_TOGETHER; i++) {
        if (i > index && (many->done[i] || cases[i].mode != LUTRA_MODE_CLEAR ||
                          cases[index].mode != LUTRA_MODE_CLEAR || find_equal(cases, i) < i)) {
            continue;
        }
        indices[count] = i;
        results[count] = &many->results[i];
        circuits[count++] = cases[i].circuit;
    }
    LutraSimulateSettings own = *many->settings;
    own.mode = cases[index].mode;
    own.noise = cases[index].noise;
    own.progress = many->settings->progress == NULL ? NULL : &progress;
    const LutraStatus status =
        lutra_simulate_pass(results, circuits, &count, many->images, &own, error);
    for (uint32_t i = 0; (status == LUTRA_OK || status == LUTRA_ECANCELLED) && i < count; i++) {
        many->done[indices[i]] = status == LUTRA_OK;
        many->relay.before += results[i]->images;
    }
    return status;
}

static LutraStatus run_case(Many *many, uint32_t index, LutraError *error) {
    const uint32_t equal = find_equal(many->cases, index);
    if (many->done[index]) {
        return LUTRA_OK;
    }
    if (equal < index) {
        LUTRA_TRY(copy_simulation(&many->results[index], &many->results[equal], error));
        take_copy(many, index, many->results[equal].images);
        return LUTRA_OK;
    }
    const LutraStatus status = run_together(many, index, error);
    return status != LUTRA_ECANCELLED
               ? status
               : lutra_error_set(error, status, "stopped after %llu of %llu images",
                                 (unsigned long long)many->relay.before,
                                 (unsigned long long)many->relay.total);
}

static LutraStatus run_cases(Many *many, const LutraSimulationListener *listener,
                             LutraError *error) {
    LutraStatus status = LUTRA_OK;
    for (uint32_t i = 0; status == LUTRA_OK && i < many->count; i++) {
        status = run_case(many, i, error);
        if (status == LUTRA_OK && listener != NULL && listener->finished != NULL) {
            status = listener->finished(listener->user, i, &many->results[i], error);
        }
    }
    return status;
}

LutraStatus lutra_simulate_many(LutraSimulation *simulations, const LutraSimulationCase *cases,
                                uint32_t count, const LutraImages *images,
                                const LutraSimulateSettings *settings,
                                const LutraSimulationListener *listener, LutraError *error) {
    const uint64_t each =
        settings->limit != 0 && settings->limit < images->count ? settings->limit : images->count;
    Many many = {.cases = cases,
                 .count = count,
                 .images = images,
                 .settings = settings,
                 .relay = {.listener = settings->progress, .total = each * count}};
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY_GOTO(status, lutra_alloc(&many.results, count, sizeof *many.results, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&many.done, count, sizeof *many.done, error));
    status = run_cases(&many, listener, error);
    if (status == LUTRA_OK || status == LUTRA_ECANCELLED) {
        memcpy(simulations, many.results, count * sizeof *many.results);
        lutra_free(&many.results);
    }
done:
    for (uint32_t i = 0; many.results != NULL && i < count; i++) {
        lutra_simulation_deinit(&many.results[i]);
    }
    lutra_free(&many.results);
    lutra_free(&many.done);
    return status;
}
