// Package soak kills a gate and headquarters at random while records go one way
// and decisions the other over a bad line, and then holds both ends against
// what was promised.
//
// Headquarters is the real hqd, with its own broker, killed as one, or with
// mosquitto, killed by itself; the gate is package bare as a process of its own.
// All die by SIGKILL. What counts as
// promised: a record from the moment the gate has said that it is durable, an
// order from the moment headquarters has answered it. An order whose answer a
// kill took away is given again until it is answered, as a person would.
//
// The plan follows from the seed alone; what a kill hits does not, since
// processes run at their own speed.
package soak
