/* Memory, and the keys and values of past positions. */
#include "state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#elif defined(_WIN32)
#include <malloc.h>
#endif

#define HUGE_PAGE ((size_t)2 << 20)
#define LINE ((size_t)64)

/* Only advice: without huge pages the same memory works, with more page walks. */
static void advise_huge_pages(void *memory, size_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#else
    (void)memory, (void)bytes;
#endif
}

void *reserve(size_t bytes) {
    size_t align = bytes >= HUGE_PAGE ? HUGE_PAGE : LINE;
    void *memory = NULL;
    bytes = round_up(bytes ? bytes : 1, LINE);
#if defined(_WIN32)
    if (!(memory = _aligned_malloc(bytes, align))) return NULL;
#else
    if (posix_memalign(&memory, align, bytes)) return NULL;
#endif
    if (align == HUGE_PAGE) advise_huge_pages(memory, bytes);
    memset(memory, 0, bytes);
    return memory;
}

void release(void *memory) {
#if defined(_WIN32)
    _aligned_free(memory);
#else
    free(memory);
#endif
}

static void measure(store *made, const mg_shape *shape, int32_t rows, int32_t positions, int32_t chunk_bits) {
    size_t head_dim = (size_t)(shape->dim / shape->heads), chunk = (size_t)GROUP << chunk_bits;
    *made = (store){.rows = rows, .positions = positions, .layers = shape->layers, .heads = shape->heads};
    made->head_dim = (int32_t)head_dim;
    made->chunk_bits = chunk_bits;
    made->chunks = round_up((size_t)positions, chunk) / chunk;
    made->key_group = KEY_HEADER + GROUP * round_up(head_dim, QUAD);
    made->value_group = GROUP * round_up(head_dim, GROUP);
    made->head_bytes = (made->key_group + made->value_group) << chunk_bits;
    made->chunk_bytes = made->head_bytes * (size_t)shape->layers * (size_t)shape->heads;
}

size_t store_bytes(const mg_shape *shape, int32_t rows, int32_t positions, int32_t chunk_bits) {
    store made;
    measure(&made, shape, rows, positions, chunk_bits);
    return made.chunk_bytes * made.chunks * (size_t)rows;
}

/* Large memory from calloc is cleared, and committed where it is first written: slots that are not in use take none. */
int store_new(store *made, const mg_shape *shape, int32_t rows, int32_t positions, int32_t chunk_bits) {
    measure(made, shape, rows, positions, chunk_bits);
    size_t bytes = store_bytes(shape, rows, positions, chunk_bits);
    made->memory = calloc(1, bytes + HUGE_PAGE);
    if (!made->memory) return -1;
    made->data = (int8_t *)round_up((size_t)made->memory, HUGE_PAGE);
    advise_huge_pages(made->data, bytes);
    return 0;
}

int8_t *store_head(const store *kept, int32_t layer, int32_t row, int32_t head) {
    size_t index = (size_t)layer * (size_t)kept->heads + (size_t)head;
    return kept->data + (size_t)row * kept->chunks * kept->chunk_bytes + index * kept->head_bytes;
}

/* Round `x` of length n to 127 steps of the returned scale, which is NaN if `x` is not finite. */
static float round_to_steps(const float *x, int32_t n, int8_t *rounded) {
    int32_t largest = largest_magnitude(x, (size_t)n);
    if (largest >= INFINITE_BITS) {
        memset(rounded, 0, (size_t)n);
        return NAN;
    }
    float most;
    memcpy(&most, &largest, sizeof most);
    if (most < 1e-12f) most = 1e-12f;
    float steps = 127.0f / most;
    for (int32_t i = 0; i < n; i++) rounded[i] = (int8_t)((int32_t)(x[i] * steps + 128.5f) - 128);
    return most / 127.0f;
}

void store_write(const store *kept, int8_t *head_data, int32_t position, const float *key, const float *value) {
    int32_t head_dim = kept->head_dim, group = position / GROUP, place = position % GROUP;
    int8_t rounded[round_up((size_t)head_dim, QUAD)];
    memset(rounded, 0, sizeof rounded);
    int8_t *keys = head_data + keys_at(kept, group);
    float scale = round_to_steps(key, head_dim, rounded);
    /* The scores carry on what is not finite in a value. */
    if (!all_finite(value, (size_t)head_dim)) scale = NAN;
    int32_t sum = 0;
    for (int32_t i = 0; i < head_dim; i++) sum += rounded[i];
    memcpy(keys + (size_t)place * sizeof(float), &scale, sizeof scale);
    memcpy(keys + (size_t)(GROUP + place) * sizeof(float), &sum, sizeof sum);
    float *value_scale = (float *)(keys + 2 * GROUP * sizeof(float)) + place;
    keys += KEY_HEADER;
    for (int32_t i = 0; i < head_dim; i += QUAD) memcpy(keys + i * GROUP + place * QUAD, rounded + i, QUAD);

    int8_t *values = head_data + values_at(kept, group);
    scale = round_to_steps(value, head_dim, rounded);
    *value_scale = scale;
    values += (size_t)(place / QUAD) * round_up((size_t)head_dim, GROUP) * QUAD;
    for (int32_t i = 0; i < head_dim; i++) values[i * QUAD + place % QUAD] = rounded[i];
}

mg_cache *mg_cache_new(const mg_shape *shape, int32_t sequences, int32_t texts, int32_t tokens) {
    mg_cache *cache = tokens > MG_MAX_TOKENS ? NULL : calloc(1, sizeof *cache);
    if (!cache) return NULL;
    cache->shape = *shape;
    cache->tokens = calloc((size_t)texts + 1, sizeof *cache->tokens);
    int failed = !cache->tokens || store_new(&cache->past, shape, sequences, shape->positions, PAST_CHUNK);
    if (!failed && shape->cross) failed = store_new(&cache->text, shape, texts, tokens, TEXT_CHUNK);
    if (failed) {
        mg_cache_free(cache);
        return NULL;
    }
    return cache;
}

void mg_cache_free(mg_cache *cache) {
    if (!cache) return;
    free(cache->past.memory);
    free(cache->text.memory);
    free(cache->tokens);
    free(cache);
}

int64_t mg_cache_bytes(const mg_shape *shape, int32_t sequences, int32_t texts, int32_t tokens) {
    size_t past = store_bytes(shape, sequences, shape->positions, PAST_CHUNK);
    return (int64_t)(past + (shape->cross ? store_bytes(shape, texts, tokens, TEXT_CHUNK) : 0));
}

int32_t mg_cache_set_text(mg_cache *cache, int32_t text, const float *projected, int32_t tokens) {
    const store *kept = &cache->text;
    if (text < 0 || text >= kept->rows || tokens < 1 || tokens > kept->positions) return -1;
    size_t head = (size_t)kept->head_dim, part = (size_t)kept->heads * (size_t)tokens * head;
    for (int32_t at = 0; at < cache->shape.layers; at++) {
        for (int32_t h = 0; h < kept->heads; h++) {
            const float *keys = projected + (size_t)at * 2 * part + (size_t)h * (size_t)tokens * head;
            int8_t *data = store_head(kept, at, text, h);
            for (int32_t token = 0; token < tokens; token++) {
                const float *key = keys + (size_t)token * head;
                store_write(kept, data, token, key, key + part);
            }
        }
    }
    cache->tokens[text] = tokens;
    return 0;
}
