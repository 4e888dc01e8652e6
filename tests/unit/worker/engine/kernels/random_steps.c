/* Random models and steps, drawn by a seed, with every instruction set: `random_steps SEED MODELS`.
 *
 * Each matrix has weights of eight or four bits. Each step has some sequences, each with one or more positions of its own. The program ends with an error if a row alone
 * gives other bits than in company, or if a number out of range is accepted. It prints each set with a checksum of all
 * logits, which is the same for all sets but avx2, on any processor. Arrays are exactly as large as they must be, so that
 * sanitizers see a read or write beyond them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "musicgen_step.h"

#define SEQUENCES 8
#define TEXTS 2

typedef struct {
    mg_shape shape;
    mg_model *model;
    mg_cache *together, *alone;
    int32_t next[SEQUENCES]; /* the position that each sequence has come to */
    size_t books, codes, dim;
} subject;

static uint64_t state, checksum;

static int32_t below(int32_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int32_t)((state >> 33) % (uint64_t)n);
}

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static float *numbers(size_t n) {
    float *made = malloc(n * sizeof *made);
    for (size_t i = 0; i < n; i++) made[i] = (float)(below(2001) - 1000) / 1000.0f;
    return made;
}

/* FNV-1a. */
static void add_to_checksum(const float *x, size_t n) {
    const unsigned char *bytes = (const unsigned char *)x;
    for (size_t i = 0; i < n * sizeof *x; i++) checksum = (checksum ^ bytes[i]) * 1099511628211u;
}

static size_t padded(size_t n) { return (n + 63) / 64 * 64; }

static void set_weights(const subject *it) {
    const mg_shape *of = &it->shape;
    size_t dim = it->dim, heads = (size_t)of->heads, head = dim / heads, hidden = (size_t)of->hidden;
    size_t sizes[MG_KINDS] = {2 * dim, heads * padded(3 * head) * dim, dim * dim, 2 * dim, heads * padded(head) * dim,
                              dim * dim, 2 * dim, hidden * dim, dim * hidden, 2 * dim, it->books * it->codes * dim,
                              it->books * (it->codes + 1) * dim, (size_t)of->positions * dim};
    for (int32_t kind = 0; kind < MG_KINDS; kind++) {
        for (int32_t layer = 0; layer < (kind > MG_FORWARD_OUT ? 1 : of->layers); layer++) {
            float *data = numbers(sizes[kind]);
            if (mg_model_set(it->model, kind, layer, below(2) ? 8 : 4, data)) fail("no memory for weights");
            free(data);
        }
    }
}

static void set_texts(const subject *it, int32_t most) {
    for (int32_t text = 0; text < TEXTS; text++) {
        int32_t tokens = 1 + below(most);
        float *projected = numbers((size_t)it->shape.layers * 2 * (size_t)tokens * it->dim);
        if (mg_cache_set_text(it->together, text, projected, tokens)) fail("a text was refused");
        if (mg_cache_set_text(it->alone, text, projected, tokens)) fail("a text was refused");
        free(projected);
    }
}

/* Some sequences, each going on by some positions, or beginning again. */
static int32_t draw_rows(subject *it, mg_row *rows) {
    int32_t count = 0, first = below(SEQUENCES), sequences = 1 + below(SEQUENCES);
    for (int32_t index = 0; index < sequences; index++) {
        int32_t sequence = (first + index) % SEQUENCES, text = it->shape.cross ? below(TEXTS + 1) - 1 : -1;
        int32_t length = below(4) ? 1 : 1 + below(it->shape.positions);
        if (below(20) == 0) it->next[sequence] = 0;
        for (; length-- && it->next[sequence] < it->shape.positions && count < MG_MAX_ROWS; it->next[sequence]++) {
            rows[count++] = (mg_row){sequence, it->next[sequence], text};
        }
    }
    return count;
}

static void compare_alone(const subject *it, int32_t count, const mg_row *rows, const int64_t *codes,
                          const float *inputs, const float *logits) {
    size_t n = it->books * it->codes;
    float *made = malloc(n * sizeof *made);
    for (int32_t row = 0; row < count; row++) {
        const int64_t *code = codes ? codes + (size_t)row * it->books : NULL;
        const float *input = inputs ? inputs + (size_t)row * it->dim : NULL;
        if (mg_step(it->model, it->alone, 1, &rows[row], code, input, made)) fail("a row was refused");
        if (memcmp(made, logits + (size_t)row * n, n * sizeof *made)) fail("a row alone has other bits");
    }
    free(made);
}

/* The same step with one number out of range. It must change nothing. */
static void step_wrongly(const subject *it, int32_t count, const mg_row *rows, const int64_t *codes) {
    static const int32_t wrong[] = {-1, INT32_MIN, INT32_MAX};
    mg_row broken[MG_MAX_ROWS];
    int64_t *bad = malloc((size_t)count * it->books * sizeof *bad);
    memcpy(broken, rows, (size_t)count * sizeof *rows);
    memcpy(bad, codes, (size_t)count * it->books * sizeof *bad);
    mg_row *row = &broken[below(count)];
    int32_t number = wrong[below(3)];
    switch (below(4)) {
        case 0: row->sequence = below(2) ? number : SEQUENCES; break;
        case 1: row->position = below(2) ? number : it->shape.positions; break;
        case 2: row->text = number == -1 || !it->shape.cross ? TEXTS : number; break;
        default: bad[below(count * it->shape.codebooks)] = below(2) ? number : it->shape.codebook_size + 1;
    }
    if (mg_step(it->model, it->together, count, broken, bad, NULL, NULL) != -1) fail("a wrong number was accepted");
    free(bad);
}

static void step(subject *it) {
    mg_row rows[MG_MAX_ROWS];
    int32_t count = draw_rows(it, rows);
    if (!count) return;
    size_t books = (size_t)count * it->books;
    int64_t *codes = malloc(books * sizeof *codes);
    for (size_t i = 0; i < books; i++) codes[i] = below(it->shape.codebook_size + 1);
    float *inputs = numbers((size_t)count * it->dim);
    float *logits = malloc(books * it->codes * sizeof *logits);
    int given = below(2);
    if (below(4) == 0) step_wrongly(it, count, rows, codes);
    const int64_t *use_codes = given ? NULL : codes;
    const float *use_inputs = given ? inputs : NULL;
    if (mg_step(it->model, it->together, count, rows, use_codes, use_inputs, logits)) fail("a step was refused");
    compare_alone(it, count, rows, use_codes, use_inputs, logits);
    add_to_checksum(logits, books * it->codes);
    if (mg_step(it->model, it->together, count, rows, use_codes, use_inputs, NULL)) fail("a repeated step was refused");
    free(codes), free(inputs), free(logits);
}

static void one_model(const char *set) {
    int32_t heads = 1 + below(4), head = 1 + below(72), tokens = 1 + below(40);
    mg_shape of = {heads * head, heads,          1 + below(2), 1 + below(150), 1 + below(8),
                   1 + below(70), 1 + below(60), below(2),     1 + below(3)};
    subject it = {.shape = of, .books = (size_t)of.codebooks, .codes = (size_t)of.codebook_size, .dim = (size_t)of.dim};
    it.model = mg_model_new(&of, set);
    it.together = mg_cache_new(&of, SEQUENCES, TEXTS, tokens);
    it.alone = mg_cache_new(&of, SEQUENCES, TEXTS, tokens);
    if (!it.model || !it.together || !it.alone) fail("no memory");
    set_weights(&it);
    if (of.cross) set_texts(&it, tokens);
    for (int times = 0; times < 12; times++) step(&it);
    mg_cache_free(it.together);
    mg_cache_free(it.alone);
    mg_model_free(it.model);
}

int main(int count, char **arguments) {
    if (count != 3) fail("usage: random_steps SEED MODELS");
    char set[32];
    const char *at = mg_sets();
    for (int used; sscanf(at, "%31[^,]%n", set, &used) == 1; at += used + (at[used] == ',')) {
        state = strtoull(arguments[1], NULL, 10);
        checksum = 14695981039346656037u;
        for (int model = 0; model < atoi(arguments[2]); model++) one_model(set);
        printf("%s %016llx\n", set, (unsigned long long)checksum);
        if (!at[used]) break;
    }
    return 0;
}
