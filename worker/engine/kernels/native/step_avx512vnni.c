/* AVX-512 with VNNI: Intel from Ice Lake, AMD from Zen 4. */
#if defined(__x86_64__)
#include <immintrin.h>

#define KERNELS mg_avx512vnni
#define NAME "avx512vnni"
#define LEVELS 255
#define LEAST 0
#define ROWS 6
#define COLUMNS 4
#define INT4_ROWS 3
#define INT4_COLUMNS 4

typedef __m512i sums;
#define load_sums(from) _mm512_loadu_si512(from)
#define store_sums(to, stored) _mm512_storeu_si512(to, stored)
#define add_packed(total, four, weights) _mm512_dpbusd_epi32(total, _mm512_set1_epi32((int)(four)), weights)
#define add_products(total, four, weights) add_packed(total, four, _mm512_loadu_si512(weights))

typedef __m512i packed;
#define upper_halves(bytes) _mm512_and_si512(bytes, _mm512_set1_epi8((char)0xf0))
#define first_halves(from) upper_halves(_mm512_slli_epi16(_mm512_loadu_si512(from), 4))
#define second_halves(from) upper_halves(_mm512_loadu_si512(from))

typedef __m512 floats;
#define load_scales(from) \
    _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(from))), 16))
#define add_scaled(total, sum, scale) _mm512_add_ps(total, _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scale))
#define store_floats(to, stored) _mm512_storeu_ps(to, stored)

#include "step.inc.h"
#endif
