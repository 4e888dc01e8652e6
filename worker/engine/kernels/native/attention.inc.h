/* Attention of one query to stored keys and values. Part of step.inc.h. */

/* Groups that are requested ahead of their use: some 9 KB. */
#define GROUPS_AHEAD 8

/* One head's keys and values of `groups` groups, which are read in this order, and the keys that are read afterwards. */
typedef struct {
    const store *kept;
    int8_t *head, *next;
    int32_t groups, next_groups;
} reading;

INLINE int32_t groups_of(int32_t positions) { return (positions + GROUP - 1) / GROUP; }

INLINE void request_lines(const int8_t *from, size_t bytes) {
    for (size_t at = 0; at < bytes; at += 64) __builtin_prefetch(from + at, 0, 2);
}

INLINE void request_keys(const store *kept, const int8_t *head, int32_t group) {
    request_lines(head + keys_at(kept, group), kept->key_group);
}

INLINE void request_values(const store *kept, const int8_t *head, int32_t group) {
    request_lines(head + values_at(kept, group), kept->value_group);
}

/* Request all of a group; of the last one before its newest key and value are written. */
INLINE void request_group(const reading *of, int32_t group) {
    request_keys(of->kept, of->head, group);
    request_values(of->kept, of->head, group);
}

/* Request what is read first, and the last group. */
static void request_begin(const reading *of) {
    for (int32_t group = 0; group < GROUPS_AHEAD && group < of->groups; group++) request_keys(of->kept, of->head, group);
    request_group(of, of->groups - 1);
}

/* Request what is read GROUPS_AHEAD groups after this one, counted through keys, values and the next keys. */
INLINE void request_ahead(const reading *of, int32_t group) {
    int32_t value = group + GROUPS_AHEAD - of->groups, after = value - of->groups;
    if (value < 0) request_keys(of->kept, of->head, group + GROUPS_AHEAD);
    else if (after < 0) request_values(of->kept, of->head, value);
    else if (after < of->next_groups) request_keys(of->kept, of->next, after);
}

/* Queries and probabilities have 14 bits, as two limbs of seven: the products of two neighbours must fit 16 bits. */
#define LIMB 128
#define HALF (LIMB * LIMB / 2)

/* Scores of a query with the positions of N groups: a query's bytes are loaded once for all of them. */
INLINE void score_groups(const int N, const reading *of, int32_t first, const uint8_t *high, const uint8_t *low,
                         float level, float *scores) {
    const int32_t quads = (of->kept->head_dim + QUAD - 1) / QUAD;
    const int8_t *at[COLUMNS];
    sums coarse[COLUMNS], fine[COLUMNS];
    UNROLL
    for (int i = 0; i < N; i++) {
        request_ahead(of, first + i);
        at[i] = of->head + keys_at(of->kept, first + i);
        coarse[i] = fine[i] = load_sums(zeros);
    }
    for (int32_t quad = 0; quad < quads; quad++) {
        uint32_t four = four_bytes(high + quad * QUAD), rest = four_bytes(low + quad * QUAD);
        UNROLL
        for (int i = 0; i < N; i++) {
            const int8_t *keys = at[i] + KEY_HEADER + quad * GROUP * QUAD;
            coarse[i] = add_products(coarse[i], four, keys);
            fine[i] = add_products(fine[i], rest, keys);
        }
    }
    UNROLL
    for (int i = 0; i < N; i++) {
        float scale[GROUP];
        int32_t key_sum[GROUP], large[GROUP], small[GROUP];
        memcpy(scale, at[i], sizeof scale);
        memcpy(key_sum, at[i] + sizeof scale, sizeof key_sum);
        store_sums(large, coarse[i]);
        store_sums(small, fine[i]);
        for (int lane = 0; lane < GROUP; lane++) {
            int32_t product = large[lane] * LIMB + small[lane] - HALF * key_sum[lane];
            scores[(first + i) * GROUP + lane] = (float)product * (scale[lane] * level);
        }
    }
}

/* Scores of a query with the first n positions, in groups of 16; what is beyond n is set very low. */
static void score(const reading *of, int32_t n, const uint8_t *high, const uint8_t *low, float level, float *scores) {
    int32_t group = 0;
    for (; group + COLUMNS <= of->groups; group += COLUMNS) score_groups(COLUMNS, of, group, high, low, level, scores);
    for (; group < of->groups; group++) score_groups(1, of, group, high, low, level, scores);
    for (int32_t position = n; position < of->groups * GROUP; position++) scores[position] = -1e30f;
}

/* Multiplies the weights of 16 positions, which are not negative, by the scales of their values. Beyond the last position
 * the weight is zero, and the scale may be that of another request, even NaN: there the product becomes zero by its bits,
 * because compilers vectorize these loops, but not one with a comparison. */
INLINE void multiply_weights(float *weights, const float *scale) {
    int32_t before[GROUP], bits[GROUP];
    memcpy(before, weights, sizeof before);
    for (int i = 0; i < GROUP; i++) weights[i] *= scale[i];
    memcpy(bits, weights, sizeof bits);
    for (int i = 0; i < GROUP; i++) bits[i] &= -before[i] >> 31;
    memcpy(weights, bits, sizeof bits);
}

/* Weights of the positions: the softmax of the scores, times the scales of the values, in two limbs of seven bits.
 * Returns what a sum of values with these weights must be multiplied by; NaN if the scores are not finite. */
static float weigh(const reading *of, float *scores, uint8_t *high, uint8_t *low) {
    const int32_t groups = of->groups, n = groups * GROUP;
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
        memcpy(scale, of->head + keys_at(of->kept, group) + 2 * GROUP * sizeof(float), sizeof scale);
        multiply_weights(scores + group * GROUP, scale);
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

/* C times 16 dimensions of the weighted sum of values, from the `first` one on; n of them are stored. */
INLINE void add_columns(const int C, const reading *of, int32_t first, const uint8_t *high, const uint8_t *low,
                        float level, float *to, int32_t n) {
    const size_t quad_bytes = of->kept->value_group / (GROUP / QUAD);
    sums coarse[COLUMNS], fine[COLUMNS];
    UNROLL
    for (int column = 0; column < C; column++) coarse[column] = fine[column] = load_sums(zeros);
    for (int32_t group = 0; group < of->groups; group++) {
        const int8_t *at = of->head + values_at(of->kept, group) + first * QUAD;
        if (!first) request_ahead(of, of->groups + group);
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
    for (int32_t i = 0; i < n; i++) to[first + i] = ((float)large[i] * LIMB + (float)small[i]) * level;
}

/* The weighted sum of values, in passes over as many columns as fit into registers: memory is read in its order. */
static void add_values(const reading *of, const uint8_t *high, const uint8_t *low, float level, float *to) {
    for (int32_t first = 0, n; first < of->kept->head_dim; first += n) {
        int32_t left = of->kept->head_dim - first, wide = left > (COLUMNS - 1) * LANES;
        int32_t most = (wide ? COLUMNS : 1) * LANES;
        n = left < most ? left : most;
        if (wide) add_columns(COLUMNS, of, first, high, low, level, to, n);
        else add_columns(1, of, first, high, low, level, to, n);
    }
}

/* Round a query to 14 bits around HALF, in two limbs; returns the size of a level, NaN if the query is not finite. `n` is
 * a multiple of 16. */
static float split(const float *query, size_t n, uint8_t *high, uint8_t *low) {
    float least, most;
    if (!range_of(query, n, &least, &most)) {
        memset(high, 0, n);
        memset(low, 0, n);
        return NAN;
    }
    most = larger(larger(most, -least), TINY);
    float steps = (HALF - 1) / most;
    for (size_t i = 0; i < n; i++) {
        int32_t rounded = (int32_t)(query[i] * steps + (HALF + 0.5f));
        high[i] = (uint8_t)(rounded / LIMB);
        low[i] = (uint8_t)(rounded % LIMB);
    }
    return most / (HALF - 1);
}

/* Attention of one head's query to the first n positions. */
static void attend(const reading *of, int32_t n, const float *query, scratch *own, float *to) {
    const int32_t head_dim = of->kept->head_dim;
    size_t padded = round_up((size_t)head_dim, GROUP);
    float padded_query[padded];
    memset(padded_query, 0, sizeof padded_query);
    memcpy(padded_query, query, (size_t)head_dim * sizeof(float));
    float level = split(padded_query, padded, own->high, own->low) / __builtin_sqrtf((float)head_dim);
    score(of, n, own->high, own->low, level, own->scores);
    level = weigh(of, own->scores, own->high, own->low);
    add_values(of, own->high, own->low, level, to);
}
