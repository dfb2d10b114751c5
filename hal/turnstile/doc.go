// Package turnstile is what every driver of a gate shares: the session with
// its one goroutine, the grants and their memory, the events and their queue,
// the lamps, and the half-duplex line. A driver adds a Board, which knows the
// device's own bytes and nothing else.
//
// One goroutine owns the line. A grant is one unlock, sent at most once: a
// reply that is lost is never answered by sending again, but by reading back.
// The levels are read afresh before every grant and every withdrawal, and
// nothing is granted on a level that is not known. At start, after each
// reconnect, on Halt and at the end the board is made inert and seen to be; a
// command is never carried over a reconnect.
//
// After an exchange that failed the line must be silent for 100 ms, the next
// question is of another kind, and the first sample is thrown away, because
// nothing on these lines ties an answer to its question. An adapter that hears
// itself is found out and its echo is taken off. Whatever comes in is bounded
// by the answer that was asked for.
//
// A passage comes only from its contact or counter; timeouts of our own, a door
// that is held open and an object left behind are inferred and say so. Levels
// may replace each other in the queue, nothing else is lost before 4096 are
// unread.
package turnstile
