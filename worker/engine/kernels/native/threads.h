/* A team of threads that run the same function together and meet at barriers. */
#ifndef MUSICGEN_THREADS_H
#define MUSICGEN_THREADS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

typedef struct {
    _Alignas(64) atomic_int arrived;
    _Alignas(64) atomic_int phase;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int32_t size, started, stopping;
    pthread_t *threads;
    void (*work)(void *context, int32_t thread);
    void *context;
} team;

/* Starts size - 1 threads; the caller of `team_run` is thread 0. Returns 0, or -1 if a thread cannot start. */
int team_start(team *all, int32_t size, void (*work)(void *context, int32_t thread), void *context);
void team_stop(team *all);

/* Runs `work` on all threads. `work` must end with a barrier, after which it touches nothing that is shared. */
void team_run(team *all);

/* Waits until all threads are here. Spins briefly, then sleeps: a spinning thread may keep the others from running. */
void team_barrier(team *all);

#endif
