/* What the parts of the codec share: the layout of its weights, and a call's work. */
#ifndef MUSICGEN_CODEC_PARTS_H
#define MUSICGEN_CODEC_PARTS_H

#include "musicgen_codec.h"
#include "state.h"

/* Rows of bfloat16 have a multiple of these. */
#define HALVES 32
/* Most of a block would be idle with so few outputs, which are computed one by one. */
#define NARROW 2

/* Weights in bfloat16, [blocks][taps][pairs of inputs][64 outputs][2], and of few outputs also in float32,
 * [outputs][taps][inputs]. The bias has a multiple of 64 floats. */
struct mg_convolution {
    int32_t outputs, inputs, taps, dilation, blocks, pairs;
    uint16_t *weights;
    float *narrow, *bias;
};

static inline size_t reach_of(const mg_convolution *by) { return (size_t)(by->taps - 1) * (size_t)by->dilation; }
static inline size_t halves_of(int32_t inputs) { return round_up((size_t)inputs, HALVES); }

/* Memory that grows to the largest size asked for. */
typedef struct {
    void *memory;
    size_t bytes;
} room;

typedef enum { CONVOLVE, CONVOLVE_NARROW, RESIDUAL, LSTM } kind;

/* A call's work. Threads take the next piece of a phase by counting it up. */
typedef struct {
    kind kind;
    const mg_convolution *first, *second;
    int32_t activated, batch;
    size_t length;
    const float *x;
    float *y, *gates, *cell;
    uint16_t *halves, *states[2];
    atomic_int next[2];
} work;

struct mg_codec {
    team team;
    int32_t threads;
    work work;
    room halves, gates, states;
    room *own; /* of each thread */
};

/* A thread's part of `codec->work`. */
void run_codec(mg_codec *codec, int32_t thread);
/* Bytes that each thread needs of its own. */
size_t own_bytes(const work *now);

#endif
