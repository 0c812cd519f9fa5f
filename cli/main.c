/* SPDX-License-Identifier: Apache-2.0 */
/* The program: finds the subcommand and hands over. */
#include <stdlib.h>
#include <string.h>

#include "base/nearest_word.h"
#include "cli/cli.h"
#include "cli/waiting_threads.h"

#ifndef LUTRA_VERSION
#define LUTRA_VERSION "unknown"
#endif

static void print_overview(FILE *stream) {
    fputs(
        "usage: lutra COMMAND [OPTION...]\n\n"
        "Quantized neural networks under fully homomorphic encryption (TFHE):\n"
        "train them, simulate their encrypted accuracy exactly, verify on real\n"
        "ciphertexts.\n",
        stream);
    const char *group = "";
    for (const CliCommand *c = cli_commands; c->name != NULL; c++) {
        if (strcmp(group, c->group) != 0) {
            fprintf(stream, "\n%s\n", c->group);
            group = c->group;
        }
        fprintf(stream, "  %-10s %s\n", c->name, c->summary);
    }
    fputs(
        "\n'lutra COMMAND --help' explains one command. Exit codes: 0 done, 1 a checked\n"
        "condition fails, 2 usage, 3 bad input data, 4 environment, 5 bug,\n"
        "130 interrupted.\n",
        stream);
}

static int unknown_command(const char *name) {
    enum { MOST = 64 };
    const char *words[MOST];
    size_t count = 0;
    for (const CliCommand *c = cli_commands; c->name != NULL && count < MOST; c++) {
        words[count++] = c->name;
    }
    const char *const nearest = lutra_nearest_word(name, words, count);
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
            return code == CLI_EXIT_DONE ? cli_end_text(name) : code;
        }
    }
    return unknown_command(argv[0]);
}

int main(int argc, char **argv) {
    cli_let_threads_sleep(argv);
    if (argc < 2) {
        print_overview(stderr);
        return CLI_EXIT_USAGE;
    }
    const char *const word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        puts("lutra " LUTRA_VERSION);
        return cli_end_text("lutra");
    }
    const bool help =
        strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
    if (help && argc == 2) {
        print_overview(stdout);
        return cli_end_text("lutra");
    }
    if (help) {
        char option[] = "--help";
        char *arguments[] = {argv[2], option, NULL};
        return run_command(2, arguments);
    }
    return run_command(argc - 1, argv + 1);
}
