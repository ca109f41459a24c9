"""The fixed parts of the C source of `scalar_c`: random numbers, the choice of a thread, the clock.

The generator is wyrand (github.com/wangyi-fudan/wyhash): one addition and one multiplication. A
number below n is the high half of a product, biased by less than n / 2^64. With up to six threads,
one draw below lcm(1, …, threads) gives the rank for every number of enabled threads at once, so
that the choice is a single look into a table of 4 KB.
"""

HEADER = r"""
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#ifdef __BMI2__
#include <immintrin.h>
#endif

#define RARELY(x) __builtin_expect(!!(x), 0)
#define WITHIN(index, length) ((uint64_t)(index) < (length))
typedef unsigned __int128 wide;

struct counts {
  uint64_t random, steps, schedules, discarded, limited, hits[SITES];
};

static inline uint64_t draw(uint64_t *random) {
  wide product = (wide)(*random += 0xa0761d6478bd642full) * (*random ^ 0xe7037ed1a0b428dbull);
  return (uint64_t)(product >> 64) ^ (uint64_t)product;
}
#define SCALED(drawn, n) (uint64_t)((wide)(drawn) * (n) >> 64)
#define BELOW(n) SCALED(draw(&random), n)

#if DRAWS
static uint8_t chosen[1 << THREADS][64];
#define DRAW() BELOW(DRAWS)
#define CHOSEN(able, drawn) chosen[able][drawn]
#elif THREADS <= 10
static uint8_t nth[1 << THREADS][16];
#define DRAW() draw(&random)
#define CHOSEN(able, drawn) nth[able][SCALED(drawn, __builtin_popcountll(able))]
#else
static inline int nth_bit(uint64_t mask, uint64_t rank) {
#ifdef __BMI2__
  return __builtin_ctzll(_pdep_u64(1ull << rank, mask));
#else
  while (rank--) mask &= mask - 1;
  return __builtin_ctzll(mask);
#endif
}
#define DRAW() draw(&random)
#define CHOSEN(able, drawn) nth_bit(able, SCALED(drawn, __builtin_popcountll(able)))
#endif

static void fill_tables(void) {
#if DRAWS || THREADS <= 10
  for (unsigned able = 1; able < 1u << THREADS; able++) {
    int ranked[THREADS], count = 0;
    for (int t = 0; t < THREADS; t++)
      if (able >> t & 1) ranked[count++] = t;
#if DRAWS
    for (int r = 0; r < DRAWS; r++) chosen[able][r] = ranked[r % count];
#else
    for (int r = 0; r < count; r++) nth[able][r] = ranked[r];
#endif
  }
#endif
}

/* Walk until `steps_until` steps are done and the execution under way has ended. */
__attribute__((noinline)) static void walk(struct counts *counts, uint64_t steps_until) {
  uint64_t random = counts->random, steps = counts->steps, schedules = counts->schedules, limit;
  uint64_t able, live, parked, unborn;
  uint64_t drawn = DRAW(), chosen_thread, stepping;
  void *at[THREADS];
  goto restart;
limited:
  counts->limited++;
  goto counted;
discarded:
  counts->discarded++;
ended:
  steps++;
counted:
  schedules++;
  if (RARELY(steps >= steps_until)) {
    counts->random = random, counts->steps = steps, counts->schedules = schedules;
    return;
  }
"""

MAIN = r"""
static double processor_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec + 1e-9 * now.tv_nsec;
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  uint64_t steps = strtoull(arguments[2], 0, 10);
  double seconds = strtod(arguments[3], 0);
  static struct counts counts;
  counts.random = strtoull(arguments[1], 0, 10) * 0x9e3779b97f4a7c15ull;
  fill_tables();
  double begin = processor_seconds(), spent;
  do {
    uint64_t batch = 1 << 20;
    if (seconds <= 0 && steps - counts.steps < batch) batch = steps - counts.steps;
    walk(&counts, counts.steps + batch);
    spent = processor_seconds() - begin;
  } while (seconds > 0 ? spent < seconds : counts.steps < steps);
  printf("%" PRIu64 " %" PRIu64, counts.steps, counts.schedules);
  printf(" %" PRIu64 " %" PRIu64 " %.9f", counts.discarded, counts.limited, spent);
  for (int s = 0; s < SITES; s++) printf(" %" PRIu64, counts.hits[s]);
  puts("");
  return 0;
}
"""
