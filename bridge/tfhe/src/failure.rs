// SPDX-License-Identifier: Apache-2.0
//! Statuses and their sentences. The numbers are those of LutraTfheStatus in lutra_tfhe.h.

use std::cell::RefCell;
use std::ffi::{c_char, CString};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Status {
    Invalid = 1,
    TooLarge = 2,
    Cancelled = 3,
    NoKey = 4,
    Unavailable = 5,
    Panic = 6,
}

#[derive(Debug)]
pub struct Failure {
    pub status: Status,
    pub sentence: String,
}

pub fn fail<T>(status: Status, sentence: impl Into<String>) -> Result<T, Failure> {
    Err(Failure { status, sentence: sentence.into() })
}

thread_local! {
    static LAST_SENTENCE: RefCell<CString> = RefCell::new(CString::default());
}

fn remember(sentence: &str) {
    let clean: String = sentence.chars().map(|c| if c == '\0' { ' ' } else { c }).collect();
    LAST_SENTENCE.with(|last| *last.borrow_mut() = CString::new(clean).unwrap_or_default());
}

/// Pointer to the sentence of this thread; stays valid until the next call to `guard` on it.
pub fn last_sentence() -> *const c_char {
    LAST_SENTENCE.with(|last| last.borrow().as_ptr())
}

/// Keeps panics off the standard error stream: their text becomes the sentence of a status. The
/// hook is that of this library's own copy of the Rust runtime.
pub fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|_| ())));
}

/// Runs the body of an exported function: results become statuses, and a panic, also one of a
/// worker thread, stops here. `after_panic` runs in that case only.
pub fn guard(body: impl FnOnce() -> Result<(), Failure>, after_panic: impl FnOnce()) -> i32 {
    let (status, sentence) = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => {
            remember("");
            return 0;
        }
        Ok(Err(failure)) => (failure.status, failure.sentence),
        Err(payload) => {
            after_panic();
            let text = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            (Status::Panic, format!("the FHE library failed inside: {text}"))
        }
    };
    remember(&sentence);
    status as i32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

    fn sentence() -> String {
        unsafe { CStr::from_ptr(last_sentence()) }.to_string_lossy().into_owned()
    }

    #[test]
    fn panics_become_statuses() {
        silence_panics();
        let mut poisoned = false;
        assert_eq!(guard(|| panic!("box {}", 7), || poisoned = true), Status::Panic as i32);
        assert!(poisoned);
        assert_eq!(sentence(), "the FHE library failed inside: box 7");
        assert_eq!(guard(|| Ok(()), || unreachable!()), 0);
        assert_eq!(sentence(), "");
        assert_eq!(guard(|| fail(Status::NoKey, "no\0key"), || unreachable!()), 4);
        assert_eq!(sentence(), "no key");
    }

    #[test]
    fn panics_of_pool_threads_arrive_too() {
        silence_panics();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let status = guard(|| pool.install(|| panic!("worker")), || ());
        assert_eq!(status, Status::Panic as i32);
        assert_eq!(sentence(), "the FHE library failed inside: worker");
    }
}
