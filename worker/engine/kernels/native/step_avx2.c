/* AVX2. Its multiply-add saturates at 16 bits, so that activations have only seven bits: 127 * 127 * 2 fits. */
#if defined(__x86_64__)
#define KERNELS mg_avx2
#define NAME "avx2"
#define LEVELS 127
#define LEAST 0
#define ROWS 2
#define COLUMNS 2
#define INT4_ROWS 2
#define INT4_COLUMNS 1
#define ADD_EIGHT(total, x, weights) \
    _mm256_add_epi32(total, _mm256_madd_epi16(_mm256_maddubs_epi16(x, weights), _mm256_set1_epi16(1)))

#include "pair.h"
#include "step.inc.h"
#endif
