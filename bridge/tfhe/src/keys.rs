// SPDX-License-Identifier: Apache-2.0
//! Key generation.

use crate::failure::{fail, Failure, Status};
use crate::parameters::Parameters;
use rayon::prelude::*;
use std::sync::atomic::{compiler_fence, Ordering};
use std::sync::{Arc, Mutex};
use tfhe::core_crypto::commons::generators::DeterministicSeeder;
use tfhe::core_crypto::commons::math::random::Seed;
use tfhe::core_crypto::prelude::*;

pub type Generator = EncryptionRandomGenerator<DefaultRandomGenerator>;
type Seeds = DeterministicSeeder<DefaultRandomGenerator>;
pub type Noise = DynamicDistribution<u64>;

/// Bits of the small key encrypted between two calls of the progress function; also bounds how
/// much of the bootstrap key exists in both representations at once.
const KEY_BITS_AT_ONCE: usize = 32;

/// Secret bits that are overwritten when dropped.
pub struct Secret(pub LweSecretKeyOwned<u64>);

impl Drop for Secret {
    fn drop(&mut self) {
        erase(self.0.as_mut());
    }
}

fn erase(words: &mut [u64]) {
    for word in words.iter_mut() {
        // A plain store to memory that is about to be freed may be removed by the compiler.
        unsafe { std::ptr::write_volatile(word, 0) };
    }
    compiler_fence(Ordering::SeqCst);
}

/// The ring form of the big key while the bootstrap key is computed.
struct RingSecret(GlweSecretKeyOwned<u64>);

impl Drop for RingSecret {
    fn drop(&mut self) {
        erase(self.0.as_mut());
    }
}

/// What belongs to one parameter set, whoever's ciphertexts it looks up.
pub struct SetKeys {
    pub big: Secret,
    pub small: Secret,
    /// None: whoever asked for the key has it, in a form of its own
    pub bootstrap: Option<FourierLweBootstrapKeyOwned>,
    pub encryption: Mutex<Generator>,
}

/// Keys of a context: a set's, and the keyswitching key that leads to its small key. The latter
/// comes from the set's own big key, or in a reader from that of another set.
pub struct Keys {
    pub set: Arc<SetKeys>,
    /// None: the set's own ciphertexts are never looked up
    pub keyswitch: Option<LweKeyswitchKeyOwned<u64>>,
}

pub fn noise(standard_deviation: f64) -> Noise {
    DynamicDistribution::new_gaussian_from_std_dev(StandardDev(standard_deviation))
}

/// A progress report: done, total; true asks to stop.
pub type Report<'a> = &'a mut dyn FnMut(u64, u64) -> bool;

/// Takes the encryptions of some bits of the small key: index of the first, number, words of their
/// GGSW ciphertexts; true asks to stop.
pub type Part<'a> = &'a mut dyn FnMut(u64, u64, &[u64]) -> bool;

impl Keys {
    pub fn generate(
        parameters: &Parameters,
        pool: &rayon::ThreadPool,
        fft: &Fft,
        test_seed: Option<[u8; 16]>,
        with_keyswitch: bool,
        part: Option<Part>,
        report: Report,
    ) -> Result<Keys, Failure> {
        let mut seeder = seeds(test_seed);
        let mut secret_generator =
            SecretRandomGenerator::<DefaultRandomGenerator>::new(seeder.seed());
        let mut generator = Generator::new(seeder.seed(), &mut seeder);

        let small_dimension = parameters.lwe_dimension as usize;
        let small = Secret(allocate_and_generate_new_binary_lwe_secret_key(
            LweDimension(small_dimension),
            &mut secret_generator,
        ));
        let ring = RingSecret(allocate_and_generate_new_binary_glwe_secret_key(
            GlweDimension(parameters.glwe_dimension as usize),
            parameters.polynomial_size(),
            &mut secret_generator,
        ));
        let big = Secret(LweSecretKeyOwned::from_container(ring.0.as_ref().to_vec()));

        let total = 2 * small_dimension as u64;
        let bootstrap = generate_bootstrap_key(
            parameters,
            pool,
            fft,
            &small,
            &ring,
            &mut generator,
            part,
            &mut |done| report(done, total),
        )?;
        let keyswitch = if with_keyswitch {
            Some(generate_keyswitch_key(
                parameters,
                pool,
                &small,
                &big,
                &mut seeder,
                &mut |part| {
                    let done = small_dimension as f64 * (1.0 + part);
                    report(done as u64, total)
                },
            )?)
        } else {
            None
        };
        let set = SetKeys { big, small, bootstrap, encryption: Mutex::new(generator) };
        Ok(Keys { set: Arc::new(set), keyswitch })
    }

    /// Keys that look up ciphertexts of `producer` with those of `consumer`, whose parameters these
    /// are.
    pub fn generate_reader(
        parameters: &Parameters,
        pool: &rayon::ThreadPool,
        consumer: &Arc<SetKeys>,
        producer: &SetKeys,
        test_seed: Option<[u8; 16]>,
        report: Report,
    ) -> Result<Keys, Failure> {
        const STEPS: f64 = 1000.0;
        let keyswitch = generate_keyswitch_key(
            parameters,
            pool,
            &consumer.small,
            &producer.big,
            &mut seeds(test_seed),
            &mut |part| report((STEPS * part) as u64, STEPS as u64),
        )?;
        Ok(Keys { set: consumer.clone(), keyswitch: Some(keyswitch) })
    }
}

/// One seed starts a cryptographic generator, from which all further seeds are drawn.
fn seeds(test_seed: Option<[u8; 16]>) -> Seeds {
    Seeds::new(match test_seed {
        None => new_seeder().seed(),
        Some(bytes) => Seed(u128::from_le_bytes(bytes)),
    })
}

fn cancelled<T>() -> Result<T, Failure> {
    fail(Status::Cancelled, "key generation was cancelled")
}

/// Encrypts the small key piece by piece. Either `part` gets the pieces, or the Fourier form of
/// each is kept: the key never exists twice as a whole.
#[allow(clippy::too_many_arguments)]
fn generate_bootstrap_key(
    parameters: &Parameters,
    pool: &rayon::ThreadPool,
    fft: &Fft,
    small: &Secret,
    ring: &RingSecret,
    generator: &mut Generator,
    mut part: Option<Part>,
    report: &mut dyn FnMut(u64) -> bool,
) -> Result<Option<FourierLweBootstrapKeyOwned>, Failure> {
    let small_bits: &[u64] = small.0.as_ref();
    let mut fourier = FourierLweBootstrapKeyOwned::new(
        LweDimension(if part.is_some() { 0 } else { small_bits.len() }),
        parameters.glwe_size(),
        parameters.polynomial_size(),
        parameters.bootstrap_base_log(),
        parameters.bootstrap_level(),
    );
    let distribution = noise(parameters.glwe_standard_deviation);
    let scratch_bytes =
        convert_standard_lwe_bootstrap_key_to_fourier_mem_optimized_requirement(fft.as_view())
            .unaligned_bytes_required();
    let mut targets: Vec<_> = fourier.as_mut_view().into_ggsw_iter().map(Some).collect();
    for (index, bits) in small_bits.chunks(KEY_BITS_AT_ONCE).enumerate() {
        let first = index * KEY_BITS_AT_ONCE;
        if report(first as u64) {
            return cancelled();
        }
        let mut piece = LweBootstrapKeyOwned::new(
            0u64,
            parameters.glwe_size(),
            parameters.polynomial_size(),
            parameters.bootstrap_base_log(),
            parameters.bootstrap_level(),
            LweDimension(bits.len()),
            CiphertextModulus::new_native(),
        );
        pool.install(|| {
            par_generate_lwe_bootstrap_key(
                &LweSecretKey::from_container(bits),
                &ring.0,
                &mut piece,
                distribution,
                generator,
            );
        });
        if let Some(part) = part.as_mut() {
            if part(first as u64, bits.len() as u64, piece.as_ref()) {
                return cancelled();
            }
            continue;
        }
        let piece_targets = &mut targets[first..first + bits.len()];
        pool.install(|| {
            piece_targets.par_iter_mut().zip(piece.par_iter()).for_each_init(
                || {
                    let mut buffers = ComputationBuffers::new();
                    buffers.resize(scratch_bytes);
                    buffers
                },
                |buffers, (target, ggsw)| {
                    if let Some(target) = target.take() {
                        target.fill_with_forward_fourier(ggsw, fft.as_view(), buffers.stack());
                    }
                },
            );
        });
    }
    drop(targets);
    Ok(if part.is_some() { None } else { Some(fourier) })
}

/// Encrypts pieces of the big key under the small key, each with a generator seeded in order: the
/// result depends on the seed and not on the threads.
fn generate_keyswitch_key(
    parameters: &Parameters,
    pool: &rayon::ThreadPool,
    small: &Secret,
    big: &Secret,
    seeder: &mut Seeds,
    report: &mut dyn FnMut(f64) -> bool,
) -> Result<LweKeyswitchKeyOwned<u64>, Failure> {
    let big_bits: &[u64] = big.0.as_ref();
    let small_size = LweDimension(parameters.lwe_dimension as usize).to_lwe_size();
    let row_words = parameters.keyswitch_level as usize * small_size.0;
    let mut words = vec![0u64; big_bits.len() * row_words];
    let distribution = noise(parameters.lwe_standard_deviation);
    let bits_between_reports = big_bits.len().div_ceil(16).next_multiple_of(KEY_BITS_AT_ONCE);
    let mut done = 0;
    for (bits, rows) in big_bits
        .chunks(bits_between_reports)
        .zip(words.chunks_mut(bits_between_reports * row_words))
    {
        if report(done as f64 / big_bits.len() as f64) {
            return cancelled();
        }
        done += bits.len();
        let generators: Vec<Generator> = (0..bits.len().div_ceil(KEY_BITS_AT_ONCE))
            .map(|_| Generator::new(seeder.seed(), seeder))
            .collect();
        pool.install(|| {
            bits.par_chunks(KEY_BITS_AT_ONCE)
                .zip(rows.par_chunks_mut(KEY_BITS_AT_ONCE * row_words))
                .zip(generators.into_par_iter())
                .for_each(|((piece_bits, piece_rows), mut generator)| {
                    generate_lwe_keyswitch_key(
                        &LweSecretKey::from_container(piece_bits),
                        &small.0,
                        &mut LweKeyswitchKey::from_container(
                            piece_rows,
                            parameters.keyswitch_base_log(),
                            parameters.keyswitch_level(),
                            small_size,
                            CiphertextModulus::new_native(),
                        ),
                        distribution,
                        &mut generator,
                    );
                });
        });
    }
    Ok(LweKeyswitchKeyOwned::from_container(
        words,
        parameters.keyswitch_base_log(),
        parameters.keyswitch_level(),
        small_size,
        CiphertextModulus::new_native(),
    ))
}
