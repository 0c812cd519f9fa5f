/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz target without a fuzzing engine: over every file of the given folders (or the given
 * files), and over cheap mutations of each: cut at many lengths, with single bytes changed.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/support/fuzz.h"

enum { CUTS = 24, CHANGES = 96, MAX_PATH_BYTES = 4096 };

static unsigned long runs;

/* Gives the target a block of its own, so that a sanitizer sees every byte read past the end. */
static void run_copy(const uint8_t *data, size_t bytes) {
    uint8_t *const copy = malloc(bytes == 0 ? 1 : bytes);
    if (copy == NULL) {
        fputs("out of memory\n", stderr);
        exit(1);
    }
    memcpy(copy, data, bytes);
    (void)LLVMFuzzerTestOneInput(copy, bytes);
    free(copy);
    runs++;
}

/* A small generator of its own: every run of the driver does the same. */
static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void run_mutations(uint8_t *data, size_t bytes) {
    uint32_t state = (uint32_t)bytes + 1;
    run_copy(data, bytes);
    for (size_t i = 0; i < CUTS && bytes > 0; i++) {
        run_copy(data, i < CUTS / 2 ? bytes * i / (CUTS / 2) : bytes - 1 - (i - CUTS / 2) % bytes);
    }
    static const uint8_t values[] = {0x00, 0x01, 0x7F, 0x80, 0xFF, '[', '\n', 0x28};
    for (size_t i = 0; i < CHANGES && bytes > 0; i++) {
        /* Headers lie at the start: change early bytes more often. */
        const size_t range = i % 2 == 0 && bytes > 64 ? 64 : bytes;
        const size_t at = next_random(&state) % range;
        const uint8_t kept = data[at];
        const uint8_t flipped = (uint8_t)(kept ^ 1u << next_random(&state) % 8);
        const uint8_t chosen = values[next_random(&state) % sizeof values];
        data[at] = i % 3 == 0 ? flipped : chosen;
        run_copy(data, bytes);
        data[at] = kept;
    }
}

static int run_file(const char *path) {
    FILE *const stream = fopen(path, "rb");
    if (stream == NULL) {
        perror(path);
        return 1;
    }
    static uint8_t data[1 << 20];
    const size_t bytes = fread(data, 1, sizeof data, stream);
    (void)fclose(stream);
    run_mutations(data, bytes);
    return 0;
}

static int run_path(const char *path) {
    struct stat info;
    if (stat(path, &info) != 0) {
        perror(path);
        return 1;
    }
    if (!S_ISDIR(info.st_mode)) {
        return run_file(path);
    }
    DIR *const folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        return 1;
    }
    int failed = 0;
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char inner[MAX_PATH_BYTES];
        if (entry->d_name[0] != '.') {
            (void)snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name);
            failed |= run_path(inner);
        }
    }
    (void)closedir(folder);
    return failed;
}

int main(int argc, char **argv) {
    int failed = argc < 2;
    for (int i = 1; i < argc; i++) {
        failed |= run_path(argv[i]);
    }
    printf("%lu inputs\n", runs);
    return failed || runs == 0;
}
