// Package accounts is the gate's own replica of headquarters' accounts: what
// the lane asks while a traveller stands there, without any network.
//
// A change is applied in headquarters' order, and the cursor and the chain's
// hash are in the same transaction as the data, so every change counts exactly
// once. A suspension or cancellation bites in memory before it is committed and
// an older version never undoes it; a restoration holds only once committed. A
// cancelled account stays cancelled. The same holds for the revocation of a
// pass by its number; a stamp counts once committed. So it does for the
// suspension of an organisation, which reaches every account it answers for,
// those enrolled later too, and for an entry of the watch-list, which is here
// as a keyed hash and nothing else. Headquarters' trust store
// takes effect whole or not at all, never goes back to an older version, and is
// there offline after a restart.
//
// Beside what headquarters says it keeps the gate's own last movement of each
// pass: known at once, durable after SaveMoves, and rebuilt by the caller from
// the journal where the file was lost.
//
// It fails closed: a new, damaged or diverged replica answers every Lookup with
// ErrResync until it has reached a signed head. A damaged file is moved aside
// and rebuilt from headquarters.
//
// A snapshot replaces replaying the log. Its pieces are kept, sealed, as they
// come; a second file is loaded from them in the order of its keys, read back
// whole, given what belongs to this gate alone, and renamed over the one in use.
// So a crash at any moment leaves the old file or the new one. There is no
// pointer file: the name is the pointer. The old file serves until the rename,
// by its own freshness. Values stay sealed one by one, 33 bytes more each than a
// bare record: they hold a face reference and names of organisations, and a
// shared key per page would save a seventh of the file and cost the look-up a
// page's decryption.
//
// The file tells a thief nothing: account ids and pass numbers are keyed hashes, everything else
// is sealed. Lookup is safe for concurrent use and takes microseconds; the
// methods that change something may be called from any goroutine and run one at
// a time.
package accounts
