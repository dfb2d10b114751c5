// Package wire is every message that crosses MQTT between a gate and
// headquarters: topics, types, encoding, signing and sealing.
//
// Whatever it accepts was bounded, of a known type and, where it changes
// state, signed by a key of the right role, addressed to the reader, bound to
// its topic and not expired. It does no I/O and keeps no state; sequences and
// monotone versions are checked by those who store them. Unknown fields of a
// known message survive.
package wire
