// Package fleet plays many gates in one process for a real headquarters.
//
// A gate of the fleet has keys of its own, made, registered and certified as a
// gate's are, a connection of its own through the gate's own link, and signs,
// seals and checks everything as a gate does. What it lacks is a lane: no
// devices, no travellers. Its accounts and its journal are in memory, and keep
// the link's promises as long as the process lives: chained, in order, applied
// once, acknowledged by hash. With OnDisk the accounts are gated's own replica.
// Every birth, state and record of it is marked as simulated, and it joins only
// a headquarters that says the same of itself.
package fleet
