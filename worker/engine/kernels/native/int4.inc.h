/* Products of bytes with weights of four bits. Part of step.inc.h. */

#define SPAN_QUADS (SPAN / QUAD)

/* Adds a quad of all rows, whose weights are the lower or the upper halves of the bytes `at`. */
INLINE void add_int4_quad(const int R, const int upper, const int8_t *at, const uint8_t *rows, size_t stride,
                          sums total[INT4_ROWS][INT4_COLUMNS]) {
    UNROLL
    for (int column = 0; column < INT4_COLUMNS; column++) {
        packed weights = upper ? second_halves(at + column * 64) : first_halves(at + column * 64);
        UNROLL
        for (int row = 0; row < R; row++)
            total[row][column] = add_packed(total[row][column], four_bytes(rows + (size_t)row * stride), weights);
    }
}

/* One tile, as `multiply_tile`. Integers are summed over 32 inputs, and these sums as floats in order. */
INLINE void multiply_int4_tile(const int R, const matrix *by, int32_t block, const int8_t *next, const uint8_t *rows,
                               size_t stride, float (*to)[BLOCK]) {
    const size_t size = block_bytes(by);
    const int8_t *weights = by->weights + (size_t)block * size;
    for (int first = 0; first < BLOCK / LANES; first += INT4_COLUMNS) {
        floats total[INT4_ROWS][INT4_COLUMNS];
        UNROLL
        for (int row = 0; row < R; row++) {
            UNROLL
            for (int column = 0; column < INT4_COLUMNS; column++) total[row][column] = load_scales(no_scales);
        }
        for (int32_t quad = 0; quad < by->quads; quad += SPAN_QUADS) {
            const size_t span = (size_t)(quad / SPAN_QUADS) * SPAN_BYTES;
            const int8_t *scales = weights + span + (size_t)first * LANES * sizeof(uint16_t);
            const uint8_t *bytes = rows + (size_t)quad * QUAD;
            sums part[INT4_ROWS][INT4_COLUMNS];
            UNROLL
            for (int row = 0; row < R; row++) {
                UNROLL
                for (int column = 0; column < INT4_COLUMNS; column++) part[row][column] = load_sums(zeros);
            }
            request(weights, span + (size_t)first * LANES * sizeof(uint16_t), size, next);
            request(weights, span + (size_t)(first + INT4_COLUMNS / 2) * LANES * sizeof(uint16_t), size, next);
            for (int pair = 0; pair < SPAN_QUADS / 2; pair++, bytes += 2 * QUAD) {
                const size_t at = span + SPAN_SCALES + (size_t)(pair * BLOCK + first * LANES) * QUAD;
                UNROLL
                for (int column = 0; column < INT4_COLUMNS; column++)
                    request(weights, at + (size_t)column * 64, size, next);
                add_int4_quad(R, 0, weights + at, bytes, stride, part);
                add_int4_quad(R, 1, weights + at, bytes + QUAD, stride, part);
            }
            UNROLL
            for (int column = 0; column < INT4_COLUMNS; column++) {
                floats scale = load_scales(scales + (size_t)column * LANES * sizeof(uint16_t));
                UNROLL
                for (int row = 0; row < R; row++)
                    total[row][column] = add_scaled(total[row][column], part[row][column], scale);
            }
        }
        UNROLL
        for (int row = 0; row < R; row++) {
            UNROLL
            for (int column = 0; column < INT4_COLUMNS; column++)
                store_floats(to[row] + (first + column) * LANES, total[row][column]);
        }
    }
}

static void multiply_int4(int rows, const matrix *by, int32_t block, const int8_t *next, const uint8_t *from,
                          size_t stride, float (*to)[BLOCK]) {
    switch (rows) {
        case 1: multiply_int4_tile(1, by, block, next, from, stride, to); break;
#if INT4_ROWS > 1
        case 2: multiply_int4_tile(2, by, block, next, from, stride, to); break;
#endif
#if INT4_ROWS > 2
        case 3: multiply_int4_tile(3, by, block, next, from, stride, to); break;
#endif
    }
}
