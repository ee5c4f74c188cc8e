// What Swift has no words for: the processor's prefetch, a setting of the allocator, and memory that can run out
// without the end of the process.
#ifndef SLUICE_CMEMORY_H
#define SLUICE_CMEMORY_H

#include <stddef.h>

/// Starts to load the cache line at `place`, which may be any address.
static inline void sluice_prefetch(const void *place) { __builtin_prefetch(place); }

/// From now on blocks of 128 KiB and more come from the kernel and go back to it when they are freed. By itself the C
/// library does so only until the first one is freed, and keeps the holes that time buckets leave when they end: a
/// tenth of the memory of a large join.
void sluice_give_back_large_blocks(void);

/// As realloc, for `wanted` bytes, or where there is no room for those, `needed` bytes; says in `granted` which. Where
/// not even those can be had, a block that is kept for this is given up first, and the calling thread is told by
/// `sluice_memory_is_short`: it finishes the step it is in and gives its batch up. NULL when that was not enough
/// either.
void *sluice_grow(void *block, size_t wanted, size_t needed, size_t *granted);

/// As calloc, otherwise as `sluice_grow`.
void *sluice_zeroed(size_t count, size_t size);

/// 1 when a block of so many bytes could be had now; else 0, and the calling thread is told as by `sluice_grow`.
int sluice_has_room(size_t byte_count);

/// Where `part` begins first in `text`, or NULL; both hold at least a byte. O(text). (Glibc's memmem, which Swift does
/// not see.)
const void *sluice_find(const void *text, size_t text_count, const void *part, size_t part_count);

/// A flag that one thread raises for others.
typedef struct {
        int is_raised;
} sluice_flag;
static inline void sluice_raise(sluice_flag *flag) { __atomic_store_n(&flag->is_raised, 1, __ATOMIC_RELAXED); }
static inline void sluice_lower(sluice_flag *flag) { __atomic_store_n(&flag->is_raised, 0, __ATOMIC_RELAXED); }
static inline int sluice_is_raised(const sluice_flag *flag) {
        return __atomic_load_n(&flag->is_raised, __ATOMIC_RELAXED);
}

/// Bytes in blocks that were allocated and not freed.
size_t sluice_allocated_bytes(void);

/// Keeps a block of so many bytes for when memory runs out; does nothing when there is one.
void sluice_keep_memory_reserve(size_t byte_count);

/// Set for a thread when memory has run out under it; the thread sets it back when it begins something else.
extern _Thread_local int sluice_memory_shortage;

/// For tests: after so many calls that ask for memory every one fails until the reserve is gone; -1 for never.
extern int sluice_failing_allocation;

static inline int sluice_memory_is_short(void) { return sluice_memory_shortage; }
static inline void sluice_forget_memory_shortage(void) { sluice_memory_shortage = 0; }

#endif
