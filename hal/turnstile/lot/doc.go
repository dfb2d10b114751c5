// Package lot drives a LOT turnstile by its own Modbus registers.
//
// What every driver keeps is said in turnstile. Here a grant writes 1 to the
// register of its direction and reads it back; the gate takes one off when
// somebody has passed, or all when nobody came, and its counters say which of
// the two it was. A withdrawal and the inert state are 0 in that register.
//
// A gate that accumulates passages is refused, because two grants could then
// become two passages; the setting is only looked at. Neither the mode nor any
// other setting is ever written: antipanic begins and ends without us, and
// while it stands nothing at all is written. A permission that would end while
// the gate sees somebody is left alone.
package lot
