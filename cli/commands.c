/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of subcommands: dispatch, help and suggestions all read it. */
#include "cli/commands.h"

#include "cli/cli.h"

const CliCommand cli_commands[] = {
    {"dataset", cmd_dataset, "imports, describes and shows image datasets", "Data and models"},
    {"train", cmd_train, "trains a quantized network on a dataset", "Data and models"},
    {"evaluate", cmd_evaluate, "accuracy of a trained model in the clear", "Data and models"},
    {"export", cmd_export, "packs a trained model: what inference needs, a byte a weight",
     "Data and models"},
    {"import", cmd_import, "makes a model of weights that another program trained",
     "Data and models"},
    {"compile", cmd_compile, "makes the integer circuit of a model", "Circuits"},
    {"inspect", cmd_inspect, "shows a circuit layer by layer: widths, look-ups, cost", "Circuits"},
    {"simulate", cmd_simulate, "runs a circuit in the clear on a whole split", "Circuits"},
    {"sweep", cmd_sweep, "runs many rounding settings of a network, with intervals", "Circuits"},
    {"search", cmd_search, "cheapest widths and p_error within a budget of accuracy", "Circuits"},
    {"verify", cmd_verify, "runs samples under real FHE and checks every look-up", "Real FHE"},
    {"keygen", cmd_keygen, "keys as files, for a client and a server", "Real FHE"},
    {"encrypt", cmd_encrypt, "client: images as ciphertexts", "Real FHE"},
    {"run", cmd_run, "server: a circuit on ciphertexts, with no secret", "Real FHE"},
    {"decrypt", cmd_decrypt, "client: answers of the server as logits", "Real FHE"},
    {"experiment", cmd_experiment, "published questions, each answered by one command", "Real FHE"},
    {"params", cmd_params, "crypto parameters for a precision, a norm and an error rate", "Crypto"},
    {"bench", cmd_bench, "speed and memory on this machine, against a stored baseline", "Machine"},
    {0}};
