// `sluice describe`: a sample of a file or a topic, as a source of a spec.

internal import SluiceDescribe
internal import SluiceRuntime
internal import SluiceSpec
internal import SluiceSystem

struct DescribeCommand {
    private let options: DescribeOptions
    private let files: any FileSystem
    private let clock: any Clock
    private let output: ErrorOutput

    init(_ options: DescribeOptions, files: any FileSystem, clock: any Clock, output: ErrorOutput) {
        self.options = options
        self.files = files
        self.clock = clock
        self.output = output
    }

    /// The exit code: 2 for an address that is none.
    func run() throws -> Int32 {
        let target: SampleTarget
        do throws(BadAddress) { target = try SampleTarget(options.target) } catch {
            output.error("\(error)")
            return 2
        }
        let sample = try Sample(target, fileSystem: files, clock: clock)
        let reader = SampleReader(zones: systemTimeZones(files), nowMillis: clock.wallMillis)
        let description = try sample.described(reader)
        switch options.format {
        case .yaml: printLine(description.yaml)
        case .json: printLine(description.json.indentedText())
        }
        return 0
    }
}
