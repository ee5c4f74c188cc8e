// Asks the processor for memory before it is needed. Swift has no way to say so.
#ifndef SLUICE_CPREFETCH_H
#define SLUICE_CPREFETCH_H

/// Starts to load the cache line at `place`, which may be any address.
static inline void sluice_prefetch(const void *place) { __builtin_prefetch(place); }

#endif
