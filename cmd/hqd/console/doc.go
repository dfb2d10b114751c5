// Package console is the officer's console of a station: a page with the lanes,
// the travellers whom they referred, and what an officer may do about it.
//
// Nobody sees anything without having signed in, and each role sees and does
// what its row of the table allows, which every route names. What shows a
// person is written to headquarters' append-only log before it is shown; where
// the log takes nothing, nothing is shown and nothing is done. An exception is
// answered once: of two officers one is told of the other.
//
// The console admits nobody. An officer's browser signs his act with a key that
// it cannot give away, over a nonce of the gate; the console checks that it is
// his, carries it and tells what the gate made of it.
//
// What it keeps in memory is bounded, and comes from the log and the records
// again when headquarters is started again, sessions included.
package console
