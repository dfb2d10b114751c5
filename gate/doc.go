// Package gate is the domain: one traveller after another through one lane.
//
// What it guarantees:
//
//   - The turnstile is granted only by a Lane, only after the pure function
//     Decide said so over everything that is known, and only after the record
//     of that decision is durable. Deny overrides allow; an input that is
//     unknown, stale or missing is a denial with a reason.
//   - A face is compared with the cache's reference, and with the one in the pass
//     only where the cache of a known account has none that fits. What the pass
//     carries is opened then and not before, and forgotten with the transaction.
//   - The account is looked up again at the last moment before the grant; a
//     change that arrives before the grant withholds it, one that arrives
//     before the passage has started revokes it.
//   - A match is of one person: frames of two are never mixed, and it is worth
//     nothing any more when another face, or too long none, comes between it
//     and the grant. Another person in the place of the one who matched has the
//     grant taken back until the passage starts (see follow.go).
//   - A probe lives as long as its transaction and is zeroed with it.
//   - A pass may come from the document camera or from a scanner, whichever has
//     it first; either serves alone while the other is away.
//   - A pass is judged by its signed number: a revocation bites like a
//     suspension, a completed passage counts against the next one at once and
//     is told to the Register before the lane is ready again.
//   - One grant is in flight at most, it is never sent twice, it dies after
//     its time, and it is closed by a sensor, never by the command.
//   - Every state with a traveller has a time limit, and every input is defined in every state
//     (see table.go); a start or a crash leaves no grant pending.
//   - An emergency is left only by the hardware's own reset and an officer's
//     sign-off, which is on record first with who went through meanwhile; the
//     Lane has no command that ends it, and gives none while it lasts.
//   - A grant is withdrawn only while nothing is, or may be, between the leaves.
//   - The strictest order of a mode holds and each change is on record. In
//     supervised mode nobody is granted without an officer's word for him; while
//     biometrics are suspended nobody is granted but by an officer's override.
//   - A reversible lane is turned only while it is known to be empty.
//
// A Lane is one goroutine over one machine. It does no I/O of its own: what it
// needs are the small interfaces of ports.go, none of which may block it, and
// what happens reaches it as an Input. Times are CLOCK_MONOTONIC nanoseconds
// handed in with each input, so that a run can be replayed.
package gate
