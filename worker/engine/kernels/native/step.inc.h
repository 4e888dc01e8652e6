/* A step, compiled once for each instruction set. The file that includes this one defines
 *   KERNELS, NAME, LEVELS  the table of functions, its name, and the largest byte of an activation
 *   ROWS, COLUMNS          of a tile that fits into registers: rows, and groups of 16 outputs (1, 2 or 4)
 *   sums                   16 integers
 *   load_sums, add_products(sums, four unsigned bytes, 64 signed bytes), store_sums */
#include <stdint.h>
#include <string.h>

#include "state.h"

#define INLINE static inline __attribute__((always_inline))
#define LANES 16
#define TINY 1e-12f
/* Bytes of weights that are requested ahead of their use. */
#define AHEAD 4096
/* Queries and probabilities have 14 bits, as two limbs of seven: the products of two neighbours must fit 16 bits. */
#define LIMB 128
#define HALF (LIMB * LIMB / 2)
static const int32_t zeros[LANES] = {0};

INLINE uint32_t four_bytes(const uint8_t *at) {
    uint32_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

/* ---- Sums and functions of floats: the same operations in the same order with any instruction set. ---- */

INLINE float add_lanes(float *lanes) {
    for (int half = LANES / 2; half; half /= 2) {
        for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    }
    return lanes[0];
}

/* n is a multiple of 16. */
static float sum_of(const float *x, size_t n) {
    float lanes[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES) {
        for (int lane = 0; lane < LANES; lane++) lanes[lane] += x[i + lane];
    }
    return add_lanes(lanes);
}

static float sum_of_squares(const float *x, size_t n) {
    float lanes[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES) {
        for (int lane = 0; lane < LANES; lane++) lanes[lane] += x[i + lane] * x[i + lane];
    }
    return add_lanes(lanes);
}

INLINE float larger(float a, float b) { return a > b ? a : b; }

static float largest_of(const float *x, size_t n) {
    float lanes[LANES];
    for (int lane = 0; lane < LANES; lane++) lanes[lane] = x[lane];
    for (size_t i = LANES; i < n; i += LANES) {
        for (int lane = 0; lane < LANES; lane++) lanes[lane] = larger(x[i + lane], lanes[lane]);
    }
    for (int lane = 1; lane < LANES; lane++) lanes[0] = larger(lanes[0], lanes[lane]);
    return lanes[0];
}

/* The least and the largest of n numbers and zero. */
static void range_of(const float *x, size_t n, float *least, float *most) {
    float below[LANES] = {0}, above[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES) {
        for (int lane = 0; lane < LANES; lane++) {
            below[lane] = larger(-x[i + lane], below[lane]);
            above[lane] = larger(x[i + lane], above[lane]);
        }
    }
    for (int lane = 1; lane < LANES; lane++) {
        below[0] = larger(below[0], below[lane]);
        above[0] = larger(above[0], above[lane]);
    }
    *least = -below[0];
    *most = above[0];
}

/* e to the power of x, for x ≤ 0, within 2e-7 of itself (Cephes' polynomial); below -87 it is that of -87. */
INLINE float exponential(float x) {
    x = larger(x, -87.0f);
    int32_t power = (int32_t)(x * 1.44269504f - 0.5f);
    float rest = x - (float)power * 0.693359375f - (float)power * -2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * rest + 1.3981999507e-3f;
    y = y * rest + 8.3334519073e-3f;
    y = y * rest + 4.1665795894e-2f;
    y = y * rest + 1.6666665459e-1f;
    y = y * rest + 5.0000001201e-1f;
    y = y * rest * rest + rest + 1.0f;
    int32_t bits = (power + 127) * (1 << 23);
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return y * scale;
}

/* x * Phi(x), by the error function of Abramowitz and Stegun, 7.1.26: within 1.5e-7 * |x|. */
INLINE float gelu(float x) {
    float z = __builtin_fabsf(x) * 0.70710678f;
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float y = 1.061405429f;
    y = y * t - 1.453152027f;
    y = y * t + 1.421413741f;
    y = y * t - 0.284496736f;
    y = y * t + 0.254829592f;
    float tail = y * t * exponential(-z * z);
    return 0.5f * x * (x < 0.0f ? tail : 2.0f - tail);
}

/* ---- Activations ---- */

/* Round a row of n floats, a multiple of 16, to LEVELS + 1 levels between its least and its largest number: after gelu
 * that is twice as fine as levels around zero. Zero itself is a level. */
static grid quantize(const float *x, size_t n, uint8_t *to) {
    float least, most;
    range_of(x, n, &least, &most);
    float level = larger(most - least, TINY) / LEVELS, steps = 1.0f / level;
    int32_t zero = (int32_t)(-least * steps + 0.5f);
    float start = (float)zero + 0.5f;
    for (size_t i = 0; i < n; i++) {
        int32_t rounded = (int32_t)(x[i] * steps + start);
        to[i] = (uint8_t)(rounded < LEVELS ? rounded : LEVELS);
    }
    return (grid){level, zero};
}

/* Layer normalization of n floats (Ba et al. 2016) in a row padded with zeros. */
static void normalize(const float *x, size_t n, size_t stride, const float *norm, float *to) {
    float mean = sum_of(x, stride) / (float)n;
    for (size_t i = 0; i < n; i++) to[i] = x[i] - mean;
    for (size_t i = n; i < stride; i++) to[i] = 0.0f;
    float scale = 1.0f / __builtin_sqrtf(sum_of_squares(to, stride) / (float)n + 1e-5f);
    for (size_t i = 0; i < stride; i++) to[i] = to[i] * scale * norm[i] + norm[stride + i];
}

/* ---- Products ---- */

/* Activations of some rows, quantized. */
typedef struct {
    const uint8_t *bytes;
    const grid *grids;
    size_t stride;
    int32_t count;
} activations;

/* One tile: R rows times the 64 outputs of a block. `next` is the block that this thread reads afterwards. */
INLINE void multiply_tile(const int R, const matrix *by, int32_t block, const int8_t *next, const uint8_t *rows,
                          size_t stride, int32_t (*to)[BLOCK]) {
    const size_t size = (size_t)by->quads * BLOCK * QUAD;
    const int8_t *weights = by->weights + (size_t)block * size;
    for (int first = 0; first < BLOCK / LANES; first += COLUMNS) {
        sums total[ROWS][COLUMNS];
        for (int row = 0; row < R; row++) {
            for (int column = 0; column < COLUMNS; column++) total[row][column] = load_sums(zeros);
        }
        for (int32_t quad = 0; quad < by->quads; quad++) {
            size_t at = ((size_t)quad * BLOCK + (size_t)first * LANES) * QUAD;
            if (next) {
                const int8_t *ahead = at + AHEAD < size ? weights + at + AHEAD : next + (at + AHEAD - size);
                for (int column = 0; column < COLUMNS; column++) __builtin_prefetch(ahead + column * 64, 0, 2);
            }
            for (int row = 0; row < R; row++) {
                uint32_t four = four_bytes(rows + (size_t)row * stride + (size_t)quad * QUAD);
                for (int column = 0; column < COLUMNS; column++)
                    total[row][column] = add_products(total[row][column], four, weights + at + column * 64);
            }
        }
        for (int row = 0; row < R; row++) {
            for (int column = 0; column < COLUMNS; column++)
                store_sums(to[row] + (first + column) * LANES, total[row][column]);
        }
    }
}

static void multiply_rows(int rows, const matrix *by, int32_t block, const int8_t *next, const uint8_t *from,
                          size_t stride, int32_t (*to)[BLOCK]) {
    switch (rows) {
        case 1: multiply_tile(1, by, block, next, from, stride, to); break;
#if ROWS > 1
        case 2: multiply_tile(2, by, block, next, from, stride, to); break;
#endif
#if ROWS > 2
        case 3: multiply_tile(3, by, block, next, from, stride, to); break;
#endif
#if ROWS > 3
        case 4: multiply_tile(4, by, block, next, from, stride, to); break;
#endif
#if ROWS > 4
        case 5: multiply_tile(5, by, block, next, from, stride, to); break;
        case 6: multiply_tile(6, by, block, next, from, stride, to); break;
#endif
    }
}

typedef enum { STORE, ADD, GELU } finish;

INLINE void finish_row(finish how, const int32_t *products, const matrix *by, int32_t first, grid x, float *to,
                       int32_t n) {
    const float *scale = by->scale + first;
    const int32_t *sum = by->sum + first;
    for (int32_t i = 0; i < n; i++) {
        float value = (float)(products[i] - x.zero * sum[i]) * (scale[i] * x.level);
        if (how == ADD) value = to[i] + value;
        if (how == GELU) value = gelu(value);
        to[i] = value;
    }
}

/* The block's outputs of all rows, from `to` on. `rows` says where in `to` each row goes; NULL is in order. */
static void multiply_block(const matrix *by, int32_t block, int32_t next, const activations *x, finish how, float *to,
                           size_t stride, const int32_t *rows) {
    int32_t tile[ROWS][BLOCK];
    int32_t n = by->outputs - block * BLOCK < BLOCK ? by->outputs - block * BLOCK : BLOCK;
    const int8_t *after = by->weights + (size_t)(next < by->blocks ? next : block) * (size_t)by->quads * BLOCK * QUAD;
    for (int32_t first = 0, tiles = (x->count + ROWS - 1) / ROWS; tiles; tiles--) {
        int32_t count = (x->count - first + tiles - 1) / tiles;
        multiply_rows(count, by, block, first ? NULL : after, x->bytes + (size_t)first * x->stride, x->stride, tile);
        for (int32_t row = 0; row < count; row++) {
            float *at = to + (size_t)(rows ? rows[first + row] : first + row) * stride;
            finish_row(how, tile[row], by, block * BLOCK, x->grids[first + row], at, n);
        }
        first += count;
    }
}

/* ---- Attention ---- */

/* Scores of a query with the first n positions, in groups of 16; what is beyond n is set very low. */
static void score(const store *kept, const int8_t *keys, int32_t n, const uint8_t *high, const uint8_t *low, float level,
                  float *scores) {
    int32_t groups = (n + GROUP - 1) / GROUP, quads = (kept->head_dim + QUAD - 1) / QUAD;
    for (int32_t group = 0; group < groups; group++) {
        const int8_t *at = keys + (size_t)group * kept->key_group;
        float scale[GROUP];
        int32_t key_sum[GROUP], large[GROUP], small[GROUP];
        memcpy(scale, at, sizeof scale);
        memcpy(key_sum, at + sizeof scale, sizeof key_sum);
        sums coarse = load_sums(zeros), fine = load_sums(zeros);
        at += sizeof scale + sizeof key_sum;
        for (int32_t quad = 0; quad < quads; quad++) {
            coarse = add_products(coarse, four_bytes(high + quad * QUAD), at + quad * GROUP * QUAD);
            fine = add_products(fine, four_bytes(low + quad * QUAD), at + quad * GROUP * QUAD);
        }
        store_sums(large, coarse);
        store_sums(small, fine);
        for (int i = 0; i < GROUP; i++) {
            int32_t product = large[i] * LIMB + small[i] - HALF * key_sum[i];
            scores[group * GROUP + i] = (float)product * (scale[i] * level);
        }
    }
    for (int32_t position = n; position < groups * GROUP; position++) scores[position] = -1e30f;
}

/* Weights of the positions: the softmax of the scores, times the scales of the values, in two limbs of seven bits.
 * Returns what a sum of values with these weights must be multiplied by. */
static float weigh(const store *kept, const int8_t *values, int32_t groups, float *scores, uint8_t *high, uint8_t *low) {
    int32_t n = groups * GROUP;
    float most = largest_of(scores, (size_t)n);
    for (int32_t i = 0; i < n; i++) scores[i] = scores[i] < -1e29f ? 0.0f : exponential(scores[i] - most);
    float total = sum_of(scores, (size_t)n);
    for (int32_t group = 0; group < groups; group++) {
        float scale[GROUP];
        memcpy(scale, values + (size_t)group * kept->value_group, sizeof scale);
        /* Beyond the last position the scale may be that of another request. */
        for (int i = 0; i < GROUP; i++) scores[group * GROUP + i] *= scale[i];
    }
    float heaviest = larger(largest_of(scores, (size_t)n), 1e-30f);
    float steps = (LIMB * LIMB - 1) / heaviest;
    for (int32_t i = 0; i < n; i++) {
        int32_t weight = (int32_t)(scores[i] * steps + 0.5f);
        high[i] = (uint8_t)(weight / LIMB);
        low[i] = (uint8_t)(weight % LIMB);
    }
    return heaviest / (LIMB * LIMB - 1) / total;
}

/* 16 dimensions of the weighted sum of values. */
INLINE void add_values(const store *kept, const int8_t *values, int32_t groups, const uint8_t *high,
                       const uint8_t *low, float level, float *to, int32_t n) {
    size_t quad_bytes = (kept->value_group - GROUP * sizeof(float)) / (GROUP / QUAD);
    sums coarse = load_sums(zeros), fine = load_sums(zeros);
    for (int32_t group = 0; group < groups; group++) {
        const int8_t *at = values + (size_t)group * kept->value_group + GROUP * sizeof(float);
        for (int quad = 0; quad < GROUP / QUAD; quad++) {
            coarse = add_products(coarse, four_bytes(high + group * GROUP + quad * QUAD), at + quad * quad_bytes);
            fine = add_products(fine, four_bytes(low + group * GROUP + quad * QUAD), at + quad * quad_bytes);
        }
    }
    int32_t large[LANES], small[LANES];
    store_sums(large, coarse);
    store_sums(small, fine);
    for (int32_t i = 0; i < n; i++) to[i] = ((float)large[i] * LIMB + (float)small[i]) * level;
}

/* Round a query to 14 bits around HALF, in two limbs; returns the size of a level. `n` is a multiple of 16. */
static float split(const float *query, size_t n, uint8_t *high, uint8_t *low) {
    float least, most;
    range_of(query, n, &least, &most);
    most = larger(larger(most, -least), TINY);
    float steps = (HALF - 1) / most;
    for (size_t i = 0; i < n; i++) {
        int32_t rounded = (int32_t)(query[i] * steps + (HALF + 0.5f));
        high[i] = (uint8_t)(rounded / LIMB);
        low[i] = (uint8_t)(rounded % LIMB);
    }
    return most / (HALF - 1);
}

/* Attention of one head's query to the first n positions. */
static void attend(const store *kept, const int8_t *head, int32_t n, const float *query, scratch *own, float *to) {
    int32_t head_dim = kept->head_dim, groups = (n + GROUP - 1) / GROUP;
    size_t padded = round_up((size_t)head_dim, GROUP);
    const int8_t *values = head + kept->groups * kept->key_group;
    float padded_query[padded];
    memset(padded_query, 0, sizeof padded_query);
    memcpy(padded_query, query, (size_t)head_dim * sizeof(float));
    float level = split(padded_query, padded, own->high, own->low) / __builtin_sqrtf((float)head_dim);
    score(kept, head, n, own->high, own->low, level, own->scores);
    level = weigh(kept, values, groups, own->scores, own->high, own->low);
    for (int32_t first = 0; first < head_dim; first += LANES) {
        int32_t count = head_dim - first < LANES ? head_dim - first : LANES;
        add_values(kept, values + (size_t)first * QUAD, groups, own->high, own->low, level, to + first, count);
    }
}

/* ---- The step ---- */

/* A thread's place in the step: all threads count the phases alike. */
typedef struct {
    mg_model *model;
    scratch *own;
    counter *phase;
} place;

INLINE int32_t take(const place *here) {
    return atomic_fetch_add_explicit(&here->phase->next, 1, memory_order_relaxed);
}

INLINE void meet(place *here) {
    team_barrier(&here->model->team);
    here->phase++;
}

/* Quantizes the given rows of x, normalized if `norm` is not NULL. Few rows are quantized by every thread for itself,
 * without waiting. */
static activations prepare(place *here, const float *x, size_t n, size_t stride, const float *norm,
                           const int32_t *rows, int32_t count) {
    mg_model *model = here->model;
    scratch *own = here->own;
    int alone = count <= PRIVATE_ROWS;
    uint8_t *bytes = alone ? own->quantized : model->quantized;
    grid *grids = alone ? own->grids : model->grids;
    for (int32_t index = alone ? 0 : take(here); index < count; index = alone ? index + 1 : take(here)) {
        const float *row = x + (size_t)rows[index] * stride;
        if (norm) normalize(row, n, stride, norm, own->row), row = own->row;
        grids[index] = quantize(row, stride, bytes + (size_t)index * stride);
    }
    if (!alone) meet(here);
    return (activations){bytes, grids, stride, count};
}

/* All blocks of a product, shared by the threads. Each takes its next block early, to request its weights ahead. */
static void multiply(place *here, const matrix *by, const activations *x, finish how, float *to, size_t stride,
                     const int32_t *rows) {
    for (int32_t block = take(here), next; block < by->blocks; block = next) {
        next = take(here);
        multiply_block(by, block, next, x, how, to + (size_t)block * BLOCK, stride, rows);
    }
    meet(here);
}

/* One head's outputs of a product of all rows, in own->projected; returns the floats per row. */
static size_t project_head(place *here, const matrix *by, int32_t head, int32_t next, const activations *x) {
    int32_t blocks = by->blocks / here->model->shape.heads;
    size_t stride = (size_t)blocks * BLOCK;
    for (int32_t block = 0; block < blocks; block++) {
        int32_t now = head * blocks + block;
        int32_t after = block + 1 < blocks ? now + 1 : next * blocks;
        multiply_block(by, now, after, x, STORE, here->own->projected + block * BLOCK, stride, NULL);
    }
    return stride;
}

static void attend_to_past(place *here, int32_t index, const layer *at) {
    mg_model *model = here->model;
    const job *now = &model->job;
    const store *past = &now->cache->past;
    int32_t size = model->head_dim;
    activations x = prepare(here, model->x, (size_t)model->shape.dim, model->stride, at->norm_past, now->all, now->count);
    for (int32_t head = take(here), next; head < model->shape.heads; head = next) {
        next = take(here);
        size_t stride = project_head(here, &at->past_in, head, next, &x);
        for (int32_t row = 0; row < now->count; row++) {
            const mg_row *it = &now->rows[row];
            float *query = here->own->projected + (size_t)row * stride;
            int8_t *kept = store_head(past, index, it->sequence, head);
            store_write(past, kept, it->position, query + size, query + 2 * size);
            attend(past, kept, it->position + 1, query, here->own,
                   model->attended + (size_t)row * model->stride + (size_t)head * (size_t)size);
        }
    }
    meet(here);
    x = prepare(here, model->attended, model->stride, model->stride, NULL, now->all, now->count);
    multiply(here, &at->past_out, &x, ADD, model->x, model->stride, now->all);
}

static void attend_to_text(place *here, int32_t index, const layer *at) {
    mg_model *model = here->model;
    const job *now = &model->job;
    const store *text = &now->cache->text;
    int32_t size = model->head_dim;
    activations x =
        prepare(here, model->x, (size_t)model->shape.dim, model->stride, at->norm_text, now->with_text, now->texts);
    for (int32_t head = take(here), next; head < model->shape.heads; head = next) {
        next = take(here);
        size_t stride = project_head(here, &at->text_query, head, next, &x);
        for (int32_t row = 0; row < now->texts; row++) {
            int32_t which = now->with_text[row], kept = now->rows[which].text;
            attend(text, store_head(text, index, kept, head), now->cache->tokens[kept],
                   here->own->projected + (size_t)row * stride, here->own,
                   model->attended + (size_t)which * model->stride + (size_t)head * (size_t)size);
        }
    }
    meet(here);
    x = prepare(here, model->attended, model->stride, model->stride, NULL, now->with_text, now->texts);
    multiply(here, &at->text_out, &x, ADD, model->x, model->stride, now->with_text);
}

static void feed_forward(place *here, const layer *at) {
    mg_model *model = here->model;
    const job *now = &model->job;
    activations x =
        prepare(here, model->x, (size_t)model->shape.dim, model->stride, at->norm_forward, now->all, now->count);
    multiply(here, &at->forward_in, &x, GELU, model->hidden, model->wide, now->all);
    x = prepare(here, model->hidden, model->wide, model->wide, NULL, now->all, now->count);
    multiply(here, &at->forward_out, &x, ADD, model->x, model->stride, now->all);
}

/* The sum of the codes' embeddings, or the given input, plus the sinusoid of the position. */
static void embed(place *here) {
    mg_model *model = here->model;
    const mg_shape *shape = &model->shape;
    const job *now = &model->job;
    size_t dim = (size_t)shape->dim;
    for (int32_t row = take(here); row < now->count; row = take(here)) {
        float *x = model->x + (size_t)row * model->stride;
        if (now->inputs) memcpy(x, now->inputs + (size_t)row * dim, dim * sizeof(float));
        else memset(x, 0, dim * sizeof(float));
        for (int32_t book = 0; now->codes && book < shape->codebooks; book++) {
            int64_t code = now->codes[(size_t)row * (size_t)shape->codebooks + (size_t)book];
            const float *from =
                model->embedding + ((size_t)book * (size_t)(shape->codebook_size + 1) + (size_t)code) * model->stride;
            for (size_t i = 0; i < dim; i++) x[i] += from[i];
        }
        const float *sinusoid = model->sinusoid + (size_t)now->rows[row].position * model->stride;
        for (size_t i = 0; i < dim; i++) x[i] += sinusoid[i];
    }
    meet(here);
}

static void run(mg_model *model, int32_t thread) {
    const job *now = &model->job;
    place here = {model, &model->own[thread], model->counters};
    /* Read now: after the last barrier the caller may change the job. */
    const int wants_logits = now->logits != NULL, reads_text = now->texts > 0;
    embed(&here);
    for (int32_t index = 0; index < model->shape.layers; index++) {
        const layer *at = &model->layers[index];
        attend_to_past(&here, index, at);
        if (reads_text) attend_to_text(&here, index, at);
        feed_forward(&here, at);
    }
    if (wants_logits) {
        activations x =
            prepare(&here, model->x, (size_t)model->shape.dim, model->stride, model->norm_out, now->all, now->count);
        multiply(&here, &model->logits, &x, STORE, now->logits, (size_t)model->logits.outputs, now->all);
    }
}

const mg_kernels KERNELS = {NAME, run};
