// Package modbusio drives a gate's dry contacts through a Modbus RTU board.
//
// What every driver keeps is said in turnstile. Here a grant is one pulse of a
// relay, which the board times by itself where it can and which the driver ends
// where it cannot. Inert is every unlock relay and the stop relay written off
// and read back; a withdrawal is the unlock off and one pulse of stop.
package modbusio
