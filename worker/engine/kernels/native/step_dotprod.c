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
#define INT4_ROWS 3
#define INT4_COLUMNS 1

typedef struct {
    int32x4_t at[4];
} sums;

static inline __attribute__((always_inline)) sums load_sums(const int32_t *from) {
    return (sums){{vld1q_s32(from), vld1q_s32(from + 4), vld1q_s32(from + 8), vld1q_s32(from + 12)}};
}

static inline __attribute__((always_inline)) void store_sums(int32_t *to, sums stored) {
    for (int i = 0; i < 4; i++) vst1q_s32(to + 4 * i, stored.at[i]);
}

typedef int8x16x4_t packed;

static inline __attribute__((always_inline)) packed load_packed(const int8_t *from) {
    return (packed){{vld1q_s8(from), vld1q_s8(from + 16), vld1q_s8(from + 32), vld1q_s8(from + 48)}};
}

static inline __attribute__((always_inline)) sums add_packed(sums total, uint32_t four, packed weights) {
    int8x16_t x = vreinterpretq_s8_u32(vdupq_n_u32(four));
    for (int i = 0; i < 4; i++) total.at[i] = vdotq_s32(total.at[i], x, weights.val[i]);
    return total;
}

#define add_products(total, four, weights) add_packed(total, four, load_packed(weights))

static inline __attribute__((always_inline)) packed first_halves(const int8_t *from) {
    packed bytes = load_packed(from);
    for (int i = 0; i < 4; i++) bytes.val[i] = vshlq_n_s8(bytes.val[i], 4);
    return bytes;
}

static inline __attribute__((always_inline)) packed second_halves(const int8_t *from) {
    packed bytes = load_packed(from);
    for (int i = 0; i < 4; i++) bytes.val[i] = vandq_s8(bytes.val[i], vdupq_n_s8(-16));
    return bytes;
}

typedef float32x4x4_t floats;

static inline __attribute__((always_inline)) floats load_scales(const void *from) {
    floats loaded;
    for (int i = 0; i < 4; i++)
        loaded.val[i] = vreinterpretq_f32_u32(vshll_n_u16(vld1_u16((const uint16_t *)from + 4 * i), 16));
    return loaded;
}

static inline __attribute__((always_inline)) floats add_scaled(floats total, sums sum, floats scale) {
    for (int i = 0; i < 4; i++)
        total.val[i] = vaddq_f32(total.val[i], vmulq_f32(vcvtq_f32_s32(sum.at[i]), scale.val[i]));
    return total;
}

static inline __attribute__((always_inline)) void store_floats(float *to, floats stored) {
    for (int i = 0; i < 4; i++) vst1q_f32(to + 4 * i, stored.val[i]);
}

#include "step.inc.h"
#endif
