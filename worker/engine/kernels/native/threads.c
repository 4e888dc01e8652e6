#include "threads.h"

#include <stdlib.h>
#include <string.h>

/* Some 20 to 50 microseconds: most waits are shorter, and waking a thread takes longer. */
#define SPINS 1000

static void pause_briefly(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

static void sleep_until_past(team *all, int phase) {
    pthread_mutex_lock(&all->mutex);
    while (atomic_load_explicit(&all->phase, memory_order_acquire) == phase)
        pthread_cond_wait(&all->wake, &all->mutex);
    pthread_mutex_unlock(&all->mutex);
}

/* Under the mutex, so that no sleeper misses it. A lock that is free takes far less time than a phase. */
static void begin_phase(team *all, int phase) {
    pthread_mutex_lock(&all->mutex);
    atomic_store_explicit(&all->arrived, 0, memory_order_relaxed);
    atomic_store_explicit(&all->phase, phase, memory_order_release);
    pthread_cond_broadcast(&all->wake);
    pthread_mutex_unlock(&all->mutex);
}

void team_barrier(team *all) {
    if (all->size == 1) return;
    int phase = atomic_load_explicit(&all->phase, memory_order_acquire);
    if (atomic_fetch_add(&all->arrived, 1) + 1 == all->size) {
        begin_phase(all, phase ^ 1);
        return;
    }
    for (int spin = 0; spin < SPINS; spin++) {
        if (atomic_load_explicit(&all->phase, memory_order_acquire) != phase) return;
        pause_briefly();
    }
    sleep_until_past(all, phase);
}

typedef struct {
    team *all;
    int32_t thread;
} seat;

static void *take_part(void *argument) {
    seat mine = *(seat *)argument;
    free(argument);
    for (;;) {
        team_barrier(mine.all);
        if (mine.all->stopping) return NULL;
        mine.all->work(mine.all->context, mine.thread);
    }
}

static int start_one(team *all) {
    seat *mine = malloc(sizeof *mine);
    if (!mine) return -1;
    *mine = (seat){all, all->started + 1};
    if (pthread_create(&all->threads[all->started], NULL, take_part, mine)) {
        free(mine);
        return -1;
    }
    all->started++;
    return 0;
}

int team_start(team *all, int32_t size, void (*work)(void *, int32_t), void *context) {
    memset(all, 0, sizeof *all);
    all->size = size;
    all->work = work;
    all->context = context;
    pthread_mutex_init(&all->mutex, NULL);
    pthread_cond_init(&all->wake, NULL);
    all->threads = calloc((size_t)size, sizeof *all->threads);
    if (!all->threads) return -1;
    while (all->started < size - 1) {
        if (start_one(all)) return -1;
    }
    return 0;
}

void team_run(team *all) {
    team_barrier(all);
    all->work(all->context, 0);
}

void team_stop(team *all) {
    if (!all->threads) return;
    all->stopping = 1;
    /* After a failed start only those that started take part. */
    all->size = all->started + 1;
    team_barrier(all);
    for (int32_t index = 0; index < all->started; index++) pthread_join(all->threads[index], NULL);
    free(all->threads);
    all->threads = NULL;
    pthread_mutex_destroy(&all->mutex);
    pthread_cond_destroy(&all->wake);
}
