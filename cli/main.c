/* SPDX-License-Identifier: Apache-2.0 */
/* The program: finds the subcommand and hands over. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

#ifndef LUTRA_VERSION
#define LUTRA_VERSION "unknown"
#endif

static void print_overview(FILE *stream) {
    fputs("usage: lutra COMMAND [OPTION...]\n\n"
          "Quantized neural networks under fully homomorphic encryption (TFHE):\n"
          "train them, simulate their encrypted accuracy exactly, verify on real ciphertexts.\n",
          stream);
    const char *group = "";
    for (const CliCommand *c = cli_commands; c->name != NULL; c++) {
        if (strcmp(group, c->group) != 0) {
            fprintf(stream, "\n%s\n", c->group);
            group = c->group;
        }
        fprintf(stream, "  %-10s %s\n", c->name, c->summary);
    }
    fputs("\n'lutra COMMAND --help' explains one command. Exit codes: 0 done, 1 a checked\n"
          "condition fails, 2 usage, 3 bad input data, 4 environment, 5 bug, 130 interrupted.\n",
          stream);
}

/* Edit distance of two short words (insert, delete, replace), two rows at a time. */
static size_t edit_distance(const char *a, const char *b) {
    enum { LONGEST = 32 };
    const size_t length = strlen(b);
    if (length >= LONGEST || strlen(a) >= LONGEST) {
        return LONGEST;
    }
    size_t row[LONGEST];
    for (size_t j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            size_t best = row[j - 1] + 1 < row[j] + 1 ? row[j - 1] + 1 : row[j] + 1;
            best = replaced < best ? replaced : best;
            row[j] = best;
        }
    }
    return row[length];
}

static int unknown_command(const char *name) {
    const char *nearest = NULL;
    size_t nearest_distance = 4;
    for (const CliCommand *c = cli_commands; c->name != NULL; c++) {
        const size_t distance = edit_distance(name, c->name);
        if (distance < nearest_distance) {
            nearest = c->name;
            nearest_distance = distance;
        }
    }
    if (nearest != NULL) {
        fprintf(stderr, "lutra: unknown command '%s'; did you mean '%s'?\n", name, nearest);
    } else {
        fprintf(stderr, "lutra: unknown command '%s'; 'lutra help' lists them\n", name);
    }
    return CLI_EXIT_USAGE;
}

static int run_command(int argc, char **argv) {
    for (const CliCommand *c = cli_commands; c->name != NULL; c++) {
        if (strcmp(argv[0], c->name) == 0) {
            char name[64];
            (void)snprintf(name, sizeof name, "lutra %s", c->name);
            argv[0] = name;
            const int code = c->run(argc, argv);
            if (fflush(stdout) != 0 && code == CLI_EXIT_DONE) {
                fprintf(stderr, "%s: cannot write to standard output\n", name);
                return CLI_EXIT_ENVIRONMENT;
            }
            return code;
        }
    }
    return unknown_command(argv[0]);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_overview(stderr);
        return CLI_EXIT_USAGE;
    }
    const char *const word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        puts("lutra " LUTRA_VERSION);
        return CLI_EXIT_DONE;
    }
    const bool help = strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
    if (help && argc == 2) {
        print_overview(stdout);
        return CLI_EXIT_DONE;
    }
    if (help) {
        char option[] = "--help";
        char *arguments[] = {argv[2], option, NULL};
        return run_command(2, arguments);
    }
    return run_command(argc - 1, argv + 1);
}
