/* Any processor. */
#include <stdint.h>

#define KERNELS mg_portable
#define NAME "portable"
#define LEVELS 255
#define LEAST 0
#define ROWS 4
#define COLUMNS 1
#define INT4_ROWS 2
#define INT4_COLUMNS 1

typedef struct {
    int32_t at[16];
} sums;

static inline sums load_sums(const int32_t *from) {
    sums loaded;
    for (int i = 0; i < 16; i++) loaded.at[i] = from[i];
    return loaded;
}

static inline void store_sums(int32_t *to, sums stored) {
    for (int i = 0; i < 16; i++) to[i] = stored.at[i];
}

static inline sums add_products(sums total, uint32_t four, const int8_t *weights) {
    uint8_t x[4];
    __builtin_memcpy(x, &four, sizeof x);
    for (int i = 0; i < 16; i++)
        total.at[i] += x[0] * weights[4 * i] + x[1] * weights[4 * i + 1] + x[2] * weights[4 * i + 2] +
                       x[3] * weights[4 * i + 3];
    return total;
}

typedef struct {
    int8_t at[64];
} packed;

static inline packed second_halves(const int8_t *from) {
    packed bytes;
    for (int i = 0; i < 64; i++) bytes.at[i] = (int8_t)(from[i] & 0xf0);
    return bytes;
}

static inline packed first_halves(const int8_t *from) {
    packed bytes;
    for (int i = 0; i < 64; i++) bytes.at[i] = (int8_t)((uint8_t)from[i] << 4);
    return bytes;
}

static inline sums add_packed(sums total, uint32_t four, packed weights) {
    return add_products(total, four, weights.at);
}

typedef struct {
    float at[16];
} floats;

static inline floats load_scales(const void *from) {
    floats loaded;
    uint16_t halves[16];
    __builtin_memcpy(halves, from, sizeof halves);
    for (int i = 0; i < 16; i++) {
        uint32_t bits = (uint32_t)halves[i] << 16;
        __builtin_memcpy(&loaded.at[i], &bits, sizeof bits);
    }
    return loaded;
}

static inline floats add_scaled(floats total, sums sum, floats scale) {
    for (int i = 0; i < 16; i++) total.at[i] += (float)sum.at[i] * scale.at[i];
    return total;
}

static inline void store_floats(float *to, floats stored) {
    for (int i = 0; i < 16; i++) to[i] = stored.at[i];
}

#include "step.inc.h"
