/* SPDX-License-Identifier: Apache-2.0 */
/* AVX-512 versions of what AVX2 leaves slow; they need VNNI for the products of bytes. */
#include "train/kernels_priv.h"

#if defined(__x86_64__)
#include <immintrin.h>

enum { LANES = 16, MOST_VECTORS = 6, ROWS = 4 };

/* Adds the products of four weights, the same for all lanes. In assembly because gcc 12 copies
 * every sum to the stack and back around the intrinsic. */
static inline __attribute__((always_inline)) void add_products(__m512i *sums, __m512i bytes,
                                                               const int32_t *weights) {
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(*sums) : "v"(bytes), "m"(*weights));
}

/* Four rows by 16 * VECTORS positions. Unrolled early: the sums then stay in registers. */
#define DEFINE_TILE(VECTORS)                                                                       \
    static void tile_##VECTORS(float *sums, const uint8_t *bytes, const uint32_t *offsets,        \
                               size_t quads, const int8_t *weights,                               \
                               const int32_t corrections[4], size_t positions) {                  \
        const int32_t *fours = (const int32_t *)(const void *)weights;                            \
        __m512i lanes[ROWS][VECTORS];                                                             \
        UNROLLED(j, ROWS) {                                                                       \
            UNROLLED(v, VECTORS) {                                                                \
                lanes[j][v] = _mm512_set1_epi32(corrections[j]);                                  \
            }                                                                                     \
        }                                                                                         \
        for (size_t q = 0; q < quads; q++, fours += ROWS) {                                       \
            const uint8_t *from = bytes + offsets[q];                                             \
            __m512i x[VECTORS];                                                                   \
            UNROLLED(v, VECTORS) {                                                                \
                x[v] = _mm512_loadu_si512(from + ((size_t)v * 64));                               \
            }                                                                                     \
            UNROLLED(j, ROWS) {                                                                   \
                UNROLLED(v, VECTORS) {                                                            \
                    add_products(&lanes[j][v], x[v], fours + j);                                  \
                }                                                                                 \
            }                                                                                     \
        }                                                                                         \
        UNROLLED(j, ROWS) {                                                                       \
            UNROLLED(v, VECTORS) {                                                                \
                _mm512_storeu_ps(sums + ((size_t)j * positions) + ((size_t)v * LANES),            \
                                 _mm512_cvtepi32_ps(lanes[j][v]));                                \
            }                                                                                     \
        }                                                                                         \
    }
#define UNROLLED(i, count) _Pragma("GCC unroll 8") for (int i = 0; i < (count); i++)

DEFINE_TILE(1)
DEFINE_TILE(2)
DEFINE_TILE(3)
DEFINE_TILE(4)
DEFINE_TILE(5)
DEFINE_TILE(6)

/* The same for eight positions. */
static void products_half(float *sums, const uint8_t *bytes, const uint32_t *offsets, size_t quads,
                          const int8_t *weights, const int32_t corrections[4], size_t positions) {
    __m256i lanes[ROWS];
    for (int j = 0; j < ROWS; j++) {
        lanes[j] = _mm256_set1_epi32(corrections[j]);
    }
    for (size_t q = 0; q < quads; q++, weights += 16) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(bytes + offsets[q]));
        for (int j = 0; j < ROWS; j++) {
            int32_t four = 0;
            memcpy(&four, weights + (4 * j), sizeof four);
            lanes[j] = _mm256_dpbusd_epi32(lanes[j], x, _mm256_set1_epi32(four));
        }
    }
    for (int j = 0; j < ROWS; j++) {
        _mm256_storeu_ps(sums + ((size_t)j * positions), _mm256_cvtepi32_ps(lanes[j]));
    }
}

static void byte_products_avx512(float *sums, const uint8_t *bytes, const uint32_t *offsets,
                                 size_t quads, const int8_t *weights,
                                 const int32_t corrections[4], size_t positions) {
    size_t p = 0;
    for (; p + (LANES * MOST_VECTORS) <= positions; p += LANES * MOST_VECTORS) {
        tile_6(sums + p, bytes + (4 * p), offsets, quads, weights, corrections, positions);
    }
#define VECTORS_CASE(vectors)                                                                     \
    case vectors:                                                                                 \
        tile_##vectors(sums + p, bytes + (4 * p), offsets, quads, weights, corrections,           \
                       positions);                                                                \
        break;
    switch ((positions - p) / LANES) {
        VECTORS_CASE(1)
        VECTORS_CASE(2)
        VECTORS_CASE(3)
        VECTORS_CASE(4)
        VECTORS_CASE(5)
    default:
        break;
    }
#undef VECTORS_CASE
    if (positions % LANES != 0) {
        p = positions - (positions % LANES);
        products_half(sums + p, bytes + (4 * p), offsets, quads, weights, corrections, positions);
    }
}

enum { MOST_TAPS = 8, MOST_BLOCKS = 4 };

/* Where sixteen columns of a row of a plane meet one column of the kernel. */
typedef struct {
    ptrdiff_t start; /* column of the result in lane 0 */
    __mmask16 inside;
} Reach;

static Reach reach_of(const LutraConvShape *shape, size_t column, size_t tap) {
    const ptrdiff_t start = (ptrdiff_t)(column + shape->padding) - (ptrdiff_t)tap;
    const ptrdiff_t end = (ptrdiff_t)shape->out_width - start;
    const uint32_t before = start < 0 ? (uint32_t)(start < -LANES ? LANES : -start) : 0;
    const uint32_t after = end < 0 ? 0 : end > LANES ? LANES : (uint32_t)end;
    return (Reach){start, (__mmask16)(((1u << after) - 1u) & ~((1u << before) - 1u))};
}

typedef struct {
    Reach of[MOST_BLOCKS][MOST_TAPS];
} Reaches;

/* Element by element: all patches that hold it, in the order of their taps. */
static inline __attribute__((always_inline)) void scatter_plane(
    float *plane, const float *patches, size_t row_stride, const LutraConvShape *shape,
    const Reaches *reaches, const size_t kernel_width) {
    const size_t width = shape->in_width;
    const size_t blocks = (width + LANES - 1) / LANES;
    const __mmask16 last = (__mmask16)(0xFFFFu >> ((blocks * LANES) - width));
    for (size_t y = 0; y < shape->in_height; y++, plane += width) {
        const size_t padded = y + shape->padding;
        const size_t first = padded < shape->out_height ? 0 : padded - shape->out_height + 1;
        const size_t end = padded < shape->kernel_height ? padded + 1 : shape->kernel_height;
        for (size_t x = 0; x < blocks; x++) {
            __m512 total = _mm512_setzero_ps();
            for (size_t a = first; a < end; a++) {
                const float *from =
                    patches + (a * kernel_width * row_stride) + ((padded - a) * shape->out_width);
                for (size_t b = 0; b < kernel_width; b++, from += row_stride) {
                    const Reach reach = reaches->of[x][b];
                    total = _mm512_add_ps(
                        total, _mm512_maskz_loadu_ps(reach.inside, from + reach.start));
                }
            }
            _mm512_mask_storeu_ps(plane + (x * LANES), x + 1 < blocks ? 0xFFFF : last, total);
        }
    }
}

static void scatter_avx512(float *plane, const float *patches, size_t row_stride,
                           const LutraConvShape *shape) {
    const size_t blocks = (shape->in_width + LANES - 1) / LANES;
    Reaches reaches;
    if (shape->stride != 1 || shape->kernel_width > MOST_TAPS || blocks > MOST_BLOCKS) {
        lutra_scatter_inline(plane, patches, row_stride, shape);
        return;
    }
    for (size_t x = 0; x < blocks; x++) {
        for (size_t b = 0; b < shape->kernel_width; b++) {
            reaches.of[x][b] = reach_of(shape, x * LANES, b);
        }
    }
    if (shape->kernel_width == 3) {
        scatter_plane(plane, patches, row_stride, shape, &reaches, 3);
    } else {
        scatter_plane(plane, patches, row_stride, shape, &reaches, shape->kernel_width);
    }
}

void lutra_train_kernels_avx512(LutraTrainKernels *kernels) {
    kernels->byte_products = byte_products_avx512;
    kernels->byte_limit = 1 << 30;
    kernels->scatter = scatter_avx512;
}
#endif
