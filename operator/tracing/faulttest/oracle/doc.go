// Package oracle judges whether an operator converged in spite of a fault.
//
// [Learn] compares two runs without a fault, and learns the fields that differ between them: the
// [Mask]. [Oracle.Judge] compares a run with a fault with these and returns a [Verdict] for each
// difference.
package oracle
