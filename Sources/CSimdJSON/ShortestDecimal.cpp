// The C++ library prints doubles in their shortest form (Ryu), without memory or locale.

#include "CSimdJSON.h"

#include <charconv>

namespace {

// Reads `d.ddde-dd` back: digits without the point, and their power of ten.
uint64_t digits_of(const char *text, const char *end, int32_t *exponent) {
    uint64_t digits = 0;
    int32_t fraction = 0;
    bool behind_point = false;
    for (; text < end && *text != 'e'; text++) {
        if (*text == '.') {
            behind_point = true;
            continue;
        }
        digits = digits * 10 + static_cast<uint64_t>(*text - '0');
        fraction += behind_point;
    }
    int32_t power = 0;
    bool negative = false;
    for (text++; text < end; text++) {
        if (*text == '-') negative = true;
        else if (*text != '+') power = power * 10 + (*text - '0');
    }
    *exponent = (negative ? -power : power) - fraction;
    return digits;
}

}  // namespace

uint64_t sluice_shortest_decimal(double value, int32_t *exponent) {
    char text[32];
    auto shortest = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific);
    uint64_t digits = digits_of(text, shortest.ptr, exponent);
    if (digits >= 10) return digits;
    auto two = std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, 1);
    return digits_of(text, two.ptr, exponent);
}
