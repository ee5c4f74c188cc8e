// What no program that joins JSON files can do without: reading them and finding the fields it needs.
#ifndef SLUICE_PARSE_LIMIT_H
#define SLUICE_PARSE_LIMIT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Reads a file of JSON lines whole and finds three string fields of every row, as fast as simdjson can: its document
/// stream, each field taken as it stands in the text. Adds the rows, and the bytes of the fields with their quotes.
/// Returns 0, or simdjson's error code.
int parse_limit_file(const char *path, const char *const fields[3], uint64_t *rows, uint64_t *bytes);

#ifdef __cplusplus
}
#endif
#endif
