/* Sums and functions of floats: the same operations in the same order with any instruction set. Part of step.inc.h. */

#define TINY 1e-12f

INLINE float add_lanes(float *lanes) {
    for (int half = LANES / 2; half; half /= 2) {
        for (int i = 0; i < half; i++) lanes[i] += lanes[i + half];
    }
    return lanes[0];
}

/* n is a multiple of 16. */
static float sum_of(const float *x, size_t n) {
    float lanes[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES) {
        for (int lane = 0; lane < LANES; lane++) lanes[lane] += x[i + lane];
    }
    return add_lanes(lanes);
}

static float sum_of_squares(const float *x, size_t n) {
    float lanes[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES) {
        for (int lane = 0; lane < LANES; lane++) lanes[lane] += x[i + lane] * x[i + lane];
    }
    return add_lanes(lanes);
}

INLINE float larger(float a, float b) { return a > b ? a : b; }

/* The bits of a float as an integer, in the same order: the larger float has the larger integer. It is its own inverse.
 * Compilers vectorize a largest integer, but not a largest float. */
INLINE int32_t ordered(int32_t bits) { return bits ^ (bits >> 31 & 0x7fffffff); }

INLINE int32_t order_of(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return ordered(bits);
}

INLINE float of_order(int32_t order) {
    float x;
    order = ordered(order);
    memcpy(&x, &order, sizeof x);
    return x;
}

/* Of finite numbers. */
static float largest_of(const float *x, size_t n) {
    int32_t most = order_of(x[0]);
    for (size_t i = 0; i < n; i++) most = order_of(x[i]) > most ? order_of(x[i]) : most;
    return of_order(most);
}

/* The least and the largest of n numbers and zero. Returns whether all are finite. */
static int range_of(const float *x, size_t n, float *least, float *most) {
    int32_t below = 0, above = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t order = order_of(x[i]);
        below = order < below ? order : below;
        above = order > above ? order : above;
    }
    *least = of_order(below);
    *most = of_order(above);
    return above < INFINITE_BITS && below > ordered((int32_t)0xff800000);
}

/* x, or zero. Without a branch: compilers would treat a constant by itself, and then not vectorize the loop around it. */
INLINE float keep_if(int32_t condition, float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits &= -condition;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e to the power of x, for x ≤ 0, within 2e-7 of itself (Cephes' polynomial); zero below -87. */
INLINE float exponential(float x) {
    int32_t in_range = x >= -87.0f;
    x = keep_if(in_range, x);
    int32_t power = (int32_t)(x * 1.44269504f - 0.5f);
    float rest = x - (float)power * 0.693359375f - (float)power * -2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * rest + 1.3981999507e-3f;
    y = y * rest + 8.3334519073e-3f;
    y = y * rest + 4.1665795894e-2f;
    y = y * rest + 1.6666665459e-1f;
    y = y * rest + 5.0000001201e-1f;
    y = y * rest * rest + rest + 1.0f;
    int32_t bits = (power + 127) * (1 << 23);
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return keep_if(in_range, y * scale);
}

/* x * Phi(x), by the error function of Abramowitz and Stegun, 7.1.26: within 1.5e-7 * |x|. */
INLINE float gelu(float x) {
    float z = __builtin_fabsf(x) * 0.70710678f;
    float t = 1.0f / (1.0f + 0.3275911f * z);
    float y = 1.061405429f;
    y = y * t - 1.453152027f;
    y = y * t + 1.421413741f;
    y = y * t - 0.284496736f;
    y = y * t + 0.254829592f;
    float tail = y * t * exponential(-z * z);
    return 0.5f * x * (x < 0.0f ? tail : 2.0f - tail);
}
