/*
 * Makes each flush to disk take FLUSH_MS milliseconds (5 when unset) longer, as on a disk without a write cache:
 *
 *   cc -shared -fPIC -O2 -o target/slow_flush.so load-tests/bench/slow_flush.c
 *   LD_PRELOAD=$PWD/target/slow_flush.so target/release/utopia-bench claims
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static int after_a_while(const char *name, int file) {
    const char *text = getenv("FLUSH_MS");
    long milliseconds = text ? atol(text) : 5;
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
    return ((int (*)(int))dlsym(RTLD_NEXT, name))(file);
}

int fsync(int file) { return after_a_while("fsync", file); }

int fdatasync(int file) { return after_a_while("fdatasync", file); }
