/* Activations as bytes, and their products with weights of eight bits. Part of step.inc.h. */

/* Bytes of weights that are requested ahead of their use. */
#define AHEAD 4096

/* Round a row of n floats, a multiple of 16, to LEVELS + 1 levels between its least and its largest number: after gelu
 * that is twice as fine as levels around zero. Zero itself is a level. The bytes count from LEAST on. The level is NaN if
 * the row is not finite. */
static grid quantize(const float *x, size_t n, uint8_t *to) {
    float least, most;
    if (!range_of(x, n, &least, &most)) {
        memset(to, 0, n);
        return (grid){NAN, 0};
    }
    float level = larger(most - least, TINY) / LEVELS, steps = 1.0f / level;
    int32_t zero = (int32_t)(-least * steps + 0.5f);
    float start = (float)zero + 0.5f;
    for (size_t i = 0; i < n; i++) {
        int32_t rounded = (int32_t)(x[i] * steps + start);
        to[i] = (uint8_t)((rounded < LEVELS ? rounded : LEVELS) + LEAST);
    }
    return (grid){level, zero + LEAST};
}

/* Layer normalization of n floats (Ba et al. 2016) in a row padded with zeros. */
static void normalize(const float *x, size_t n, size_t stride, const float *norm, float *to) {
    float mean = sum_of(x, stride) / (float)n;
    for (size_t i = 0; i < n; i++) to[i] = x[i] - mean;
    for (size_t i = n; i < stride; i++) to[i] = 0.0f;
    float scale = 1.0f / __builtin_sqrtf(sum_of_squares(to, stride) / (float)n + 1e-5f);
    for (size_t i = 0; i < stride; i++) to[i] = to[i] * scale * norm[i] + norm[stride + i];
}

/* Activations of some rows, quantized. */
typedef struct {
    const uint8_t *bytes;
    const grid *grids;
    size_t stride;
    int32_t count;
} activations;

/* Requests what is AHEAD of a part of a block, perhaps in the next one. */
INLINE void request(const int8_t *weights, size_t at, size_t size, const int8_t *next) {
    if (next) __builtin_prefetch(at + AHEAD < size ? weights + at + AHEAD : next + (at + AHEAD - size), 0, 2);
}

/* Which of a block's tiles, and the weights of the block that this thread reads afterwards. */
typedef struct {
    int32_t tile, tiles;
    const int8_t *next;
} turn;

/* One tile: R rows times the 64 outputs of a block. A single tile requests weights AHEAD of their use. Of several tiles
 * the later ones read weights that are in the cache, and so all share in requesting the next block. */
INLINE void multiply_tile(const int R, const matrix *by, int32_t block, turn of, const uint8_t *rows, size_t stride,
                          int32_t (*to)[BLOCK]) {
    const size_t size = block_bytes(by);
    const int8_t *weights = by->weights + (size_t)block * size;
    for (int first = 0; first < BLOCK / LANES; first += COLUMNS) {
        sums total[ROWS][COLUMNS];
        UNROLL
        for (int row = 0; row < R; row++) {
            UNROLL
            for (int column = 0; column < COLUMNS; column++) total[row][column] = load_sums(zeros);
        }
        for (int32_t quad = 0, due = of.tile; quad < by->quads; quad++) {
            size_t at = ((size_t)quad * BLOCK + (size_t)first * LANES) * QUAD;
            if (of.tiles == 1) {
                for (int column = 0; column < COLUMNS; column++)
                    request(weights, at + (size_t)column * 64, size, of.next);
            } else if (quad == due) {
                for (int column = 0; column < COLUMNS; column++) __builtin_prefetch(of.next + at + column * 64, 0, 2);
                due += of.tiles;
            }
            UNROLL
            for (int row = 0; row < R; row++) {
                uint32_t four = four_bytes(rows + (size_t)row * stride + (size_t)quad * QUAD);
                UNROLL
                for (int column = 0; column < COLUMNS; column++)
                    total[row][column] = add_products(total[row][column], four, weights + at + column * 64);
            }
        }
        UNROLL
        for (int row = 0; row < R; row++) {
            UNROLL
            for (int column = 0; column < COLUMNS; column++)
                store_sums(to[row] + (first + column) * LANES, total[row][column]);
        }
    }
}

static void multiply_int8(int rows, const matrix *by, int32_t block, turn of, const uint8_t *from, size_t stride,
                          int32_t (*to)[BLOCK]) {
    switch (rows) {
        case 1: multiply_tile(1, by, block, of, from, stride, to); break;
#if ROWS > 1
        case 2: multiply_tile(2, by, block, of, from, stride, to); break;
#endif
#if ROWS > 2
        case 3: multiply_tile(3, by, block, of, from, stride, to); break;
#endif
#if ROWS > 3
        case 4: multiply_tile(4, by, block, of, from, stride, to); break;
#endif
#if ROWS > 4
        case 5: multiply_tile(5, by, block, of, from, stride, to); break;
        case 6: multiply_tile(6, by, block, of, from, stride, to); break;
#endif
    }
}
