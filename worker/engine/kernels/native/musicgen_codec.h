/* Layers of EnCodec's decoder on processors with AVX512-BF16. Plain C; every function may be called through ctypes.
 *
 * Inputs and weights are rounded to bfloat16, products are added in float32, and all else is float32. Audio is
 * [time, channels], so that a convolution is a product of matrices. An output's sum always has the same order: it does not
 * depend on the number of threads, nor on how a piece is cut.
 */
#ifndef MUSICGEN_CODEC_H
#define MUSICGEN_CODEC_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The most LSTM states in one call. */
#define MG_MAX_BATCH 2

/* Threads and their memory, which belong to one caller at a time. */
typedef struct mg_codec mg_codec;
/* Weights, which any number of callers may read. */
typedef struct mg_convolution mg_convolution;

/* Whether this processor has AVX512-BF16. Without it, the functions below must not be called. */
int32_t mg_codec_runs_here(void);

/* NULL if memory is short. */
mg_codec *mg_codec_new(int32_t threads);
void mg_codec_free(mg_codec *codec);

/* An unpadded convolution: float32 `weight` of shape [outputs, inputs, taps], and `bias` of shape [outputs] or NULL. One
 * with at most 2 outputs computes in float32. NULL if memory is short or a size is not positive. */
mg_convolution *mg_convolution_new(int32_t outputs, int32_t inputs, int32_t taps, int32_t dilation, const float *weight,
                                   const float *bias);
void mg_convolution_free(mg_convolution *convolution);

/* In all of these x is [length, inputs]. They return 0, or -1 if memory is short or the sizes do not fit. */

/* y [length - reach, outputs], where reach is (taps - 1) * dilation; of ELU(x) if `activated`. */
int32_t mg_codec_convolve(mg_codec *codec, const mg_convolution *by, int32_t activated, const float *x, int32_t length,
                          float *y);

/* y [length - reach, inputs] = x + pointwise(ELU(wide(ELU(x)))), without the half of x's reach at each end; of an odd
 * reach the larger half is at the start. */
int32_t mg_codec_residual(mg_codec *codec, const mg_convolution *wide, const mg_convolution *pointwise, const float *x,
                          int32_t length, float *y);

/* An LSTM layer of `width` units, a multiple of 16: y [length, batch, width] of x of the same shape. Its matrices have an
 * output for each gate of each unit: of 16 units at a time all input gates, forget gates, candidates and output gates.
 * `hidden` and `cell`, [batch, width], are the state before and, afterwards, behind x. */
int32_t mg_codec_lstm(mg_codec *codec, const mg_convolution *from_input, const mg_convolution *from_state, int32_t batch,
                      const float *x, int32_t length, float *hidden, float *cell, float *y);

#ifdef __cplusplus
}
#endif
#endif
