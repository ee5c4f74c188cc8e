// One seeded generator for everything that is random on purpose: jitter of restarts, identifiers, tests. A run is
// repeated by its seed.

/// Steele, Lea and Flood's SplitMix64: 64 bits of state, passes BigCrush, the same numbers everywhere.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// A seed from the kernel, for what must differ from process to process.
package func randomSeed() -> UInt64 {
    var generator = SystemRandomNumberGenerator()
    return generator.next()
}
