// The same files through Spark Structured Streaming, in the same invocation (`--with-spark`): the same join, one file
// of each side a batch, a checkpoint, JSON files out, as many cores as Sluice has.

import Glibc

enum SparkComparison {
    private static let hint =
        "--with-spark needs pyspark 4.1.1 and Java 17: python3 -m venv DIR && DIR/bin/pip install pyspark==4.1.1,"
        + " then PATH=DIR/bin:$PATH"

    /// Ends the program with what to do where there is no pyspark.
    static func require() {
        let find = Child(["/usr/bin/env", "python3", "-c", "import pyspark"], output: "/dev/null").wait()
        guard find.exitCode == 0 else { fail(hint) }
    }

    /// One run of Spark, whose answer is right, beside the product's.
    static func measure(_ bench: Bench, _ input: Input, truth: Answer, _ runs: [JoinRun]) -> [Figure] {
        let place = "\(bench.folder)/spark"
        makeFolder(place)
        let workload = input.workload
        let numbers = runScript(
            "spark_join.py", place,
            [
                input.folder, place, String(Processors.own.count), String(workload.delayMillis),
                String(workload.boundMillis),
            ])
        let answer = workload.answer(in: "\(place)/out", suffix: ".txt")
        guard answer == truth else { fail("Spark's answer is \(answer), the truth is \(truth)") }
        removeFolder(place)
        let rows = Double(workload.rows * 2)
        let rate = rows / numbers[0]
        return [
            Figure(
                "rows/s of Spark", .number, rate,
                note: "\(Int(numbers[1])) batches, time in batches only, the answer is right"),
            Figure(
                "CPU per row of Spark", .micros, numbers[2] * 1e6 / rows,
                note: "of the whole process, peak memory \(Int(numbers[3] / 1e6)) MB"),
            Figure("rate of Sluice against Spark", .times, runs.map { $0.rowsPerSecond / rate }),
        ]
    }

    /// The same of a left outer chain of three streams.
    /// - Parameter seconds: of the product's runs.
    static func measureChain(
        _ bench: Bench, _ input: StreamRows, _ truth: StreamAnswer, _ seconds: [Double]
    ) -> [Figure] {
        let place = "\(bench.folder)/spark"
        makeFolder(place)
        let figures = runScript(
            "spark_chain.py", place,
            [
                input.folder, place, String(Processors.own.count), String(StreamRows.delayMillis),
                String(StreamRows.boundMillis),
            ])
        let answer = input.answer(in: "\(place)/out", 3, suffix: ".txt")
        guard answer == truth else { fail("Spark's answer is \(answer), the truth is \(truth)") }
        removeFolder(place)
        return [
            Figure(
                "rows/s of Spark, three streams", .number, Double(input.rows * 3) / figures[0],
                note: "\(Int(figures[1])) batches, time in batches only, the answer is right"),
            Figure("rate of Sluice against Spark, three streams", .times, seconds.map { figures[0] / $0 }),
        ]
    }

    /// Runs a script that stands beside this folder in the repository. Seconds in batches, without the start of the
    /// virtual machine; batches; seconds of CPU; peak memory.
    private static func runScript(_ name: String, _ place: String, _ arguments: [String]) -> [Double] {
        let path = "\(#filePath)"
        let folder = path[..<(path.firstRange(of: "/Product/")?.lowerBound ?? path.endIndex)]
        let script = "\(place)/\(name)"
        writeFile(script, readFile("\(folder)/\(name)"))
        _ = run(["/usr/bin/env", "python3", script] + arguments, output: "\(place)/log.txt")
        let numbers = readText("\(place)/figures").split { $0 == " " || $0 == "\n" }.compactMap { Double($0) }
        guard numbers.count == 4 else { fail("Spark left no figures in \(place)") }
        return numbers
    }
}
