// Package play moves one traveller at a time through the simulated gate.
//
// A traveller acts by the clock and by what a person sees: the gate opens, or
// he is told that it will not. What the gate's contacts and cameras show of
// him follows from that. Everything that is measured is measured out here: at
// the frames truly sent, at the board's own contacts, and at the moment the
// gate says of itself that it is ready.
package play
