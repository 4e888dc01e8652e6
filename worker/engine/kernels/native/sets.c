/* The instruction sets of the library, and those that this processor has. */
#include <string.h>

#include "musicgen_codec.h"
#include "state.h"

#if defined(__x86_64__)
#include <cpuid.h>

typedef struct {
    unsigned int a, b, c, d;
} answer;

static answer ask(unsigned int leaf, unsigned int part) {
    answer made = {0};
    __get_cpuid_count(leaf, part, &made.a, &made.b, &made.c, &made.d);
    return made;
}

/* Whether the system keeps these registers when it switches threads: bits of XCR0. */
static int keeps(unsigned int registers) {
    const unsigned int has_xgetbv = ask(1, 0).c >> 27 & 1;
    unsigned int low = 0, high = 0;
    if (has_xgetbv) __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low & registers) == registers;
}

#define YMM 0x6u
#define ZMM 0xe6u
static int has_avx2(void) { return keeps(YMM) && (ask(7, 0).b >> 5 & 1); }
static int has_avxvnni(void) { return has_avx2() && (ask(7, 1).a >> 4 & 1); }
static int has_avx512vnni(void) {
    const unsigned int f_dq_bw_vl = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31;
    answer of = ask(7, 0);
    return keeps(ZMM) && (of.b & f_dq_bw_vl) == f_dq_bw_vl && (of.c >> 11 & 1);
}
static int has_avx512bf16(void) { return has_avx512vnni() && (ask(7, 1).a >> 5 & 1); }
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

static int has_dotprod(void) { return getauxval(AT_HWCAP) >> 20 & 1; }
#elif defined(__aarch64__)
/* Apple's processors have it from the first that runs macOS on. */
#if defined(__APPLE__)
static int has_dotprod(void) { return 1; }
#else
static int has_dotprod(void) { return 0; }
#endif
#endif

static int always(void) { return 1; }

/* Fastest first. The processor itself is asked: compilers differ in the names that __builtin_cpu_supports knows, and
 * zig's always answers no. */
static const struct {
    const mg_kernels *kernels;
    int (*runs_here)(void);
} known[] = {
#if defined(__x86_64__)
    {&mg_avx512vnni, has_avx512vnni},
    {&mg_avxvnni, has_avxvnni},
    {&mg_avx2, has_avx2},
#elif defined(__aarch64__)
    {&mg_dotprod, has_dotprod},
#endif
    {&mg_portable, always},
};
#define KNOWN (sizeof known / sizeof *known)

const char *mg_sets(void) {
    static char names[128];
    names[0] = 0;
    for (size_t index = 0; index < KNOWN; index++) {
        if (!known[index].runs_here()) continue;
        if (names[0]) strcat(names, ",");
        strcat(names, known[index].kernels->name);
    }
    return names;
}

const mg_kernels *find_set(const char *name) {
    for (size_t index = 0; index < KNOWN; index++) {
        if (!strcmp(known[index].kernels->name, name) && known[index].runs_here()) return known[index].kernels;
    }
    return NULL;
}

int32_t mg_codec_runs_here(void) {
#if defined(__x86_64__)
    return has_avx512bf16();
#else
    return 0;
#endif
}
