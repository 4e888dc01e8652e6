/* Any processor. */
#include <stdint.h>

#define KERNELS mg_portable
#define NAME "portable"
#define LEVELS 255
#define LEAST 0
#define ROWS 4
#define COLUMNS 1

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

#include "step.inc.h"
