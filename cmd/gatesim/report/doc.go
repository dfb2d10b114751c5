// Package report is what a run of the simulator gives: the contract's JSON
// document, and lines for whoever watches.
//
// Lines hold no control characters, so that they read the same in a terminal
// and in a file. A traveller is as expected only if the records and the
// board's own log say the same.
package report
