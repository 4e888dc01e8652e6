/* 16 integers in two registers of AVX2. */
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

static inline __attribute__((always_inline)) sums add_products(sums total, uint32_t four, const int8_t *weights) {
    __m256i x = _mm256_set1_epi32((int)four);
    total.first = ADD_EIGHT(total.first, x, _mm256_loadu_si256((const __m256i *)weights));
    total.second = ADD_EIGHT(total.second, x, _mm256_loadu_si256((const __m256i *)(weights + 32)));
    return total;
}
