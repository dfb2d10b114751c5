// Package scanner drives a serial barcode scanner: it triggers it, takes what it
// sends apart, and says whether it is alive. Payloads are handed on as bytes,
// whatever they mean.
//
// Guarantees:
//
//   - A scan is delivered whole or not at all. What stopped in the middle, is
//     too long or breaks its framing is reported as spoilt, without its bytes,
//     and what follows at once is taken for its rest, not for a scan.
//   - A scan without an end mark (Options.Framing Idle) says so: only a
//     signature can tell that nothing is missing from it.
//   - Nothing is delivered outside a session. Start throws away whatever was
//     sent before, here and in the line's buffer.
//   - In a session the scanner is triggered, and again after each scan: one that
//     ends its trigger with what it read, the wrong code too, goes on looking.
//   - The same payload is delivered once within Options.Repeat.
//   - Memory is bounded: 8 KiB a scan, and a queue of events that drops and
//     counts the oldest.
//
// An answer is never taken for a scan: a session that begins while the scanner
// is being asked waits for it, a second at most.
//
// A scanner that is silent looks like a gate without travellers, so outside
// sessions it is asked for its revision where its command set has a question.
package scanner
