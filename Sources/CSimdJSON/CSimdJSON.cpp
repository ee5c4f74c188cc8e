#include "CSimdJSON.h"

#include <simdjson.h>

#include <charconv>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <system_error>

struct sluice_json_indexer {
    std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
    size_t capacity = 0;
};

extern "C" sluice_json_indexer *sluice_json_indexer_create(void) { return new (std::nothrow) sluice_json_indexer(); }

extern "C" void sluice_json_indexer_destroy(sluice_json_indexer *indexer) { delete indexer; }

extern "C" int sluice_json_index(
    sluice_json_indexer *indexer, const uint8_t *text, size_t length, const uint32_t **indexes, size_t *count) {
    *indexes = nullptr;
    *count = 0;
    if (length > indexer->capacity || !indexer->parser) {
        size_t capacity = length < 4096 ? 4096 : length;
        auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(
            capacity, simdjson::DEFAULT_MAX_DEPTH, indexer->parser);
        if (error) return error;
        indexer->capacity = capacity;
    }
    auto error = indexer->parser->stage1(text, length, simdjson::stage1_mode::regular);
    *indexes = indexer->parser->structural_indexes.get();
    if (error == simdjson::EMPTY) return 0;
    if (error) return error;
    *count = indexer->parser->n_structural_indexes;
    return 0;
}

extern "C" int sluice_is_utf8(const uint8_t *text, size_t length) {
    return simdjson::validate_utf8(reinterpret_cast<const char *>(text), length);
}

extern "C" double sluice_parse_double(const uint8_t *text, size_t length) {
    const char *first = reinterpret_cast<const char *>(text);
    double value = 0;
    auto result = std::from_chars(first, first + length, value);
    // Out of range leaves no value behind, neither the infinity nor the zero it would have been.
    if (result.ec == std::errc::result_out_of_range) return std::strtod(std::string(first, length).c_str(), nullptr);
    return value;
}
