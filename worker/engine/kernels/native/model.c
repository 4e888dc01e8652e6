/* The arrays of a model, and the entry point of a step. */
#include <string.h>

#include "state.h"

/* Copies `rows` rows of `length` floats, each followed by zeros up to `stride`. */
static int copy_rows(float **made, const float *data, size_t rows, size_t length, size_t stride) {
    release(*made);
    *made = reserve(rows * stride * sizeof(float));
    if (!*made) return -1;
    for (size_t row = 0; row < rows; row++) memcpy(*made + row * stride, data + row * length, length * sizeof(float));
    return 0;
}

int32_t mg_model_set(mg_model *model, int32_t kind, int32_t index, int32_t bits, const float *data) {
    const mg_shape *shape = &model->shape;
    if (kind < 0 || kind >= MG_KINDS || index < 0 || index >= shape->layers || (bits != 8 && bits != 4)) return -1;
    layer *at = &model->layers[index];
    size_t dim = (size_t)shape->dim, heads = (size_t)shape->heads, head = (size_t)model->head_dim;
    size_t hidden = (size_t)shape->hidden, books = (size_t)shape->codebooks, codes = (size_t)shape->codebook_size;
    switch (kind) {
        case MG_NORM_PAST: return copy_rows(&at->norm_past, data, 2, dim, model->stride);
        case MG_PAST_IN: return matrix_set(&at->past_in, heads * round_up(3 * head, BLOCK), dim, bits, data);
        case MG_PAST_OUT: return matrix_set(&at->past_out, dim, dim, bits, data);
        case MG_NORM_TEXT: return copy_rows(&at->norm_text, data, 2, dim, model->stride);
        case MG_TEXT_QUERY: return matrix_set(&at->text_query, heads * round_up(head, BLOCK), dim, bits, data);
        case MG_TEXT_OUT: return matrix_set(&at->text_out, dim, dim, bits, data);
        case MG_NORM_FORWARD: return copy_rows(&at->norm_forward, data, 2, dim, model->stride);
        case MG_FORWARD_IN: return matrix_set(&at->forward_in, hidden, dim, bits, data);
        case MG_FORWARD_OUT: return matrix_set(&at->forward_out, dim, hidden, bits, data);
        case MG_NORM_OUT: return copy_rows(&model->norm_out, data, 2, dim, model->stride);
        case MG_LOGITS: return matrix_set(&model->logits, books * codes, dim, bits, data);
        case MG_EMBEDDING: return copy_rows(&model->embedding, data, books * (codes + 1), dim, model->stride);
        default: return copy_rows(&model->sinusoid, data, (size_t)shape->positions, dim, model->stride);
    }
}

const float *mg_model_embedding(const mg_model *model) { return model->embedding; }

static int scratch_new(scratch *own, const mg_model *model) {
    size_t widest = model->wide > model->stride ? model->wide : model->stride;
    size_t head = round_up(3 * (size_t)model->head_dim, BLOCK);
    size_t positions = round_up((size_t)model->shape.positions + MG_MAX_TOKENS + (size_t)model->head_dim, BLOCK);
    own->quantized = reserve(PRIVATE_ROWS * widest);
    own->grids = reserve(PRIVATE_ROWS * sizeof(grid));
    own->row = reserve(widest * sizeof(float));
    own->projected = reserve(MG_MAX_ROWS * head * sizeof(float));
    own->scores = reserve(positions * sizeof(float));
    own->high = reserve(positions);
    own->low = reserve(positions);
    return own->quantized && own->grids && own->row && own->projected && own->scores && own->high && own->low ? 0 : -1;
}

static void scratch_free(scratch *own) {
    void *all[] = {own->quantized, own->grids, own->row, own->projected, own->scores, own->high, own->low};
    for (size_t index = 0; index < sizeof all / sizeof *all; index++) release(all[index]);
}

static int allocate(mg_model *model) {
    const mg_shape *shape = &model->shape;
    size_t widest = model->wide > model->stride ? model->wide : model->stride;
    size_t phases = 4 + 12 * (size_t)shape->layers;
    model->layers = reserve((size_t)shape->layers * sizeof *model->layers);
    model->own = reserve((size_t)shape->threads * sizeof *model->own);
    model->x = reserve(MG_MAX_ROWS * model->stride * sizeof(float));
    model->attended = reserve(MG_MAX_ROWS * model->stride * sizeof(float));
    model->hidden = reserve(MG_MAX_ROWS * model->wide * sizeof(float));
    model->quantized = reserve(MG_MAX_ROWS * widest);
    model->grids = reserve(MG_MAX_ROWS * sizeof(grid));
    model->counters = reserve(phases * sizeof *model->counters);
    if (!model->layers || !model->own || !model->x || !model->attended || !model->hidden || !model->quantized ||
        !model->grids || !model->counters)
        return -1;
    for (int32_t thread = 0; thread < shape->threads; thread++) {
        if (scratch_new(&model->own[thread], model)) return -1;
    }
    return 0;
}

static void work(void *model, int32_t thread) { ((mg_model *)model)->kernels->run(model, thread); }

static int is_valid(const mg_shape *shape) {
    return shape->dim > 0 && shape->heads > 0 && shape->dim % shape->heads == 0 && shape->layers > 0 &&
           shape->hidden > 0 && shape->codebooks > 0 && shape->codebook_size > 0 && shape->positions > 0 &&
           shape->threads > 0;
}

mg_model *mg_model_new(const mg_shape *shape, const char *set) {
    const mg_kernels *kernels = find_set(set);
    if (!kernels || !is_valid(shape)) return NULL;
    mg_model *model = reserve(sizeof *model);
    if (!model) return NULL;
    model->shape = *shape;
    model->kernels = kernels;
    model->head_dim = shape->dim / shape->heads;
    model->stride = round_up((size_t)shape->dim, BLOCK);
    model->wide = round_up((size_t)shape->hidden, BLOCK);
    if (allocate(model) || team_start(&model->team, shape->threads, work, model)) {
        mg_model_free(model);
        return NULL;
    }
    return model;
}

void mg_model_free(mg_model *model) {
    if (!model) return;
    team_stop(&model->team);
    for (int32_t index = 0; model->layers && index < model->shape.layers; index++) {
        layer *at = &model->layers[index];
        matrix *all[] = {&at->past_in, &at->past_out, &at->text_query, &at->text_out, &at->forward_in, &at->forward_out};
        for (size_t each = 0; each < sizeof all / sizeof *all; each++) matrix_free(all[each]);
        release(at->norm_past), release(at->norm_text), release(at->norm_forward);
    }
    matrix_free(&model->logits);
    for (int32_t thread = 0; model->own && thread < model->shape.threads; thread++) scratch_free(&model->own[thread]);
    void *all[] = {model->norm_out, model->embedding, model->sinusoid, model->x,        model->attended,
                   model->hidden,   model->quantized, model->grids,    model->counters, model->layers, model->own};
    for (size_t each = 0; each < sizeof all / sizeof *all; each++) release(all[each]);
    release(model);
}

static int row_is_valid(const mg_model *model, const mg_cache *cache, const mg_row *row) {
    if (row->sequence < 0 || row->sequence >= cache->past.rows) return 0;
    if (row->position < 0 || row->position >= model->shape.positions) return 0;
    if (row->text < 0) return row->text == -1;
    return model->shape.cross && row->text < cache->text.rows && cache->tokens[row->text] > 0;
}

static int codes_are_valid(const mg_shape *shape, int32_t count, const int64_t *codes) {
    for (int64_t index = 0; index < (int64_t)count * shape->codebooks; index++) {
        if (codes[index] < 0 || codes[index] > shape->codebook_size) return 0;
    }
    return 1;
}

int32_t mg_step(mg_model *model, mg_cache *cache, int32_t count, const mg_row *rows, const int64_t *codes,
                const float *inputs, float *logits) {
    if (count < 1 || count > MG_MAX_ROWS || !codes == !inputs) return -1;
    if (memcmp(&model->shape, &cache->shape, sizeof model->shape)) return -1;
    if (codes && !codes_are_valid(&model->shape, count, codes)) return -1;
    job *now = &model->job;
    *now = (job){.cache = cache, .count = count, .rows = rows, .codes = codes, .inputs = inputs, .logits = logits};
    for (int32_t row = 0; row < count; row++) {
        if (!row_is_valid(model, cache, &rows[row])) return -1;
        now->all[row] = row;
        if (rows[row].text >= 0) now->with_text[now->texts++] = row;
    }
    memset(model->counters, 0, (4 + 12 * (size_t)model->shape.layers) * sizeof *model->counters);
    team_run(&model->team);
    return 0;
}
