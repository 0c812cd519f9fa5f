// SPDX-License-Identifier: Apache-2.0
//! Keyswitch and programmable bootstrap of small groups of ciphertexts.
//!
//! Both keys are larger than any cache, so a group of ciphertexts goes through them together:
//! each key element is loaded once per group.

use crate::keys::SetKeys;
use crate::parameters::{Parameters, MODULUS_SWITCH_CENTERED};
use tfhe::core_crypto::algorithms::slice_algorithms::slice_wrapping_sub_scalar_mul_assign;
use tfhe::core_crypto::prelude::*;

/// Most ciphertexts of one group: their accumulators should stay in cache while the keys stream by.
pub fn largest_group(parameters: &Parameters) -> usize {
    const CACHE_BYTES: usize = 2 * 1024 * 1024;
    // Two ring ciphertexts per input: the accumulator and its rotation.
    let bytes = 16 * (parameters.glwe_dimension as usize + 1) * parameters.polynomial_words();
    (CACHE_BYTES / bytes).clamp(1, 16)
}

/// Size of equal groups, none larger than `largest`, that keep all threads busy to the end.
pub fn even_group(count: usize, threads: usize, largest: usize) -> usize {
    let rounds = count.div_ceil(threads * largest).max(1);
    count.div_ceil(threads * rounds).max(1)
}

pub struct Tables<'a> {
    /// (count, 2^bits) words
    pub words: &'a [u64],
    pub bits: u32,
}

impl Tables<'_> {
    pub fn entries(&self) -> usize {
        1 << self.bits
    }
}

/// A ciphertext on the 2N ticks of the blind rotation. Stores its mask: tfhe-rs's own form switches
/// each element again whenever it is read, which the grouped rotation does once per key element.
struct Switched<'a> {
    mask: &'a [usize],
    body: usize,
    log_modulus: CiphertextModulusLog,
}

impl ModulusSwitchedLweCiphertext<usize> for Switched<'_> {
    fn log_modulus(&self) -> CiphertextModulusLog {
        self.log_modulus
    }
    fn lwe_dimension(&self) -> LweDimension {
        LweDimension(self.mask.len())
    }
    fn body(&self) -> usize {
        self.body
    }
    fn mask(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.mask.iter().copied()
    }
}

/// What one thread needs for one group.
pub struct Scratch {
    small: Vec<u64>,
    ticks: Vec<usize>,
    bodies: Vec<usize>,
    accumulators: Vec<u64>,
    buffers: ComputationBuffers,
}

impl Scratch {
    pub fn new(parameters: &Parameters, fft: &Fft, group: usize) -> Scratch {
        let mut buffers = ComputationBuffers::new();
        buffers.resize(
            batch_programmable_bootstrap_lwe_ciphertext_mem_optimized_requirement::<u64>(
                parameters.glwe_size(),
                parameters.polynomial_size(),
                CiphertextCount(group),
                fft.as_view(),
            )
            .unaligned_bytes_required(),
        );
        let small_size = parameters.lwe_dimension as usize + 1;
        Scratch {
            small: vec![0; group * small_size],
            ticks: vec![0; group * parameters.lwe_dimension as usize],
            bodies: vec![0; group],
            accumulators: vec![0; group * parameters.glwe_size().0 * parameters.polynomial_words()],
            buffers,
        }
    }

    pub fn small(&self) -> &[u64] {
        &self.small
    }
}

/// Leads from a big key, maybe another set's, to the small key.
pub type Keyswitch = LweKeyswitchKeyOwned<u64>;

/// Words of the ciphertexts that a keyswitching key reads.
pub fn input_words(keyswitch: &Keyswitch) -> usize {
    keyswitch.input_key_lwe_dimension().to_lwe_size().0
}

/// Keyswitches the group; results in scratch.small, lwe_dimension + 1 words each.
///
/// Same arithmetic as tfhe-rs's keyswitch of one ciphertext, with the loop over ciphertexts inside
/// the loop over key rows.
pub fn keyswitch_group(
    parameters: &Parameters,
    keyswitch: &Keyswitch,
    inputs: &[u64],
    scratch: &mut Scratch,
) {
    let big_size = input_words(keyswitch);
    let small_size = parameters.lwe_dimension as usize + 1;
    let count = inputs.len() / big_size;
    let small = &mut scratch.small[..count * small_size];
    small.fill(0);
    for (output, input) in small.chunks_exact_mut(small_size).zip(inputs.chunks_exact(big_size)) {
        output[small_size - 1] = input[big_size - 1];
    }
    let decomposer =
        SignedDecomposer::new(parameters.keyswitch_base_log(), parameters.keyswitch_level());
    for (index, rows) in keyswitch.iter().enumerate() {
        for (output, input) in small.chunks_exact_mut(small_size).zip(inputs.chunks_exact(big_size))
        {
            // Levels come in the same order from the key and from the decomposer.
            for (row, digit) in rows.iter().zip(decomposer.decompose(input[index])) {
                slice_wrapping_sub_scalar_mul_assign(output, row.as_ref(), digit.value());
            }
        }
    }
}

/// Brings the keyswitched group to the 2N ticks of the blind rotation.
fn switch_group(parameters: &Parameters, count: usize, scratch: &mut Scratch) {
    let small_dimension = parameters.lwe_dimension as usize;
    let polynomial_size = parameters.polynomial_size();
    let log_modulus = polynomial_size.to_blind_rotation_input_modulus_log();
    for (index, words) in scratch.small.chunks_exact(small_dimension + 1).take(count).enumerate() {
        let ciphertext = LweCiphertext::from_container(words, CiphertextModulus::new_native());
        let switched = if parameters.modulus_switch == MODULUS_SWITCH_CENTERED {
            lwe_ciphertext_centered_binary_modulus_switch::<u64, usize, _>(ciphertext, log_modulus)
        } else {
            lwe_ciphertext_modulus_switch::<u64, usize, _>(ciphertext, log_modulus)
        };
        scratch.bodies[index] = switched.body();
        let ticks = &mut scratch.ticks[index * small_dimension..][..small_dimension];
        for (tick, element) in ticks.iter_mut().zip(switched.mask()) {
            *tick = element;
        }
    }
}

/// Where the blind rotation of each ciphertext would end, in [0, 2N): the tick of the table that a
/// look-up reads. Everything up to here is deterministic, so this is the very entry it gives.
pub fn positions_group(
    parameters: &Parameters,
    keys: &SetKeys,
    keyswitch: &Keyswitch,
    positions: &mut [u32],
    inputs: &[u64],
    scratch: &mut Scratch,
) {
    let small_dimension = parameters.lwe_dimension as usize;
    let key: &[u64] = keys.small.0.as_ref();
    keyswitch_group(parameters, keyswitch, inputs, scratch);
    switch_group(parameters, positions.len(), scratch);
    let ticks = 2 * parameters.polynomial_words();
    for ((position, mask), body) in
        positions.iter_mut().zip(scratch.ticks.chunks_exact(small_dimension)).zip(&scratch.bodies)
    {
        let sum: usize = mask.iter().zip(key).map(|(&tick, &bit)| tick * bit as usize).sum();
        *position = ((body + ticks - sum % ticks) % ticks) as u32;
    }
}

/// The position of one ciphertext in ticks, mask first, body last.
pub fn position_of(keys: &SetKeys, ticks: &[u32], modulus: usize) -> u32 {
    let key: &[u64] = keys.small.0.as_ref();
    let (body, mask) = ticks.split_last().expect("a body");
    let sum: usize = mask.iter().zip(key).map(|(&tick, &bit)| tick as usize * bit as usize).sum();
    ((*body as usize % modulus + modulus - sum % modulus) % modulus) as u32
}

/// Writes the accumulator's body for one table: each entry fills a box of equal width, and the
/// whole is turned back by half a box so that boxes are centred on the encoded inputs. The half
/// box that leaves at the front comes in again at the end with its sign changed (X^N = -1).
pub fn fill_accumulator(body: &mut [u64], table: &[u64]) {
    let width = body.len() / table.len();
    let half = width / 2;
    for (position, coefficient) in body.iter_mut().enumerate() {
        let entry = (position + half) / width;
        *coefficient = if entry < table.len() { table[entry] } else { table[0].wrapping_neg() };
    }
}

/// Looks every ciphertext of the group up in its table.
///
/// * `inputs` — None: the outputs are the inputs
/// * `table_of_ciphertext` — None: all use table 0
#[allow(clippy::too_many_arguments)]
pub fn bootstrap_group(
    parameters: &Parameters,
    bootstrap: &FourierLweBootstrapKeyOwned,
    keyswitch: &Keyswitch,
    fft: &Fft,
    inputs: Option<&[u64]>,
    outputs: &mut [u64],
    tables: &Tables,
    table_of_ciphertext: Option<&[u32]>,
    scratch: &mut Scratch,
) {
    let big_size = parameters.ciphertext_words();
    let small_dimension = parameters.lwe_dimension as usize;
    let count = outputs.len() / big_size;
    keyswitch_group(parameters, keyswitch, inputs.unwrap_or(outputs), scratch);

    switch_group(parameters, count, scratch);

    let polynomial_size = parameters.polynomial_size();
    let log_modulus = polynomial_size.to_blind_rotation_input_modulus_log();
    let accumulator_words = parameters.glwe_size().0 * polynomial_size.0;
    let accumulators = &mut scratch.accumulators[..count * accumulator_words];
    for (index, accumulator) in accumulators.chunks_exact_mut(accumulator_words).enumerate() {
        let (mask, body) = accumulator.split_at_mut(accumulator_words - polynomial_size.0);
        let table = table_of_ciphertext.map_or(0, |tables| tables[index] as usize);
        mask.fill(0);
        fill_accumulator(body, &tables.words[table * tables.entries()..][..tables.entries()]);
    }
    let switched: Vec<Switched> = scratch
        .ticks
        .chunks_exact(small_dimension)
        .zip(&scratch.bodies)
        .take(count)
        .map(|(mask, &body)| Switched { mask, body, log_modulus })
        .collect();
    let mut list = GlweCiphertextList::from_container(
        accumulators,
        parameters.glwe_size(),
        polynomial_size,
        CiphertextModulus::<u64>::new_native(),
    );
    bootstrap.as_view().batch_blind_rotate_assign(
        list.as_mut_view(),
        &switched,
        fft.as_view(),
        scratch.buffers.stack(),
    );
    for (accumulator, output) in list.iter().zip(outputs.chunks_exact_mut(big_size)) {
        extract_lwe_sample_from_glwe_ciphertext(
            &accumulator,
            &mut LweCiphertext::from_container(output, CiphertextModulus::new_native()),
            MonomialDegree(0),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_centred_and_negacyclic() {
        let mut body = [0u64; 8];
        fill_accumulator(&mut body, &[10, 20]);
        assert_eq!(body, [10, 10, 20, 20, 20, 20, 10u64.wrapping_neg(), 10u64.wrapping_neg()]);
        fill_accumulator(&mut body, &[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(body, [1, 2, 3, 4, 5, 6, 7, 8]);
        fill_accumulator(&mut body, &[5]);
        assert_eq!(body[..4], [5; 4]);
        assert_eq!(body[4..], [5u64.wrapping_neg(); 4]);
    }

    #[test]
    fn groups_are_even_and_small_enough() {
        for count in 0..200 {
            for threads in 1..5 {
                for largest in 1..17 {
                    let group = even_group(count, threads, largest);
                    assert!(group >= 1 && group <= largest);
                    // No more rounds than the largest groups would need.
                    let rounds = count.div_ceil(group).div_ceil(threads);
                    assert_eq!(rounds, count.div_ceil(largest * threads));
                }
            }
        }
    }
}
