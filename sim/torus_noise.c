/* SPDX-License-Identifier: Apache-2.0 */
/* Words with noise; see torus_noise.h. */
#include "sim/torus_noise.h"

static LutraNoiseAddress address_of(const LutraTorusNoise *noise, LutraRandomStream stream,
                                    uint32_t operation, uint32_t part) {
    return lutra_noise_plan_address(noise->plan, stream, operation, noise->image, part);
}

/** A Gaussian of one source at one place. */
static uint64_t draw(const LutraTorusNoise *noise, LutraRandomStream stream,
                     const LutraLookupPlace *place, double deviation) {
    return lutra_noise_word(address_of(noise, stream, place->operation, place->part),
                            place->element, deviation);
}

/** Distance of a word from the nearest multiple of 2^(63 - bits), in units of 2^-64. */
static int64_t off_centre_of(uint64_t word, uint32_t bits) {
    return (int64_t)(word - (lutra_word_steps(word, bits) << (63 - bits)));
}

/** All noise of the look-up at once: the cell is moved. */
static LutraWordLookup look_up_displaced(const LutraTorusNoise *noise,
                                         const LutraLookupPlace *place,
                                         const LutraWordTable *table, uint64_t word) {
    const LutraNoisyOperation *const noisy = &noise->plan->operations[place->operation];
    const LutraNoisyRead *const read =
        &noisy->reads[(size_t)place->channel * noisy->parts + place->part];
    const uint64_t input = lutra_word_table_input(table, word);
    const uint64_t u = lutra_noise_uniform(
        address_of(noise, LUTRA_STREAM_LOOKUP, place->operation, place->part), place->element);
    const int64_t k = lutra_noisy_displacement(read, off_centre_of(input, table->bits), u);
    return lutra_word_read_step(table, lutra_word_steps(input, table->bits) + (uint64_t)k);
}

/** Keyswitch, modulus switch, blind rotation, each with its own noise. */
static LutraWordLookup look_up_sources(const LutraTorusNoise *noise, const LutraLookupPlace *place,
                                       const LutraWordTable *table, uint64_t word) {
    const LutraNoiseSources *const sources =
        &noise->plan->operations[place->operation].sources;
    const uint64_t switched =
        draw(noise, LUTRA_STREAM_MODULUS_SWITCH, place, sources->modulus_switch_deviation);
    uint64_t input = lutra_word_table_input(table, word) +
                     draw(noise, LUTRA_STREAM_KEYSWITCH, place, sources->keyswitch_deviation);
    if (sources->is_centered) { /* rounding to ticks puts cells half a tick low; this corrects it */
        input -= UINT64_C(1) << (62 - sources->log2_poly);
    }
    const uint64_t ticks = UINT64_C(2) << sources->log2_poly;
    const uint64_t tick =
        noise->plan->settings.rounds_separately
            ? (lutra_word_switch_modulus(input, sources->log2_poly) +
               lutra_word_switch_modulus(switched, sources->log2_poly)) % ticks
            : lutra_word_switch_modulus(input + switched, sources->log2_poly);
    LutraWordLookup found = lutra_word_read_tick(table, tick, sources->log2_poly);
    found.word += draw(noise, LUTRA_STREAM_BOOTSTRAP, place, sources->bootstrap_deviation);
    return found;
}

LutraWordLookup lutra_torus_noisy_look_up(const LutraTorusNoise *noise,
                                          const LutraLookupPlace *place,
                                          const LutraWordTable *table, uint64_t word) {
    if (noise->plan->settings.kind == LUTRA_NOISE_SOURCES) {
        return look_up_sources(noise, place, table, word);
    }
    if (noise->plan->operations[place->operation].reads == NULL) {
        return lutra_word_look_up(table, word, 0);
    }
    return look_up_displaced(noise, place, table, word);
}

uint64_t lutra_torus_noisy_encryption(const LutraTorusNoise *noise, uint32_t operation,
                                      size_t element, uint64_t word) {
    if (noise->plan->settings.kind != LUTRA_NOISE_SOURCES) {
        return word;
    }
    const LutraLookupPlace place = {.operation = operation, .element = element};
    return word + draw(noise, LUTRA_STREAM_ENCRYPT, &place,
                       noise->plan->operations[operation].sources.fresh_deviation);
}

uint64_t lutra_torus_noisy_decryption(const LutraTorusNoise *noise, uint32_t operation,
                                      uint32_t channel, size_t element, uint64_t word,
                                      LutraEncoding encoding) {
    const LutraNoisyRead *const decodes = noise->plan->operations[operation].decodes;
    if (decodes == NULL) {
        return word;
    }
    const uint64_t u =
        lutra_noise_uniform(address_of(noise, LUTRA_STREAM_DECODE, operation, 0), element);
    const int64_t k = lutra_noisy_displacement(&decodes[channel],
                                               off_centre_of(word, encoding.bits), u);
    return word + lutra_word_encode(k, encoding.bits);
}
