// Package app is the gate daemon without its command line: it makes the rooms,
// converts between their types and runs them.
//
// New opens what must be there. A device that is missing leaves a lane that
// serves as the table of degraded service says; an identity, a journal or
// settings that cannot be used become a Fault, and the gate then stays closed
// and keeps serving its status, so that a technician sees why. Serve runs every
// long-lived part and starts one that ends or panics again, with a growing wait;
// one that keeps failing is named and tried slowly. Only the lane itself and what
// it cannot do without end the process. Parts are torn down last in, first out,
// the lane first, so that no grant is pending, the journal last, each step
// bounded and all of them within five seconds.
//
// Nothing here logs or serves personal data; what it shows of a traveller are
// outcome, reasons and times.
package app
