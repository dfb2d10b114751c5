// Package scenario says who comes to the simulated gate, in which order, how
// they behave and what must come of it.
//
// A scenario is a data file; several are built in (see Names). Its steps may
// strike the gate's devices with faults, each named by a verb, over their own
// wires. From
// a scenario, a number of travellers and a seed follows one plan, always the
// same. Expectations are part of the data, so that a run is judged by what
// was written before it.
package scenario
