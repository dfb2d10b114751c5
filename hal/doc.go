// Package hal is the vocabulary of the gate's devices: directions, levels,
// grants, events and the interfaces the lane drives. It holds no driver and
// does no I/O.
//
// Guarantees that every driver of this package keeps, and that the conformance
// suites of hal/haltest check:
//
//   - One grant is one pulse timed within bounds. The same grant id never makes
//     a second pulse, and a pulse whose reply was lost is never sent again.
//   - Unknown is a value. A level that was not read lately is Unknown, never
//     its last reading, and nothing is granted on an Unknown level.
//   - "Passed" comes only from a sensor or counter. What a driver derived by
//     its own timer says so (Event.Inferred).
//   - Nothing here releases, ends or overrides an emergency; it is read only.
//   - Safety and passage events are never dropped to make room for levels.
//
// Every time is CLOCK_MONOTONIC in nanoseconds, the same in every process of
// the machine. All methods are safe for concurrent use.
package hal
