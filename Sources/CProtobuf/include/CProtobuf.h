// Descriptions of protobuf messages, read by the compiler's own library and handed out as flat tables: `.proto` text
// with what it imports, and serialized sets of descriptors. Only descriptions: records are read by the caller.
#ifndef SLUICE_CPROTOBUF_H
#define SLUICE_CPROTOBUF_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What is handed out stays until the schema is destroyed. Texts end with a zero.
typedef struct sluice_protobuf sluice_protobuf;

/// Where the text of a file goes.
typedef struct sluice_protobuf_text sluice_protobuf_text;

/// Gives the text of a file by the name that it is imported by: hands it to `sluice_protobuf_give` once and returns 1,
/// or returns 0 where there is none. It is not asked twice for a file.
typedef int (*sluice_protobuf_read)(void *context, const char *name, sluice_protobuf_text *text);
void sluice_protobuf_give(sluice_protobuf_text *text, const uint8_t *bytes, size_t count);

/// The first mistake. Line and column are from 1, and 0 where there is none.
typedef struct {
    const char *file;
    int32_t line, column;
    const char *message;
} sluice_protobuf_error;

typedef struct {
    /// With its package and the messages it lies in.
    const char *name;
    int32_t first_field, field_count;
    /// The message it lies in, or -1.
    int32_t parent;
    /// Among the messages of its file or of its parent.
    int32_t place;
    /// 1 in a file that was asked for, 0 in one that was imported.
    uint8_t is_own;
    /// 1 for what the pairs of a map are.
    uint8_t is_map_entry;
} sluice_protobuf_message;

typedef struct {
    const char *name;
    int32_t number;
    /// As descriptor.proto numbers them.
    uint8_t type;
    uint8_t is_repeated;
    /// 1 where a message shows whether it has the field.
    uint8_t has_presence;
    /// 1 where the schema declares a default.
    uint8_t has_default;
    /// The message or enum, or -1.
    int32_t type_index;
    /// Among the oneofs of its message, or -1.
    int32_t oneof;
    /// The default of a number (a double's bits, an enum's number), and of texts and bytes.
    uint64_t default_bits;
    const uint8_t *default_bytes;
    size_t default_count;
} sluice_protobuf_field;

typedef struct {
    const char *name;
    int32_t first_value, value_count;
    /// 1 where other numbers than those that it names are none of its values (proto2).
    uint8_t is_closed;
} sluice_protobuf_enum;

typedef struct {
    const char *name;
    int32_t number;
} sluice_protobuf_value;

/// Reads a file and all that it imports; the well-known types need not be given. NULL when memory is short.
sluice_protobuf *sluice_protobuf_parse(const char *name, sluice_protobuf_read read, void *context);

/// Reads a serialized FileDescriptorSet. Asked for are the files that no other one of the set imports.
sluice_protobuf *sluice_protobuf_load(const uint8_t *set, size_t count);

void sluice_protobuf_destroy(sluice_protobuf *schema);

/// NULL for a schema that is good; one that is not has no messages.
const sluice_protobuf_error *sluice_protobuf_first_error(const sluice_protobuf *schema);

/// Messages of own files come first, each before those that lie in it.
const sluice_protobuf_message *sluice_protobuf_messages(const sluice_protobuf *schema, size_t *count);
/// In the order of their numbers.
const sluice_protobuf_field *sluice_protobuf_fields(const sluice_protobuf *schema, size_t *count);
const sluice_protobuf_enum *sluice_protobuf_enums(const sluice_protobuf *schema, size_t *count);
/// In the order in which they are declared.
const sluice_protobuf_value *sluice_protobuf_values(const sluice_protobuf *schema, size_t *count);

#ifdef __cplusplus
}
#endif

#endif
