/* The peer of the accounts replica: SQLite with as many records of the same
 * size under keys as random, neither sealed nor checked, stored in the order in
 * which they come. Prints one line: seconds to store all durably; p50, p99 and
 * maximum of 200,000 look-ups one after another, microseconds; bytes of the
 * file. Usage: sqlite FILE ACCOUNTS */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { KEY = 16, VALUE = 236, LOOKUPS = 200000, BATCH = 16384, STRIDE = 7919 };

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static uint64_t mix(uint64_t x) { /* a bijection, so that no key comes twice */
    x ^= x >> 31;
    x *= 0x7fb5d329728ea185ull;
    x ^= x >> 27;
    x *= 0x81dadef4bc2dd44dull;
    return x ^ x >> 33;
}

static void fill(unsigned char *b, size_t n, uint64_t seed) {
    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = mix(seed + i * 0x9e3779b97f4a7c15ull);
        memcpy(b + i, &v, n - i < 8 ? n - i : 8);
    }
}

static void need(int rc, int want, sqlite3 *db, const char *what) {
    if (rc == want) return;
    fprintf(stderr, "sqlite: %s: %s\n", what, db ? sqlite3_errmsg(db) : "no memory");
    exit(2);
}

static void run(sqlite3 *db, const char *sql) { need(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, db, sql); }

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 3) return fprintf(stderr, "usage: sqlite FILE ACCOUNTS\n"), 2;
    long n = atol(argv[2]);
    sqlite3 *db = NULL;
    sqlite3_stmt *put = NULL, *get = NULL;
    unsigned char key[KEY], value[VALUE];
    if (n < 1) return fprintf(stderr, "sqlite: %s accounts\n", argv[2]), 2;
    remove(argv[1]);
    need(sqlite3_open(argv[1], &db), SQLITE_OK, db, "open");
    run(db, "pragma journal_mode = wal");
    run(db, "pragma synchronous = full");
    run(db, "pragma cache_size = -65536");
    run(db, "create table accounts (id blob primary key, value blob) without rowid");
    need(sqlite3_prepare_v2(db, "insert into accounts values (?, ?)", -1, &put, NULL), SQLITE_OK, db, "prepare");
    need(sqlite3_prepare_v2(db, "select value from accounts where id = ?", -1, &get, NULL), SQLITE_OK, db, "prepare");
    double start = now();
    for (long i = 0; i < n; i++) {
        if (i % BATCH == 0) run(db, "begin");
        fill(key, KEY, mix(i));
        fill(value, VALUE, i + 1);
        sqlite3_bind_blob(put, 1, key, KEY, SQLITE_STATIC);
        sqlite3_bind_blob(put, 2, value, VALUE, SQLITE_STATIC);
        need(sqlite3_step(put), SQLITE_DONE, db, "insert");
        sqlite3_reset(put);
        if (i % BATCH == BATCH - 1 || i == n - 1) run(db, "commit");
    }
    run(db, "pragma wal_checkpoint(truncate)");
    double stored = now() - start;
    static double times[LOOKUPS];
    for (long i = 0; i < LOOKUPS; i++) {
        fill(key, KEY, mix(i * STRIDE % n));
        double t = now();
        sqlite3_bind_blob(get, 1, key, KEY, SQLITE_STATIC);
        need(sqlite3_step(get), SQLITE_ROW, db, "look up");
        memcpy(value, sqlite3_column_blob(get, 0), VALUE);
        sqlite3_reset(get);
        times[i] = (now() - t) * 1e6;
    }
    qsort(times, LOOKUPS, sizeof times[0], ascending);
    sqlite3_finalize(put);
    sqlite3_finalize(get);
    sqlite3_close(db);
    struct stat st;
    if (stat(argv[1], &st) != 0) return perror("sqlite: stat"), 2;
    printf("%.3f %.3f %.3f %.3f %lld\n", stored, times[LOOKUPS / 2], times[LOOKUPS * 99 / 100], times[LOOKUPS - 1], (long long)st.st_size);
    return 0;
}
