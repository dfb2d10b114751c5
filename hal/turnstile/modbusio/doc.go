// Package modbusio drives a gate's dry contacts through a Modbus RTU board.
//
// One goroutine owns the bus. A grant is one pulse that the board times by
// itself, sent at most once: a reply that is lost is never answered by sending
// again, but by reading the relay back. Every level is read each poll; one that
// is older than three polls is Unknown, and nothing is granted on it. At start,
// after each reconnect and at the end every unlock relay is written off and
// read back before the device counts as online.
package modbusio
