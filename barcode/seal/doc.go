// Package seal parses, verifies and makes Visible Digital Seals (ICAO Doc
// 9303-13), the signed payload of a border pass, and the same as text in an
// ICAO Datastructure for Barcode (IDB).
//
// Parse is strict: whatever it accepts is complete, has each tag once, ends
// with its signature and encodes back to the same bytes. It allocates no more
// than a small multiple of its input, of a zipped IDB no more than of
// MaxInflated, and never panics. Unknown tags are kept, since they must not
// invalidate a seal.
//
// Trust.Verify fails closed: the only positive answer is the code VALID, and
// every other one names the first thing that was not in order; unknown,
// untrusted, revoked and expired signers are told apart (docs/trust.md). A
// Trust does not change after it was loaded and may be used by several
// goroutines. Chains are walked when it is loaded, and a certificate that a
// barcode brings along when it is shown; nothing is ever fetched.
//
// A seal does not protect against copying, and an ECDSA signature can be
// changed into another valid one without the key: neither the raw bytes nor
// their hash identify a document, only a number in its signed part does.
//
// Errors carry no content of a seal.
package seal
