/* Weights rounded to eight or four bits. */
#include <math.h>
#include <string.h>

#include "state.h"

static int allocate(matrix *made, size_t outputs, size_t inputs, int32_t bits) {
    made->outputs = (int32_t)outputs;
    made->blocks = (int32_t)(round_up(outputs, BLOCK) / BLOCK);
    made->bits = bits;
    made->quads = (int32_t)(round_up(inputs, bits == 4 ? SPAN : QUAD) / QUAD);
    size_t padded = (size_t)made->blocks * BLOCK;
    made->weights = reserve((size_t)made->blocks * block_bytes(made));
    if (bits == 4) return made->weights && (made->offset = reserve(padded * sizeof(float))) ? 0 : -1;
    made->scale = reserve(padded * sizeof(float));
    made->sum = reserve(padded * sizeof(int32_t));
    return made->weights && made->scale && made->sum ? 0 : -1;
}

static void round_to_eight_bits(const matrix *made, size_t out, const float *row, size_t inputs) {
    int8_t *to = made->weights + out / BLOCK * block_bytes(made) + out % BLOCK * QUAD;
    float most = 1e-12f;
    int32_t sum = 0;
    for (size_t i = 0; i < inputs; i++) most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
    float scale = most / 127.0f;
    for (size_t i = 0; i < inputs; i++) {
        int8_t rounded = (int8_t)lrintf(row[i] / scale);
        to[i / QUAD * BLOCK * QUAD + i % QUAD] = rounded;
        sum += rounded;
    }
    made->scale[out] = all_finite(row, inputs) ? scale : NAN;
    made->sum[out] = sum;
}

static float from_half(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* A scale with which n weights become -8 to 7: the largest of them, which may be negative, becomes -8. */
static uint16_t span_scale(const float *x, size_t n) {
    float most = 0.0f;
    for (size_t i = 0; i < n; i++) most = fabsf(x[i]) > fabsf(most) ? x[i] : most;
    return fabsf(most) > 1e-30f ? to_half(most / -8.0f) : 0;
}

/* Writes up to 32 weights of one output and their scale; returns the sum of the weights as bytes, times the scale. */
static float round_span(int8_t *span, size_t place, const float *x, size_t n) {
    const uint16_t half = span_scale(x, n);
    const float scale = from_half(half);
    int32_t sum = 0;
    memcpy(span + place * sizeof half, &half, sizeof half);
    for (size_t i = 0; half && i < n; i++) {
        float rounded = rintf(x[i] / scale);
        int32_t weight = (int32_t)(rounded > 7.0f ? 7.0f : rounded < -8.0f ? -8.0f : rounded);
        size_t quad = i / QUAD;
        uint8_t *to = (uint8_t *)span + SPAN_SCALES + (quad / 2 * BLOCK + place) * QUAD + i % QUAD;
        *to |= (uint8_t)((weight & 15) << (quad % 2 ? 4 : 0));
        sum += weight;
    }
    return scale * (float)(16 * sum);
}

static void round_to_four_bits(const matrix *made, size_t out, const float *row, size_t inputs) {
    int8_t *block = made->weights + out / BLOCK * block_bytes(made);
    float offset = 0.0f;
    if (!all_finite(row, inputs)) {
        made->offset[out] = NAN;
        return;
    }
    for (size_t i = 0; i < inputs; i += SPAN) {
        offset += round_span(block + i / SPAN * SPAN_BYTES, out % BLOCK, row + i, inputs - i < SPAN ? inputs - i : SPAN);
    }
    made->offset[out] = offset;
}

int matrix_set(matrix *made, size_t outputs, size_t inputs, int32_t bits, const float *data) {
    matrix_free(made);
    if (allocate(made, outputs, inputs, bits)) return -1;
    for (size_t out = 0; out < outputs; out++) {
        const float *row = data + out * inputs;
        if (bits == 4) round_to_four_bits(made, out, row, inputs);
        else round_to_eight_bits(made, out, row, inputs);
    }
    return 0;
}

void matrix_free(matrix *freed) {
    release(freed->weights);
    release(freed->scale);
    release(freed->sum);
    release(freed->offset);
    memset(freed, 0, sizeof *freed);
}
