// Package app is headquarters' end of the sync: an embedded broker, the store
// in it or in a cluster, the ingest of records, the accounts log and the
// decisions on it.
//
// It acknowledges a record only after the store has synced it to disk, and the
// cursor it acknowledges is what the store itself holds as last record of that
// gate, epoch and stream: no crash can come between the two, and an append
// names the record it expects before it, so that nothing is stored twice. A
// change of an account is durable before it is published. A gate that is far behind,
// or of an earlier log, is offered a snapshot, which any gate can use. Personal fields are
// sealed in the store; neither logs nor errors name a person or an account.
//
// In a cluster the store is all that processes of one headquarters share: each
// serves the gates at its own broker, follows what the others write, and
// vouches for the accounts log only as of when the store last answered.
package app
