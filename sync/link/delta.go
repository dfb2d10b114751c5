package link

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"bordergate/sync/wire"
)

// onDelta handles the log's messages. Their expiry is judged for urgent ones
// only: a delta has one place in the log, and there it is right however late.
func (d *Downlink) onDelta(m Message, typ string) {
	if m.Retained {
		d.counters.add(causeRetained)
		return
	}
	clock := d.opts.Now
	if typ == wire.TypeDelta {
		clock = nil
	}
	delta, err := verify[wire.Delta](d.opts.Ring, m, d.opts.Gate, typ, wire.RoleDelta, clock)
	if err != nil {
		d.refuse(err)
		return
	}
	key, ok := d.keys[delta.Key]
	if !ok {
		d.counters.add(causeNoKey)
		d.keyless, d.wantMore = true, true
		return
	}
	entries, err := delta.Open(key)
	if err != nil {
		d.refuse(err)
		return
	}
	epoch, cursor := d.opts.Accounts.Cursor()
	if cursor != 0 && epoch != delta.Epoch {
		d.counters.add(causeEpoch)
		return
	}
	d.bite(delta.Epoch, entries, cursor)
	switch {
	case typ == wire.TypeDelta:
		d.commit(delta, entries, cursor)
	case m.Topic == wire.Down(d.opts.Gate, wire.TypeUrgent) && len(d.missed) < maxEffects:
		d.missed[delta.First] = struct{}{}
		d.moved(time.Now())
	}
}

// bite makes every valid restriction effective in memory, whatever its place:
// to refuse too early is safe.
func (d *Downlink) bite(epoch uint64, entries []wire.Entry, cursor uint64) {
	for _, e := range entries {
		c := e.Change
		if e.Seq <= cursor || !c.Restricts() || c.Check() != nil {
			continue
		}
		d.opts.Accounts.Overlay(c)
		d.effect(epoch, e.Seq, c)
		d.opts.OnChange(c.Account)
	}
}

// effect is when a decision took effect that is not committed yet.
type effect struct {
	epoch, seq uint64 // its place in the log
	at         wire.AppliedDecision
}

// effect notes when a decision took effect; the first time counts.
func (d *Downlink) effect(epoch, seq uint64, c wire.Change) {
	if c.Decision == nil {
		return
	}
	if _, known := d.effects[c.Decision.ID]; known || len(d.effects) >= maxEffects {
		return
	}
	d.effects[c.Decision.ID] = effect{epoch, seq, appliedNow(c.Decision.ID)}
}

func appliedNow(id string) wire.AppliedDecision {
	return wire.AppliedDecision{ID: id, At: time.Now().UnixNano(), Mono: mono()}
}

// mono is CLOCK_MONOTONIC, the clock of every event at a gate.
func mono() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}

// commit brings the part of the delta after the cursor into the replica and
// reports it.
func (d *Downlink) commit(delta wire.Delta, entries []wire.Entry, cursor uint64) {
	last := entries[len(entries)-1]
	switch {
	case last.Seq <= cursor:
		d.counters.add(causeDuplicate)
		return
	case delta.First > cursor+1:
		d.counters.add(causeGap)
		d.ask()
		return
	}
	prev := delta.Prev
	for entries[0].Seq <= cursor {
		prev, entries = entries[0].Hash, entries[1:]
	}
	out := wire.Applied{Epoch: delta.Epoch, Cursor: last.Seq}
	changes, pending := make([]wire.Change, len(entries)), make(map[string]wire.Status)
	for i, e := range entries {
		err := e.Change.Check()
		if err == nil {
			err = d.lawful(e.Change, pending)
		}
		if err != nil {
			d.counters.add(causeRefused)
			out.Refused = append(out.Refused, refused(e, err))
			continue
		}
		changes[i] = e.Change
	}
	if err := d.opts.Accounts.Apply(delta.Epoch, entries[0].Seq, prev, last.Hash, changes); err != nil {
		d.counters.add(causeStore)
		d.opts.Logger.Error("Changes refused by the replica", "error", err)
		d.wantMore = true
		d.startOver()
		return
	}
	out.Decisions = d.settle(changes)
	d.remember(out)
	d.opts.Say(wire.TypeApplied, out)
	d.moved(time.Now())
	d.compare(last.Seq)
}

// statuses is implemented by a replica that can tell the status of an account
// or organisation as committed, without the overlay, which may be ahead of the
// log's place.
type statuses interface {
	Committed(account string) (wire.Status, bool)
	CommittedOrganisation(id string) (wire.Status, bool)
}

// subject names what a change of status is on, empty where it is of none. No
// account has the name of an organisation so.
func subject(c wire.Change) string {
	if c.OfOrganisation() {
		return "organisation\x00" + c.Organisation
	}
	return c.Account
}

// lawful refuses a put that would give back what a decision has taken: only a
// decision may restore, and nothing restores what is cancelled. Pending holds
// the statuses after the changes before c in the same delta, and then after c.
func (d *Downlink) lawful(c wire.Change, pending map[string]wire.Status) error {
	on := subject(c)
	if on == "" {
		return nil
	}
	now, known := pending[on]
	if !known {
		now, known = d.committed(c)
	}
	switch {
	case !known || c.Restricts():
	case now == wire.StatusCancelled:
		return fmt.Errorf("%w: what is cancelled stays cancelled", wire.ErrDecision)
	case now == wire.StatusSuspended && c.Decision == nil:
		return fmt.Errorf("%w: a put does not restore", wire.ErrDecision)
	}
	if now != wire.StatusCancelled {
		now = c.Status
	}
	pending[on] = now
	return nil
}

// committed is the status of what a change is on.
func (d *Downlink) committed(c wire.Change) (wire.Status, bool) {
	s, ok := d.opts.Accounts.(statuses)
	switch {
	case !ok:
		return "", false
	case c.OfOrganisation():
		return s.CommittedOrganisation(c.Organisation)
	default:
		return s.Committed(c.Account)
	}
}

// settle announces what was committed and gives the moments of effect.
func (d *Downlink) settle(changes []wire.Change) []wire.AppliedDecision {
	var out []wire.AppliedDecision
	for _, c := range changes {
		if c.Op == "" {
			continue
		}
		if !c.Restricts() {
			d.opts.OnChange(c.Account)
		}
		if c.Decision == nil {
			continue
		}
		e, early := d.effects[c.Decision.ID]
		if !early {
			e.at = appliedNow(c.Decision.ID)
		}
		delete(d.effects, c.Decision.ID)
		out = append(out, e.at)
	}
	return out
}

func refused(e wire.Entry, err error) wire.RefusedDecision {
	r := wire.RefusedDecision{Seq: e.Seq, Why: fmt.Sprintf("%.200v", err)}
	if e.Change.Decision != nil && len(e.Change.Decision.ID) <= 64 {
		r.ID = e.Change.Decision.ID
	}
	return r
}
