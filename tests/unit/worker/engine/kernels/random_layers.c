/* Random layers of the codec, drawn by a seed: `random_layers SEED TIMES`. It ends with an error if the outputs of a piece
 * depend on the number of threads or on where the piece is cut, and prints a checksum. Arrays are exactly as large as they
 * must be, so that sanitizers see a read or write beyond them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "musicgen_codec.h"

static uint64_t state, checksum = 14695981039346656037u;

static int32_t below(int32_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int32_t)((state >> 33) % (uint64_t)n);
}

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static float *room(int32_t n) { return malloc((size_t)n * sizeof(float)); }

static float *numbers(int32_t n) {
    float *made = room(n);
    for (int32_t i = 0; i < n; i++) made[i] = (float)(below(2001) - 1000) / 700.0f;
    return made;
}

/* FNV-1a. */
static void compare(const float *made, const float *other, int32_t n) {
    const unsigned char *bytes = (const unsigned char *)made;
    if (memcmp(made, other, (size_t)n * sizeof *made)) fail("other bits with other threads or cuts");
    for (size_t i = 0; i < (size_t)n * sizeof *made; i++) checksum = (checksum ^ bytes[i]) * 1099511628211u;
}

static mg_convolution *draw(int32_t outputs, int32_t inputs, int32_t taps, int32_t dilation) {
    float *weight = numbers(outputs * inputs * taps), *bias = below(4) ? numbers(outputs) : NULL;
    mg_convolution *made = mg_convolution_new(outputs, inputs, taps, dilation, weight, bias);
    if (!made) fail("no memory for weights");
    free(weight), free(bias);
    return made;
}

/* A copy of some rows, so that a read beyond them is seen. */
static float *copy(const float *x, int32_t n) {
    float *made = room(n);
    memcpy(made, x, (size_t)n * sizeof *x);
    return made;
}

typedef struct {
    mg_convolution *first, *second;
    int32_t inputs, outputs, reach, activated;
} layer;

static void run(mg_codec *codec, const layer *it, const float *x, int32_t length, float *y) {
    float *exact = copy(x, length * it->inputs);
    int32_t refused = it->second ? mg_codec_residual(codec, it->first, it->second, exact, length, y)
                                 : mg_codec_convolve(codec, it->first, it->activated, exact, length, y);
    if (refused) fail("a layer was refused");
    free(exact);
}

/* A convolution, or a residual unit. */
static void one_layer(mg_codec *codec, mg_codec *other) {
    int32_t inputs = 1 + below(140), outputs = 1 + below(below(2) ? 3 : 140), taps = 1 + below(7), dilation = 1 + below(3);
    int32_t unit = below(2), reach = (taps - 1) * dilation, length = 2 + below(300), cut = 1 + below(length - 1);
    layer it = {draw(outputs, inputs, taps, dilation), unit ? draw(inputs, outputs, 1, 1) : NULL, inputs,
                unit ? inputs : outputs, reach, below(2)};
    float *x = numbers((length + reach) * inputs), *whole = room(length * it.outputs), *parts = room(length * it.outputs);
    run(codec, &it, x, length + reach, whole);
    run(other, &it, x, cut + reach, parts);
    run(other, &it, x + cut * inputs, length - cut + reach, parts + cut * it.outputs);
    compare(whole, parts, length * it.outputs);
    if (mg_codec_convolve(codec, it.first, 0, x, reach, whole) != -1) fail("too short an input was accepted");
    mg_convolution_free(it.first), mg_convolution_free(it.second);
    free(x), free(whole), free(parts);
}

static void one_lstm(mg_codec *codec, mg_codec *other) {
    int32_t width = 16 * (1 + below(6)), batch = 1 + below(MG_MAX_BATCH), length = 2 + below(30), cut = 1 + below(length - 1);
    int32_t row = batch * width;
    mg_convolution *from_input = draw(4 * width, width, 1, 1), *from_state = draw(4 * width, width, 1, 1);
    float *x = numbers(length * row), *whole = room(length * row), *parts = room(length * row);
    float *hidden[] = {numbers(row), NULL}, *cell[] = {numbers(row), NULL};
    hidden[1] = copy(hidden[0], row), cell[1] = copy(cell[0], row);
    int32_t refused = mg_codec_lstm(codec, from_input, from_state, batch, x, length, hidden[0], cell[0], whole);
    refused |= mg_codec_lstm(other, from_input, from_state, batch, x, cut, hidden[1], cell[1], parts);
    refused |= mg_codec_lstm(other, from_input, from_state, batch, x + cut * row, length - cut, hidden[1], cell[1],
                             parts + cut * row);
    if (refused) fail("an LSTM was refused");
    compare(whole, parts, length * row);
    compare(hidden[0], hidden[1], row);
    compare(cell[0], cell[1], row);
    mg_convolution_free(from_input), mg_convolution_free(from_state);
    for (int each = 0; each < 2; each++) free(hidden[each]), free(cell[each]);
    free(x), free(whole), free(parts);
}

int main(int count, char **arguments) {
    if (count != 3) fail("usage: random_layers SEED TIMES");
    state = strtoull(arguments[1], NULL, 10);
    mg_codec *codec = mg_codec_new(1 + below(3)), *other = mg_codec_new(1 + below(3));
    if (!codec || !other) fail("no memory");
    for (int times = 0; times < atoi(arguments[2]); times++) {
        one_layer(codec, other);
        one_lstm(codec, other);
    }
    mg_codec_free(codec), mg_codec_free(other);
    printf("layers %016llx\n", (unsigned long long)checksum);
    return 0;
}
