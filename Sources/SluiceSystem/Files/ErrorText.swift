internal import Glibc

/// The system's words for an errno, such as `No space left on device`.
package func errorText(_ code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
}
