/* NEON with dot product: Arm from Cortex-A76 and Neoverse N1, and all of Apple's M. It multiplies signed bytes only. */
#if defined(__aarch64__)
#include <arm_neon.h>
#include <stdint.h>

#define KERNELS mg_dotprod
#define NAME "dotprod"
#define LEVELS 255
#define LEAST -128
#define ROWS 6
#define COLUMNS 1

typedef struct {
    int32x4_t at[4];
} sums;

static inline __attribute__((always_inline)) sums load_sums(const int32_t *from) {
    return (sums){{vld1q_s32(from), vld1q_s32(from + 4), vld1q_s32(from + 8), vld1q_s32(from + 12)}};
}

static inline __attribute__((always_inline)) void store_sums(int32_t *to, sums stored) {
    for (int i = 0; i < 4; i++) vst1q_s32(to + 4 * i, stored.at[i]);
}

static inline __attribute__((always_inline)) sums add_products(sums total, uint32_t four, const int8_t *weights) {
    int8x16_t x = vreinterpretq_s8_u32(vdupq_n_u32(four));
    for (int i = 0; i < 4; i++) total.at[i] = vdotq_s32(total.at[i], x, vld1q_s8(weights + 16 * i));
    return total;
}

#include "step.inc.h"
#endif
