enum ThresholdCheck { static func main(_ a: [String], binary: String) {} }
