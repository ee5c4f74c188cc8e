// Specs that are long, as programs write them. Length is no nesting, and what is checked once for each part may not
// look at all the others: these took minutes, or the stack, before.

import Glibc
import SluiceSpec
import Testing

@Suite struct LongSpecTests {
    @Test(
        arguments: [
            ("b", " and "), ("b", " or "), ("i > 1", " and "), ("(i > 1 or b)", " and "), ("i", " + "), ("l", " - "),
            ("d", " * "), ("s", " || "), ("m", " + "), ("1.5", " + "),
        ])
    func `a chain of thousands of operands is no nesting, and prints as it was written`(
        operand: String, operation: String
    ) throws {
        let text = Array(repeating: operand, count: 10_000).joined(separator: operation)
        let read = readSpec(typedJob(select: text))
        let expression = try #require(read.spec?.queries[0].select[0].expression, "\(read.rendered.prefix(300))")
        #expect(expression.height < 50)
        #expect(expression.description.split(separator: operation).count == 10_000)
    }

    @Test func `every mistake of a long chain is found`() {
        let read = readSpec(typedJob(select: (0..<3000).map { "x\($0) > 0" }.joined(separator: " and ")))
        #expect(read.errors.count == 3000)
    }

    @Test func `a bound of thousands of durations is one bound`() throws {
        let sum = "visits.event_time" + String(repeating: " + 1ms", count: 5000)
        let job = fileJob.replacing("visits.event_time + 2 minutes", with: sum)
        #expect(readSpec(job).codes == [])
    }

    /// Four times the work takes four times as long, or sixteen where it is quadratic.
    private func expectLinear(_ count: Int, _ work: (_ count: Int) -> Void) {
        let small = processorSeconds { work(count / 4) }
        let large = processorSeconds { work(count) }
        #expect(large < 9 * small + 0.2, "\(small) s, then \(large) s")
    }

    @Test(arguments: ["c", "d"])
    func `thousands of columns are checked in linear time`(misspelt: String) throws {
        expectLinear(10_000) { count in
            let columns = (0..<count).map { "      c\($0): string" }.joined(separator: "\n")
            let select = (0..<count).map { "      o\($0): wide.\(misspelt)\($0)" }.joined(separator: "\n")
            let read = readSpec(
                """
                sluice: 1
                sources:
                  wide:
                    file: { path: in }
                    columns:
                \(columns)
                queries:
                  q:
                    from: wide
                    select:
                \(select)
                    to: out
                sinks: { out: { stdout: {} } }
                """)
            #expect(read.errors.count == (misspelt == "c" ? 0 : count))
            #expect(read.rendered.utf8.count < 10_000_000)
        }
    }

    @Test(arguments: [", ", ",\n  "])
    func `thousands of duplicate keys are reported in linear time, on one line or many`(separator: String) {
        expectLinear(49_000) { count in
            let keys = Array(repeating: "k: 1", count: count).joined(separator: separator)
            let read = readSpec("sluice: 1\nx-keys: { \(keys) }\nqueries: {}\n")
            #expect(read.codes.filter { $0 == "duplicate-key" }.count == count - 1)
            #expect(read.rendered.utf8.count > count * 50)
        }
    }
}

/// Of this thread, so that what else runs on the machine does not count.
private func processorSeconds(_ work: () -> Void) -> Double {
    func now() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let start = now()
    work()
    return now() - start
}

extension Expression {
    /// Levels of the tree.
    fileprivate var height: Int {
        switch kind {
        case .literal, .column: 1
        case .cast(let operand): 1 + operand.height
        case .call(_, let operands): 1 + (operands.map(\.height).max() ?? 0)
        case .caseWhen(let branches, let otherwise):
            1 + (branches.flatMap { [$0.condition.height, $0.value.height] } + [otherwise?.height ?? 0]).max()!
        }
    }
}
