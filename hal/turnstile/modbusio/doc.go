// Package modbusio drives a gate's dry contacts through a Modbus RTU board.
//
// One goroutine owns the bus. A grant is one pulse that the board times by
// itself where it can, sent at most once: a reply that is lost is never
// answered by sending again, but by reading the relay back. The inputs are read
// afresh before every grant and every withdrawal, and nothing is granted on a
// level that is not known. At start, after each reconnect, on Halt and at the
// end every unlock relay is written off and read back; a command is never
// carried over a reconnect.
//
// After an exchange that failed the line must be silent for 100 ms, the next
// question is of another kind, and the first sample is thrown away, because
// Modbus RTU has nothing that ties an answer to its question. An adapter that
// hears itself is found out on reads and its echo is taken off.
//
// A passage comes only from its contact; timeouts, a door that is held open and
// an object left behind are inferred and say so. Events follow the rule of the
// queue: levels may be replaced, nothing else is lost before 4096 are unread.
package modbusio
