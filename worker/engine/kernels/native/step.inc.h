/* A step, compiled once for each instruction set. The file that includes this one defines
 *   KERNELS, NAME    the table of functions, and its name
 *   LEVELS, LEAST    levels of an activation above the least, and the byte of the least: 0 or, if signed, -128
 *   ROWS, COLUMNS    of a tile that fits into registers: rows, and groups of 16 outputs (1, 2 or 4)
 *   INT4_ROWS, INT4_COLUMNS   the same, of weights of four bits, whose sums take twice as many registers
 *   sums             16 integers
 *   load_sums, add_products(sums, four bytes, 64 signed bytes), store_sums
 *   packed           64 signed bytes
 *   first_halves, second_halves(64 bytes in memory)   the lower or upper halves of bytes, times 16
 *   add_packed(sums, four bytes, packed)
 *   floats           16 floats
 *   load_scales(16 bfloat16), add_scaled(floats, sums, scales), store_floats */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "state.h"

#define LANES 16
static const int32_t zeros[LANES] = {0};
static const uint16_t no_scales[LANES] = {0};

INLINE uint32_t four_bytes(const uint8_t *at) {
    uint32_t bytes;
    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

#include "floats.inc.h"
#include "products.inc.h"
#include "int4.inc.h"
#include "blocks.inc.h"
#include "attention.inc.h"

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

/* What a row reads of a head. */
static reading past_of(const job *now, int32_t layer, int32_t head, int32_t row) {
    const mg_row *it = &now->rows[row];
    const store *past = &now->cache->past;
    return (reading){past, store_head(past, layer, it->sequence, head), NULL, groups_of(it->position + 1), 0};
}

/* Stores each row's key and value of a head, and attends to those that it has by then. */
static void attend_to_head(place *here, const reading *first, int32_t layer, int32_t head, size_t stride) {
    mg_model *model = here->model;
    const job *now = &model->job;
    const int32_t size = model->head_dim;
    reading of = *first, after = {0};
    for (int32_t row = 0; row < now->count; row++, of = after) {
        const int32_t position = now->rows[row].position;
        float *query = here->own->projected + (size_t)row * stride;
        after.groups = 0;
        if (row + 1 < now->count) {
            after = past_of(now, layer, head, row + 1);
            request_group(&after, after.groups - 1);
        }
        of.next = after.head, of.next_groups = after.groups;
        store_write(of.kept, of.head, position, query + size, query + 2 * size);
        attend(&of, position + 1, query, here->own,
               model->attended + (size_t)row * model->stride + (size_t)head * (size_t)size);
    }
}

static void attend_to_past(place *here, int32_t index, const layer *at) {
    mg_model *model = here->model;
    const job *now = &model->job;
    activations x = prepare(here, model->x, (size_t)model->shape.dim, model->stride, at->norm_past, now->all, now->count);
    for (int32_t head = take(here), next; head < model->shape.heads; head = next) {
        next = take(here);
        reading first = past_of(now, index, head, 0);
        request_begin(&first);
        size_t stride = project_head(here, &at->past_in, head, next, &x);
        attend_to_head(here, &first, index, head, stride);
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
            int32_t tokens = now->cache->tokens[kept];
            reading of = {.kept = text, .head = store_head(text, index, kept, head), .groups = groups_of(tokens)};
            attend(&of, tokens, here->own->projected + (size_t)row * stride, here->own,
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
