/* AVX-VNNI: Intel from Alder Lake, AMD from Zen 5. */
#if defined(__x86_64__)
#define KERNELS mg_avxvnni
#define NAME "avxvnni"
#define LEVELS 255
#define LEAST 0
#define ROWS 3
#define COLUMNS 2
#define INT4_ROWS 2
#define INT4_COLUMNS 1
#define ADD_EIGHT(total, x, weights) _mm256_dpbusd_avx_epi32(total, x, weights)

#include "pair.h"
#include "step.inc.h"
#endif
