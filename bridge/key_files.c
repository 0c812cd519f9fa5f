/* SPDX-License-Identifier: Apache-2.0 */
/* Client and evaluation keys as files; see key_files.h. */
#include "bridge/key_files.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "base/entropy.h"
#include "base/memory.h"
#include "bridge/server_backend.h"
#include "sim/circuit_checksum.h"

static const LutraSealedKind CLIENT = {"lutraCKY", 1, "client key"};
static const LutraSealedKind EVALUATION = {"lutraEVK", 1, "evaluation key"};

/* --- what belongs together -------------------------------------------------------------------- */

LutraStatus lutra_key_id_put(LutraSealedWriter *writer, const LutraKeyId *id, LutraError *error) {
    LUTRA_TRY(lutra_sealed_put_u64(writer, &id->circuit, 1, error));
    return lutra_sealed_put(writer, id->pair, sizeof id->pair, error);
}

LutraStatus lutra_key_id_take(LutraKeyId *id, LutraSealedReader *reader, const LutraKeyId *expected,
                              bool with_pair, LutraError *error) {
    LutraKeyId found = {0};
    LUTRA_TRY(lutra_sealed_take_u64(reader, &found.circuit, 1, error));
    LUTRA_TRY(lutra_sealed_take(reader, found.pair, sizeof found.pair, error));
    if (found.circuit != expected->circuit) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' is of another circuit: make a new %s for this one",
                               reader->path, reader->kind->noun);
    }
    if (with_pair && memcmp(found.pair, expected->pair, sizeof found.pair) != 0) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' belongs to other keys: take the files of one 'lutra keygen'",
                               reader->path);
    }
    *id = found;
    return LUTRA_OK;
}

LutraStatus lutra_key_file_expect(const LutraSealedReader *reader, uint64_t bytes,
                                  LutraError *error) {
    return reader->bytes == bytes
               ? LUTRA_OK
               : lutra_error_set(error, LUTRA_EDATA,
                                 "'%s' has %" PRIu64
                                 " bytes of contents; a %s of this circuit has "
                                 "%" PRIu64,
                                 reader->path, reader->bytes, reader->kind->noun, bytes);
}

/* --- the client's key ------------------------------------------------------------------------- */

static size_t seeds_bytes(uint32_t set_count) {
    return (size_t)set_count * LUTRA_SEED_BYTES;
}

static LutraStatus client_key_init(LutraClientKey *key, const LutraCircuit *server,
                                   LutraError *error) {
    *key = (LutraClientKey){.id = {.circuit = lutra_circuit_checksum(server)},
                            .set_count = server->parameter_count};
    if (key->set_count == 0) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "the circuit has no crypto parameters: "
                               "compile it with fewer bits");
    }
    return lutra_alloc(&key->seeds, key->set_count, LUTRA_SEED_BYTES, error);
}

LutraStatus lutra_client_key_draw(LutraClientKey *key, const LutraCircuit *server,
                                  LutraError *error) {
    LutraStatus status = client_key_init(key, server, error);
    if (status == LUTRA_OK) {
        status = lutra_entropy(key->id.pair, sizeof key->id.pair, error);
    }
    for (uint32_t i = 0; status == LUTRA_OK && i < key->set_count; i++) {
        status = lutra_entropy(key->seeds + seeds_bytes(i), LUTRA_SEED_BYTES, error);
    }
    if (status != LUTRA_OK) {
        lutra_client_key_deinit(key);
    }
    return status;
}

void lutra_client_key_deinit(LutraClientKey *key) {
    if (key->seeds != NULL) {
        lutra_wipe(key->seeds, seeds_bytes(key->set_count));
    }
    lutra_free(&key->seeds);
    *key = (LutraClientKey){.set_count = 0};
}

LutraStatus lutra_client_key_write(const LutraClientKey *key, const char *path, bool force,
                                   LutraError *error) {
    const uint64_t count = key->set_count;
    LutraSealedWriter writer;
    LutraStatus status = LUTRA_OK;
    LUTRA_TRY(lutra_sealed_create(&writer, path, &CLIENT, force, error));
    LUTRA_TRY_GOTO(status, lutra_key_id_put(&writer, &key->id, error));
    LUTRA_TRY_GOTO(status, lutra_sealed_put_u64(&writer, &count, 1, error));
    LUTRA_TRY_GOTO(status,
                   lutra_sealed_put(&writer, key->seeds, seeds_bytes(key->set_count), error));
    return lutra_sealed_commit(&writer, error);
done:
    lutra_sealed_abandon(&writer);
    return status;
}

static LutraStatus check_mode(const LutraSealedReader *reader, LutraError *error) {
    struct stat info;
    if (fstat(fileno(reader->stream), &info) == 0 && (info.st_mode & (S_IRWXG | S_IRWXO)) == 0) {
        return LUTRA_OK;
    }
    return lutra_error_set(error, LUTRA_EINVAL,
                           "others than you may read '%s', a secret key: chmod 600 it",
                           reader->path);
}

static LutraStatus read_client(LutraClientKey *key, LutraSealedReader *reader, LutraError *error) {
    uint64_t count = 0;
    LUTRA_TRY(check_mode(reader, error));
    LUTRA_TRY(lutra_key_id_take(&key->id, reader, &key->id, false, error));
    LUTRA_TRY(lutra_key_file_expect(reader, 8 + seeds_bytes(key->set_count), error));
    LUTRA_TRY(lutra_sealed_take_u64(reader, &count, 1, error));
    if (count != key->set_count) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' is of %" PRIu64 " parameter sets, the circuit has %" PRIu32,
                               reader->path, count, key->set_count);
    }
    LUTRA_TRY(lutra_sealed_take(reader, key->seeds, seeds_bytes(key->set_count), error));
    return lutra_sealed_end(reader, error);
}

LutraStatus lutra_client_key_read(LutraClientKey *key, const char *path, const LutraCircuit *server,
                                  LutraError *error) {
    LutraSealedReader reader = {.stream = NULL};
    LutraStatus status = client_key_init(key, server, error);
    if (status == LUTRA_OK) {
        status = lutra_sealed_open(&reader, path, &CLIENT, error);
    }
    if (status == LUTRA_OK) {
        status = read_client(key, &reader, error);
    }
    lutra_sealed_close(&reader);
    if (status != LUTRA_OK) {
        lutra_client_key_deinit(key);
    }
    return status;
}

/* --- sizes ------------------------------------------------------------------------------------ */

static size_t big_bits(const LutraCryptoParameters *parameters) {
    return (size_t)parameters->glwe_dim << parameters->log2_poly;
}

static size_t keyswitch_bodies(const LutraCircuit *server, LutraKeyswitchPair pair) {
    return big_bits(&server->parameters[pair.from]) * server->parameters[pair.to].ks_level;
}

static size_t keyswitch_words(const LutraCircuit *server, LutraKeyswitchPair pair) {
    return keyswitch_bodies(server, pair) * (server->parameters[pair.to].lwe_dim + 1);
}

static size_t bits_of_part(const LutraCryptoParameters *parameters, size_t first) {
    const size_t left = parameters->lwe_dim - first;
    return left < LUTRA_KEY_BITS_OF_PART ? left : LUTRA_KEY_BITS_OF_PART;
}

static uint64_t parts_of_set(const LutraCryptoParameters *parameters) {
    return (parameters->lwe_dim + LUTRA_KEY_BITS_OF_PART - 1) / LUTRA_KEY_BITS_OF_PART;
}

/** Parts of all bootstrap keys, and keyswitch keys: the steps of progress. */
static uint64_t count_steps(const LutraCircuit *server, const LutraKeyLayout *layout) {
    uint64_t steps = layout->keyswitch_count;
    for (uint32_t i = 0; i < server->parameter_count; i++) {
        steps += parts_of_set(&server->parameters[i]);
    }
    return steps;
}

uint64_t lutra_evaluation_key_bytes(const LutraCircuit *server, const LutraKeyLayout *layout) {
    uint64_t bytes = sizeof(uint64_t) + LUTRA_KEY_PAIR_BYTES;
    for (uint32_t i = 0; i < server->parameter_count; i++) {
        const LutraCryptoParameters *const set = &server->parameters[i];
        bytes += parts_of_set(set) * LUTRA_SEED_BYTES;
        bytes += (uint64_t)set->lwe_dim * lutra_seeded_bootstrap_words(set) * 8;
    }
    for (uint32_t i = 0; i < layout->keyswitch_count; i++) {
        bytes += LUTRA_SEED_BYTES + (uint64_t)keyswitch_bodies(server, layout->keyswitches[i]) * 8;
    }
    return bytes;
}

/* --- making an evaluation key ----------------------------------------------------------------- */

typedef struct {
    const LutraClientKey *key;
    const LutraCircuit *server;
    LutraKeyLayout layout;
    LutraSeededContext **sets; /* (parameter_count), owned like the next */
    uint64_t *bodies;          /* of the largest part */
    LutraSealedWriter writer;
    const LutraProgress *progress;
    uint64_t steps;
    uint64_t steps_done;
} Maker;

static LutraStatus tick(const LutraProgress *progress, const char *stage, uint64_t done,
                        uint64_t total, LutraError *error) {
    return lutra_progress_tick(progress, stage, done, total, NAN)
               ? lutra_error_set(error, LUTRA_ECANCELLED, "%s was cancelled", stage)
               : LUTRA_OK;
}

static size_t largest_bodies(const LutraCircuit *server, const LutraKeyLayout *layout) {
    size_t largest = 1;
    for (uint32_t i = 0; i < server->parameter_count; i++) {
        const LutraCryptoParameters *const set = &server->parameters[i];
        const size_t words = bits_of_part(set, 0) * lutra_seeded_bootstrap_words(set);
        largest = words > largest ? words : largest;
    }
    for (uint32_t i = 0; i < layout->keyswitch_count; i++) {
        const size_t words = keyswitch_bodies(server, layout->keyswitches[i]);
        largest = words > largest ? words : largest;
    }
    return largest;
}

static LutraStatus put_part(Maker *maker, const uint8_t *seed, size_t words, LutraError *error) {
    LUTRA_TRY(lutra_sealed_put(&maker->writer, seed, LUTRA_SEED_BYTES, error));
    LUTRA_TRY(lutra_sealed_put_u64(&maker->writer, maker->bodies, words, error));
    maker->steps_done++;
    return tick(maker->progress, "generating keys", maker->steps_done, maker->steps, error);
}

static LutraStatus make_bootstrap(Maker *maker, uint32_t index, LutraError *error) {
    const LutraCryptoParameters *const set = &maker->server->parameters[index];
    uint8_t seed[LUTRA_SEED_BYTES];
    for (size_t first = 0; first < set->lwe_dim; first += LUTRA_KEY_BITS_OF_PART) {
        const size_t count = bits_of_part(set, first);
        LUTRA_TRY(lutra_seeded_bootstrap_part(seed, maker->bodies, maker->sets[index], first, count,
                                              error));
        LUTRA_TRY(put_part(maker, seed, count * lutra_seeded_bootstrap_words(set), error));
    }
    return LUTRA_OK;
}

static LutraStatus make_parts(Maker *maker, LutraError *error) {
    uint8_t seed[LUTRA_SEED_BYTES];
    for (uint32_t i = 0; i < maker->server->parameter_count; i++) {
        LUTRA_TRY(make_bootstrap(maker, i, error));
    }
    for (uint32_t i = 0; i < maker->layout.keyswitch_count; i++) {
        const LutraKeyswitchPair pair = maker->layout.keyswitches[i];
        LUTRA_TRY(lutra_seeded_keyswitch_key(seed, maker->bodies, maker->sets[pair.to],
                                             maker->sets[pair.from], error));
        LUTRA_TRY(put_part(maker, seed, keyswitch_bodies(maker->server, pair), error));
    }
    return LUTRA_OK;
}

static LutraStatus make(Maker *maker, const char *path, bool force, uint32_t threads,
                        LutraError *error) {
    const LutraCircuit *const server = maker->server;
    LUTRA_TRY(lutra_key_layout_init(&maker->layout, server, error));
    maker->steps = count_steps(server, &maker->layout);
    LUTRA_TRY(lutra_alloc(&maker->sets, server->parameter_count, sizeof *maker->sets, error));
    LUTRA_TRY(lutra_alloc(&maker->bodies, largest_bodies(server, &maker->layout),
                          sizeof *maker->bodies, error));
    for (uint32_t i = 0; i < server->parameter_count; i++) {
        LUTRA_TRY(lutra_seeded_create(&maker->sets[i], &server->parameters[i],
                                      maker->key->seeds + seeds_bytes(i), threads, error));
    }
    LUTRA_TRY(lutra_sealed_create(&maker->writer, path, &EVALUATION, force, error));
    LUTRA_TRY(lutra_key_id_put(&maker->writer, &maker->key->id, error));
    LUTRA_TRY(make_parts(maker, error));
    LUTRA_ASSERT(maker->writer.bytes == lutra_evaluation_key_bytes(server, &maker->layout));
    return lutra_sealed_commit(&maker->writer, error);
}

LutraStatus lutra_evaluation_key_write(const char *path, bool force, const LutraClientKey *key,
                                       const LutraCircuit *server, uint32_t threads,
                                       const LutraProgress *progress, LutraError *error) {
    Maker maker = {.key = key, .server = server, .progress = progress};
    const LutraStatus status = make(&maker, path, force, threads, error);
    if (status != LUTRA_OK) {
        lutra_sealed_abandon(&maker.writer);
    }
    for (uint32_t i = 0; maker.sets != NULL && i < server->parameter_count; i++) {
        lutra_seeded_destroy(&maker.sets[i]);
    }
    lutra_free(&maker.sets);
    lutra_free(&maker.bodies);
    lutra_key_layout_deinit(&maker.layout);
    return status;
}

/* --- reading an evaluation key ---------------------------------------------------------------- */

typedef struct {
    LutraCircuitKeys *keys;
    const LutraCircuit *server;
    LutraSealedReader reader;
    LutraSeededContext *context; /* of the set at work; without secret keys */
    uint64_t *bodies;            /* of the largest part, owned like the next */
    uint64_t *words;             /* of the largest part of a bootstrap key */
    uint32_t threads;
    const LutraProgress *progress;
    uint64_t steps;
    uint64_t steps_done;
} Taker;

static LutraStatus take_part(Taker *taker, uint8_t *seed, size_t words, LutraError *error) {
    LUTRA_TRY(lutra_sealed_take(&taker->reader, seed, LUTRA_SEED_BYTES, error));
    LUTRA_TRY(lutra_sealed_take_u64(&taker->reader, taker->bodies, words, error));
    taker->steps_done++;
    return tick(taker->progress, "reading keys", taker->steps_done, taker->steps, error);
}

static LutraStatus take_bootstrap(Taker *taker, uint32_t index, LutraError *error) {
    const LutraCryptoParameters *const set = &taker->server->parameters[index];
    LutraBootstrapKey *const key = lutra_server_bootstrap_key(&taker->keys->sets[index]);
    uint8_t seed[LUTRA_SEED_BYTES];
    for (size_t first = 0; first < set->lwe_dim; first += LUTRA_KEY_BITS_OF_PART) {
        const size_t count = bits_of_part(set, first);
        LUTRA_TRY(take_part(taker, seed, count * lutra_seeded_bootstrap_words(set), error));
        LUTRA_TRY(lutra_expand_bootstrap_part(taker->words, taker->context, seed, taker->bodies,
                                              count, error));
        LUTRA_TRY(lutra_bootstrap_key_fill(key, first, count, taker->words, taker->threads, error));
    }
    return LUTRA_OK;
}

static LutraStatus take_keyswitch(Taker *taker, uint32_t index, LutraError *error) {
    const LutraKeyswitchPair pair = taker->keys->layout.keyswitches[index];
    LutraBackend *backend = &taker->keys->sets[pair.to];
    uint8_t seed[LUTRA_SEED_BYTES];
    uint64_t *words = NULL;
    if (pair.from != pair.to) {
        const LutraBackend *const to = backend;
        backend = &taker->keys->readers[index];
        backend->operations = to->operations;
        LUTRA_TRY(backend->operations->create_reader(&backend->context, to->context,
                                                     taker->keys->sets[pair.from].context, NULL,
                                                     taker->progress, error));
    }
    LUTRA_TRY(take_part(taker, seed, keyswitch_bodies(taker->server, pair), error));
    LUTRA_TRY(lutra_alloc(&words, keyswitch_words(taker->server, pair), sizeof *words, error));
    const LutraStatus status =
        lutra_expand_keyswitch_key(words, taker->context, seed, taker->bodies,
                                   big_bits(&taker->server->parameters[pair.from]), error);
    if (status != LUTRA_OK) {
        lutra_free(&words);
        return status;
    }
    lutra_server_set_keyswitch(backend, words, big_bits(&taker->server->parameters[pair.from]) + 1);
    return LUTRA_OK;
}

/** A context to expand the parts of one set with, in place of the one before. */
static LutraStatus change_context(Taker *taker, uint32_t set, LutraError *error) {
    lutra_seeded_destroy(&taker->context);
    return lutra_seeded_create(&taker->context, &taker->server->parameters[set], NULL,
                               taker->threads, error);
}

static LutraStatus allocate_scratch(Taker *taker, LutraError *error) {
    size_t largest = 1;
    for (uint32_t i = 0; i < taker->server->parameter_count; i++) {
        const LutraCryptoParameters *const set = &taker->server->parameters[i];
        const size_t words =
            bits_of_part(set, 0) * lutra_seeded_bootstrap_words(set) * (set->glwe_dim + 1);
        largest = words > largest ? words : largest;
    }
    LUTRA_TRY(lutra_alloc(&taker->bodies, largest_bodies(taker->server, &taker->keys->layout),
                          sizeof *taker->bodies, error));
    return lutra_alloc(&taker->words, largest, sizeof *taker->words, error);
}

static LutraStatus take(Taker *taker, LutraKeyId *id, const char *path,
                        const LutraBackendSettings *settings, LutraError *error) {
    const LutraCircuit *const server = taker->server;
    const LutraKeyId expected = {.circuit = lutra_circuit_checksum(server)};
    LUTRA_TRY(lutra_seeded_check(error));
    LUTRA_TRY(lutra_sealed_open(&taker->reader, path, &EVALUATION, error));
    LUTRA_TRY(
        lutra_circuit_keys_init(taker->keys, lutra_backend_server(), server, settings, error));
    LUTRA_TRY(lutra_key_id_take(id, &taker->reader, &expected, false, error));
    LUTRA_TRY(lutra_key_file_expect(&taker->reader,
                                    lutra_evaluation_key_bytes(server, &taker->keys->layout) -
                                        sizeof(uint64_t) - LUTRA_KEY_PAIR_BYTES,
                                    error));
    LUTRA_TRY(allocate_scratch(taker, error));
    taker->steps = count_steps(server, &taker->keys->layout);
    for (uint32_t i = 0; i < server->parameter_count; i++) {
        LUTRA_TRY(change_context(taker, i, error));
        LUTRA_TRY(take_bootstrap(taker, i, error));
    }
    for (uint32_t i = 0; i < taker->keys->layout.keyswitch_count; i++) {
        LUTRA_TRY(change_context(taker, taker->keys->layout.keyswitches[i].to, error));
        LUTRA_TRY(take_keyswitch(taker, i, error));
    }
    return lutra_sealed_end(&taker->reader, error);
}

LutraStatus lutra_evaluation_key_read(LutraCircuitKeys *keys, LutraKeyId *id, const char *path,
                                      const LutraCircuit *server,
                                      const LutraBackendSettings *settings,
                                      const LutraProgress *progress, LutraError *error) {
    LutraCircuitKeys made = {.set_count = 0};
    LutraKeyId found = {0};
    Taker taker = {
        .keys = &made, .server = server, .threads = settings->threads, .progress = progress};
    const LutraStatus status = take(&taker, &found, path, settings, error);
    lutra_sealed_close(&taker.reader);
    lutra_seeded_destroy(&taker.context);
    lutra_free(&taker.bodies);
    lutra_free(&taker.words);
    if (status != LUTRA_OK) {
        lutra_circuit_keys_deinit(&made);
        *keys = (LutraCircuitKeys){.set_count = 0};
        return status;
    }
    *keys = made;
    *id = found;
    return LUTRA_OK;
}
