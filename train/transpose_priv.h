/* SPDX-License-Identifier: Apache-2.0 */
/* Sixteen vectors of sixteen words turned; for files compiled for AVX-512. */
#ifndef LUTRA_TRAIN_TRANSPOSE_PRIV_H
#define LUTRA_TRAIN_TRANSPOSE_PRIV_H

#if defined(__AVX512F__)
#include <immintrin.h>

/* Rows become columns. */
static inline void lutra_transpose(__m512i t[16]) {
    __m512i u[16];
    for (int i = 0; i < 16; i += 2) {
        u[i] = _mm512_unpacklo_epi32(t[i], t[i + 1]);
        u[i + 1] = _mm512_unpackhi_epi32(t[i], t[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        t[i] = _mm512_unpacklo_epi64(u[i], u[i + 2]);
        t[i + 1] = _mm512_unpackhi_epi64(u[i], u[i + 2]);
        t[i + 2] = _mm512_unpacklo_epi64(u[i + 1], u[i + 3]);
        t[i + 3] = _mm512_unpackhi_epi64(u[i + 1], u[i + 3]);
    }
    /* t[4 g + c]: column c + 4 * (128-bit lane) of rows 4 g .. 4 g + 3 */
    for (int c = 0; c < 4; c++) {
        u[c] = _mm512_shuffle_i32x4(t[c], t[4 + c], 0x88);
        u[4 + c] = _mm512_shuffle_i32x4(t[c], t[4 + c], 0xDD);
        u[8 + c] = _mm512_shuffle_i32x4(t[8 + c], t[12 + c], 0x88);
        u[12 + c] = _mm512_shuffle_i32x4(t[8 + c], t[12 + c], 0xDD);
    }
    for (int c = 0; c < 4; c++) {
        t[c] = _mm512_shuffle_i32x4(u[c], u[8 + c], 0x88);
        t[8 + c] = _mm512_shuffle_i32x4(u[c], u[8 + c], 0xDD);
        t[4 + c] = _mm512_shuffle_i32x4(u[4 + c], u[12 + c], 0x88);
        t[12 + c] = _mm512_shuffle_i32x4(u[4 + c], u[12 + c], 0xDD);
    }
}
#endif

#endif
