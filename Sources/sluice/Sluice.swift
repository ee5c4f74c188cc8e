// The executable: reads the command line and calls what does it. Results of a `stdout` sink go to standard output,
// everything about the run to standard error.

internal import CEarlySignals
internal import Glibc
internal import SluiceSpec
internal import SluiceSystem

@main
struct Sluice {
    static func main() {
        sluice_hold_early_signals()
        let arguments = CommandLine.arguments
        let clock = SystemClock()
        let words = Array(arguments.dropFirst())
        // First of all: a signal that comes while the rest of the process is being made is not the end of it.
        let signals =
            words.first == "run"
            ? RunSignals(lastWords: ErrorOutput(arguments: words, clock: clock, waits: false)) : nil
        ignoreBrokenPipes()
        giveBackLargeBlocks()
        raiseOpenFileLimit()
        let output = ErrorOutput(arguments: words, clock: clock)
        // The Swift runtime takes them from /proc. Not even the program's own name: nobody knows what was asked for.
        guard !arguments.isEmpty else {
            output.error("the command line cannot be read: is /proc mounted?")
            exit(1)
        }
        switch parseCommandLine(words) {
        case .command(let command): exit(run(command, clock, output, signals))
        case .information(let text): printLine(text)
        case .wrongUsage(let text):
            output.say(text, .error)
            exit(2)
        }
    }

    private static func run(
        _ command: Command, _ clock: SystemClock, _ output: ErrorOutput, _ signals: RunSignals?
    ) -> Int32 {
        let files = RealFileSystem()
        do {
            switch command {
            case .run(let options):
                let signals = signals ?? RunSignals(lastWords: output)
                return try RunCommand(options, files: files, clock: clock, output: output, signals: signals).run()
            case .check(let options): return try CheckCommand(options, files: files).run()
            case .explain(let options): return try ExplainCommand(options, files: files).run()
            case .describe(let options):
                return try DescribeCommand(options, files: files, clock: clock, output: output).run()
            case .control(let options): return try ControlCommand(options, files: files).run()
            case .tune(let options): return try TuneCommand(options, files: files, clock: clock).run()
            case .checkpoint(let options):
                return try CheckpointCommand(options, files: files, clock: clock, output: output).run()
            case .schema:
                printLine(SpecReference.schema.indentedText())
                return 0
            case .demo: return try DemoCommand(files: files, clock: clock, print: printLine).run() ? 0 : 1
            }
        } catch {
            output.error("\(error)")
            return 1
        }
    }
}

/// A line, or several, to standard output.
func printLine(_ text: String) { write(text, to: 1) }

/// A line, or several, to standard error.
func printError(_ text: String) { write(text, to: 2) }

private func write(_ text: String, to descriptor: Int32) {
    let line = Array((text.hasSuffix("\n") ? text : text + "\n").utf8)
    line.withUnsafeBytes { _ = writeFully(to: descriptor, [$0]) }
}

/// An environment variable.
func environmentVariable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }
}
