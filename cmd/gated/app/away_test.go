package app

import (
	"encoding/json"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// TestDaysWithoutHeadquarters plays an outage with somebody at the gate every
// twenty minutes: admitted on the cache for 72 hours and not a moment longer,
// with a restart of the daemon in the middle and a clock that nobody sets any
// more; then headquarters is back, the gate first takes what it missed, serves
// again, and every record is at headquarters once. A short outage at the end
// has no old cache to help: somebody suspended meanwhile is at the gate in the
// moment of its return.
//
// Real are the daemon's own parts as it wires and runs them (journal, vault,
// accounts, register, seals, comparison, lane, link, retention), the files they
// keep, TLS, and the whole of headquarters with its broker and store. Played are
// the cameras and the turnstile. Time is simulated: while headquarters is away
// all of the gate runs in a bubble of synctest, with each of the link's tries
// refused by a real socket. Sockets that hold cannot be in a bubble, so the
// daemon is restarted on the same files when headquarters goes and when it
// comes back, and around these moments the clocks of both stand still. A link
// that stays open over days is not played here.
func TestDaysWithoutHeadquarters(t *testing.T) {
	const (
		every  = 20 * time.Minute
		limit  = 72 * time.Hour
		beyond = 2 * time.Hour
	)
	o := newOutage(t, 12)
	if o.cfg.Policy.CacheMaxAge != limit {
		t.Fatalf("the default age limit is %v", o.cfg.Policy.CacheMaxAge)
	}
	still := func() time.Time { return o.now }
	frozen := func() int64 { return o.mono }
	always := func() bool { return true }

	o.startHQ()
	o.enrol()
	s := o.run(still, frozen, always)
	s.waitCaughtUp()
	seen := tally{}
	seen.add(t, "with headquarters", s.cross(o.holders[0]), reason.Admitted)
	s.end()
	o.stopHQ()

	synctest.Test(t, func(t *testing.T) {
		o.t = t
		start, began, mono := time.Now(), o.now, o.mono
		now := func() time.Time { return began.Add(time.Since(start)) }
		monotonic := func() int64 { return mono + time.Since(start).Nanoseconds() }
		s := o.run(now, monotonic, func() bool { return time.Since(start) < time.Hour })
		for n := 1; time.Since(start) < limit+beyond; n++ {
			<-time.After(time.Until(start.Add(time.Duration(n) * every)))
			v := s.cross(o.holders[n%len(o.holders)])
			if away := time.Since(start); away <= limit {
				seen.add(t, away.String(), v, reason.Admitted)
			} else {
				seen.add(t, away.String(), v, reason.Referred, reason.CacheStale)
			}
			if time.Duration(n)*every == limit/2 {
				s.end()
				s = o.run(now, monotonic, func() bool { return false })
			}
		}
		if st := s.hq.gate.Status(); st.Connected || st.Error == "" {
			t.Errorf("link without headquarters: %+v", st)
		}
		s.end()
		o.now, o.mono = now(), monotonic()
	})
	o.t = t
	if seen[reason.Admitted] < 200 || seen[reason.Referred] < 5 {
		t.Fatalf("outcomes: %v", seen)
	}

	// What headquarters decided meanwhile, the gate takes before it serves.
	o.startHQ()
	o.suspend(o.holders[1])
	s = o.run(still, frozen, always)
	v := s.cross(o.holders[1])
	if v.Outcome == reason.Admitted {
		t.Errorf("on the return %v %v", v.Outcome, v.Reasons)
	}
	seen[v.Outcome]++
	s.waitCaughtUp()
	seen.add(t, "suspended meanwhile", s.cross(o.holders[1]), reason.Refused, reason.AccountSuspended)
	seen.add(t, "headquarters is back", s.cross(o.holders[2]), reason.Admitted)
	for _, stream := range []wire.Stream{wire.StreamCrossing, wire.StreamAlarm} {
		o.wantOnce(s, stream, seen)
	}
	s.end()

	// An outage too short for the cache to grow old: all that keeps him out is
	// that the gate catches up first.
	o.suspend(o.holders[3])
	s = o.run(still, frozen, always)
	for !next(t, "the connection to come back", s.caught) {
	}
	seen.add(t, "as the connection comes back", s.cross(o.holders[3]), reason.Refused, reason.AccountSuspended)
	o.wantOnce(s, wire.StreamCrossing, seen)
	s.end()
}

// waitCaughtUp returns when the gate has taken everything that headquarters
// has decided.
func (s *stand) waitCaughtUp() {
	s.t.Helper()
	for next(s.t, "the end of catching up", s.caught) {
	}
}

// tally counts the outcomes.
type tally map[reason.Outcome]int

func (c tally) sum() (n int) {
	for _, k := range c {
		n += k
	}
	return n
}

// add fails on another outcome, or on other reasons but the mark that nobody
// can check the sequence of movements.
func (c tally) add(t *testing.T, when string, v gate.View, want reason.Outcome, reasons ...reason.Reason) {
	t.Helper()
	c[v.Outcome]++
	var got []reason.Reason
	for _, r := range v.Reasons {
		if r != reason.MovementUnchecked {
			got = append(got, r)
		}
	}
	if v.Outcome != want || len(got) != len(reasons) || len(got) > 0 && got[0] != reasons[0] {
		t.Errorf("%s: %v %v, want %v %v", when, v.Outcome, v.Reasons, want, reasons)
	}
}

// wantOnce waits until headquarters has the end of everybody who was seen, and
// holds what it has against the gate's own records, one by one in order.
func (o *outage) wantOnce(s *stand, stream wire.Stream, seen tally) {
	o.t.Helper()
	var got, own []journal.Line
	var ends tally
	for until := time.Now().Add(patience); time.Now().Before(until); {
		got, own = o.held(stream), s.kept(stream)
		ends = endsOf(o.t, got)
		if len(got) == len(own) && (stream != wire.StreamCrossing || ends.sum() >= seen.sum()) {
			break
		}
	}
	if len(got) != len(own) {
		o.t.Fatalf("%v: headquarters has %d records, the gate %d", stream, len(got), len(own))
	}
	for i, l := range got {
		if l.Seq != own[i].Seq || l.Hash != own[i].Hash || l.Prev != own[i].Prev || !l.Simulated {
			o.t.Fatalf("%v: record %d at headquarters is not record %d of the gate", stream, l.Seq, own[i].Seq)
		}
	}
	if stream == wire.StreamCrossing && !maps.Equal(ends, seen) {
		o.t.Errorf("headquarters has the ends %v, seen were %v", ends, seen)
	}
}

// endsOf counts the outcomes on record.
func endsOf(t *testing.T, list []journal.Line) tally {
	t.Helper()
	ends := tally{}
	for _, l := range list {
		var p struct{ Outcome reason.Outcome }
		if l.Kind != gate.EntryOutcome {
			continue
		}
		if err := json.Unmarshal(l.Public, &p); err != nil {
			t.Fatal(err)
		}
		ends[p.Outcome]++
	}
	return ends
}
