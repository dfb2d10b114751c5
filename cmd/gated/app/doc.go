// Package app is the gate daemon without its command line: it makes the rooms,
// converts between their types and runs them.
//
// New opens what must be there; a part that is missing or damaged becomes a
// Fault, and the gate then stays closed and keeps serving its status, so that
// a technician sees why. Serve runs every long-lived part and waits for all of
// them. Parts are torn down last in, first out: the lane first, so that no
// grant is pending, the journal last.
//
// Nothing here logs or serves personal data; what it shows of a traveller are
// outcome, reasons and times.
package app
