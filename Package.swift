// swift-tools-version: 6.2
import PackageDescription

// The modules carry the flow: a spec becomes a plan, sources feed the engine, the engine feeds sinks, and the
// runtime drives one micro-batch after another. Imports only ever point to the left in this list:
//     SluiceSpec <- SluicePlan <- SluiceEngine <- SluiceConnectors <- SluiceCheckpoint <-
//     SluiceRuntime <- SluiceAdvice <- SluiceStatus <- sluice
// SluiceDescribe (from a sample of records to a source of a spec) stands beside SluiceRuntime: neither knows the other.
// SluiceSimulation (disk, clock and sink of a run that is not real) stands beside SluiceCheckpoint, for replays and
// tests. SluiceSystem (clock, files, log) and SluicePage (a document) stand aside; only connectors and what is right of
// them may use them.

/// Settings every Swift target shares.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]
/// Targets that hold raw memory mark every use of a pointer with `unsafe`.
let strictWithPointers = strict + [.strictMemorySafety()]
/// The product is optimized in debug builds too: tests that crash it at every file operation take a fifth of the time.
/// Broken invariants trap all the same: they are preconditions.
let product = strict + [.unsafeFlags(["-O"], .when(configuration: .debug))]
let productWithPointers = product + [.strictMemorySafety()]

let package = Package(
    name: "sluice",
    targets: [
        // libyaml: events with line and column marks, which every diagnostic needs.
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        // libdeflate rather than zlib: the same gzip files, written in half the time (whole buffers, no stream).
        .systemLibrary(name: "CDeflate", pkgConfig: "libdeflate", providers: [.apt(["libdeflate-dev"])]),
        // zlib for the compressed files of sources and sinks: they are unpacked and packed as a stream, since such a
        // file may be larger than the memory, which libdeflate (whole buffers) cannot do.
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        // libzstd for sources' zstd files, as a stream too.
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        // libsnappy for the blocks of Avro container files.
        .systemLibrary(name: "CSnappy", pkgConfig: "snappy", providers: [.apt(["libsnappy-dev"])]),
        // simdjson finds the structure of JSON text at gigabytes a second; it stays behind a small C API, because C++
        // interoperability would spread to every module that imports it.
        .target(
            name: "CSimdJSON",
            linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]),
        // PCRE2: regular expressions near enough to Java's, run as machine code, with limits on what a match may cost.
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        // OpenSSL's digests; librdkafka brings that library anyway.
        .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        // protobuf's own library reads `.proto` files and sets of descriptors; behind a small C API as simdjson is.
        .target(
            name: "CProtobuf",
            linkerSettings: [.linkedLibrary("protobuf"), .linkedLibrary("stdc++")]),
        // The processor's prefetch, and one setting of the C library's allocator.
        .target(name: "CMemory"),

        // Signals that come before `main`: Swift has nothing that runs before the initialisers of libraries.
        .target(name: "CEarlySignals"),

        // librdkafka: the C client of Kafka, used directly, with its threads and its memory.
        .systemLibrary(name: "CRdKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),

        // libcurl: HTTP with TLS, logins and proxies, for schema registries.
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),

        // libmicrohttpd: a small HTTP/1.1 server in one thread of its own, with limits on everything a client can send.
        .systemLibrary(name: "CMicroHTTPD", pkgConfig: "libmicrohttpd", providers: [.apt(["libmicrohttpd-dev"])]),

        .target(
            name: "SluiceSpec", dependencies: ["CYAML", "CPCRE2", "CProtobuf"], swiftSettings: productWithPointers),
        .target(name: "SluicePlan", dependencies: ["SluiceSpec"], swiftSettings: product),
        .target(
            name: "SluiceEngine",
            dependencies: ["SluicePlan", "SluiceSpec", "CSimdJSON", "CMemory", "CPCRE2", "CCrypto"],
            swiftSettings: productWithPointers),
        .target(name: "SluiceSystem", dependencies: ["CMemory"], swiftSettings: productWithPointers),
        .target(
            name: "SluiceConnectors",
            dependencies: [
                "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem", "CCurl", "CRdKafka", "CSnappy", "CZlib",
                "CZstd",
            ],
            swiftSettings: productWithPointers),
        .target(
            name: "SluiceCheckpoint",
            dependencies: [
                "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem", "CDeflate",
            ],
            swiftSettings: productWithPointers),
        // A disk that crashes, a clock that is moved by hand, a sink that forgets: for tests and for replays.
        .target(
            name: "SluiceSimulation", dependencies: ["SluiceConnectors", "SluiceEngine", "SluiceSystem"],
            swiftSettings: productWithPointers),
        // The status page: HTML, CSS and JavaScript that become constants of the binary.
        .target(name: "SluicePage", resources: [.embedInCode("Page")], swiftSettings: product),
        .target(
            name: "SluiceRuntime",
            dependencies: [
                "SluiceCheckpoint", "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem",
            ],
            swiftSettings: productWithPointers),
        .target(
            name: "SluiceAdvice",
            dependencies: [
                "SluiceRuntime", "SluiceCheckpoint", "SluiceConnectors", "SluiceEngine", "SluicePlan",
                "SluiceSimulation", "SluiceSpec", "SluiceSystem",
            ],
            swiftSettings: productWithPointers),
        .target(
            name: "SluiceStatus",
            dependencies: [
                "SluiceAdvice", "SluiceRuntime", "SluiceCheckpoint", "SluiceConnectors", "SluiceEngine", "SluicePage",
                "SluicePlan", "SluiceSpec", "SluiceSystem", "CDeflate", "CMicroHTTPD",
            ],
            swiftSettings: productWithPointers),
        .target(
            name: "SluiceDescribe",
            dependencies: ["SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem"],
            swiftSettings: productWithPointers),
        .executableTarget(
            name: "sluice",
            dependencies: [
                "SluiceStatus", "SluiceAdvice", "SluiceRuntime", "SluiceDescribe", "SluiceCheckpoint",
                "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem", "CEarlySignals",
            ],
            swiftSettings: strict),

        // What tests of any module use: a folder on the real disk, a log's lines, gzip made by hand.
        .target(
            name: "SystemTesting", dependencies: ["SluiceSimulation", "SluiceSystem"], path: "Tests/SystemTesting",
            swiftSettings: strictWithPointers),
        // Specs, rows and a query of them on a simulated disk and clock.
        .target(
            name: "QueryTesting",
            dependencies: [
                "SluiceRuntime", "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem",
                "SluiceSimulation", "SystemTesting",
            ], path: "Tests/QueryTesting", swiftSettings: strict),
        // A real Kafka, its own tools and kcat.
        .target(name: "KafkaTesting", path: "Tests/KafkaTesting", swiftSettings: strict),
        // A schema registry over real HTTP.
        .target(
            name: "RegistryTesting", dependencies: ["KafkaTesting"], path: "Tests/RegistryTesting",
            exclude: ["registry.py"], swiftSettings: strict),
        .testTarget(name: "KafkaTestingTests", dependencies: ["KafkaTesting"], swiftSettings: strict),
        .testTarget(
            name: "SluiceSystemTests", dependencies: ["SluiceSystem", "SluiceSimulation", "SystemTesting"],
            swiftSettings: strict),
        .testTarget(
            name: "SluiceSpecTests", dependencies: ["SluiceSpec", "SluiceSystem"], exclude: ["Golden"],
            swiftSettings: strict),
        .testTarget(
            name: "SluicePlanTests", dependencies: ["SluicePlan", "SluiceSpec", "SluiceSystem"], exclude: ["Golden"],
            swiftSettings: strict),
        .testTarget(
            name: "SluiceEngineTests", dependencies: ["SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem"],
            exclude: ["Spark", "Decode/Python"], swiftSettings: strict),
        .testTarget(
            name: "SluiceConnectorsTests",
            dependencies: [
                "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSimulation", "SluiceSpec", "SluiceSystem",
                "CRdKafka", "KafkaTesting", "RegistryTesting", "SystemTesting",
            ],
            exclude: ["Avro", "Spark"], swiftSettings: strict),
        .testTarget(
            name: "SluiceCheckpointTests",
            dependencies: [
                "SluiceCheckpoint", "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem",
                "SluiceSimulation", "SystemTesting",
            ],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "SluiceRuntimeTests",
            dependencies: [
                "SluiceRuntime", "SluiceCheckpoint", "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec",
                "SluiceSystem", "SluiceSimulation", "QueryTesting", "SystemTesting",
            ],
            exclude: ["Spark"], swiftSettings: strict),
        .testTarget(
            name: "SluiceAdviceTests",
            dependencies: [
                "SluiceAdvice", "SluiceRuntime", "SluiceCheckpoint", "SluiceConnectors", "SluiceSimulation",
                "SluicePlan", "SluiceSpec", "SluiceSystem", "QueryTesting",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "SluiceStatusTests",
            dependencies: [
                "SluiceStatus", "SluiceAdvice", "SluiceRuntime", "SluiceSimulation", "SluiceSpec", "SluiceSystem",
                "QueryTesting", "SystemTesting",
            ],
            swiftSettings: strict),
        .testTarget(
            name: "SluiceDescribeTests",
            dependencies: [
                "SluiceDescribe", "SluiceConnectors", "SluiceEngine", "SluicePlan", "SluiceSpec", "SluiceSystem",
            ],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "SluiceCommandTests", dependencies: ["sluice", "SluiceSystem"], swiftSettings: strict),
        // The built binary in a process of its own.
        .testTarget(
            name: "EndToEndTests", dependencies: ["sluice", "KafkaTesting", "RegistryTesting"],
            exclude: ["Avro", "Protobuf", "Spark", "Checkpoints"],
            swiftSettings: strict),
        .testTarget(name: "RepositoryTests", swiftSettings: strict),
        // What the benchmarks measure against: simdjson and nothing else.
        .target(
            name: "CParseLimit", path: "Tests/ParseLimit",
            linkerSettings: [.linkedLibrary("simdjson"), .linkedLibrary("stdc++")]),
        .executableTarget(
            name: "Benchmarks", dependencies: ["sluice", "CParseLimit", "CRdKafka"], path: "Tests/Benchmarks",
            exclude: ["README.md", "Thresholds/6.3.json", "spark_join.py"],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]),
    ]
)
