/* Random models and steps with every instruction set, for a build with sanitizers. Prints the sets. */
#include <stdio.h>
#include <stdlib.h>

#include "musicgen_step.h"

static uint64_t state = 1;

static int32_t below(int32_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int32_t)((state >> 33) % (uint64_t)n);
}

static float *numbers(size_t n) {
    float *made = malloc(n * sizeof *made);
    for (size_t i = 0; i < n; i++) made[i] = (float)(below(2001) - 1000) / 1000.0f;
    return made;
}

static size_t padded(size_t n) { return (n + 63) / 64 * 64; }

static void set_all(mg_model *model, const mg_shape *of) {
    size_t dim = (size_t)of->dim, heads = (size_t)of->heads, head = dim / heads, hidden = (size_t)of->hidden;
    size_t books = (size_t)of->codebooks, codes = (size_t)of->codebook_size;
    size_t sizes[MG_KINDS] = {2 * dim, heads * padded(3 * head) * dim, dim * dim, 2 * dim, heads * padded(head) * dim,
                              dim * dim, 2 * dim, hidden * dim, dim * hidden, 2 * dim, books * codes * dim,
                              books * (codes + 1) * dim, (size_t)of->positions * dim};
    for (int32_t kind = 0; kind < MG_KINDS; kind++) {
        for (int32_t layer = 0; layer < (kind > MG_FORWARD_OUT ? 1 : of->layers); layer++) {
            float *data = numbers(sizes[kind]);
            if (mg_model_set(model, kind, layer, data)) abort();
            free(data);
        }
    }
}

static void step(mg_model *model, mg_cache *cache, const mg_shape *of, int32_t position) {
    int32_t count = 1 + below(8);
    mg_row rows[8];
    for (int32_t row = 0; row < count; row++) {
        rows[row] = (mg_row){row, position, of->cross ? below(3) - 1 : -1};
    }
    /* Exactly as large as they must be, so that a read or write beyond them is seen. */
    int64_t *codes = malloc((size_t)count * (size_t)of->codebooks * sizeof *codes);
    for (int32_t i = 0; i < count * of->codebooks; i++) codes[i] = below(of->codebook_size + 1);
    float *inputs = numbers((size_t)count * (size_t)of->dim);
    float *logits = malloc((size_t)count * (size_t)of->codebooks * (size_t)of->codebook_size * sizeof *logits);
    int given = below(2);
    if (mg_step(model, cache, count, rows, given ? NULL : codes, given ? inputs : NULL, below(3) ? logits : NULL)) abort();
    free(codes), free(inputs), free(logits);
}

static void one_model(const char *set) {
    int32_t heads = 1 + below(4), head = 1 + below(40);
    mg_shape of = {heads * head, heads, 1 + below(2), 1 + below(150), 1 + below(8), 1 + below(70), 40, below(2), 1 + below(3)};
    mg_model *model = mg_model_new(&of, set);
    mg_cache *cache = mg_cache_new(&of, 8, 2, 12);
    if (!model || !cache) abort();
    set_all(model, &of);
    for (int32_t text = 0; of.cross && text < 2; text++) {
        int32_t tokens = 1 + below(12);
        float *projected = numbers((size_t)of.layers * 2 * (size_t)tokens * (size_t)of.dim);
        if (mg_cache_set_text(cache, text, projected, tokens)) abort();
        free(projected);
    }
    for (int32_t position = 0; position < of.positions; position++) step(model, cache, &of, position);
    mg_cache_free(cache);
    mg_model_free(model);
}

int main(void) {
    char set[32];
    const char *at = mg_sets();
    for (int used; sscanf(at, "%31[^,]%n", set, &used) == 1; at += used + (at[used] == ',')) {
        for (int model = 0; model < 10; model++) one_model(set);
        puts(set);
        if (!at[used]) break;
    }
    return 0;
}
