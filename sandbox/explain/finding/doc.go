// Package finding finds typical defects of operators in a trace.
//
// [Find] runs each [Detector] on a tree of spans, which package operator/tracing or the sandbox's
// observer recorded. A [Finding] names the object, says what happened with numbers, and lists the
// spans that show it. docs/findings.md describes each detector with an example and a remedy.
//
// # Precision
//
// A detector reports only what the spans prove, and the trace of a healthy operator has no finding.
// So the thresholds are higher than the smallest defect, and a detector that misses an attribute
// finds nothing. Two facts limit what a trace can show:
//
//   - A reconcile that wrote nothing has no span. A loop of such reconciles is visible only in
//     metrics.
//   - The observer sees versions of objects. Writes that changed nothing, conflicts and reconciles
//     are visible only if the operator uses package operator/tracing.
package finding
