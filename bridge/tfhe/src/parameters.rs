// SPDX-License-Identifier: Apache-2.0
//! The parameter struct of the C header and every check that tfhe-rs leaves to its caller.

use crate::failure::{fail, Failure, Status};
use tfhe::core_crypto::prelude::*;

/// LUTRA_TFHE_MODULUS_SWITCH_CENTERED; the standard one is 0.
pub const MODULUS_SWITCH_CENTERED: u32 = 1;

/// LutraTfheParameters of lutra_tfhe.h: same fields, same order.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Parameters {
    pub struct_bytes: u32,
    pub lwe_dimension: u32,
    pub glwe_dimension: u32,
    pub log2_polynomial: u32,
    pub bootstrap_level: u32,
    pub bootstrap_base_log: u32,
    pub keyswitch_level: u32,
    pub keyswitch_base_log: u32,
    pub modulus_switch: u32,
    pub reserved: u32,
    pub lwe_standard_deviation: f64,
    pub glwe_standard_deviation: f64,
}

fn check_range(name: &str, value: u32, minimum: u32, maximum: u32) -> Result<(), Failure> {
    if value < minimum || value > maximum {
        return fail(
            Status::Invalid,
            format!("'{name}' is {value}; should be {minimum} to {maximum}"),
        );
    }
    Ok(())
}

impl Parameters {
    pub fn check(&self) -> Result<(), Failure> {
        if self.struct_bytes as usize != std::mem::size_of::<Parameters>() || self.reserved != 0 {
            return fail(
                Status::Invalid,
                format!(
                    "the parameter struct has {} bytes; should have {}",
                    self.struct_bytes,
                    std::mem::size_of::<Parameters>()
                ),
            );
        }
        check_range("lwe_dimension", self.lwe_dimension, 1, 4096)?;
        check_range("glwe_dimension", self.glwe_dimension, 1, 16)?;
        // Below 2^8 the Fourier transform has no plan for some sizes.
        check_range("log2_polynomial", self.log2_polynomial, 8, 17)?;
        check_range("modulus_switch", self.modulus_switch, 0, MODULUS_SWITCH_CENTERED)?;
        for (name, level, base_log) in [
            ("bootstrap", self.bootstrap_level, self.bootstrap_base_log),
            ("keyswitch", self.keyswitch_level, self.keyswitch_base_log),
        ] {
            // The decomposer checks this in debug builds only and is silently wrong otherwise.
            if level == 0 || base_log == 0 || u64::from(level) * u64::from(base_log) >= 64 {
                return fail(
                    Status::Invalid,
                    format!(
                        "the {name} decomposition has {level} levels of {base_log} bits; should \
                         have at least 1 of each and fewer than 64 bits in all"
                    ),
                );
            }
        }
        for (name, deviation) in [
            ("lwe_standard_deviation", self.lwe_standard_deviation),
            ("glwe_standard_deviation", self.glwe_standard_deviation),
        ] {
            if !(deviation > 0.0 && deviation < 1.0) {
                return fail(
                    Status::Invalid,
                    format!("'{name}' is {deviation}; should be above 0 and below 1"),
                );
            }
        }
        Ok(())
    }

    /// Bits of the big key. At most 16 * 2^17, so nothing below overflows 64 bits.
    pub fn big_dimension(&self) -> usize {
        (self.glwe_dimension as usize) << self.log2_polynomial
    }

    pub fn ciphertext_words(&self) -> usize {
        self.big_dimension() + 1
    }

    pub fn polynomial_words(&self) -> usize {
        1 << self.log2_polynomial
    }

    /// Words of one encrypted bit of the small key.
    pub fn ggsw_words(&self) -> usize {
        let size = self.glwe_dimension as usize + 1;
        size * size * self.bootstrap_level as usize * self.polynomial_words()
    }

    /// Words that are left of one encrypted bit if its masks follow from a seed.
    pub fn ggsw_body_words(&self) -> usize {
        self.ggsw_words() / (self.glwe_dimension as usize + 1)
    }

    /// Words of the keyswitch key.
    pub fn keyswitch_words(&self) -> usize {
        self.big_dimension() * self.keyswitch_level as usize * (self.lwe_dimension as usize + 1)
    }

    pub fn key_bytes(&self) -> u64 {
        8 * (self.lwe_dimension as u64 * self.ggsw_words() as u64 + self.keyswitch_words() as u64)
    }

    pub fn polynomial_size(&self) -> PolynomialSize {
        PolynomialSize(self.polynomial_words())
    }

    pub fn glwe_size(&self) -> GlweSize {
        GlweDimension(self.glwe_dimension as usize).to_glwe_size()
    }

    pub fn bootstrap_base_log(&self) -> DecompositionBaseLog {
        DecompositionBaseLog(self.bootstrap_base_log as usize)
    }

    pub fn bootstrap_level(&self) -> DecompositionLevelCount {
        DecompositionLevelCount(self.bootstrap_level as usize)
    }

    pub fn keyswitch_base_log(&self) -> DecompositionBaseLog {
        DecompositionBaseLog(self.keyswitch_base_log as usize)
    }

    pub fn keyswitch_level(&self) -> DecompositionLevelCount {
        DecompositionLevelCount(self.keyswitch_level as usize)
    }
}
