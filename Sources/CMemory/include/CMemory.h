// Two things about memory that Swift has no words for.
#ifndef SLUICE_CMEMORY_H
#define SLUICE_CMEMORY_H

/// Starts to load the cache line at `place`, which may be any address.
static inline void sluice_prefetch(const void *place) { __builtin_prefetch(place); }

/// From now on blocks of 128 KiB and more come from the kernel and go back to it when they are freed. By itself the C
/// library does so only until the first one is freed, and keeps the holes that time buckets leave when they end: a
/// tenth of the memory of a large join.
void sluice_give_back_large_blocks(void);

#endif
