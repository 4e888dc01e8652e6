/* AVX-512 with VNNI: Intel from Ice Lake, AMD from Zen 4. */
#if defined(__x86_64__)
#include <immintrin.h>

#define KERNELS mg_avx512vnni
#define NAME "avx512vnni"
#define LEVELS 255
#define LEAST 0
#define ROWS 6
#define COLUMNS 4

typedef __m512i sums;
#define load_sums(from) _mm512_loadu_si512(from)
#define store_sums(to, stored) _mm512_storeu_si512(to, stored)
#define add_products(total, four, weights) \
    _mm512_dpbusd_epi32(total, _mm512_set1_epi32((int)(four)), _mm512_loadu_si512(weights))

#include "step.inc.h"
#endif
