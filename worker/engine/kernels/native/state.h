/* What the parts of the library share: memory layouts and the state of a model. */
#ifndef MUSICGEN_STATE_H
#define MUSICGEN_STATE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "musicgen_step.h"
#include "threads.h"

#define INLINE static inline __attribute__((always_inline))
/* The loop has few rounds, whose sums must stay in registers. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* Outputs per block of weights, positions per block of keys and values, floats per lane sum. */
#define BLOCK 64
#define GROUP 16
/* Of 16 positions: the keys' scales and sums, and the values' scales. */
#define KEY_HEADER (3 * GROUP * sizeof(float))
/* A chunk is 2 to this power groups, whose keys and values of a head stand together: what is stored of a sequence grows by
 * 256 positions, of a text by 16, because most have fewer than 32. */
#define PAST_CHUNK 4
#define TEXT_CHUNK 0
/* Inputs that one integer instruction multiplies and adds. */
#define QUAD 4
/* Weights of four bits: inputs that share a scale, and the bytes of 64 outputs' scales, and of these with the weights. */
#define SPAN 32
#define SPAN_SCALES (BLOCK * sizeof(uint16_t))
#define SPAN_BYTES (SPAN_SCALES + BLOCK * SPAN / 2)

static inline size_t round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

/* The largest magnitude of n floats, as its bits: compilers vectorize a largest integer, but not a largest float. */
static inline int32_t largest_magnitude(const float *x, size_t n) {
    int32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
    }
    return most;
}

/* Bits of a magnitude that is infinite; those of NaN are larger. */
#define INFINITE_BITS 0x7f800000

/* Whether no number is infinite or NaN. Rounding to integers would hide one, so that a code would be drawn of nothing. */
static inline int all_finite(const float *x, size_t n) { return largest_magnitude(x, n) < INFINITE_BITS; }

/* The upper half of the bits of a float, rounded: a bfloat16. */
static inline uint16_t to_half(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (x != x) return 0x7fc0;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* Weights of a linear layer, in blocks of 64 outputs. Each output has a sum, which undoes the offset of the activations.
 * Of eight bits a block is [inputs / 4][64 outputs][4 inputs], and each output has a scale.
 * Of four bits it is, for every 32 inputs, their scales as bfloat16, [64 outputs], and [4 pairs of quads][64 outputs][4
 * bytes], a byte having an input of the first quad in its lower half and one of the second in its upper half. The
 * products take each half as a byte, 16 times the weight. `offset` is the sum of these bytes times their scales. */
typedef struct {
    int32_t outputs, quads, blocks, bits;
    int8_t *weights;
    float *scale;
    int32_t *sum;
    float *offset;
} matrix;

static inline size_t block_bytes(const matrix *of) {
    size_t quads = (size_t)of->quads;
    return of->bits == 4 ? quads * QUAD / SPAN * SPAN_BYTES : quads * QUAD * BLOCK;
}

/* A row of activations is level * (byte - zero). Whether the bytes are signed depends on the instruction set. */
typedef struct {
    float level;
    int32_t zero;
} grid;

typedef struct {
    float *norm_past, *norm_text, *norm_forward; /* weights, then biases: [2][stride] */
    matrix past_in, past_out, text_query, text_out, forward_in, forward_out;
} layer;

/* Keys and values of `rows` sequences or texts.
 * Of each row, and then of each chunk of positions, layer and head: first the keys, for every 16 positions KEY_HEADER and
 * [head_dim / 4][16][4]; then the values, for every 16 positions [4][head_dim padded to 16][4 positions]. Scales of values
 * stand beside the keys, because they are needed before the values, which are then read without gaps. */
typedef struct {
    void *memory; /* what is freed; `data` begins at a huge page in it */
    int8_t *data;
    int32_t rows, positions, layers, heads, head_dim;
    int32_t chunk_bits; /* PAST_CHUNK or TEXT_CHUNK */
    size_t key_group, value_group, head_bytes, chunk_bytes, chunks;
} store;

/* Where a group's keys begin after the first ones of its layer, row and head, and its values. */
static inline size_t keys_at(const store *kept, int32_t group) {
    size_t within = (size_t)group & (((size_t)1 << kept->chunk_bits) - 1);
    return (size_t)(group >> kept->chunk_bits) * kept->chunk_bytes + within * kept->key_group;
}

static inline size_t values_at(const store *kept, int32_t group) {
    size_t within = (size_t)group & (((size_t)1 << kept->chunk_bits) - 1);
    return (size_t)(group >> kept->chunk_bits) * kept->chunk_bytes + (kept->key_group << kept->chunk_bits) +
           within * kept->value_group;
}

struct mg_cache {
    mg_shape shape;
    store past, text;
    int32_t *tokens;
};

/* A step's work. Threads take the next piece of a phase by counting it up. */
typedef struct {
    mg_cache *cache;
    int32_t count, texts;
    const mg_row *rows;
    const int64_t *codes;
    const float *inputs;
    float *logits;
    int32_t all[MG_MAX_ROWS], with_text[MG_MAX_ROWS];
} job;

typedef struct {
    _Alignas(64) atomic_int next;
} counter;

/* A thread's own memory. */
typedef struct {
    uint8_t *quantized; /* [PRIVATE_ROWS][widest] */
    grid *grids;        /* [PRIVATE_ROWS] */
    float *row;         /* [widest] */
    float *projected;   /* [MG_MAX_ROWS][head's outputs] */
    float *scores;      /* [positions] */
    uint8_t *high, *low; /* [positions or head_dim] */
} scratch;

/* Up to so many rows, each thread quantizes all rows itself instead of waiting for the others. */
#define PRIVATE_ROWS 4

typedef struct mg_kernels {
    const char *name;
    void (*run)(mg_model *model, int32_t thread);
} mg_kernels;

struct mg_model {
    mg_shape shape;
    const mg_kernels *kernels;
    int32_t head_dim;
    size_t stride, wide; /* floats per row of activations: dim and hidden, padded */
    layer *layers;
    float *norm_out, *embedding, *sinusoid;
    matrix logits;
    float *x, *attended, *hidden;
    uint8_t *quantized;
    grid *grids;
    scratch *own;
    counter *counters;
    job job;
    team team;
};

/* Copies weights of shape [outputs, inputs], rounded to 8 or 4 bits, in place of earlier ones. -1 if memory is short. */
int matrix_set(matrix *made, size_t outputs, size_t inputs, int32_t bits, const float *data);
void matrix_free(matrix *freed);

/* Cleared memory, aligned to a cache line, in huge pages where there are. Freed by `release`. */
void *reserve(size_t bytes);
void release(void *memory);

int store_new(store *made, const mg_shape *shape, int32_t rows, int32_t positions, int32_t chunk_bits);
size_t store_bytes(const mg_shape *shape, int32_t rows, int32_t positions, int32_t chunk_bits);
int8_t *store_head(const store *kept, int32_t layer, int32_t row, int32_t head);
/* Store one position of one head. */
void store_write(const store *kept, int8_t *head_data, int32_t position, const float *key, const float *value);

extern const mg_kernels mg_portable;
#if defined(__x86_64__)
extern const mg_kernels mg_avx512vnni, mg_avxvnni, mg_avx2;
#elif defined(__aarch64__)
extern const mg_kernels mg_dotprod;
#endif
/* The instruction set of this name; NULL if this processor lacks it. */
const mg_kernels *find_set(const char *name);

#endif
