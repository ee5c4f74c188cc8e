// The structure of JSON text, found by simdjson's first stage (SIMD), and nothing else of that library.
// What the structure means, field by field, is decided by the caller.
#ifndef SLUICE_CSIMDJSON_H
#define SLUICE_CSIMDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The digits Java prints of a positive finite double: the shortest decimal that reads back as `value`, the nearest of
/// them, of two digits where one would do. Returns the digits as an integer, `*exponent` is their power of ten.
uint64_t sluice_shortest_decimal(double value, int32_t *exponent);

/// How many readable bytes must follow the text handed to `sluice_json_index`.
enum { SLUICE_JSON_PADDING = 64 };

typedef struct sluice_json_indexer sluice_json_indexer;

/// A new indexer, or NULL when memory is short. It belongs to one thread at a time.
sluice_json_indexer *sluice_json_indexer_create(void);
void sluice_json_indexer_destroy(sluice_json_indexer *indexer);

/// Finds every structural character of `text`: `{ } [ ] : ,`, each opening quote, and the first byte of each other
/// scalar. Returns 0, or simdjson's error code when the text is not UTF-8, a string is not closed or a control
/// character stands in a string. `*indexes` is valid until the next call, holds `*count` positions in ascending order
/// and one position `length` after them. `text` needs SLUICE_JSON_PADDING readable bytes behind `length`.
int sluice_json_index(
    sluice_json_indexer *indexer, const uint8_t *text, size_t length, const uint32_t **indexes, size_t *count);

/// 1 when the text is UTF-8, else 0.
int sluice_is_utf8(const uint8_t *text, size_t length);

/// The double nearest to a decimal number (`[-]digits[.digits][e[+-]digits]`, which the caller has checked), infinity
/// or zero where it is out of range. Here because the C++ library's parser is many times faster than strtod, needs no
/// terminator and knows no locale.
double sluice_parse_double(const uint8_t *text, size_t length);

#ifdef __cplusplus
}
#endif
#endif
