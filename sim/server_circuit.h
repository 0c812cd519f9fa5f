/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server needs of a circuit, and what travels between it and the client.
 *
 * The client turns pixels into codes, runs the first operations if they are in the clear, and
 * encrypts; the server runs the encrypted operations; the client decrypts, runs the last operations
 * if they are in the clear, and turns sums into logits.
 */
#ifndef LUTRA_SIM_SERVER_CIRCUIT_H
#define LUTRA_SIM_SERVER_CIRCUIT_H

#include "sim/circuit.h"

/**
 * The circuit without what is the client's alone: codes of pixels, weights and tables of operations
 * in the clear say nothing, logits are the sums themselves, and names, texts and records are gone
 * except for names of operations. It has the same encrypted operations and crypto parameters.
 *
 * @param[out] server   owned by the caller; unchanged on error
 * @param      circuit  passed lutra_circuit_check
 * @errors LUTRA_ENOMEM; LUTRA_EDATA an operation in the clear cannot be emptied: its sums are
 *         never 0
 */
LUTRA_MUST_CHECK LutraStatus lutra_server_circuit(LutraCircuit *server, const LutraCircuit *circuit,
                                                  LutraError *error);

/** Whether the client encrypts this result: it is computed in the clear and an encrypted operation
 * reads it. */
bool lutra_is_sent_to_server(const LutraCircuit *circuit, uint32_t operation);

/** Whether the client decrypts this result: it is computed under encryption, and something in the
 * clear or the output reads it. */
bool lutra_is_sent_to_client(const LutraCircuit *circuit, uint32_t operation);

/** Whether an operation runs on the client before anything is encrypted: it and all that it reads
 * are computed in the clear. */
bool lutra_runs_before_server(const LutraCircuit *circuit, uint32_t operation);

#endif
