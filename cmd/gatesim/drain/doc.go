// Package drain lets a gate come back to headquarters after days: a journal full
// of records that nobody has seen goes out over a line that takes its time,
// while travellers go on walking.
//
// The gate is package bare in this process, headquarters the real hqd, the line
// package line without faults. A live record, one written once the link is up,
// is late by the time from when it was durable at the gate to when headquarters
// says it knows it, both of one clock. Commits are timed one at a time as a
// lane waits for them: on the full journal before the link is up, while it
// drains, and after headquarters has everything and the records were deleted
// from the gate.
package drain
