/* Attention of one query to stored keys and values. Part of step.inc.h. */

/* Queries and probabilities have 14 bits, as two limbs of seven: the products of two neighbours must fit 16 bits. */
#define LIMB 128
#define HALF (LIMB * LIMB / 2)

/* Scores of a query with the first n positions, in groups of 16; what is beyond n is set very low. */
static void score(const store *kept, const int8_t *head, int32_t n, const uint8_t *high, const uint8_t *low, float level,
                  float *scores) {
    int32_t groups = (n + GROUP - 1) / GROUP, quads = (kept->head_dim + QUAD - 1) / QUAD;
    for (int32_t group = 0; group < groups; group++) {
        const int8_t *at = head + keys_at(kept, group);
        float scale[GROUP];
        int32_t key_sum[GROUP], large[GROUP], small[GROUP];
        memcpy(scale, at, sizeof scale);
        memcpy(key_sum, at + sizeof scale, sizeof key_sum);
        sums coarse = load_sums(zeros), fine = load_sums(zeros);
        at += KEY_HEADER;
        for (int32_t quad = 0; quad < quads; quad++) {
            coarse = add_products(coarse, four_bytes(high + quad * QUAD), at + quad * GROUP * QUAD);
            fine = add_products(fine, four_bytes(low + quad * QUAD), at + quad * GROUP * QUAD);
        }
        store_sums(large, coarse);
        store_sums(small, fine);
        for (int i = 0; i < GROUP; i++) {
            int32_t product = large[i] * LIMB + small[i] - HALF * key_sum[i];
            scores[group * GROUP + i] = (float)product * (scale[i] * level);
        }
    }
    for (int32_t position = n; position < groups * GROUP; position++) scores[position] = -1e30f;
}

/* Weights of the positions: the softmax of the scores, times the scales of the values, in two limbs of seven bits.
 * Returns what a sum of values with these weights must be multiplied by; NaN if the scores are not finite. */
static float weigh(const store *kept, const int8_t *head, int32_t groups, float *scores, uint8_t *high, uint8_t *low) {
    int32_t n = groups * GROUP;
    if (!all_finite(scores, (size_t)n)) {
        memset(high, 0, (size_t)n);
        memset(low, 0, (size_t)n);
        return NAN;
    }
    float most = largest_of(scores, (size_t)n);
    for (int32_t i = 0; i < n; i++) scores[i] = exponential(scores[i] - most);
    float total = sum_of(scores, (size_t)n);
    for (int32_t group = 0; group < groups; group++) {
        float scale[GROUP];
        memcpy(scale, head + keys_at(kept, group) + 2 * GROUP * sizeof(float), sizeof scale);
        /* Beyond the last position the weight is zero, and the scale may be that of another request, even NaN. */
        for (int i = 0; i < GROUP; i++) {
            float *at = scores + group * GROUP + i;
            *at = *at > 0.0f ? *at * scale[i] : 0.0f;
        }
    }
    float heaviest = larger(largest_of(scores, (size_t)n), 1e-30f);
    float steps = (LIMB * LIMB - 1) / heaviest;
    for (int32_t i = 0; i < n; i++) {
        int32_t weight = (int32_t)(scores[i] * steps + 0.5f);
        high[i] = (uint8_t)(weight / LIMB);
        low[i] = (uint8_t)(weight % LIMB);
    }
    return heaviest / (LIMB * LIMB - 1) / total;
}

/* C times 16 dimensions of the weighted sum of values; the first n of them are stored. */
INLINE void add_columns(const int C, const store *kept, const int8_t *head, int32_t groups, const uint8_t *high,
                        const uint8_t *low, float level, float *to, int32_t n) {
    size_t quad_bytes = kept->value_group / (GROUP / QUAD);
    sums coarse[COLUMNS], fine[COLUMNS];
    UNROLL
    for (int column = 0; column < C; column++) coarse[column] = fine[column] = load_sums(zeros);
    for (int32_t group = 0; group < groups; group++) {
        const int8_t *at = head + values_at(kept, group);
        for (int quad = 0; quad < GROUP / QUAD; quad++, at += quad_bytes) {
            uint32_t four = four_bytes(high + group * GROUP + quad * QUAD);
            uint32_t rest = four_bytes(low + group * GROUP + quad * QUAD);
            UNROLL
            for (int column = 0; column < C; column++) {
                coarse[column] = add_products(coarse[column], four, at + column * 64);
                fine[column] = add_products(fine[column], rest, at + column * 64);
            }
        }
    }
    int32_t large[COLUMNS * LANES], small[COLUMNS * LANES];
    UNROLL
    for (int column = 0; column < C; column++) {
        store_sums(large + column * LANES, coarse[column]);
        store_sums(small + column * LANES, fine[column]);
    }
    for (int32_t i = 0; i < n; i++) to[i] = ((float)large[i] * LIMB + (float)small[i]) * level;
}

/* The weighted sum of values, in passes over as many columns as fit into registers: memory is read in its order. */
static void add_values(const store *kept, const int8_t *head, int32_t groups, const uint8_t *high, const uint8_t *low,
                       float level, float *to) {
    for (int32_t first = 0, n; first < kept->head_dim; first += n) {
        int32_t left = kept->head_dim - first, wide = left > (COLUMNS - 1) * LANES;
        int32_t most = (wide ? COLUMNS : 1) * LANES;
        const int8_t *at = head + (size_t)first * QUAD;
        n = left < most ? left : most;
        if (wide) add_columns(COLUMNS, kept, at, groups, high, low, level, to + first, n);
        else add_columns(1, kept, at, groups, high, low, level, to + first, n);
    }
}

/* Round a query to 14 bits around HALF, in two limbs; returns the size of a level, NaN if the query is not finite. `n` is
 * a multiple of 16. */
static float split(const float *query, size_t n, uint8_t *high, uint8_t *low) {
    float least, most;
    range_of(query, n, &least, &most);
    most = larger(larger(most, -least), TINY);
    if (!all_finite(query, n)) {
        memset(high, 0, n);
        memset(low, 0, n);
        return NAN;
    }
    float steps = (HALF - 1) / most;
    for (size_t i = 0; i < n; i++) {
        int32_t rounded = (int32_t)(query[i] * steps + (HALF + 0.5f));
        high[i] = (uint8_t)(rounded / LIMB);
        low[i] = (uint8_t)(rounded % LIMB);
    }
    return most / (HALF - 1);
}

/* Attention of one head's query to the first n positions. */
static void attend(const store *kept, const int8_t *head, int32_t n, const float *query, scratch *own, float *to) {
    int32_t head_dim = kept->head_dim, groups = (n + GROUP - 1) / GROUP;
    size_t padded = round_up((size_t)head_dim, GROUP);
    float padded_query[padded];
    memset(padded_query, 0, sizeof padded_query);
    memcpy(padded_query, query, (size_t)head_dim * sizeof(float));
    float level = split(padded_query, padded, own->high, own->low) / __builtin_sqrtf((float)head_dim);
    score(kept, head, n, own->high, own->low, level, own->scores);
    level = weigh(kept, head, groups, own->scores, own->high, own->low);
    add_values(kept, head, groups, own->high, own->low, level, to);
}
