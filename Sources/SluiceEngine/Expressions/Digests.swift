// MD5 and SHA-2 of OpenSSL, and Spark's own hash of rows: Murmur3 over 32 bits, whose tail of a text is taken byte by
// byte. Source: org.apache.spark.unsafe.hash.Murmur3_x86_32 (hashUnsafeBytes) and Spark's HashExpression.

internal import CCrypto
internal import Glibc

extension EvaluationScratch {
    /// The digest of a text in hexadecimal digits: MD5 for 0 bits, else SHA-2 of so many; null for a number of bits
    /// that is none of SHA-2's.
    mutating func digest(_ text: Register, bits: Int64) -> Register {
        guard let algorithm = unsafe memory.algorithm(bits: bits) else { return .null }
        let bytes = unsafe text.bytes
        var digest = InlineArray<64, UInt8>(repeating: 0)
        var count: UInt32 = 0
        var span = digest.mutableSpan
        let isDone = unsafe span.withUnsafeMutableBufferPointer { place in
            unsafe EVP_DigestInit_ex(memory.digestContext, algorithm, nil) == 1
                && EVP_DigestUpdate(memory.digestContext, bytes.baseAddress, bytes.count) == 1
                && EVP_DigestFinal_ex(memory.digestContext, place.baseAddress, &count) == 1
        }
        guard isDone else { return .null }
        let space = unsafe space(Int(count) * 2)
        for index in 0..<Int(count) {
            let (high, low) = (digest[index] >> 4, digest[index] & 0xF)
            unsafe space.storeBytes(of: hexDigit(high), toByteOffset: index * 2, as: UInt8.self)
            unsafe space.storeBytes(of: hexDigit(low), toByteOffset: index * 2 + 1, as: UInt8.self)
        }
        return keep(Int(count) * 2)
    }
}

private func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
}

/// The hash of a value, going on from `seed`; a null leaves the seed as it is.
func murmurHash(_ value: Register, _ at: UnsafePointer<Instruction>, seed: Register) -> Register {
    if value.isNull { return seed }
    let start = UInt32(truncatingIfNeeded: seed.integer)
    let hash: UInt32
    switch unsafe at.pointee.from {
    case .int, .date, .boolean: hash = Murmur.hash(UInt32(truncatingIfNeeded: value.integer), start)
    case .long, .timestamp, .duration, .null: hash = Murmur.hash(UInt64(bitPattern: value.integer), start)
    case .double:
        let number = value.double
        hash = Murmur.hash(number == 0 ? 0 : (number.isNaN ? Double.nan.bitPattern : number.bitPattern), start)
    case .decimal:
        hash =
            unsafe at.pointee.scales.precision <= 18
            ? Murmur.hash(UInt64(truncatingIfNeeded: value.decimal), start) : Murmur.hash(value.decimal, start)
    case .string, .json: hash = unsafe Murmur.hash(value.bytes, start)
    }
    return Register(Int64(Int32(bitPattern: hash)))
}

private enum Murmur {
    static func hash(_ word: UInt32, _ seed: UInt32) -> UInt32 { finish(mix(seed, word), byteCount: 4) }

    static func hash(_ value: UInt64, _ seed: UInt32) -> UInt32 {
        let low = mix(seed, UInt32(truncatingIfNeeded: value))
        return finish(mix(low, UInt32(truncatingIfNeeded: value >> 32)), byteCount: 8)
    }

    /// The shortest two's complement of the number, the most significant byte first (BigInteger.toByteArray).
    static func hash(_ number: Int128, _ seed: UInt32) -> UInt32 {
        var count = 16
        while count > 1 {
            let top = number >> Int128((count - 2) * 8 + 7)
            guard top == 0 || top == -1 else { break }
            count -= 1
        }
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        for index in 0..<count { bytes[index] = UInt8(truncatingIfNeeded: number >> Int128((count - 1 - index) * 8)) }
        return unsafe bytes.span.withUnsafeBytes { place in
            unsafe hash(UnsafeRawBufferPointer(rebasing: place[..<count]), seed)
        }
    }

    static func hash(_ bytes: UnsafeRawBufferPointer, _ seed: UInt32) -> UInt32 {
        var hash = seed
        var index = 0
        while index + 4 <= bytes.count {
            unsafe hash = mix(
                hash, UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)))
            index += 4
        }
        while index < bytes.count {
            unsafe hash = mix(hash, UInt32(bitPattern: Int32(Int8(bitPattern: bytes[index]))))
            index += 1
        }
        return finish(hash, byteCount: UInt32(truncatingIfNeeded: bytes.count))
    }

    private static func rotated(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }

    private static func mix(_ hash: UInt32, _ word: UInt32) -> UInt32 {
        let mixed = hash ^ (rotated(word &* 0xCC9E_2D51, 15) &* 0x1B87_3593)
        return rotated(mixed, 13) &* 5 &+ 0xE654_6B64
    }

    private static func finish(_ hash: UInt32, byteCount: UInt32) -> UInt32 {
        var hash = hash ^ byteCount
        hash = (hash ^ hash >> 16) &* 0x85EB_CA6B
        hash = (hash ^ hash >> 13) &* 0xC2B2_AE35
        return hash ^ hash >> 16
    }
}
