/* 16 integers or floats in two registers of AVX2. */
#include <immintrin.h>
#include <stdint.h>

typedef struct {
    __m256i first, second;
} sums;

static inline __attribute__((always_inline)) sums load_sums(const int32_t *from) {
    return (sums){_mm256_loadu_si256((const __m256i *)from), _mm256_loadu_si256((const __m256i *)(from + 8))};
}

static inline __attribute__((always_inline)) void store_sums(int32_t *to, sums stored) {
    _mm256_storeu_si256((__m256i *)to, stored.first);
    _mm256_storeu_si256((__m256i *)(to + 8), stored.second);
}

typedef struct {
    __m256i first, second;
} packed;

static inline __attribute__((always_inline)) packed load_packed(const int8_t *from) {
    return (packed){_mm256_loadu_si256((const __m256i *)from), _mm256_loadu_si256((const __m256i *)(from + 32))};
}

static inline __attribute__((always_inline)) sums add_packed(sums total, uint32_t four, packed weights) {
    __m256i x = _mm256_set1_epi32((int)four);
    return (sums){ADD_EIGHT(total.first, x, weights.first), ADD_EIGHT(total.second, x, weights.second)};
}

#define add_products(total, four, weights) add_packed(total, four, load_packed(weights))

static inline __attribute__((always_inline)) packed second_halves(const int8_t *from) {
    packed bytes = load_packed(from);
    __m256i upper = _mm256_set1_epi8((char)0xf0);
    return (packed){_mm256_and_si256(bytes.first, upper), _mm256_and_si256(bytes.second, upper)};
}

static inline __attribute__((always_inline)) packed first_halves(const int8_t *from) {
    packed bytes = load_packed(from);
    __m256i upper = _mm256_set1_epi8((char)0xf0);
    return (packed){_mm256_and_si256(_mm256_slli_epi16(bytes.first, 4), upper),
                    _mm256_and_si256(_mm256_slli_epi16(bytes.second, 4), upper)};
}

typedef struct {
    __m256 first, second;
} floats;

static inline __attribute__((always_inline)) __m256 load_eight_scales(const void *from) {
    __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)from));
    return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
}

static inline __attribute__((always_inline)) floats load_scales(const void *from) {
    return (floats){load_eight_scales(from), load_eight_scales((const uint16_t *)from + 8)};
}

static inline __attribute__((always_inline)) floats add_scaled(floats total, sums sum, floats scale) {
    total.first = _mm256_add_ps(total.first, _mm256_mul_ps(_mm256_cvtepi32_ps(sum.first), scale.first));
    total.second = _mm256_add_ps(total.second, _mm256_mul_ps(_mm256_cvtepi32_ps(sum.second), scale.second));
    return total;
}

static inline __attribute__((always_inline)) void store_floats(float *to, floats stored) {
    _mm256_storeu_ps(to, stored.first);
    _mm256_storeu_ps(to + 8, stored.second);
}
