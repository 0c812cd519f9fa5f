/* SPDX-License-Identifier: Apache-2.0 */
/* The entry points of the subcommands, one per cmd_<name>.c. */
#ifndef LUTRA_CLI_COMMANDS_H
#define LUTRA_CLI_COMMANDS_H

int cmd_dataset(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_evaluate(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_compile(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_simulate(int argc, char **argv);
int cmd_sweep(int argc, char **argv);
int cmd_search(int argc, char **argv);
int cmd_params(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_keygen(int argc, char **argv);
int cmd_encrypt(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_decrypt(int argc, char **argv);
int cmd_experiment(int argc, char **argv);

#endif
