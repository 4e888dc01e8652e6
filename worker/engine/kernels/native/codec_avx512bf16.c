/* The codec's layers with AVX512-BF16: AMD from Zen 4, Intel from Cooper Lake. */
#include "codec.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define LANES 16
#define COLUMNS (BLOCK / LANES)
/* Rows of a tile, whose sums fit into registers. */
#define ROWS 6
/* Rows of a piece of work; a multiple of ROWS, so few that they stay in the cache. */
#define STRIP 96
#define RESIDUAL_STRIP 48

size_t own_bytes(const work *now) {
    const mg_convolution *first = now->first;
    if (now->kind == CONVOLVE_NARROW) return (STRIP + reach_of(first)) * (size_t)first->inputs * sizeof(float);
    if (now->kind != RESIDUAL) return 0;
    size_t rows = (RESIDUAL_STRIP + reach_of(first)) * halves_of(first->inputs);
    return (rows + RESIDUAL_STRIP * halves_of(first->outputs)) * sizeof(uint16_t);
}

static int take(work *now, int phase) { return atomic_fetch_add_explicit(&now->next[phase], 1, memory_order_relaxed); }

/* e to the power of x, for x <= 0, within 2e-7 of itself (Cephes' polynomial); NaN stays. */
INLINE __m512 exponential(__m512 x) {
    const float factors[] = {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f};
    x = _mm512_max_ps(_mm512_set1_ps(-88.0f), x);
    __m512 power = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
    __m512 rest = _mm512_fnmadd_ps(power, _mm512_set1_ps(0.693359375f), x);
    rest = _mm512_fnmadd_ps(power, _mm512_set1_ps(-2.12194440e-4f), rest);
    __m512 y = _mm512_set1_ps(1.9875691500e-4f);
    UNROLL
    for (int i = 0; i < 5; i++) y = _mm512_fmadd_ps(y, rest, _mm512_set1_ps(factors[i]));
    y = _mm512_add_ps(_mm512_fmadd_ps(_mm512_mul_ps(rest, rest), y, rest), _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(y, power);
}

INLINE __mmask16 below_zero(__m512 x) { return _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ); }

/* x where it is positive, else e to the power of x, minus 1 (Clevert et al., 2016); NaN stays. */
INLINE __m512 elu(__m512 x) {
    __m512 curve = _mm512_sub_ps(exponential(_mm512_min_ps(x, _mm512_setzero_ps())), _mm512_set1_ps(1.0f));
    return _mm512_mask_mov_ps(x, below_zero(x), curve);
}

/* 1 / (1 + e to the power of -x), and the hyperbolic tangent; of |x| first, whose power does not overflow. */
INLINE __m512 sigmoid(__m512 x) {
    const __m512 one = _mm512_set1_ps(1.0f);
    __m512 small = exponential(_mm512_sub_ps(_mm512_setzero_ps(), _mm512_abs_ps(x)));
    __m512 y = _mm512_div_ps(one, _mm512_add_ps(one, small));
    return _mm512_mask_mul_ps(y, below_zero(x), y, small);
}

INLINE __m512 tangent(__m512 x) {
    const __m512 one = _mm512_set1_ps(1.0f);
    __m512 small = exponential(_mm512_mul_ps(_mm512_abs_ps(x), _mm512_set1_ps(-2.0f)));
    __m512 y = _mm512_div_ps(_mm512_sub_ps(one, small), _mm512_add_ps(one, small));
    return _mm512_mask_sub_ps(y, below_zero(x), _mm512_setzero_ps(), y);
}

/* 16 floats, of which all beyond the n-th are zero. */
INLINE __mmask16 first_lanes(int32_t n) { return n >= LANES ? 0xffff : (__mmask16)((1u << (n > 0 ? n : 0)) - 1); }

INLINE __m512 load(const float *x, int32_t n) { return _mm512_maskz_loadu_ps(first_lanes(n), x); }

/* A row of n floats as bfloat16, followed by zeros; of ELU(x) if `activated`. */
static void convert(const float *x, int32_t n, int activated, uint16_t *to) {
    for (int32_t i = 0; i < n; i += HALVES) {
        __m512 first = load(x + i, n - i), second = load(x + i + LANES, n - i - LANES);
        if (activated) first = elu(first), second = elu(second);
        _mm512_storeu_si512(to + i, (__m512i)_mm512_cvtne2ps_pbh(second, first));
    }
}

/* One tile: R rows times the 64 outputs of a block, added to `start`. */
INLINE void multiply_tile(const int R, const mg_convolution *by, int32_t block, const uint16_t *rows, size_t stride,
                          const float *start, size_t start_stride, float (*to)[BLOCK]) {
    const size_t taps = (size_t)by->taps, pairs = (size_t)by->pairs;
    const uint16_t *weights = by->weights + (size_t)block * taps * pairs * BLOCK * 2;
    __m512 total[ROWS][COLUMNS];
    UNROLL
    for (int row = 0; row < R; row++) {
        UNROLL
        for (int column = 0; column < COLUMNS; column++)
            total[row][column] = _mm512_loadu_ps(start + (size_t)row * start_stride + column * LANES);
    }
    for (size_t tap = 0; tap < taps; tap++) {
        const uint16_t *from = rows + tap * (size_t)by->dilation * stride;
        for (size_t pair = 0; pair < pairs; pair++, weights += BLOCK * 2) {
            UNROLL
            for (int row = 0; row < R; row++) {
                int32_t two;
                memcpy(&two, from + (size_t)row * stride + pair * 2, sizeof two);
                __m512bh x = (__m512bh)_mm512_set1_epi32(two);
                UNROLL
                for (int column = 0; column < COLUMNS; column++) {
                    __m512bh w = (__m512bh)_mm512_loadu_si512(weights + column * HALVES);
                    total[row][column] = _mm512_dpbf16_ps(total[row][column], x, w);
                }
            }
        }
    }
    UNROLL
    for (int row = 0; row < R; row++) {
        UNROLL
        for (int column = 0; column < COLUMNS; column++) _mm512_storeu_ps(to[row] + column * LANES, total[row][column]);
    }
}

static void multiply(int rows, const mg_convolution *by, int32_t block, const uint16_t *from, size_t stride,
                     const float *start, size_t start_stride, float (*to)[BLOCK]) {
    switch (rows) {
        case 1: multiply_tile(1, by, block, from, stride, start, start_stride, to); break;
        case 2: multiply_tile(2, by, block, from, stride, start, start_stride, to); break;
        case 3: multiply_tile(3, by, block, from, stride, start, start_stride, to); break;
        case 4: multiply_tile(4, by, block, from, stride, start, start_stride, to); break;
        case 5: multiply_tile(5, by, block, from, stride, start, start_stride, to); break;
        default: multiply_tile(6, by, block, from, stride, start, start_stride, to);
    }
}

INLINE int32_t outputs_of(const mg_convolution *by, int32_t block) {
    int32_t left = by->outputs - block * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

INLINE int fewer(size_t left) { return left < ROWS ? (int)left : ROWS; }

/* Some outputs of `count` rows, which begin at `from`. */
static void convolve_block(const mg_convolution *by, int32_t block, const uint16_t *from, size_t count, float *y) {
    const size_t stride = halves_of(by->inputs), outputs = (size_t)by->outputs;
    float values[ROWS][BLOCK];
    for (size_t first = 0; first < count; first += ROWS) {
        int rows = fewer(count - first);
        multiply(rows, by, block, from + first * stride, stride, by->bias + block * BLOCK, 0, values);
        for (int row = 0; row < rows; row++)
            memcpy(y + (first + (size_t)row) * outputs, values[row], (size_t)outputs_of(by, block) * sizeof(float));
    }
}

/* Inputs of all rows as bfloat16, and then all outputs, into y. Ends with a barrier. */
static void convolve(mg_codec *codec, float *y) {
    work *now = &codec->work;
    const mg_convolution *by = now->first;
    const size_t halves = halves_of(by->inputs), outputs = now->length - reach_of(by);
    for (size_t strip = (size_t)take(now, 0) * STRIP; strip < now->length; strip = (size_t)take(now, 0) * STRIP) {
        for (size_t row = strip; row < strip + STRIP && row < now->length; row++)
            convert(now->x + row * (size_t)by->inputs, by->inputs, now->activated, now->halves + row * halves);
    }
    team_barrier(&codec->team);
    const size_t blocks = (size_t)by->blocks, pieces = (outputs + STRIP - 1) / STRIP * blocks;
    for (size_t piece = (size_t)take(now, 1); piece < pieces; piece = (size_t)take(now, 1)) {
        size_t first = piece / blocks * STRIP, block = piece % blocks;
        size_t count = outputs - first < STRIP ? outputs - first : STRIP;
        convolve_block(by, (int32_t)block, now->halves + first * halves, count,
                       y + first * (size_t)by->outputs + block * BLOCK);
    }
    team_barrier(&codec->team);
}

static float dot(const float *x, const float *weights, int32_t n) {
    __m512 total = _mm512_setzero_ps();
    for (int32_t i = 0; i < n; i += LANES) total = _mm512_fmadd_ps(load(x + i, n - i), load(weights + i, n - i), total);
    return _mm512_reduce_add_ps(total);
}

/* n floats, as they are or after ELU. */
static void activate(const float *x, int32_t n, int activated, float *to) {
    for (int32_t i = 0; i < n; i += LANES) {
        __m512 values = load(x + i, n - i);
        _mm512_mask_storeu_ps(to + i, first_lanes(n - i), activated ? elu(values) : values);
    }
}

static void convolve_narrow(mg_codec *codec, float *own) {
    work *now = &codec->work;
    const mg_convolution *by = now->first;
    const size_t inputs = (size_t)by->inputs, reach = reach_of(by), all = now->length - reach;
    for (size_t first = (size_t)take(now, 0) * STRIP; first < all; first = (size_t)take(now, 0) * STRIP) {
        size_t count = all - first < STRIP ? all - first : STRIP;
        activate(now->x + first * inputs, (int32_t)((count + reach) * inputs), now->activated, own);
        for (size_t row = 0; row < count; row++) {
            for (int32_t out = 0; out < by->outputs; out++) {
                const float *weights = by->narrow + (size_t)(out * by->taps) * inputs;
                float total = by->bias[out];
                for (int32_t tap = 0; tap < by->taps; tap++)
                    total += dot(own + (row + (size_t)(tap * by->dilation)) * inputs, weights + (size_t)tap * inputs,
                                 by->inputs);
                now->y[(first + row) * (size_t)by->outputs + (size_t)out] = total;
            }
        }
    }
    team_barrier(&codec->team);
}

/* ELU of the wide convolution of `count` rows, as bfloat16. */
static void widen(const mg_convolution *by, const uint16_t *from, size_t count, uint16_t *to) {
    const size_t stride = halves_of(by->inputs), halves = halves_of(by->outputs);
    float values[ROWS][BLOCK];
    for (int32_t block = 0; block < by->blocks; block++) {
        for (size_t first = 0; first < count; first += ROWS) {
            int rows = fewer(count - first);
            multiply(rows, by, block, from + first * stride, stride, by->bias + block * BLOCK, 0, values);
            for (int row = 0; row < rows; row++)
                convert(values[row], outputs_of(by, block), 1, to + (first + (size_t)row) * halves + block * BLOCK);
        }
    }
}

/* y = x + the pointwise convolution of `count` rows. */
static void narrow_and_add(const mg_convolution *by, const uint16_t *from, size_t count, const float *x, float *y) {
    const size_t stride = halves_of(by->inputs), outputs = (size_t)by->outputs;
    float values[ROWS][BLOCK];
    for (int32_t block = 0; block < by->blocks; block++) {
        int32_t n = outputs_of(by, block);
        for (size_t first = 0; first < count; first += ROWS) {
            int rows = fewer(count - first);
            multiply(rows, by, block, from + first * stride, stride, by->bias + block * BLOCK, 0, values);
            for (int row = 0; row < rows; row++) {
                size_t at = (first + (size_t)row) * outputs + (size_t)block * BLOCK;
                for (int32_t i = 0; i < n; i++) y[at + (size_t)i] = x[at + (size_t)i] + values[row][i];
            }
        }
    }
}

static void run_residual(mg_codec *codec, uint16_t *own) {
    work *now = &codec->work;
    const mg_convolution *wide = now->first;
    const size_t inputs = (size_t)wide->inputs, halves = halves_of(wide->inputs), reach = reach_of(wide);
    const size_t all = now->length - reach, before = reach - reach / 2;
    uint16_t *hidden = own + (RESIDUAL_STRIP + reach) * halves;
    for (size_t first = (size_t)take(now, 0) * RESIDUAL_STRIP; first < all;
         first = (size_t)take(now, 0) * RESIDUAL_STRIP) {
        size_t count = all - first < RESIDUAL_STRIP ? all - first : RESIDUAL_STRIP;
        const float *x = now->x + first * inputs;
        for (size_t row = 0; row < count + reach; row++)
            convert(x + row * inputs, wide->inputs, 1, own + row * halves);
        widen(wide, own, count, hidden);
        narrow_and_add(now->second, hidden, count, x + before * inputs, now->y + first * inputs);
    }
    team_barrier(&codec->team);
}

/* 16 units of an LSTM: new cells and outputs, of the sums of their input gates, forget gates, candidates, output gates. */
INLINE __m512 update_units(const float *gates, float *cell) {
    __m512 kept = _mm512_mul_ps(sigmoid(_mm512_loadu_ps(gates + LANES)), _mm512_loadu_ps(cell));
    __m512 candidate = tangent(_mm512_loadu_ps(gates + 2 * LANES));
    __m512 now = _mm512_fmadd_ps(sigmoid(_mm512_loadu_ps(gates)), candidate, kept);
    _mm512_storeu_ps(cell, now);
    return _mm512_mul_ps(sigmoid(_mm512_loadu_ps(gates + 3 * LANES)), tangent(now));
}

/* One block's units, of all states, at one time. */
static void step_units(const work *now, int32_t block, size_t time, const uint16_t *from, uint16_t *to) {
    const size_t width = (size_t)now->second->inputs, stride = halves_of(now->second->inputs);
    const size_t unit = (size_t)block * LANES, row = time * (size_t)now->batch;
    float gates[MG_MAX_BATCH][BLOCK];
    multiply(now->batch, now->second, block, from, stride, now->gates + row * 4 * width + block * BLOCK, 4 * width, gates);
    for (size_t each = 0; each < (size_t)now->batch; each++) {
        __m512 y = update_units(gates[each], now->cell + each * width + unit);
        _mm512_storeu_ps(now->y + (row + each) * width + unit, y);
        _mm256_storeu_si256((__m256i *)(to + each * stride + unit), (__m256i)_mm512_cvtneps_pbh(y));
    }
}

/* Each thread has the same blocks at all times. It goes through them forwards and then backwards, so that the weights that
 * it read last are still in its cache. */
static void run_lstm(mg_codec *codec, int32_t thread) {
    work *now = &codec->work;
    const int32_t blocks = now->second->blocks;
    const int32_t begin = blocks * thread / codec->threads, end = blocks * (thread + 1) / codec->threads;
    const size_t times = now->length / (size_t)now->batch;
    convolve(codec, now->gates);
    for (size_t time = 0; time < times; time++) {
        for (int32_t at = begin; at < end; at++)
            step_units(now, time % 2 ? begin + end - 1 - at : at, time, now->states[time % 2], now->states[1 - time % 2]);
        team_barrier(&codec->team);
    }
}

void run_codec(mg_codec *codec, int32_t thread) {
    switch (codec->work.kind) {
        case CONVOLVE: convolve(codec, codec->work.y); break;
        case CONVOLVE_NARROW: convolve_narrow(codec, codec->own[thread].memory); break;
        case RESIDUAL: run_residual(codec, codec->own[thread].memory); break;
        default: run_lstm(codec, thread);
    }
}
#else
void run_codec(mg_codec *codec, int32_t thread) { (void)codec, (void)thread; }
size_t own_bytes(const work *now) { (void)now; return 0; }
#endif
