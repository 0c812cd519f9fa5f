// SPDX-License-Identifier: Apache-2.0
//! The C interface of lutra_tfhe.h over tfhe-rs: pointers are checked here, once, and become
//! slices; everything behind this file is safe Rust, except for erasing secret keys.

mod bootstrap;
mod failure;
mod keys;
mod parameters;
mod seeded;

use bootstrap::{
    bootstrap_group, even_group, input_words, keyswitch_group, largest_group, positions_group,
    Keyswitch, Scratch, Tables,
};
use failure::{fail, guard, last_sentence, silence_panics, Failure, Status};
use keys::{noise, Generator, Keys, Secret, SetKeys};
use parameters::Parameters;
use rayon::prelude::*;
use std::ffi::{c_char, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock, RwLockReadGuard};
use tfhe::core_crypto::prelude::*;

const ABI_VERSION: u32 = 5;

/// Groups per thread between two calls of the progress function: rare enough that threads seldom
/// wait for each other, often enough for a bar that moves and a prompt stop.
const GROUPS_PER_THREAD_AT_ONCE: usize = 2;

pub type Progress = Option<extern "C" fn(*mut c_void, u64, u64) -> i32>;

/// LutraTfheBootstrapPart.
pub type BootstrapPart = Option<extern "C" fn(*mut c_void, u64, u64, *const u64) -> i32>;

/// LutraTfheContext.
pub struct Context {
    parameters: Parameters,
    pool: Arc<rayon::ThreadPool>,
    fft: Fft,
    keys: RwLock<Option<Keys>>,
    poisoned: AtomicBool,
}

fn invalid<T>(sentence: impl Into<String>) -> Result<T, Failure> {
    fail(Status::Invalid, sentence)
}

/// Checks null, alignment and that `count * words` words can exist; gives the number of words.
fn check_array<T>(
    name: &str,
    pointer: *const T,
    count: usize,
    words: usize,
) -> Result<usize, Failure> {
    let length = match count.checked_mul(words) {
        Some(length) if length <= isize::MAX as usize / std::mem::size_of::<T>() => length,
        _ => return invalid(format!("'{name}' has too many elements")),
    };
    if length != 0 && pointer.is_null() {
        return invalid(format!("'{name}' is NULL"));
    }
    if !(pointer as usize).is_multiple_of(std::mem::align_of::<T>()) {
        return invalid(format!("'{name}' is not aligned"));
    }
    Ok(length)
}

unsafe fn slice<'a, T>(
    name: &str,
    pointer: *const T,
    count: usize,
    words: usize,
) -> Result<&'a [T], Failure> {
    let length = check_array(name, pointer, count, words)?;
    if length == 0 {
        return Ok(&[]);
    }
    Ok(std::slice::from_raw_parts(pointer, length))
}

unsafe fn slice_mut<'a, T>(
    name: &str,
    pointer: *mut T,
    count: usize,
    words: usize,
) -> Result<&'a mut [T], Failure> {
    let length = check_array(name, pointer, count, words)?;
    if length == 0 {
        return Ok(&mut []);
    }
    Ok(std::slice::from_raw_parts_mut(pointer, length))
}

/// Fails if two arrays of so many elements share memory.
fn check_apart<A, B>(a: *const A, a_len: usize, b: *const B, b_len: usize) -> Result<(), Failure> {
    let (a_start, b_start) = (a as usize, b as usize);
    let a_bytes = a_len * std::mem::size_of::<A>();
    let b_bytes = b_len * std::mem::size_of::<B>();
    if a_bytes != 0 && b_bytes != 0 && a_start < b_start + b_bytes && b_start < a_start + a_bytes {
        return invalid("input and output arrays overlap");
    }
    Ok(())
}

/// The arrays of a function that gives one value per ciphertext, checked.
unsafe fn results_and_ciphertexts<'a, T>(
    size: usize,
    name: &str,
    results: *mut T,
    ciphertexts: *const u64,
    count: usize,
) -> Result<(&'a mut [T], &'a [u64]), Failure> {
    let ciphertexts = slice("ciphertexts", ciphertexts, count, size)?;
    check_array(name, results, count, 1)?;
    check_apart(results, count, ciphertexts.as_ptr(), ciphertexts.len())?;
    Ok((slice_mut(name, results, count, 1)?, ciphertexts))
}

unsafe fn context_of<'a>(context: *const Context) -> Result<&'a Context, Failure> {
    let Some(context) = context.as_ref() else {
        return invalid("the context is NULL");
    };
    if context.poisoned.load(Ordering::Relaxed) {
        return fail(Status::Panic, "an earlier call failed inside; destroy the context");
    }
    Ok(context)
}

fn poison(context: *const Context) {
    if let Some(context) = unsafe { context.as_ref() } {
        context.poisoned.store(true, Ordering::Relaxed);
    }
}

/// Runs the body of an exported function that needs keys; see `guard`.
unsafe fn guard_with_keys(
    context: *const Context,
    body: impl FnOnce(&Context, &Keys) -> Result<(), Failure>,
) -> i32 {
    guard(
        || {
            let context = context_of(context)?;
            let keys = context.keys()?;
            let Some(keys) = keys.as_ref() else {
                return fail(Status::NoKey, "the context has no keys yet");
            };
            body(context, keys)
        },
        || poison(context),
    )
}

/// The same for one that looks ciphertexts up: with the keyswitching key.
unsafe fn guard_lookup(
    context: *const Context,
    body: impl FnOnce(&Context, &SetKeys, &Keyswitch) -> Result<(), Failure>,
) -> i32 {
    guard_with_keys(context, |context, keys| {
        let Some(keyswitch) = keys.keyswitch.as_ref() else {
            return fail(
                Status::NoKey,
                "the context has no keyswitching key: only readers of its ciphertexts do",
            );
        };
        body(context, &keys.set, keyswitch)
    })
}

impl Context {
    fn keys(&self) -> Result<RwLockReadGuard<'_, Option<Keys>>, Failure> {
        match self.keys.read() {
            Ok(guard) => Ok(guard),
            Err(_) => fail(Status::Panic, "an earlier key generation failed inside"),
        }
    }

    /// Cuts ciphertexts into even groups and works on them with all threads.
    fn each_group<T: Send>(
        &self,
        results: &mut [T],
        ciphertexts: &[u64],
        size: usize,
        work: impl Fn(&mut [T], &[u64], &mut Scratch) + Sync,
    ) {
        let parameters = &self.parameters;
        let threads = self.pool.current_num_threads();
        let group = even_group(results.len(), threads, largest_group(parameters));
        self.pool.install(|| {
            results.par_chunks_mut(group).zip(ciphertexts.par_chunks(group * size)).for_each_init(
                || Scratch::new(parameters, &self.fft, group),
                |scratch, (results, inputs)| work(results, inputs, scratch),
            );
        });
    }
}

/// Some parameter checks can only be made by trying: this tells what the machine lacks.
fn check_machine() -> Result<(), Failure> {
    #[cfg(target_arch = "x86_64")]
    if !(std::is_x86_feature_detected!("aes") && std::is_x86_feature_detected!("sse2")) {
        return fail(
            Status::Unavailable,
            "this processor has no AES instructions, which the random generator needs",
        );
    }
    Ok(())
}

fn decrypt_words(key: &Secret, ciphertext: &[u64]) -> u64 {
    let ciphertext = LweCiphertext::from_container(ciphertext, CiphertextModulus::new_native());
    decrypt_lwe_ciphertext(&key.0, &ciphertext).0
}

fn check_parameters(parameters: &Parameters, maximum_key_bytes: u64) -> Result<(), Failure> {
    parameters.check()?;
    let bytes = parameters.key_bytes();
    if maximum_key_bytes != 0 && bytes > maximum_key_bytes {
        return fail(
            Status::TooLarge,
            format!(
                "the keys would have {bytes} bytes; at most {maximum_key_bytes} are allowed: raise \
                 the limit or compile with fewer bits"
            ),
        );
    }
    if usize::try_from(bytes).is_err() || bytes > isize::MAX as u64 {
        return fail(Status::TooLarge, format!("the keys would have {bytes} bytes"));
    }
    Ok(())
}

#[no_mangle]
pub extern "C" fn lutra_tfhe_abi_version() -> u32 {
    ABI_VERSION
}

#[no_mangle]
pub extern "C" fn lutra_tfhe_version_text() -> *const c_char {
    c"tfhe-rs 1.7.0".as_ptr()
}

#[no_mangle]
pub extern "C" fn lutra_tfhe_last_error() -> *const c_char {
    last_sentence()
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_check_parameters(
    parameters: *const Parameters,
    maximum_key_bytes: u64,
    key_bytes: *mut u64,
    ciphertext_words: *mut u64,
) -> i32 {
    guard(
        || {
            let parameters = slice("parameters", parameters, 1, 1)?[0];
            parameters.check()?;
            if let Some(out) = key_bytes.as_mut() {
                *out = parameters.key_bytes();
            }
            if let Some(out) = ciphertext_words.as_mut() {
                *out = parameters.ciphertext_words() as u64;
            }
            check_parameters(&parameters, maximum_key_bytes)
        },
        || (),
    )
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_context_create(
    context: *mut *mut Context,
    parameters: *const Parameters,
    maximum_key_bytes: u64,
    threads: u32,
) -> i32 {
    guard(
        || {
            let out = &mut slice_mut("context", context, 1, 1)?[0];
            *out = std::ptr::null_mut();
            silence_panics();
            let parameters = slice("parameters", parameters, 1, 1)?[0];
            check_parameters(&parameters, maximum_key_bytes)?;
            check_machine()?;
            if threads > 1024 {
                return invalid(format!("{threads} threads were asked for; at most 1024"));
            }
            let pool = match rayon::ThreadPoolBuilder::new().num_threads(threads as usize).build() {
                Ok(pool) => pool,
                Err(error) => {
                    return fail(Status::Unavailable, format!("cannot start threads: {error}"))
                }
            };
            *out = Box::into_raw(Box::new(Context {
                parameters,
                pool: Arc::new(pool),
                fft: Fft::new(parameters.polynomial_size()),
                keys: RwLock::new(None),
                poisoned: AtomicBool::new(false),
            }));
            Ok(())
        },
        || (),
    )
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_context_destroy(context: *mut Context) {
    guard(
        || {
            if !context.is_null() {
                drop(Box::from_raw(context));
            }
            Ok(())
        },
        || (),
    );
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_generate_keys(
    context: *mut Context,
    test_seed: *const u8,
    with_keyswitch: i32,
    bootstrap_part: BootstrapPart,
    progress: Progress,
    user: *mut c_void,
) -> i32 {
    guard(
        || {
            let context = context_of(context)?;
            let seed = seed_of(test_seed)?;
            let Ok(mut keys) = context.keys.write() else {
                return fail(Status::Panic, "an earlier key generation failed inside");
            };
            *keys = None;
            let mut give;
            let part: Option<keys::Part> = match bootstrap_part {
                None => None,
                Some(take) => {
                    give = move |first: u64, count: u64, words: &[u64]| {
                        take(user, first, count, words.as_ptr()) != 0
                    };
                    Some(&mut give)
                }
            };
            *keys = Some(Keys::generate(
                &context.parameters,
                &context.pool,
                &context.fft,
                seed,
                with_keyswitch != 0,
                part,
                &mut |done, total| progress.is_some_and(|tell| tell(user, done, total) != 0),
            )?);
            Ok(())
        },
        || poison(context),
    )
}

unsafe fn seed_of(test_seed: *const u8) -> Result<Option<[u8; 16]>, Failure> {
    if test_seed.is_null() {
        return Ok(None);
    }
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(slice("test_seed", test_seed, 16, 1)?);
    Ok(Some(bytes))
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_reader_create(
    reader: *mut *mut Context,
    consumer: *const Context,
    producer: *const Context,
    test_seed: *const u8,
    progress: Progress,
    user: *mut c_void,
) -> i32 {
    guard(
        || {
            let out = &mut slice_mut("reader", reader, 1, 1)?[0];
            *out = std::ptr::null_mut();
            let consumer = context_of(consumer)?;
            let producer = context_of(producer)?;
            let seed = seed_of(test_seed)?;
            let (consumer_keys, producer_keys) = (consumer.keys()?, producer.keys()?);
            let (Some(consumer_keys), Some(producer_keys)) =
                (consumer_keys.as_ref(), producer_keys.as_ref())
            else {
                return fail(Status::NoKey, "a reader needs two contexts that have keys");
            };
            let keys = Keys::generate_reader(
                &consumer.parameters,
                &consumer.pool,
                &consumer_keys.set,
                &producer_keys.set,
                seed,
                &mut |done, total| progress.is_some_and(|tell| tell(user, done, total) != 0),
            )?;
            *out = Box::into_raw(Box::new(Context {
                parameters: consumer.parameters,
                pool: consumer.pool.clone(),
                fft: Fft::new(consumer.parameters.polynomial_size()),
                keys: RwLock::new(Some(keys)),
                poisoned: AtomicBool::new(false),
            }));
            Ok(())
        },
        || (),
    )
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_ciphertext_words(context: *const Context) -> u64 {
    context.as_ref().map_or(0, |context| context.parameters.ciphertext_words() as u64)
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_keyswitch_key(
    context: *const Context,
    words: *mut *const u64,
    input_words: *mut u64,
) -> i32 {
    guard_lookup(context, |_, _, keyswitch| {
        slice_mut("words", words, 1, 1)?[0] = keyswitch.as_ref().as_ptr();
        slice_mut("input_words", input_words, 1, 1)?[0] = bootstrap::input_words(keyswitch) as u64;
        Ok(())
    })
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_encrypt(
    context: *const Context,
    ciphertexts: *mut u64,
    words: *const u64,
    count: usize,
) -> i32 {
    guard_with_keys(context, |context, keys| {
        let size = context.parameters.ciphertext_words();
        let words = slice("words", words, count, 1)?;
        let length = check_array("ciphertexts", ciphertexts, count, size)?;
        check_apart(ciphertexts, length, words.as_ptr(), words.len())?;
        let ciphertexts = slice_mut("ciphertexts", ciphertexts, count, size)?;
        if words.is_empty() {
            return Ok(());
        }
        let Ok(mut locked) = keys.set.encryption.lock() else {
            return fail(Status::Panic, "an earlier encryption failed inside");
        };
        let generator = &mut *locked;
        context.pool.install(|| {
            par_encrypt_lwe_ciphertext_list(
                &keys.set.big.0,
                &mut LweCiphertextList::from_container(
                    ciphertexts,
                    LweSize(size),
                    CiphertextModulus::new_native(),
                ),
                &PlaintextList::from_container(words),
                noise(context.parameters.glwe_standard_deviation),
                generator,
            );
        });
        Ok(())
    })
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_decrypt(
    context: *const Context,
    words: *mut u64,
    ciphertexts: *const u64,
    count: usize,
) -> i32 {
    guard_with_keys(context, |context, keys| {
        let size = context.parameters.ciphertext_words();
        let (words, ciphertexts) =
            results_and_ciphertexts(size, "words", words, ciphertexts, count)?;
        context.pool.install(|| {
            words
                .par_iter_mut()
                .zip(ciphertexts.par_chunks(size))
                .for_each(|(word, input)| *word = decrypt_words(&keys.set.big, input));
        });
        Ok(())
    })
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_keyswitch_decrypt(
    context: *const Context,
    words: *mut u64,
    ciphertexts: *const u64,
    count: usize,
) -> i32 {
    guard_lookup(context, |context, keys, keyswitch| {
        let parameters = &context.parameters;
        let small_size = parameters.lwe_dimension as usize + 1;
        let size = input_words(keyswitch);
        let (words, ciphertexts) =
            results_and_ciphertexts(size, "words", words, ciphertexts, count)?;
        context.each_group(words, ciphertexts, size, |words, inputs, scratch| {
            keyswitch_group(parameters, keyswitch, inputs, scratch);
            for (word, small) in words.iter_mut().zip(scratch.small().chunks(small_size)) {
                *word = decrypt_words(&keys.small, small);
            }
        });
        Ok(())
    })
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_lookup_positions(
    context: *const Context,
    positions: *mut u32,
    ciphertexts: *const u64,
    count: usize,
) -> i32 {
    guard_lookup(context, |context, keys, keyswitch| {
        let size = input_words(keyswitch);
        let (positions, ciphertexts) =
            results_and_ciphertexts(size, "positions", positions, ciphertexts, count)?;
        context.each_group(positions, ciphertexts, size, |positions, inputs, scratch| {
            positions_group(&context.parameters, keys, keyswitch, positions, inputs, scratch);
        });
        Ok(())
    })
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_tick_positions(
    context: *const Context,
    positions: *mut u32,
    ticks: *const u32,
    count: usize,
) -> i32 {
    guard_with_keys(context, |context, keys| {
        let columns = context.parameters.lwe_dimension as usize + 1;
        let modulus = 2 * context.parameters.polynomial_words();
        let ticks = slice("ticks", ticks, count, columns)?;
        check_array("positions", positions, count, 1)?;
        check_apart(positions, count, ticks.as_ptr(), ticks.len())?;
        let positions = slice_mut("positions", positions, count, 1)?;
        for (position, ticks) in positions.iter_mut().zip(ticks.chunks_exact(columns)) {
            *position = bootstrap::position_of(&keys.set, ticks, modulus);
        }
        Ok(())
    })
}

/// # Safety
/// As stated in lutra_tfhe.h.
#[no_mangle]
pub unsafe extern "C" fn lutra_tfhe_bootstrap(
    context: *const Context,
    outputs: *mut u64,
    inputs: *const u64,
    count: usize,
    tables: *const u64,
    table_count: usize,
    table_bits: u32,
    table_of_ciphertext: *const u32,
    progress: Progress,
    user: *mut c_void,
) -> i32 {
    guard_lookup(context, |context, keys, keyswitch| {
        let parameters = &context.parameters;
        let size = parameters.ciphertext_words();
        let input_size = input_words(keyswitch);
        let Some(bootstrap) = keys.bootstrap.as_ref() else {
            return fail(Status::NoKey, "the bootstrap key was given away when it was made");
        };
        if table_bits > parameters.log2_polynomial || table_count == 0 {
            return invalid(format!(
                "{table_count} tables of {table_bits} bits; should be at least 1 of at most {}",
                parameters.log2_polynomial
            ));
        }
        let tables = Tables {
            words: slice("tables", tables, table_count, 1 << table_bits)?,
            bits: table_bits,
        };
        let length = check_array("outputs", outputs, count, size)?;
        let input_length = check_array("inputs", inputs, count, input_size)?;
        check_apart(outputs, length, tables.words.as_ptr(), tables.words.len())?;
        let inputs = if std::ptr::eq(outputs, inputs) && size == input_size {
            None
        } else {
            check_apart(outputs, length, inputs, input_length)?;
            Some(slice("inputs", inputs, count, input_size)?)
        };
        let outputs = slice_mut("outputs", outputs, count, size)?;
        let choice = if table_of_ciphertext.is_null() {
            None
        } else {
            let choice = slice("table_of_ciphertext", table_of_ciphertext, count, 1)?;
            if choice.iter().any(|&table| table as usize >= table_count) {
                return invalid(format!("a table index is not below {table_count}"));
            }
            Some(choice)
        };
        let stop =
            |done: usize| progress.is_some_and(|tell| tell(user, done as u64, count as u64) != 0);
        let threads = context.pool.current_num_threads();
        let largest = largest_group(parameters);
        let step = threads * largest * GROUPS_PER_THREAD_AT_ONCE;
        for (index, piece) in outputs.chunks_mut(step * size).enumerate() {
            let start = index * step;
            if stop(start) {
                return fail(Status::Cancelled, "the look-ups were cancelled");
            }
            let group = even_group(piece.len() / size, threads, largest);
            context.pool.install(|| {
                piece.par_chunks_mut(group * size).enumerate().for_each_init(
                    || Scratch::new(parameters, &context.fft, group),
                    |scratch, (position, outputs)| {
                        let first = start + position * group;
                        let members = first..first + outputs.len() / size;
                        bootstrap_group(
                            parameters,
                            bootstrap,
                            keyswitch,
                            &context.fft,
                            inputs.map(|all| {
                                &all[members.start * input_size..members.end * input_size]
                            }),
                            outputs,
                            &tables,
                            choice.map(|all| &all[members.clone()]),
                            scratch,
                        );
                    },
                );
            });
        }
        if stop(count) {
            return fail(Status::Cancelled, "the look-ups were cancelled");
        }
        Ok(())
    })
}
