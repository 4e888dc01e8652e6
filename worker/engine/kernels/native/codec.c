/* The codec's weights and memory, and its entry points. */
#include "codec.h"

#include <stdlib.h>
#include <string.h>

/* Where one weight stands among those of its block. */
static size_t place_of(const mg_convolution *in, size_t tap, size_t input, size_t output) {
    return ((tap * (size_t)in->pairs + input / 2) * BLOCK + output % BLOCK) * 2 + input % 2;
}

static int pack(mg_convolution *made, const float *weight) {
    size_t outputs = (size_t)made->outputs, inputs = (size_t)made->inputs, taps = (size_t)made->taps;
    size_t block = taps * (size_t)made->pairs * BLOCK * 2;
    int narrow = made->outputs <= NARROW;
    made->weights = reserve((size_t)made->blocks * block * sizeof(uint16_t));
    if (narrow) made->narrow = reserve(outputs * taps * inputs * sizeof(float));
    if (!made->weights || (narrow && !made->narrow)) return -1;
    for (size_t out = 0; out < outputs; out++) {
        for (size_t input = 0; input < inputs; input++) {
            for (size_t tap = 0; tap < taps; tap++) {
                float x = *weight++;
                if (narrow) made->narrow[(out * taps + tap) * inputs + input] = x;
                made->weights[out / BLOCK * block + place_of(made, tap, input, out)] = to_half(x);
            }
        }
    }
    return 0;
}

mg_convolution *mg_convolution_new(int32_t outputs, int32_t inputs, int32_t taps, int32_t dilation, const float *weight,
                                   const float *bias) {
    if (outputs < 1 || inputs < 1 || taps < 1 || dilation < 1) return NULL;
    mg_convolution *made = reserve(sizeof *made);
    if (!made) return NULL;
    *made = (mg_convolution){.outputs = outputs, .inputs = inputs, .taps = taps, .dilation = dilation};
    made->blocks = (int32_t)(round_up((size_t)outputs, BLOCK) / BLOCK);
    made->pairs = (inputs + 1) / 2;
    made->bias = reserve((size_t)made->blocks * BLOCK * sizeof(float));
    if (!made->bias || pack(made, weight)) {
        mg_convolution_free(made);
        return NULL;
    }
    if (bias) memcpy(made->bias, bias, (size_t)outputs * sizeof(float));
    return made;
}

void mg_convolution_free(mg_convolution *freed) {
    if (!freed) return;
    release(freed->weights);
    release(freed->narrow);
    release(freed->bias);
    release(freed);
}

static void run(void *codec, int32_t thread) { run_codec(codec, thread); }

mg_codec *mg_codec_new(int32_t threads) {
    if (threads < 1) return NULL;
    mg_codec *made = reserve(sizeof *made);
    if (!made) return NULL;
    made->threads = threads;
    made->own = reserve((size_t)threads * sizeof *made->own);
    if (!made->own || team_start(&made->team, threads, run, made)) {
        mg_codec_free(made);
        return NULL;
    }
    return made;
}

void mg_codec_free(mg_codec *freed) {
    if (!freed) return;
    team_stop(&freed->team);
    for (int32_t thread = 0; freed->own && thread < freed->threads; thread++) release(freed->own[thread].memory);
    void *all[] = {freed->own, freed->halves.memory, freed->gates.memory, freed->states.memory, freed};
    for (size_t each = 0; each < sizeof all / sizeof *all; each++) release(all[each]);
}

static void *grow(room *grown, size_t bytes) {
    if (bytes <= grown->bytes) return grown->memory;
    release(grown->memory);
    grown->memory = reserve(bytes);
    grown->bytes = grown->memory ? bytes : 0;
    return grown->memory;
}

/* Runs the work once there is memory for `halves` rows of inputs that all threads read, and for each thread. */
static int32_t run_all(mg_codec *codec, size_t halves) {
    work *now = &codec->work;
    now->halves = grow(&codec->halves, halves * halves_of(now->first->inputs) * sizeof(uint16_t));
    size_t own = own_bytes(now);
    for (int32_t thread = 0; thread < codec->threads; thread++) {
        if (own && !grow(&codec->own[thread], own)) return -1;
    }
    if (halves && !now->halves) return -1;
    team_run(&codec->team);
    return 0;
}

int32_t mg_codec_convolve(mg_codec *codec, const mg_convolution *by, int32_t activated, const float *x, int32_t length,
                          float *y) {
    if (length < 1 || (size_t)length <= reach_of(by)) return -1;
    codec->work = (work){.kind = by->narrow ? CONVOLVE_NARROW : CONVOLVE, .first = by, .activated = activated};
    codec->work.length = (size_t)length;
    codec->work.x = x;
    codec->work.y = y;
    return run_all(codec, by->narrow ? 0 : (size_t)length);
}

int32_t mg_codec_residual(mg_codec *codec, const mg_convolution *wide, const mg_convolution *pointwise, const float *x,
                          int32_t length, float *y) {
    if (length < 1 || (size_t)length <= reach_of(wide)) return -1;
    if (pointwise->inputs != wide->outputs || pointwise->outputs != wide->inputs || pointwise->taps > 1) return -1;
    codec->work = (work){.kind = RESIDUAL, .first = wide, .second = pointwise, .activated = 1};
    codec->work.length = (size_t)length;
    codec->work.x = x;
    codec->work.y = y;
    return run_all(codec, 0);
}

/* Whether a matrix has the outputs of an LSTM's gates, in whole blocks. */
static int has_gates(const mg_convolution *from) { return from->taps == 1 && from->outputs == 4 * from->inputs; }

int32_t mg_codec_lstm(mg_codec *codec, const mg_convolution *from_input, const mg_convolution *from_state, int32_t batch,
                      const float *x, int32_t length, float *hidden, float *cell, float *y) {
    if (length < 1 || batch < 1 || batch > MG_MAX_BATCH || from_input->inputs % GROUP) return -1;
    if (!has_gates(from_input) || !has_gates(from_state) || from_input->inputs != from_state->inputs) return -1;
    size_t rows = (size_t)length * (size_t)batch, width = (size_t)from_input->inputs;
    work *now = &codec->work;
    *now = (work){.kind = LSTM, .first = from_input, .second = from_state, .batch = batch, .length = rows};
    size_t state = (size_t)batch * halves_of(from_state->inputs);
    now->gates = grow(&codec->gates, rows * 4 * width * sizeof(float));
    now->states[0] = grow(&codec->states, 2 * state * sizeof(uint16_t));
    if (!now->gates || !now->states[0]) return -1;
    now->states[1] = now->states[0] + state;
    memset(now->states[0], 0, 2 * state * sizeof(uint16_t));
    for (size_t row = 0; row < (size_t)batch; row++) {
        for (size_t i = 0; i < width; i++) now->states[0][row * halves_of(from_state->inputs) + i] = to_half(hidden[row * width + i]);
    }
    now->x = x;
    now->y = y;
    now->cell = cell;
    if (run_all(codec, rows)) return -1;
    memcpy(hidden, y + (rows - (size_t)batch) * width, (size_t)batch * width * sizeof(float));
    return 0;
}
