#define _GNU_SOURCE
#include "CMemory.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

_Thread_local int sluice_memory_shortage = 0;
int sluice_failing_allocation = -1;

static _Atomic(void *) reserve = NULL;

void sluice_give_back_large_blocks(void) { mallopt(M_MMAP_THRESHOLD, 128 * 1024); }

void sluice_keep_memory_reserve(size_t byte_count) {
        if (atomic_load(&reserve)) return;
        void *block = malloc(byte_count);
        void *none = NULL;
        if (block && !atomic_compare_exchange_strong(&reserve, &none, block)) free(block);
}

// Gives the reserve up and says so to the thread.
static void run_short(void) {
        sluice_memory_shortage = 1;
        free(atomic_exchange(&reserve, NULL));
}

// Tests make allocations fail as long as there is a reserve.
static int fails(void) {
        if (sluice_failing_allocation < 0) return 0;
        if (sluice_failing_allocation > 0) {
                sluice_failing_allocation--;
                return 0;
        }
        return atomic_load(&reserve) != NULL;
}

void *sluice_grow(void *block, size_t wanted, size_t needed, size_t *granted) {
        *granted = wanted;
        void *grown = fails() ? NULL : realloc(block, wanted);
        if (grown) return grown;
        *granted = needed;
        run_short();
        return realloc(block, needed);
}

size_t sluice_allocated_bytes(void) {
        struct mallinfo2 facts = mallinfo2();
        return facts.uordblks + facts.hblkhd;
}

int sluice_has_room(size_t byte_count) {
        void *block = malloc(byte_count);
        if (!block) sluice_memory_shortage = 1;
        free(block);
        return block != NULL;
}

void *sluice_zeroed(size_t count, size_t size) {
        void *block = fails() ? NULL : calloc(count, size);
        if (block) return block;
        run_short();
        return calloc(count, size);
}

const void *sluice_find(const void *text, size_t text_count, const void *part, size_t part_count) {
        return memmem(text, text_count, part, part_count);
}
