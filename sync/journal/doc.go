// Package journal is the gate's record of what happened: append-only, chained
// by hash, and durable before anybody acts on it.
//
// Append returns only after the record is on the disk (fsync), in a sequence
// without a hole per stream. One goroutine writes; it commits together
// whatever has gathered while it was busy. A record is visible to Read only
// once it is durable, so headquarters never learns of one that a power cut
// could still take back. When a write fails in a way that leaves the disk's
// state unknown, the journal refuses everything from then on with ErrFault; it
// never tries again on the same file handle. A full disk or budget refuses with
// ErrFull and loses nothing. Each stream has a budget of its own; telemetry
// thins out as its budget fills, and what was left out is on record as a gap.
//
// Personal parts are sealed under day keys of sync/vault and the chain runs
// over the ciphertext: destroying a key deletes the data and the chain still
// verifies. With the gate's key, every transaction also writes a signed mark of
// where all streams and facts stand: Open refuses a file that is not what its
// mark says, and Check finds whatever was changed, removed, exchanged or added
// by anybody without that key. Checkpoints put the same on record.
//
// Nothing is deleted but by Prune, and that only up to headquarters'
// acknowledgement. The outbox is a cursor over the same records.
//
// The file also holds the monotone facts that must survive: numbers that never
// fall. It is created whole or not at all; a damaged or missing file is an
// error, never silently a new one with the old one's name. A new file has a new
// random epoch, so that headquarters cannot mistake its records for others.
package journal
