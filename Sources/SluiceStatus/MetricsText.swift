// `/metrics`: Prometheus' text format. All names stand in one list, which the documentation is held to by a test.
// Labels are `query`, `source`, `table`, `stage`, `side` and `phase` only: there are as many series as the specs have
// of these.

internal import SluiceEngine
internal import SluiceRuntime
internal import SluiceSystem

/// A metric's name, type and meaning.
struct MetricDefinition: Hashable, Sendable {
    enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
    }

    var name: String
    var kind: Kind
    var help: String

    init(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }
}

/// A rendering of the process at one moment.
struct MetricsText {
    private let queries: [(description: QueryDescription, metrics: QueryMetrics)]
    private let eventReaders: Int

    init(_ queries: [QueryDescription], _ board: StatusBoard) {
        self.queries = queries.map { ($0, board.metrics($0.name)) }
        eventReaders = board.events.readerCount
    }

    var text: String {
        (queryFamilies + sideFamilies + sourceFamilies + [schemaRecords] + tableFamilies + processFamilies)
            .map(\.text).joined()
    }

    // MARK: Families

    private var queryFamilies: [MetricFamily] {
        func family(
            _ name: String, _ kind: MetricDefinition.Kind, _ help: String,
            _ value: (QueryDescription, QueryMetrics) -> Double?
        ) -> MetricFamily {
            var family = MetricFamily(name, kind, help)
            for (query, metrics) in queries { family.add(value(query, metrics), query: query.name) }
            return family
        }
        func isIn(_ word: String, _ help: String) -> MetricFamily {
            family("sluice_query_\(word)", .gauge, help) { query, _ in query.status.word == word ? 1 : 0 }
        }
        return [
            isIn("running", "1 while a batch is in hand or the query starts, else 0."),
            isIn("waiting", "1 while the query waits for its trigger or for data, else 0."),
            isIn("paused", "1 while somebody has paused the query, else 0."),
            isIn("restarting", "1 while the query waits to start again after an error, else 0."),
            isIn("failed", "1 when the query has stopped with an error, else 0."),
            isIn("finished", "1 when the query has ended by itself, else 0."),
            family(
                "sluice_query_waiting_for_broker", .gauge,
                "1 while the query waits for a broker that does not answer, else 0."
            ) { query, _ in query.waitingFor == nil ? 0 : 1 },
            family("sluice_query_restarts_total", .counter, "Starts after an error, since the process started.") {
                query, _ in Double(query.restartCount)
            },
            family(
                "sluice_query_trigger_interval_seconds", .gauge,
                "The trigger interval in force; 0 for as fast as possible, absent for a query that ends by itself."
            ) { query, _ in query.trigger.intervalSeconds },
            family("sluice_query_batch_id", .gauge, "The last committed batch; absent before the first.") { query, _ in
                query.lastBatch.map { Double($0) }
            },
            family("sluice_query_batches_total", .counter, "Batches committed since the process started.") {
                Double($1.batches)
            },
            family("sluice_query_output_rows_total", .counter, "Rows given to the sinks.") { Double($1.outputRows) },
            family(
                "sluice_query_last_trigger_timestamp_seconds", .gauge, "When the last batch was triggered, Unix time."
            ) { $1.last.map { Double($0.timestampMillis) / 1000 } },
            family(
                "sluice_query_watermark_timestamp_seconds", .gauge,
                "The watermark the last batch ran with, Unix time; absent without one."
            ) { $1.last?.eventTime.map { Double($0.watermarkMillis) / 1000 } },
            family("sluice_state_updated_rows_total", .counter, "Rows put into state.") {
                Double($1.stateRowsUpdated)
            },
            family("sluice_checkpoint_bytes_total", .counter, "Bytes written to the checkpoint by batches.") {
                Double($1.checkpointBytes)
            },
            phases, batchTimes, latencies,
        ]
    }

    private var sideFamilies: [MetricFamily] {
        func family(
            _ name: String, _ kind: MetricDefinition.Kind, _ help: String, _ value: (QueryMetrics.Side) -> Int?
        ) -> MetricFamily {
            var family = MetricFamily(name, kind, help)
            for (query, metrics) in queries {
                // A query with one stage needs no name for it.
                let isOne = metrics.stages.count == 1
                for stage in metrics.stages {
                    for (name, side) in stage.sides {
                        family.add(
                            value(side).map { Double($0) }, query: query.name, stage: isOne ? nil : stage.name,
                            side: name)
                    }
                }
            }
            return family
        }
        return [
            family("sluice_state_rows", .gauge, "Rows in state after the last batch.") { $0.last.counters.rowsTotal },
            family("sluice_state_bytes", .gauge, "Memory that state takes after the last batch.") {
                $0.last.counters.byteCount
            },
            family("sluice_state_removed_rows_total", .counter, "Rows that left state.") { $0.rowsRemoved },
            family(
                "sluice_matched_rows_total", .counter,
                "Rows that left state and have had a partner; absent for a side whose rows need one to come out."
            ) { $0.last.isPreserved ? $0.rowsMatched : nil },
            family(
                "sluice_unmatched_rows_total", .counter,
                "Rows that were done with without a partner; absent for a side whose rows need one."
            ) { $0.last.isPreserved ? $0.rowsUnmatched : nil },
        ]
    }

    private var phases: MetricFamily {
        var family = MetricFamily(
            "sluice_batch_phase_seconds_total", .counter, "Time spent in a phase of batches, under Spark's names.")
        for (query, metrics) in queries {
            let durations = metrics.phaseMillis
            let phases: KeyValuePairs = [
                "latestOffset": durations.latestOffset, "walCommit": durations.walCommit,
                "getBatch": durations.getBatch, "addBatch": durations.addBatch,
                "commitOffsets": durations.commitOffsets,
            ]
            for (phase, millis) in phases { family.add(Double(millis) / 1000, query: query.name, phase: phase) }
        }
        return family
    }

    private var batchTimes: MetricFamily {
        var family = MetricFamily(
            "sluice_batch_duration_seconds", .histogram, "From a batch's trigger to its commit.")
        for (query, metrics) in queries { family.add(metrics.batchSeconds, query: query.name) }
        return family
    }

    private var latencies: MetricFamily {
        var family = MetricFamily(
            "sluice_end_to_end_latency_seconds", .histogram,
            "Per batch with rows, the longest one of them can have waited for its commit: since the trigger before.")
        for (query, metrics) in queries { family.add(metrics.latencySeconds, query: query.name) }
        return family
    }

    private var sourceFamilies: [MetricFamily] {
        func family(
            _ name: String, _ kind: MetricDefinition.Kind, _ help: String, _ value: (QueryMetrics.Source) -> Double?
        ) -> MetricFamily {
            var family = MetricFamily(name, kind, help)
            for (query, metrics) in queries {
                for (source, counters) in metrics.sources.sorted(by: { $0.key < $1.key }) {
                    family.add(value(counters), query: query.name, source: source)
                }
            }
            return family
        }
        return [
            family("sluice_source_input_rows_total", .counter, "Rows read.") { Double($0.inputRows) },
            family("sluice_source_late_rows_total", .counter, "Rows behind the watermark, which were dropped.") {
                Double($0.lateRows)
            },
            family("sluice_source_bad_rows_total", .counter, "Records that did not fit their columns, or were none.") {
                Double($0.badRows)
            },
            family("sluice_source_tombstones_total", .counter, "Kafka records without a value, which are no rows.") {
                Double($0.tombstones)
            },
            family(
                "sluice_source_duplicate_rows_total", .counter,
                "Rows like one before, which were dropped; absent for a source that is not deduplicated."
            ) { $0.duplicateRows.map { Double($0) } },
            family(
                "sluice_source_watermark_timestamp_seconds", .gauge,
                "The source's own watermark, Unix time; absent before its first row and without one."
            ) { $0.watermarkMillis.map { Double($0) / 1000 } },
            family("sluice_source_lag_rows", .gauge, "Rows not read yet after the last batch; Kafka sources only.") {
                $0.lagRows.map { Double($0) }
            },
            family(
                "sluice_source_lag_seconds", .gauge,
                "Age of the last record read, of the partition furthest behind; Kafka sources only."
            ) { $0.lagSeconds },
        ]
    }

    /// Nothing of sources that do not ask for it: it is a series for each schema.
    private var schemaRecords: MetricFamily {
        var family = MetricFamily(
            "sluice_source_schema_records_total", .counter,
            "Records by the schema of a registry that they name; where the source says `records_per_schema`.")
        for (query, metrics) in queries {
            for (source, counters) in metrics.sources.sorted(by: { $0.key < $1.key }) {
                for (schema, count) in counters.recordsBySchema.sorted(by: { $0.key < $1.key }) {
                    family.add(Double(count), query: query.name, source: source, schema: "\(schema)")
                }
            }
        }
        return family
    }

    private var tableFamilies: [MetricFamily] {
        func family(_ name: String, _ help: String, _ value: (QueryProgress.Table) -> Double) -> MetricFamily {
            var family = MetricFamily(name, .gauge, help)
            for (query, metrics) in queries {
                for table in metrics.last?.tables ?? [] {
                    family.add(value(table), query: query.name, table: table.name)
                }
            }
            return family
        }
        return [
            family("sluice_table_rows", "Rows of a table that the last batch has joined.") { Double($0.rows) },
            family("sluice_table_bytes", "Memory that a table and its index take.") { Double($0.byteCount) },
            family("sluice_table_version", "Counts up as the table's content changes, over restarts too.") {
                Double($0.version)
            },
            family("sluice_table_age_seconds", "Since the version was taken over, as of the last batch.") {
                Double($0.ageMillis) / 1000
            },
        ]
    }

    private var processFamilies: [MetricFamily] {
        func family(_ name: String, _ kind: MetricDefinition.Kind, _ help: String, _ value: Double?) -> MetricFamily {
            var family = MetricFamily(name, kind, help)
            family.add(value)
            return family
        }
        return [
            family("sluice_process_threads", .gauge, "Threads.", ProcessFacts.threadCount.map { Double($0) }),
            family(
                "sluice_process_open_fds", .gauge, "Open files and sockets.",
                ProcessFacts.openDescriptorCount.map { Double($0) }),
            family(
                "sluice_process_max_fds", .gauge, "Files and sockets that the process may open.",
                openFileLimit.map { Double($0) }),
            family(
                "sluice_process_resident_memory_bytes", .gauge, "Memory in use.",
                ProcessFacts.residentBytes.map { Double($0) }),
            family(
                "sluice_process_allocated_memory_bytes", .gauge, "Memory in blocks that were allocated and not freed.",
                Double(ProcessFacts.allocatedBytes)),
            family(
                "sluice_process_cpu_seconds_total", .counter, "Processor time used, user and system.",
                Double(ProcessFacts.processorMicros) / 1_000_000),
            family("sluice_event_readers", .gauge, "Open connections to /api/events.", Double(eventReaders)),
        ]
    }
}

/// One metric with its samples, in text.
private struct MetricFamily {
    private let definition: MetricDefinition
    private var lines = ""

    init(_ name: String, _ kind: MetricDefinition.Kind, _ help: String) {
        definition = MetricDefinition(name, kind, help)
    }

    var text: String {
        let name = definition.name
        return "# HELP \(name) \(definition.help)\n# TYPE \(name) \(definition.kind.rawValue)\n" + lines
    }

    mutating func add(
        _ value: Double?, query: String? = nil, source: String? = nil, stage: String? = nil, side: String? = nil,
        phase: String? = nil, schema: String? = nil, table: String? = nil
    ) {
        guard let value else { return }
        let all = [
            ("query", query), ("source", source), ("stage", stage), ("side", side), ("phase", phase),
            ("schema", schema), ("table", table),
        ]
        let labels = all.compactMap { name, value in value.map { "\(name)=\"\(escaped($0))\"" } }
        add(definition.name, labels, value)
    }

    mutating func add(_ histogram: Histogram, query: String) {
        let label = "query=\"\(escaped(query))\""
        var below = 0
        for (index, count) in histogram.counts.enumerated() {
            below += count
            let bound = index < histogram.bounds.count ? number(histogram.bounds[index]) : "+Inf"
            add(definition.name + "_bucket", [label, "le=\"\(bound)\""], Double(below))
        }
        add(definition.name + "_sum", [label], histogram.sum)
        add(definition.name + "_count", [label], Double(below))
    }

    private mutating func add(_ name: String, _ labels: [String], _ value: Double) {
        lines += name + (labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}") + " \(number(value))\n"
    }

    private func number(_ value: Double) -> String {
        Int64(exactly: value).map { String($0) } ?? value.description
    }

    private func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}
