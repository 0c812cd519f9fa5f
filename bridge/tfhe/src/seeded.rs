// SPDX-License-Identifier: Apache-2.0
//! Compressed keys and ciphertexts: the masks follow from a public seed, only bodies are kept.
//! Every piece has a seed of its own from the system's entropy, and noise from another.

use crate::failure::{fail, guard, Failure, Status};
use crate::keys::{noise, Keys, Secret, SetKeys};
use crate::{check_apart, context_of, guard_with_keys, invalid, poison, seed_of, slice, slice_mut};
use crate::{Context, Generator};
use std::sync::{Arc, Mutex};
use tfhe::core_crypto::commons::math::random::{CompressionSeed, Seed};
use tfhe::core_crypto::prelude::*;

const SEED_BYTES: usize = 16;

/// A fresh public seed, which is also written to `seed`.
unsafe fn draw_seed(seed: *mut u8) -> Result<CompressionSeed, Failure> {
    let drawn = new_seeder().seed();
    slice_mut("seed", seed, SEED_BYTES, 1)?.copy_from_slice(&drawn.0.to_le_bytes());
    Ok(drawn.into())
}

unsafe fn given_seed(seed: *const u8) -> Result<CompressionSeed, Failure> {
    match seed_of(seed)? {
        Some(bytes) => Ok(Seed(u128::from_le_bytes(bytes)).into()),
        None => invalid("'seed' is NULL"),
    }
}

/// Both keys of a context follow from a secret seed; there are no evaluation keys.
///
/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_derive_secrets(context: *mut Context, seed: *const u8) -> i32 {
    guard(
        || {
            let context = context_of(context)?;
            let Some(bytes) = seed_of(seed)? else {
                return invalid("'seed' is NULL");
            };
            let Ok(mut keys) = context.keys.write() else {
                return fail(Status::Panic, "an earlier key generation failed inside");
            };
            let parameters = &context.parameters;
            let mut secrets = SecretRandomGenerator::<DefaultRandomGenerator>::new(Seed(
                u128::from_le_bytes(bytes),
            ));
            let small = Secret(allocate_and_generate_new_binary_lwe_secret_key(
                LweDimension(parameters.lwe_dimension as usize),
                &mut secrets,
            ));
            let big = Secret(allocate_and_generate_new_binary_lwe_secret_key(
                LweDimension(parameters.big_dimension()),
                &mut secrets,
            ));
            let mut seeder = new_seeder();
            let generator = Generator::new(seeder.seed(), seeder.as_mut());
            let set = SetKeys { big, small, bootstrap: None, encryption: Mutex::new(generator) };
            *keys = Some(Keys { set: Arc::new(set), keyswitch: None });
            Ok(())
        },
        || poison(context),
    )
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_seeded_bootstrap_part(
    context: *const Context,
    seed: *mut u8,
    bodies: *mut u64,
    first_bit: usize,
    bit_count: usize,
) -> i32 {
    guard_with_keys(context, |context, keys| {
        let parameters = &context.parameters;
        let small: &[u64] = keys.set.small.0.as_ref();
        let Some(bits) = first_bit
            .checked_add(bit_count)
            .and_then(|end| small.get(first_bit..end))
        else {
            return invalid(format!("the small key has {} bits", small.len()));
        };
        let bodies = slice_mut("bodies", bodies, bit_count, parameters.ggsw_body_words())?;
        let mut piece = SeededLweBootstrapKey::from_container(
            bodies,
            parameters.glwe_size(),
            parameters.polynomial_size(),
            parameters.bootstrap_base_log(),
            parameters.bootstrap_level(),
            draw_seed(seed)?,
            CiphertextModulus::new_native(),
        );
        let big: &[u64] = keys.set.big.0.as_ref();
        context.pool.install(|| {
            par_generate_seeded_lwe_bootstrap_key(
                &LweSecretKey::from_container(bits),
                &GlweSecretKey::from_container(big, parameters.polynomial_size()),
                &mut piece,
                noise(parameters.glwe_standard_deviation),
                new_seeder().as_mut(),
            );
        });
        Ok(())
    })
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_expand_bootstrap_part(
    context: *const Context,
    words: *mut u64,
    seed: *const u8,
    bodies: *const u64,
    bit_count: usize,
) -> i32 {
    guard(
        || {
            let context = context_of(context)?;
            let parameters = &context.parameters;
            let bodies = slice("bodies", bodies, bit_count, parameters.ggsw_body_words())?;
            let words = slice_mut("words", words, bit_count, parameters.ggsw_words())?;
            check_apart(words.as_ptr(), words.len(), bodies.as_ptr(), bodies.len())?;
            let piece = SeededLweBootstrapKey::from_container(
                bodies,
                parameters.glwe_size(),
                parameters.polynomial_size(),
                parameters.bootstrap_base_log(),
                parameters.bootstrap_level(),
                given_seed(seed)?,
                CiphertextModulus::new_native(),
            );
            let mut expanded = LweBootstrapKey::from_container(
                words,
                parameters.glwe_size(),
                parameters.polynomial_size(),
                parameters.bootstrap_base_log(),
                parameters.bootstrap_level(),
                CiphertextModulus::new_native(),
            );
            context.pool.install(|| {
                par_decompress_seeded_lwe_bootstrap_key::<_, _, _, DefaultRandomGenerator>(
                    &mut expanded,
                    &piece,
                );
            });
            Ok(())
        },
        || poison(context),
    )
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_seeded_keyswitch_key(
    consumer: *const Context,
    producer: *const Context,
    seed: *mut u8,
    bodies: *mut u64,
) -> i32 {
    guard_with_keys(consumer, |consumer, consumer_keys| {
        let producer = context_of(producer)?;
        let producer_keys = producer.keys()?;
        let Some(producer_keys) = producer_keys.as_ref() else {
            return fail(Status::NoKey, "the producer has no keys yet");
        };
        let parameters = &consumer.parameters;
        let from = &producer_keys.set.big.0;
        let to = &consumer_keys.set.small.0;
        let level = parameters.keyswitch_level as usize;
        let bodies = slice_mut("bodies", bodies, from.lwe_dimension().0, level)?;
        let mut key = SeededLweKeyswitchKey::from_container(
            bodies,
            parameters.keyswitch_base_log(),
            parameters.keyswitch_level(),
            to.lwe_dimension().to_lwe_size(),
            draw_seed(seed)?,
            CiphertextModulus::new_native(),
        );
        generate_seeded_lwe_keyswitch_key(
            from,
            to,
            &mut key,
            noise(parameters.lwe_standard_deviation),
            new_seeder().as_mut(),
        );
        Ok(())
    })
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_expand_keyswitch_key(
    consumer: *const Context,
    words: *mut u64,
    seed: *const u8,
    bodies: *const u64,
    bit_count: usize,
) -> i32 {
    guard(
        || {
            let context = context_of(consumer)?;
            let parameters = &context.parameters;
            let level = parameters.keyswitch_level as usize;
            let size = LweDimension(parameters.lwe_dimension as usize).to_lwe_size();
            let bodies = slice("bodies", bodies, bit_count, level)?;
            let words = slice_mut("words", words, bit_count, level * size.0)?;
            check_apart(words.as_ptr(), words.len(), bodies.as_ptr(), bodies.len())?;
            let key = SeededLweKeyswitchKey::from_container(
                bodies,
                parameters.keyswitch_base_log(),
                parameters.keyswitch_level(),
                size,
                given_seed(seed)?,
                CiphertextModulus::new_native(),
            );
            let mut expanded = LweKeyswitchKey::from_container(
                words,
                parameters.keyswitch_base_log(),
                parameters.keyswitch_level(),
                size,
                CiphertextModulus::new_native(),
            );
            context.pool.install(|| {
                par_decompress_seeded_lwe_keyswitch_key::<_, _, _, DefaultRandomGenerator>(
                    &mut expanded,
                    &key,
                );
            });
            Ok(())
        },
        || poison(consumer),
    )
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_seeded_encrypt(
    context: *const Context,
    seed: *mut u8,
    bodies: *mut u64,
    words: *const u64,
    count: usize,
) -> i32 {
    guard_with_keys(context, |context, keys| {
        let words = slice("words", words, count, 1)?;
        let bodies = slice_mut("bodies", bodies, count, 1)?;
        check_apart(bodies.as_ptr(), bodies.len(), words.as_ptr(), words.len())?;
        if words.is_empty() {
            return invalid("nothing to encrypt");
        }
        let mut list = SeededLweCiphertextList::from_container(
            bodies,
            LweSize(context.parameters.ciphertext_words()),
            draw_seed(seed)?,
            CiphertextModulus::new_native(),
        );
        encrypt_seeded_lwe_ciphertext_list(
            &keys.set.big.0,
            &mut list,
            &PlaintextList::from_container(words),
            noise(context.parameters.glwe_standard_deviation),
            new_seeder().as_mut(),
        );
        Ok(())
    })
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_expand_ciphertexts(
    context: *const Context,
    ciphertexts: *mut u64,
    seed: *const u8,
    bodies: *const u64,
    count: usize,
) -> i32 {
    guard(
        || {
            let context = context_of(context)?;
            let size = context.parameters.ciphertext_words();
            let bodies = slice("bodies", bodies, count, 1)?;
            let ciphertexts = slice_mut("ciphertexts", ciphertexts, count, size)?;
            check_apart(ciphertexts.as_ptr(), ciphertexts.len(), bodies.as_ptr(), bodies.len())?;
            if bodies.is_empty() {
                return invalid("nothing to expand");
            }
            let list = SeededLweCiphertextList::from_container(
                bodies,
                LweSize(size),
                given_seed(seed)?,
                CiphertextModulus::new_native(),
            );
            let mut expanded = LweCiphertextList::from_container(
                ciphertexts,
                LweSize(size),
                CiphertextModulus::new_native(),
            );
            context.pool.install(|| {
                par_decompress_seeded_lwe_ciphertext_list::<_, _, _, DefaultRandomGenerator>(
                    &mut expanded,
                    &list,
                );
            });
            Ok(())
        },
        || poison(context),
    )
}
