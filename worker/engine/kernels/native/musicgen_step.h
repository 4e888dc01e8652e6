/* One step of MusicGen's language model on a CPU, in integers. Plain C; every function may be called through ctypes.
 *
 * Weights are int8 with one scale per output, or int4 with one per output and 32 inputs. Activations are int8 with one
 * scale per row, and keys and values int8 with one scale per head and position. Sums of integers have no order, and sums
 * of floats always have the same one. So a row's numbers depend neither on the other rows, nor on the number of threads,
 * nor on the instruction set. The one exception is "avx2", whose multiply-add saturates: its activations have seven bits.
 *
 * A model belongs to one caller at a time.
 */
#ifndef MUSICGEN_STEP_H
#define MUSICGEN_STEP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most rows in one call. */
#define MG_MAX_ROWS 128
/* The most tokens of a text. */
#define MG_MAX_TOKENS 1024

typedef struct {
    int32_t dim, heads, layers, hidden, codebooks, codebook_size, positions;
    int32_t cross; /* whether layers attend to a text */
    int32_t threads;
} mg_shape;

/* One row: a position of a sequence. Rows of the same sequence in one call must be consecutive positions in order. */
typedef struct {
    int32_t sequence; /* whose keys and values it reads and extends */
    int32_t position;
    int32_t text; /* the text that it attends to; -1 is none */
} mg_row;

/* The weights, float32 in row-major order; `layer` counts from 0 and is ignored after MG_FORWARD_OUT.
 * "each head" means that a head's outputs are together, and followed by zeros up to a multiple of 64. */
enum {
    MG_NORM_PAST,    /* [2, dim]: weight, bias */
    MG_PAST_IN,      /* [heads, 3 * head_dim, dim]: queries, keys and values of each head */
    MG_PAST_OUT,     /* [dim, dim] */
    MG_NORM_TEXT,    /* [2, dim] */
    MG_TEXT_QUERY,   /* [heads, head_dim, dim]: each head */
    MG_TEXT_OUT,     /* [dim, dim] */
    MG_NORM_FORWARD, /* [2, dim] */
    MG_FORWARD_IN,   /* [hidden, dim] */
    MG_FORWARD_OUT,  /* [dim, hidden] */
    MG_NORM_OUT,     /* [2, dim] */
    MG_LOGITS,       /* [codebooks * codebook_size, dim] */
    MG_EMBEDDING,    /* [codebooks, codebook_size + 1, dim] */
    MG_SINUSOID,     /* [positions, dim] */
    MG_KINDS
};

typedef struct mg_model mg_model;
typedef struct mg_cache mg_cache;

/* The instruction sets that this processor can run, fastest first, separated by commas. */
const char *mg_sets(void);

/* NULL if memory is short, the shape is invalid or the processor lacks the instruction set. */
mg_model *mg_model_new(const mg_shape *shape, const char *set);
void mg_model_free(mg_model *model);

/* Copies one array of weights. `bits`, 8 or 4, are those of each weight of a matrix; other arrays stay floats. Returns 0,
 * or -1 if memory is short or a number is out of range. */
int32_t mg_model_set(mg_model *model, int32_t kind, int32_t layer, int32_t bits, const float *data);

/* The embeddings, float32 of shape [codebooks, codebook_size + 1, dim padded with zeros to a multiple of 64], which belong
 * to the model; NULL before they were set. */
const float *mg_model_embedding(const mg_model *model);

/* Memory for keys and values of `sequences` and of `texts`, each text of at most `tokens`. NULL if memory is short. */
mg_cache *mg_cache_new(const mg_shape *shape, int32_t sequences, int32_t texts, int32_t tokens);
void mg_cache_free(mg_cache *cache);
int64_t mg_cache_bytes(const mg_shape *shape, int32_t sequences, int32_t texts, int32_t tokens);

/* Stores a text, projected: float32 of shape [layers, 2, heads, tokens, head_dim]. Returns 0, or -1 if out of range. */
int32_t mg_cache_set_text(mg_cache *cache, int32_t text, const float *projected, int32_t tokens);

/* Runs `count` rows. Their inputs are `codes` of shape [count, codebooks], or `inputs`, float32 of shape [count, dim],
 * without positional embeddings; the other one is NULL. `logits`, of shape [count, codebooks * codebook_size], may be
 * NULL. Returns 0, or -1 if a number is out of range. */
int32_t mg_step(mg_model *model, mg_cache *cache, int32_t count, const mg_row *rows, const int64_t *codes,
                const float *inputs, float *logits);

#ifdef __cplusplus
}
#endif
#endif
