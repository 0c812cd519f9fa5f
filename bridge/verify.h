/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs samples on real ciphertexts and compares every look-up and every logit with the simulation.
 *
 * The tool holds the secret key, so it can look inside. Layer by layer it keeps the integers that
 * the ciphertexts really hold: a linear operation is recomputed exactly from its inputs' integers,
 * and a look-up's result is the entry that its position after keyswitch and modulus switch names,
 * whether right or wrong. So each wrong look-up is counted where it happens and only there, and a
 * noise of one finest digit in a wide accumulator is not mistaken for one.
 *
 *   wrong box    the look-up read another entry than the exact accumulator names
 *   mismatch     ... and that entry has another value
 *   stray        a result farther from its entry than noise explains: the bootstrap itself failed
 */
#ifndef LUTRA_BRIDGE_VERIFY_H
#define LUTRA_BRIDGE_VERIFY_H

#include "base/interval.h"
#include "bridge/backend.h"
#include "sim/circuit.h"
#include "sim/noise.h"

/* More than this many predicted deviations from its entry make a result a stray. Even a billion
 * look-ups reach 6.5; the rest is for keys with many ones. */
#define LUTRA_VERIFY_STRAY_DEVIATIONS 9.0

enum { LUTRA_VERIFY_MOST_NEURONS = 1 << 20 };

typedef struct {
    const LutraBackendOperations *backend;
    LutraBackendSettings backend_settings; /* threads also of the linear operations */
    const uint8_t *test_seed;              /* LUTRA_TEST_SEED_BYTES, or NULL: real entropy */
    LutraNoiseModel noise_model;           /* of the predictions */
    uint32_t neurons;     /* 0: whole images; else so many outputs of each operation (all, if it has
                             fewer), chosen by neuron_seed; at most LUTRA_VERIFY_MOST_NEURONS */
    uint64_t neuron_seed;
    const char *checkpoint; /* a file that remembers where the verification stands, or NULL */
    double checkpoint_seconds; /* at least so long between two writings of it */
    bool resume;            /* go on where the file stands, if there is one */
    const LutraProgress *progress;         /* may be NULL */
} LutraVerifySettings;

/** tfhe-rs backend and noise model, 1 thread, real entropy. */
void lutra_verify_default(LutraVerifySettings *settings);

/** One encrypted operation over all samples. */
typedef struct {
    char name[LUTRA_NAME_BYTES];
    uint32_t operation;
    LutraOperationKind kind;
    uint64_t elements; /* values seen: elements of the shape times samples */
    uint64_t lookups;  /* bootstraps run; an exact rounding counts its dropped bits */
    uint64_t wrong_boxes;
    uint64_t mismatches;
    uint64_t off_by_one; /* mismatches by one step of the result's encoding; the rest is larger */
    uint64_t strays;
    double expected_wrong_boxes;
    double expected_mismatches;
    LutraInterval mismatch_interval; /* 95 %, of the probability per look-up */
    double noise_std_measured;       /* of the result's words, fraction of the torus */
    double noise_std_predicted;
    double lookup_std_measured; /* tables: of the position that was read; else 0 */
    double lookup_std_predicted;
} LutraVerifyLayer;

typedef struct {
    uint32_t clear_class; /* largest logit of the clear simulation */
    uint32_t encrypted_class;
    bool logits_equal; /* bit for bit */
    double largest_logit_difference;
    uint64_t lookups;
    uint64_t mismatches;
    double expected_mismatches;
    double encrypt_seconds;
    double run_seconds;
    double decrypt_seconds;
} LutraVerifySample;

/** One output that was chosen, at its look-up. */
typedef struct {
    uint64_t image;     /* number among those verified */
    uint32_t operation;
    size_t element;     /* of its shape */
    int32_t expected;   /* in the simulation, which clamps what leaves its encoding */
    int32_t found;      /* what was read; on the torus such values wrap */
} LutraVerifyNeuron;

typedef enum {
    LUTRA_VERDICT_AGREES = 0, /* the expected number lies in the interval of the observed */
    LUTRA_VERDICT_FEWER = 1,  /* fewer wrong look-ups than predicted: the model is cautious */
    LUTRA_VERDICT_MORE = 2,   /* more than predicted: do not trust the simulation */
    LUTRA_VERDICT_BROKEN = 3  /* strays: the encrypted computation itself is wrong */
} LutraVerdict;

typedef struct {
    uint64_t sample_count;      /* finished */
    LutraVerifySample *samples; /* (sample_count), owned */
    uint32_t class_count;
    float *clear_logits;     /* (sample_count, class_count), owned */
    float *encrypted_logits; /* (sample_count, class_count), owned */
    uint32_t layer_count;
    LutraVerifyLayer *layers; /* encrypted operations and encrypted inputs in order, owned */
    uint64_t neuron_count;
    LutraVerifyNeuron *neurons; /* (neuron_count) if outputs were chosen, owned */
    uint64_t lookups;
    uint64_t wrong_boxes;
    uint64_t mismatches;
    uint64_t strays;
    double expected_wrong_boxes;
    double expected_mismatches;
    LutraInterval mismatch_interval; /* 95 %, of the probability per look-up */
    uint64_t logits_equal;           /* samples; this and the next: 0 if outputs were chosen */
    uint64_t top1_agree;             /* samples */
    LutraVerdict verdict;
    uint64_t key_bytes;
    uint64_t ciphertext_bytes; /* most that were alive at once */
    double keygen_seconds;
    double encrypt_seconds;
    double run_seconds;
    double decrypt_seconds;
} LutraVerifyResult;

/** Frees and zeroes. */
void lutra_verify_result_deinit(LutraVerifyResult *result);

/**
 * Verifies `count` images, or chosen outputs of them.
 *
 * With a checkpoint, the keys follow from a random seed of 128 bits (or from test_seed), and after
 * each operation with look-ups, and each image, the file receives that seed, the ciphertexts that
 * are still to be read and all that was counted. Whoever reads it has the secret keys. It is
 * readable by its owner only, replaced as a whole and removed at the end. A run that goes on gives
 * the very result of one that was never interrupted, but for its seconds.
 * Where outputs were chosen, encrypted classes
 * and logits are those of the simulation: they say nothing.
 *
 * @param[out] result   owned by the caller; zeroed on error, except LUTRA_ECANCELLED: then it holds
 *                      the samples that were finished; layers and their sums also count the
 *                      look-ups of the one that was not
 * @param      circuit  passed lutra_circuit_check
 * @param      pixels   (count, C, H, W)
 * @param      count    >= 1
 * @errors those of lutra_encrypted_check and of the backend; LUTRA_ENOMEM; LUTRA_ECANCELLED;
 *         LUTRA_EINVAL a checkpoint of chosen outputs, one that exists without `resume`, or that
 *         cannot be written; LUTRA_EDATA one that is damaged, or of another circuit, other images
 *         or settings. One that can no longer be written later is a note of the progress
 */
LUTRA_MUST_CHECK LutraStatus lutra_verify(LutraVerifyResult *result, const LutraCircuit *circuit,
                                          const uint8_t *pixels, uint64_t count,
                                          const LutraVerifySettings *settings, LutraError *error);

/** One sentence on a verdict; never NULL. */
const char *lutra_verdict_text(LutraVerdict verdict);

#endif
