// Package modbus is the master's end of a Modbus RTU line: requests, their
// answers and a board's exceptions.
//
// The expected length of an answer comes from the request and its checksum is
// believed before any length in it, so that no byte on the wire can make the
// master wait for more or read beyond. A reading is tried once more after an
// exchange that failed; a write never is. Nothing is ever broadcast.
package modbus
