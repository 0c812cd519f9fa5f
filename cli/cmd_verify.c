/* SPDX-License-Identifier: Apache-2.0 */
/* lutra verify: samples on real ciphertexts, every look-up compared with the simulation. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/file.h"
#include "base/memory.h"
#include "bridge/encrypted.h"
#include "bridge/verify.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/cost_report.h"
#include "cli/crypto_report.h"
#include "cli/csv_file.h"
#include "cli/verify_charts.h"
#include "datasets/dataset.h"
#include "sim/circuit_parameters.h"

static const char *const COMMAND = "verify";

enum { KEY_DATA = 1, KEY_SPLIT, KEY_SAMPLES, KEY_FIRST, KEY_KEY_LIMIT, KEY_TEST_KEYS, KEY_LOOKUPS,
       KEY_NEURONS, KEY_CHECKPOINT, KEY_RESUME };

/* Between two writings of a checkpoint: a layer of a large network gives a gigabyte. */
static const double CHECKPOINT_SECONDS = 10.0;

typedef struct {
    CliCommon common;
    const char *circuit_path;
    const char *data_path;
    const char *folder;
    LutraSplitKind split;
    uint64_t samples;
    uint64_t first;
    uint64_t key_limit_gib;
    bool test_keys;
    bool library_lookups;
    uint32_t neurons; /* 0: whole images */
    const char *checkpoint;
    bool resume;
} Options;

static const struct argp_option option_table[] = {
    {NULL, 0, NULL, 0, "Input:", 1},
    {"data", KEY_DATA, "FILE", 0, "dataset to take samples from (required)", 1},
    {"split", KEY_SPLIT, "NAME", 0, "train or test (default test)", 1},
    {"samples", KEY_SAMPLES, "K", 0, "images to run (default 1)", 1},
    {"first", KEY_FIRST, "N", 0, "index of the first image (default 0)", 1},
    {"neurons", KEY_NEURONS, "M", 0,
     "not whole images, but M outputs of each operation, drawn by --seed, with the inputs that the "
     "simulation has and the noise that they would carry", 1},
    {NULL, 0, NULL, 0, "Keys:", 2},
    {"key-limit", KEY_KEY_LIMIT, "GIB", 0, "refuse larger evaluation keys (default 8)", 2},
    {"insecure-test-keys", KEY_TEST_KEYS, NULL, 0,
     "keys from --seed instead of the system's entropy: they protect nothing", 2},
    {"lookups", KEY_LOOKUPS, "WHOSE", 0,
     "lutra (default): blind rotation by lutra's own kernels; or tfhe-rs: by the library", 2},
    {NULL, 0, NULL, 0, "Long runs:", 3},
    {"checkpoint", KEY_CHECKPOINT, "FILE", 0,
     "keep there, layer by layer, what it takes to go on: THE SECRET KEYS' SEED, ciphertexts and "
     "counts; only you may read it, and it is removed at the end", 3},
    {"resume", KEY_RESUME, NULL, 0, "go on from the checkpoint, if there is one", 3},
    {NULL, 0, NULL, 0, "Output:", 4},
    {"output", 'o', "DIR", 0,
     "write layers.csv and layers.png there, and samples.csv and logits.png, or with --neurons "
     "neurons.csv", 4},
    {0}};

static error_t parse(int key, char *argument, struct argp_state *state) {
    Options *const options = state->input;
    switch (key) {
        case ARGP_KEY_INIT: state->child_inputs[0] = &options->common; return 0;
        case KEY_DATA: options->data_path = argument; return 0;
        case KEY_SPLIT: options->split = cli_parse_split(state, argument); return 0;
        case KEY_SAMPLES:
            options->samples = cli_parse_u64(state, "--samples", argument, 1, 1000000);
            return 0;
        case KEY_FIRST:
            options->first = cli_parse_u64(state, "--first", argument, 0, UINT32_MAX);
            return 0;
        case KEY_KEY_LIMIT:
            options->key_limit_gib = cli_parse_u64(state, "--key-limit", argument, 1, 1 << 20);
            return 0;
        case KEY_TEST_KEYS: options->test_keys = true; return 0;
        case KEY_NEURONS:
            options->neurons = (uint32_t)cli_parse_u64(state, "--neurons", argument, 1,
                                                       LUTRA_VERIFY_MOST_NEURONS);
            return 0;
        case KEY_LOOKUPS:
            options->library_lookups = strcmp(argument, "tfhe-rs") == 0;
            if (!options->library_lookups && strcmp(argument, "lutra") != 0) {
                argp_failure(state, CLI_EXIT_USAGE, 0,
                             "invalid value '%s' for '--lookups'; should be lutra or tfhe-rs",
                             argument);
            }
            return 0;
        case KEY_CHECKPOINT: options->checkpoint = argument; return 0;
        case KEY_RESUME: options->resume = true; return 0;
        case 'o': options->folder = argument; return 0;
        case ARGP_KEY_ARG:
            if (options->circuit_path != NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "one circuit at a time, but found '%s'",
                             argument);
            }
            options->circuit_path = argument;
            return 0;
        case ARGP_KEY_END:
            if (options->circuit_path == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "needs a circuit file");
            }
            if (options->data_path == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "needs --data FILE");
            }
            if (options->resume && options->checkpoint == NULL) {
                argp_failure(state, CLI_EXIT_USAGE, 0, "--resume needs --checkpoint FILE");
            }
            if (options->checkpoint != NULL && options->neurons > 0) {
                argp_failure(state, CLI_EXIT_USAGE, 0,
                             "--checkpoint is for whole images; leave it or --neurons out");
            }
            return 0;
        default: return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_child children[] = {{&cli_common_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
    option_table,
    parse,
    "CIRCUIT.h5",
    "Runs samples under real FHE (tfhe-rs) and compares every table look-up, layer by layer, and "
    "all logits with the simulation and with the noise model."
    "\vExamples:\n"
    "  lutra verify small.circuit.h5 --data fashion-mnist.h5 -o verified\n"
    "  lutra verify vgg9.circuit.h5 --data cifar10.h5 --samples 3 --json \\\n"
    "      --first 100\n"
    "  lutra verify vgg9.circuit.h5 --data cifar10.h5 --neurons 200 -o sampled\n"
    "  lutra verify vgg9.circuit.h5 --data cifar10.h5 --resume \\\n"
    "      --checkpoint vgg9.part\n\n"
    "A wrong look-up is counted once, in the layer where it happens. Its expected number comes "
    "from the noise of each look-up and how near its value stands to another entry.\n\n"
    "Exit codes: 0 done; 1 done, but there are more wrong look-ups than the noise model "
    "explains; 2 usage; 3 bad input data; 4 environment; 5 bug in lutra; 130 interrupted.",
    children,
    NULL,
    NULL};

/* --- files ------------------------------------------------------------------------------------ */

static void print_samples(FILE *out, const Options *options, const LutraVerifyResult *result,
                          const LutraSplit *split) {
    fputs(
        "image,label,clear_class,encrypted_class,logits_equal,largest_logit_difference,pbs,"
        "mismatches,expected_mismatches,encrypt_seconds,run_seconds,decrypt_seconds",
        out);
    for (uint32_t c = 0; c < result->class_count; c++) {
        fprintf(out, ",clear_logit_%" PRIu32 ",encrypted_logit_%" PRIu32, c, c);
    }
    fputc('\n', out);
    for (uint64_t s = 0; s < result->sample_count; s++) {
        const LutraVerifySample *const sample = &result->samples[s];
        fprintf(out,
                "%" PRIu64 ",%u,%" PRIu32 ",%" PRIu32 ",%d,%.9g,%" PRIu64 ",%" PRIu64
                ",%.6g,%.6f,%.3f,%.6f",
                options->first + s, split->labels[options->first + s], sample->clear_class,
                sample->encrypted_class, sample->logits_equal ? 1 : 0,
                sample->largest_logit_difference, sample->lookups, sample->mismatches,
                sample->expected_mismatches, sample->encrypt_seconds, sample->run_seconds,
                sample->decrypt_seconds);
        for (uint32_t c = 0; c < result->class_count; c++) {
            const size_t at = (size_t)s * result->class_count + c;
            fprintf(out, ",%.9g,%.9g", (double)result->clear_logits[at],
                    (double)result->encrypted_logits[at]);
        }
        fputc('\n', out);
    }
}

static void print_layers(FILE *out, const LutraVerifyResult *result) {
    fputs(
        "name,kind,elements,pbs,wrong_boxes,expected_wrong_boxes,mismatches,"
        "expected_mismatches,mismatch_low_95,mismatch_high_95,off_by_one,strays,"
        "noise_std_measured,noise_std_predicted,lookup_std_measured,lookup_std_predicted\n",
        out);
    for (uint32_t i = 0; i < result->layer_count; i++) {
        const LutraVerifyLayer *const layer = &result->layers[i];
        fprintf(out,
                "%s,%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.6g,%" PRIu64 ",%.6g,%.6g,%.6g,%" PRIu64
                ",%" PRIu64 ",%.6g,%.6g,%.6g,%.6g\n",
                layer->name, lutra_operation_kind_name(layer->kind), layer->elements,
                layer->lookups, layer->wrong_boxes, layer->expected_wrong_boxes, layer->mismatches,
                layer->expected_mismatches, layer->mismatch_interval.low,
                layer->mismatch_interval.high, layer->off_by_one, layer->strays,
                layer->noise_std_measured, layer->noise_std_predicted, layer->lookup_std_measured,
                layer->lookup_std_predicted);
    }
}

static void print_neurons(FILE *out, const Options *options, const LutraVerifyResult *result,
                          const LutraCircuit *circuit) {
    fputs("image,operation,element,expected,found\n", out);
    for (uint64_t i = 0; i < result->neuron_count; i++) {
        const LutraVerifyNeuron *const neuron = &result->neurons[i];
        fprintf(out, "%" PRIu64 ",%s,%zu,%" PRId32 ",%" PRId32 "\n",
                options->first + neuron->image, circuit->operations[neuron->operation].name,
                neuron->element, neuron->expected, neuron->found);
    }
}

static const char *samples_name(const Options *options) {
    return options->neurons > 0 ? "neurons.csv" : "samples.csv";
}

/* layers.csv if there is no split for the labels, else samples.csv or neurons.csv. */
static LutraStatus write_table(const Options *options, const char *name,
                               const LutraVerifyResult *result, const LutraSplit *split,
                               const LutraCircuit *circuit, LutraError *error) {
    CliCsv csv;
    char *path = NULL;
    LUTRA_TRY(lutra_file_path_in(&path, options->folder, name, error));
    LutraStatus status = cli_csv_open(&csv, error);
    if (status == LUTRA_OK) {
        if (split != NULL && options->neurons > 0) {
            print_neurons(csv.out, options, result, circuit);
        } else if (split != NULL) {
            print_samples(csv.out, options, result, split);
        } else {
            print_layers(csv.out, result);
        }
        status = cli_csv_close(&csv, path, options->common.force, error);
    }
    lutra_free(&path);
    return status;
}

/* Data and setting in a line, for pictures. */
static void describe(char text[256], const Options *options, const LutraVerifyResult *result,
                     const LutraDataset *dataset, const LutraCircuit *circuit) {
    char lookups[32];
    (void)snprintf(text, 256, "%s, %" PRIu64 " image%s of %s, %s look-ups, p_error %.3g%s",
                   circuit->name, result->sample_count, result->sample_count == 1 ? "" : "s",
                   dataset->name, cli_grouped(lookups, result->lookups),
                   lutra_circuit_worst_p_error(circuit),
                   options->neurons > 0 ? ", chosen outputs" : "");
}

static LutraStatus draw(const Options *options, const LutraVerifyResult *result,
                        const LutraDataset *dataset, const LutraCircuit *circuit,
                        LutraError *error) {
    char what[256];
    char *path = NULL;
    LutraStatus status = LUTRA_OK;
    describe(what, options, result, dataset, circuit);
    LUTRA_TRY(lutra_file_path_in(&path, options->folder, "layers.png", error));
    status = verify_draw_layers(result, what, path, options->common.force, error);
    lutra_free(&path);
    if (status == LUTRA_OK && options->neurons == 0) {
        LUTRA_TRY(lutra_file_path_in(&path, options->folder, "logits.png", error));
        status = verify_draw_logits(result, what, path, options->common.force, error);
        lutra_free(&path);
    }
    return status;
}

static LutraStatus check_folder(const Options *options, LutraError *error) {
    const char *const names[] = {samples_name(options), "layers.csv", "layers.png", "logits.png"};
    const size_t count = options->neurons > 0 ? 3 : 4;
    if (options->folder == NULL) {
        return LUTRA_OK;
    }
    LUTRA_TRY(lutra_folder_create(options->folder, error));
    for (size_t i = 0; i < count; i++) {
        char *path = NULL;
        LUTRA_TRY(lutra_file_path_in(&path, options->folder, names[i], error));
        const LutraStatus status = lutra_file_check_output(path, options->common.force, error);
        lutra_free(&path);
        LUTRA_TRY(status);
    }
    return LUTRA_OK;
}

/* --- reports ---------------------------------------------------------------------------------- */

static uint64_t peak_rss_bytes(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss * 1024 : 0;
}

static uint64_t correct_answers(const Options *options, const LutraVerifyResult *result,
                                const LutraSplit *split) {
    uint64_t correct = 0;
    for (uint64_t s = 0; s < result->sample_count; s++) {
        correct += result->samples[s].encrypted_class == split->labels[options->first + s];
    }
    return correct;
}

static void set_interval(LutraJson *object, const char *key, LutraInterval interval) {
    LutraJson *const ends = lutra_json_set_array(object, key);
    lutra_json_add_f64(ends, interval.low);
    lutra_json_add_f64(ends, interval.high);
}

static void set_layers(LutraJson *json, const LutraVerifyResult *result) {
    LutraJson *const layers = lutra_json_set_array(json, "layers");
    for (uint32_t i = 0; i < result->layer_count; i++) {
        const LutraVerifyLayer *const seen = &result->layers[i];
        LutraJson *const layer = lutra_json_add_object(layers);
        lutra_json_set_text(layer, "name", seen->name);
        lutra_json_set_text(layer, "kind", lutra_operation_kind_name(seen->kind));
        lutra_json_set_i64(layer, "elements", (int64_t)seen->elements);
        lutra_json_set_i64(layer, "pbs", (int64_t)seen->lookups);
        lutra_json_set_i64(layer, "wrong_boxes", (int64_t)seen->wrong_boxes);
        lutra_json_set_f64(layer, "expected_wrong_boxes", seen->expected_wrong_boxes);
        lutra_json_set_i64(layer, "mismatches", (int64_t)seen->mismatches);
        lutra_json_set_f64(layer, "expected_mismatches", seen->expected_mismatches);
        set_interval(layer, "mismatch_interval_95", seen->mismatch_interval);
        lutra_json_set_i64(layer, "off_by_one", (int64_t)seen->off_by_one);
        lutra_json_set_i64(layer, "larger", (int64_t)(seen->mismatches - seen->off_by_one));
        lutra_json_set_i64(layer, "strays", (int64_t)seen->strays);
        lutra_json_set_f64(layer, "noise_std_measured", seen->noise_std_measured);
        lutra_json_set_f64(layer, "noise_std_predicted", seen->noise_std_predicted);
        lutra_json_set_f64(layer, "lookup_std_measured", seen->lookup_std_measured);
        lutra_json_set_f64(layer, "lookup_std_predicted", seen->lookup_std_predicted);
    }
}

static int print_json(const Options *options, const LutraVerifyResult *result,
                      const LutraDataset *dataset, const LutraCircuit *circuit,
                      const LutraCircuitCost *cost) {
    static const char *const verdicts[] = {"agrees", "fewer", "more", "broken"};
    LutraJson *json = lutra_json_create("lutra.verify/1");
    lutra_json_set_text(json, "circuit", options->circuit_path);
    lutra_json_set_text(json, "data", options->data_path);
    lutra_json_set_text(json, "data_source", dataset->source);
    lutra_json_set_text(json, "data_checksum", dataset->checksum);
    lutra_json_set_text(json, "split", lutra_split_name(options->split));
    lutra_json_set_i64(json, "first", (int64_t)options->first);
    lutra_json_set_text(json, "backend", lutra_backend_tfhe()->name());
    lutra_json_set_text(json, "lookups", options->library_lookups ? "tfhe-rs" : "lutra");
    lutra_json_set_bool(json, "test_keys", options->test_keys);
    lutra_json_set_i64(json, "threads", options->common.threads);
    lutra_json_set_i64(json, "samples", (int64_t)result->sample_count);
    lutra_json_set_i64(json, "pbs_run", (int64_t)result->lookups);
    lutra_json_set_i64(json, "wrong_boxes", (int64_t)result->wrong_boxes);
    lutra_json_set_f64(json, "expected_wrong_boxes", result->expected_wrong_boxes);
    lutra_json_set_i64(json, "mismatches", (int64_t)result->mismatches);
    lutra_json_set_f64(json, "expected_mismatches", result->expected_mismatches);
    set_interval(json, "mismatch_interval_95", result->mismatch_interval);
    lutra_json_set_i64(json, "strays", (int64_t)result->strays);
    if (options->neurons > 0) {
        lutra_json_set_i64(json, "neurons", options->neurons);
        lutra_json_set_null(json, "logits_equal");
        lutra_json_set_null(json, "top1_agree");
        lutra_json_set_null(json, "top1_correct");
    } else {
        lutra_json_set_i64(json, "logits_equal", (int64_t)result->logits_equal);
        lutra_json_set_i64(json, "top1_agree", (int64_t)result->top1_agree);
        lutra_json_set_i64(
            json, "top1_correct",
            (int64_t)correct_answers(options, result, &dataset->splits[options->split]));
    }
    lutra_json_set_text(json, "verdict", verdicts[result->verdict]);
    lutra_json_set_f64(json, "keygen_seconds", result->keygen_seconds);
    lutra_json_set_f64(json, "encrypt_seconds", result->encrypt_seconds);
    lutra_json_set_f64(json, "run_seconds", result->run_seconds);
    if (options->neurons == 0) {
        lutra_json_set_f64(json, "predicted_run_seconds",
                           (double)result->sample_count * cost->seconds);
        lutra_json_set_f64(json, "predicted_encrypt_seconds",
                           (double)result->sample_count * cost->encrypt_seconds);
    }
    lutra_json_set_f64(json, "predicted_keygen_seconds", cost->keygen_seconds);
    lutra_json_set_f64(json, "decrypt_seconds", result->decrypt_seconds);
    lutra_json_set_i64(json, "key_bytes", (int64_t)result->key_bytes);
    lutra_json_set_i64(json, "ciphertext_bytes", (int64_t)result->ciphertext_bytes);
    lutra_json_set_i64(json, "peak_rss_bytes", (int64_t)peak_rss_bytes());
    cli_set_circuit_parameters(lutra_json_set_array(json, "parameters"), circuit);
    set_layers(json, result);
    return cli_print_json(COMMAND, &json);
}

static void print_layer_lines(const LutraVerifyResult *result) {
    printf("%-24s %-8s %9s %11s %11s %11s %11s\n", "operation", "kind", "look-ups", "mismatches",
           "expected", "noise 2^", "predicted");
    for (uint32_t i = 0; i < result->layer_count; i++) {
        const LutraVerifyLayer *const layer = &result->layers[i];
        printf("%-24s %-8s", layer->name, lutra_operation_kind_name(layer->kind));
        if (layer->lookups > 0) {
            printf(" %9" PRIu64 " %11" PRIu64 " %11.2f", layer->lookups, layer->mismatches,
                   layer->expected_mismatches);
        } else {
            printf(" %9s %11s %11s", "", "", "");
        }
        printf(" %11.2f %11.2f\n", log2(layer->noise_std_measured),
               log2(layer->noise_std_predicted));
    }
}

static int print_text(const Options *options, const LutraVerifyResult *result,
                      const LutraDataset *dataset, const LutraCircuit *circuit,
                      const LutraCircuitCost *cost) {
    char a[32];
    char b[32];
    const double milliseconds =
        result->lookups == 0
            ? 0.0
            : 1e3 * result->run_seconds * options->common.threads / (double)result->lookups;
    printf("circuit     %s, %s, look-ups by %s\n", options->circuit_path,
           lutra_backend_tfhe()->name(), options->library_lookups ? "tfhe-rs" : "lutra");
    printf("data        %s, %s split, %" PRIu64 " sample%s from %" PRIu64 "\n", dataset->name,
           lutra_split_name(options->split), result->sample_count,
           result->sample_count == 1 ? "" : "s", options->first);
    printf("source      %s\n", dataset->source);
    cli_print_circuit_parameters(circuit);
    if (options->test_keys) {
        puts("TEST KEYS   from --seed: they protect nothing");
    }
    printf("keygen      %.1f s for %s of keys\n", result->keygen_seconds,
           cli_bytes(a, (double)result->key_bytes));
    printf(
        "time        %.2f s encryption, %.1f s run, %.2f s decryption; %.2f core-ms per "
        "look-up\n",
        result->encrypt_seconds, result->run_seconds, result->decrypt_seconds, milliseconds);
    if (options->neurons == 0) {
        printf("predicted   %.1f s keygen, %.2f s encryption, %.1f s run, on a machine with "
               "nothing else to do\n",
               cost->keygen_seconds, (double)result->sample_count * cost->encrypt_seconds,
               (double)result->sample_count * cost->seconds);
    }
    printf("memory      %s of ciphertexts, %s in all\n\n",
           cli_bytes(a, (double)result->ciphertext_bytes), cli_bytes(b, (double)peak_rss_bytes()));
    print_layer_lines(result);
    printf("\nlook-ups    %s, %s with a wrong result, %.1f expected\n",
           cli_grouped(a, result->lookups), cli_grouped(b, result->mismatches),
           result->expected_mismatches);
    uint64_t off_by_one = 0;
    for (uint32_t i = 0; i < result->layer_count; i++) {
        off_by_one += result->layers[i].off_by_one;
    }
    printf("errors      %s off by one, %s larger\n", cli_grouped(a, off_by_one),
           cli_grouped(b, result->mismatches - off_by_one));
    printf("rate        %.3g, 95 %% interval %.3g .. %.3g; expected %.3g\n",
           (double)result->mismatches / (double)(result->lookups > 0 ? result->lookups : 1),
           result->mismatch_interval.low, result->mismatch_interval.high,
           result->expected_mismatches / (double)(result->lookups > 0 ? result->lookups : 1));
    if (options->neurons > 0) {
        printf("outputs     %" PRIu32 " of each operation, drawn by seed %" PRIu64
               ": the answers under encryption were not computed\n",
               options->neurons, options->common.seed);
    } else {
        printf("logits      equal in %" PRIu64 " of %" PRIu64 " samples, same answer in %" PRIu64
               ", right answer in %" PRIu64 "\n",
               result->logits_equal, result->sample_count, result->top1_agree,
               correct_answers(options, result, &dataset->splits[options->split]));
    }
    printf("verdict     %s", lutra_verdict_text(result->verdict));
    if (result->strays > 0) {
        printf(": %s of them\n", cli_grouped(a, result->strays));
    } else {
        printf(": %.1f expected, %.1f to %.1f by those observed\n", result->expected_mismatches,
               result->mismatch_interval.low * (double)result->lookups,
               result->mismatch_interval.high * (double)result->lookups);
    }
    return cli_end_text("lutra verify");
}

/** Writes the files and prints; returns an exit code. */
static int report(const Options *options, const LutraVerifyResult *result,
                  const LutraDataset *dataset, const LutraCircuit *circuit,
                  const LutraCircuitCost *cost) {
    LutraError error = {""};
    if (options->folder != NULL) {
        LutraStatus status =
            write_table(options, samples_name(options), result,
                                         &dataset->splits[options->split], circuit, &error);
        if (status == LUTRA_OK) {
            status = write_table(options, "layers.csv", result, NULL, circuit, &error);
        }
        if (status == LUTRA_OK) {
            status = draw(options, result, dataset, circuit, &error);
        }
        if (status != LUTRA_OK) {
            return cli_fail(COMMAND, status, &error);
        }
    }
    const int code = options->common.json ? print_json(options, result, dataset, circuit, cost)
                                          : print_text(options, result, dataset, circuit, cost);
    const bool bad =
        result->verdict == LUTRA_VERDICT_MORE || result->verdict == LUTRA_VERDICT_BROKEN;
    return code == CLI_EXIT_DONE && bad ? CLI_EXIT_CONDITION : code;
}

static LutraStatus check_data(const Options *options, const LutraDataset *dataset,
                              const LutraCircuit *circuit, LutraError *error) {
    const LutraShape shape = circuit->operations[0].shape;
    const LutraShape images = {dataset->channels, dataset->height, dataset->width};
    if (!lutra_shape_equal(images, shape) || circuit->class_count != dataset->class_count) {
        return lutra_error_set(error, LUTRA_EDATA,
                               "'%s' has images of %u x %u x %u in %u classes, but the circuit "
                               "takes %u x %u x %u in %u",
                               options->data_path, dataset->channels, dataset->height,
                               dataset->width, dataset->class_count, shape.channels, shape.height,
                               shape.width, circuit->class_count);
    }
    const uint64_t count = dataset->splits[options->split].count;
    if (options->first >= count || options->samples > count - options->first) {
        return lutra_error_set(error, LUTRA_EINVAL,
                               "'%s' has %" PRIu64 " images in its %s split; cannot take %" PRIu64
                               " from %" PRIu64,
                               options->data_path, count, lutra_split_name(options->split),
                               options->samples, options->first);
    }
    return LUTRA_OK;
}

static LutraStatus run(const Options *options, LutraVerifyResult *result,
                       const LutraDataset *dataset, const LutraCircuit *circuit,
                       LutraError *error) {
    LutraVerifySettings settings;
    uint8_t seed[LUTRA_TEST_SEED_BYTES] = {0};
    memcpy(seed, &options->common.seed, sizeof options->common.seed);
    lutra_verify_default(&settings);
    settings.backend_settings.threads = options->common.threads;
    settings.backend_settings.maximum_key_bytes = options->key_limit_gib << 30;
    settings.backend_settings.library_lookups = options->library_lookups;
    settings.backend_settings.cpu_flags = options->common.cpu_flags;
    settings.test_seed = options->test_keys ? seed : NULL;
    settings.neurons = options->neurons;
    settings.neuron_seed = options->common.seed;
    settings.checkpoint = options->checkpoint;
    settings.checkpoint_seconds = CHECKPOINT_SECONDS;
    settings.resume = options->resume;
    CliProgress progress;
    cli_progress_start(&progress, &options->common);
    settings.progress = &progress.progress;
    const LutraSplit *const split = &dataset->splits[options->split];
    const size_t image = lutra_shape_elements(circuit->operations[0].shape);
    const LutraStatus status =
        lutra_verify(result, circuit, split->images + (size_t)options->first * image,
                     options->samples, &settings, error);
    cli_progress_stop(&progress);
    return status;
}

static int verify(const Options *options) {
    LutraCircuit circuit = {0};
    LutraDataset dataset = {0};
    LutraVerifyResult result = {0};
    LutraCircuitCost cost = {0};
    LutraError error = {""};
    LutraStatus status = LUTRA_OK;
    int code = CLI_EXIT_DONE;
    LUTRA_TRY_GOTO(status, lutra_circuit_read(&circuit, options->circuit_path, &error));
    LUTRA_TRY_GOTO(status, lutra_encrypted_check(&circuit, &error));
    LUTRA_TRY_GOTO(status, lutra_dataset_read(&dataset, options->data_path, 1u << options->split,
                                              options->first + options->samples, &error));
    LUTRA_TRY_GOTO(status, check_data(options, &dataset, &circuit, &error));
    LUTRA_TRY_GOTO(status, lutra_backend_check(lutra_backend_tfhe(), &error));
    LUTRA_TRY_GOTO(status, check_folder(options, &error));
    LUTRA_TRY_GOTO(status, cli_predict(&cost, &circuit, options->common.threads, &error));
    if (circuit.parameter_count > 0) {
        cli_warn_of_sharing(&options->common, COMMAND, lutra_circuit_worst_p_error(&circuit));
    }
    if (options->test_keys) {
        cli_warn(&options->common, COMMAND, "the keys come from --seed and protect nothing");
    }
    status = run(options, &result, &dataset, &circuit, &error);
    if (result.sample_count > 0) {
        code = report(options, &result, &dataset, &circuit, &cost);
    }
    if (status == LUTRA_ECANCELLED && options->checkpoint != NULL &&
        lutra_file_exists(options->checkpoint)) {
        cli_note(&options->common, COMMAND, "go on with the same command and --resume");
    }
done:
    if (status != LUTRA_OK) {
        code = cli_fail(COMMAND, status, &error);
    }
    lutra_circuit_cost_deinit(&cost);
    lutra_verify_result_deinit(&result);
    lutra_dataset_deinit(&dataset);
    lutra_circuit_deinit(&circuit);
    return code;
}

int cmd_verify(int argc, char **argv) {
    Options options = {.split = LUTRA_SPLIT_TEST, .samples = 1, .key_limit_gib = 8};
    cli_parse(&argp, argc, argv, &options);
    return verify(&options);
}
