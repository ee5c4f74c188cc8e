// Threads for work that is shared by number.

import Glibc

/// Calls `body` with 0 ..< count, each on a thread of its own, and returns what they return when all have ended.
func inParallel<Value: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Value) -> [Value] {
    let jobs = (0..<count).map { number in ThreadJob { body(number) } }
    let threads = jobs.map { job in
        var thread = pthread_t()
        let context = Unmanaged.passRetained(job as AnyThreadJob).toOpaque()
        let error = pthread_create(
            &thread, nil,
            { context in
                if let context { Unmanaged<AnyThreadJob>.fromOpaque(context).takeRetainedValue().run() }
                return nil
            }, context)
        guard error == 0 else { fail("cannot start a thread") }
        return thread
    }
    for thread in threads { pthread_join(thread, nil) }
    return jobs.compactMap(\.value)
}

private class AnyThreadJob {
    func run() {}
}

/// Written by its thread, read by others only after that has ended.
private final class ThreadJob<Value>: AnyThreadJob {
    private let body: () -> Value
    private(set) var value: Value?

    init(_ body: @escaping () -> Value) { self.body = body }

    override func run() { value = body() }
}
