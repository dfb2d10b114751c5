// Package replica measures a gate's replica of the accounts with a real
// headquarters beside it.
//
// Two processes share the machine: hqd, with its own broker, store and TLS, and
// the gate's end of it, which is what gated uses of the accounts, the journal
// and the link, without cameras and a turnstile. The gate comes back far behind
// and gets a snapshot; meanwhile it decides on one traveller after another as
// the lane does, all look-ups, the decision and the durable record, and looks
// accounts up beside that. Two accounts are suspended on the way, one during the
// transfer and one during the installation. Every time is taken in the gate's
// process.
//
// Nothing is measured before both sides hold what they are to hold, and a
// measurement in which an answer was wrong is an error and no result.
package replica
