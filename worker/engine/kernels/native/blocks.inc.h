/* A block of a product, and what becomes of it. Part of step.inc.h. */

typedef enum { STORE, ADD, GELU } finish;

/* Products with weights of 64 outputs, as floats, but for the scale of the activations. */
static void scale_int8(const int32_t *products, const matrix *by, int32_t first, grid x, float *to) {
    const float *scale = by->scale + first;
    const int32_t *sum = by->sum + first;
    for (int32_t i = 0; i < BLOCK; i++) to[i] = (float)(products[i] - x.zero * sum[i]) * (scale[i] * x.level);
}

static void scale_int4(const float *products, const matrix *by, int32_t first, grid x, float *to) {
    const float *offset = by->offset + first, zero = (float)x.zero, level = x.level / 16.0f;
    for (int32_t i = 0; i < BLOCK; i++) to[i] = (products[i] - zero * offset[i]) * level;
}

INLINE void finish_row(finish how, float *values, float *to, int32_t n) {
    if (how == ADD) {
        for (int32_t i = 0; i < n; i++) to[i] = to[i] + values[i];
        return;
    }
    if (how == GELU) {
        for (int32_t i = 0; i < BLOCK; i++) values[i] = gelu(values[i]);
    }
    memcpy(to, values, (size_t)n * sizeof *to);
}

/* The block's outputs of all rows, from `to` on. `rows` says where in `to` each row goes; NULL is in order. */
static void multiply_block(const matrix *by, int32_t block, int32_t next, const activations *x, finish how, float *to,
                           size_t stride, const int32_t *rows) {
    int32_t integers[ROWS][BLOCK];
    float scaled[INT4_ROWS][BLOCK], values[BLOCK];
    const int32_t most = by->bits == 4 ? INT4_ROWS : ROWS;
    int32_t n = by->outputs - block * BLOCK < BLOCK ? by->outputs - block * BLOCK : BLOCK;
    const int8_t *after = by->weights + (size_t)(next < by->blocks ? next : block) * block_bytes(by);
    const int32_t tiles = (x->count + most - 1) / most;
    for (int32_t first = 0, tile = 0; tile < tiles; tile++) {
        int32_t count = (x->count - first + tiles - tile - 1) / (tiles - tile);
        const uint8_t *from = x->bytes + (size_t)first * x->stride;
        if (by->bits == 4) multiply_int4(count, by, block, first ? NULL : after, from, x->stride, scaled);
        else multiply_int8(count, by, block, (turn){tile, tiles, after}, from, x->stride, integers);
        for (int32_t row = 0; row < count; row++) {
            grid of = x->grids[first + row];
            if (by->bits == 4) scale_int4(scaled[row], by, block * BLOCK, of, values);
            else scale_int8(integers[row], by, block * BLOCK, of, values);
            finish_row(how, values, to + (size_t)(rows ? rows[first + row] : first + row) * stride, n);
        }
        first += count;
    }
}
