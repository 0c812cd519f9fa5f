/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench start-up: how long until the first prediction. Its parts (reading the circuit, preparing
 * it, one image) inside this process, and all of `lutra simulate --limit 1` as another process.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/bench.h"
#include "datasets/dataset.h"
#include "sim/clear.h"
#include "sim/random_circuit.h"

extern char **environ;

enum { PATH_BYTES = 4096, STORED_IMAGES = 1000 };

typedef struct {
    char folder[PATH_BYTES - 64];
    char circuit[PATH_BYTES];
    char data[PATH_BYTES];
    bool own_circuit;
} Files;

static LutraStatus files_init(Files *files, const char *circuit_path, LutraError *error) {
    const char *const temporary = getenv("TMPDIR");
    (void)snprintf(files->folder, sizeof files->folder, "%s/lutra-bench-XXXXXX",
                   temporary != NULL && temporary[0] == '/' ? temporary : "/tmp");
    if (mkdtemp(files->folder) == NULL) {
        files->folder[0] = '\0';
        return lutra_error_set(error, LUTRA_EIO, "cannot create a temporary folder");
    }
    files->own_circuit = circuit_path == NULL;
    (void)snprintf(files->data, sizeof files->data, "%s/data.h5", files->folder);
    if (files->own_circuit) {
        (void)snprintf(files->circuit, sizeof files->circuit, "%s/circuit.h5", files->folder);
    } else {
        (void)snprintf(files->circuit, sizeof files->circuit, "%s", circuit_path);
    }
    return LUTRA_OK;
}

static void files_remove(const Files *files) {
    if (files->folder[0] == '\0') {
        return;
    }
    (void)unlink(files->data);
    if (files->own_circuit) {
        (void)unlink(files->circuit);
    }
    (void)rmdir(files->folder);
}

static LutraStatus write_circuit(const Files *files, uint64_t seed, LutraError *error) {
    LutraCircuit circuit = {0};
    LUTRA_TRY(lutra_random_circuit_create(&circuit, &lutra_random_vgg9, seed, error));
    const LutraStatus status = lutra_circuit_write(&circuit, files->circuit, false, error);
    lutra_circuit_deinit(&circuit);
    return status;
}

/** Random images that fit the circuit. */
static LutraStatus fill_dataset(LutraDataset *dataset, const LutraCircuit *circuit, uint64_t seed,
                                LutraError *error) {
    const LutraShape shape = circuit->operations[0].shape;
    const LutraRandomKey key = {.seed = seed, .stream = LUTRA_STREAM_CIRCUIT, .index = 2};
    LUTRA_TRY(lutra_dataset_set_origin(dataset, "random", "random pixels", error));
    LUTRA_TRY(lutra_dataset_set_classes(dataset, NULL, circuit->class_count, error));
    dataset->channels = shape.channels;
    dataset->height = shape.height;
    dataset->width = shape.width;
    LUTRA_TRY(lutra_dataset_allocate_split(dataset, LUTRA_SPLIT_TEST, STORED_IMAGES, error));
    const size_t bytes = STORED_IMAGES * lutra_shape_elements(shape);
    for (size_t i = 0; i < bytes; i++) {
        dataset->splits[LUTRA_SPLIT_TEST].images[i] = (uint8_t)lutra_random_u64(key, i);
    }
    return LUTRA_OK;
}

static LutraStatus write_dataset(const Files *files, const LutraCircuit *circuit, uint64_t seed,
                                 LutraError *error) {
    LutraDataset dataset = {0};
    LutraStatus status = fill_dataset(&dataset, circuit, seed, error);
    if (status == LUTRA_OK) {
        status = lutra_dataset_write(&dataset, files->data, false, error);
    }
    lutra_dataset_deinit(&dataset);
    return status;
}

/** Milliseconds of the three parts of one start. */
typedef struct {
    double read;
    double prepare;
    double predict;
} Parts;

static LutraStatus run_parts(Parts *parts, const Bench *bench, const Files *files,
                             LutraError *error) {
    LutraStatus status = LUTRA_OK;
    LutraCircuit circuit = {0};
    LutraClearProgram *program = NULL;
    uint8_t *pixels = NULL;
    void *scratch = NULL;
    float *logits = NULL;
    LutraOperationStatistics *statistics = NULL;
    const double started = lutra_seconds();
    LUTRA_TRY_GOTO(status, lutra_circuit_read(&circuit, files->circuit, error));
    const double read = lutra_seconds();
    LUTRA_TRY_GOTO(status, lutra_clear_program_create(&program, &circuit,
                                                      bench->common->cpu_flags, error));
    const double prepared = lutra_seconds();
    const size_t elements = lutra_shape_elements(circuit.operations[0].shape);
    LUTRA_TRY_GOTO(status, lutra_alloc(&pixels, elements, 1, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&scratch, lutra_clear_scratch_bytes(program), 1, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&logits, circuit.class_count, sizeof(float), error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&statistics, circuit.operation_count,
                                       sizeof(LutraOperationStatistics), error));
    lutra_clear_run(program, logits, statistics, pixels, scratch);
    parts->read = 1e3 * (read - started);
    parts->prepare = 1e3 * (prepared - read);
    parts->predict = 1e3 * (lutra_seconds() - prepared);
done:
    lutra_free(&statistics);
    lutra_free(&logits);
    lutra_free(&scratch);
    lutra_free(&pixels);
    lutra_clear_program_destroy(&program);
    lutra_circuit_deinit(&circuit);
    return status;
}

/** Runs `lutra simulate CIRCUIT --data DATA --limit 1` and waits for its end. */
static LutraStatus run_process(double *milliseconds, const Files *files, LutraError *error) {
    char program[] = "/proc/self/exe";
    char command[] = "simulate", data[] = "--data", limit[] = "--limit", one[] = "1";
    char quiet[] = "-q";
    char circuit[PATH_BYTES];
    char dataset[PATH_BYTES];
    memcpy(circuit, files->circuit, sizeof circuit);
    memcpy(dataset, files->data, sizeof dataset);
    char *const arguments[] = {program, command, circuit, data, dataset, limit, one, quiet, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child = 0;
    int state = 0;
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return lutra_error_set(error, LUTRA_ENOMEM, "out of memory");
    }
    const double started = lutra_seconds();
    const bool ran =
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0 &&
        posix_spawn(&child, program, &actions, NULL, arguments, environ) == 0 &&
        waitpid(child, &state, 0) == child;
    *milliseconds = 1e3 * (lutra_seconds() - started);
    (void)posix_spawn_file_actions_destroy(&actions);
    return ran && WIFEXITED(state) && WEXITSTATUS(state) == CLI_EXIT_DONE
               ? LUTRA_OK
               : lutra_error_set(error, LUTRA_EUNAVAILABLE,
                                 "'lutra simulate' did not run as a process of its own");
}

/** values: four runs of bench->repeats numbers. */
static LutraStatus measure(Bench *bench, const Files *files, double *values, LutraError *error) {
    static const char *const names[] = {"start-up.read", "start-up.prepare", "start-up.predict",
                                        "start-up.process"};
    const uint32_t repeats = bench->repeats;
    for (uint32_t i = 0; i < repeats; i++) {
        Parts parts = {0};
        LUTRA_TRY(run_parts(&parts, bench, files, error));
        LUTRA_TRY(run_process(&values[3 * repeats + i], files, error));
        values[i] = parts.read;
        values[repeats + i] = parts.prepare;
        values[2 * repeats + i] = parts.predict;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        LUTRA_TRY(bench_add(bench, names[i], "ms", true, values + i * repeats, repeats, error));
    }
    return LUTRA_OK;
}

LutraStatus bench_start_up(Bench *bench, LutraError *error) {
    Files files = {.own_circuit = false};
    LutraCircuit circuit = {0};
    double *values = NULL;
    LutraStatus status = LUTRA_OK;
    const uint64_t seed = bench->common->seed;
    LUTRA_TRY_GOTO(status, files_init(&files, bench->circuit_path, error));
    if (files.own_circuit) {
        LUTRA_TRY_GOTO(status, write_circuit(&files, seed, error));
    }
    LUTRA_TRY_GOTO(status, lutra_circuit_read(&circuit, files.circuit, error));
    LUTRA_TRY_GOTO(status, write_dataset(&files, &circuit, seed, error));
    LUTRA_TRY_GOTO(status, lutra_alloc(&values, 4 * (size_t)bench->repeats, sizeof *values, error));
    status = measure(bench, &files, values, error);
done:
    lutra_free(&values);
    lutra_circuit_deinit(&circuit);
    files_remove(&files);
    return status;
}
