package app

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"bordergate/sync/wire"
)

// staff enrols an organisation's own account and those it answers for.
func staff(t *testing.T, h *hqRig, organisation string, ids ...string) {
	t.Helper()
	list := []accountLine{{ID: organisation, Level: 2, Kind: wire.KindOrganisation}}
	for _, id := range ids {
		list = append(list, accountLine{ID: id, Level: 2, Kind: wire.KindCitizen, Organisation: organisation})
	}
	if _, err := ask[struct{}](t, h, "POST", "/accounts", list); err != nil {
		t.Fatal(err)
	}
}

func decideOn(t *testing.T, h *hqRig, organisation string, o Order) string {
	t.Helper()
	o.Organisation = organisation
	return decide(t, h, "", o)
}

var restoration = Order{Action: wire.ActionRestore, By: "N. N.", Role: wire.DeciderDeputy, Authorisation: "A-7", Ground: wire.GroundCleared}

func TestOrganisationIsSuspendedWithAllItAnswersFor(t *testing.T) {
	h := newHQ(t)
	h.start()
	staff(t, h, "ORG", "m1", "m2")
	enrol(t, h, "a1")
	g, away := newGate(t, h, "lane-1"), newGate(t, h, "lane-2")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	for len(g.changed) > 0 {
		<-g.changed
	}
	id := decideOn(t, h, "ORG", suspension)
	until(t, "the change", g.changed, "") // any account may have changed
	for _, account := range []string{"ORG", "m1", "m2"} {
		if got := statusOf(t, g, account); got != wire.StatusSuspended {
			t.Errorf("%s is %s", account, got)
		}
	}
	// Enrolled after, and after headquarters was away.
	h.stop()
	h.start()
	staff(t, h, "ORG", "m1", "m2", "late")
	away.start(h) // it was away when it was decided
	r := waitApplied(t, h, id)
	if len(r.Gates) != 2 || r.On != scopeOrganisation || !slices.Equal(r.NoticeMissing, []string{toOrganisation}) {
		t.Errorf("report: %+v", r)
	}
	second := decide(t, h, "m2", suspension)
	waitApplied(t, h, second)
	for _, g := range []*gateRig{g, away} {
		if got := statusOf(t, g, "late"); got != wire.StatusSuspended {
			t.Errorf("enrolled later: %s", got)
		}
		if got := statusOf(t, g, "a1"); got != wire.StatusActive {
			t.Errorf("of nobody: %s", got)
		}
	}
	waitApplied(t, h, decideOn(t, h, "ORG", restoration))
	for account, want := range map[string]wire.Status{"ORG": wire.StatusActive, "m1": wire.StatusActive, "late": wire.StatusActive, "m2": wire.StatusSuspended} {
		for _, g := range []*gateRig{g, away} {
			if got := statusOf(t, g, account); got != want {
				t.Errorf("after the restoration %s is %s, want %s", account, got, want)
			}
		}
	}
}

func TestOrdersOnAnOrganisationThatAreRefused(t *testing.T) {
	h := newHQ(t)
	h.start()
	staff(t, h, "ORG", "m1")
	staff(t, h, "GONE")
	cancel := suspension
	cancel.Action = wire.ActionCancel
	decideOn(t, h, "GONE", cancel)
	for name, tc := range map[string]struct {
		change func(*Order)
		is     string
	}{
		"unknown":           {func(o *Order) { o.Organisation = "NONE" }, "unknown"},
		"account as well":   {func(o *Order) { o.Account = "m1" }, "not both"},
		"neither":           {func(o *Order) { o.Organisation = "" }, "an account or an organisation"},
		"not suspended":     {func(o *Order) { *o = restoration; o.Organisation = "ORG" }, "not suspended"},
		"cancelled":         {func(o *Order) { o.Organisation = "GONE" }, "for good"},
		"nobody":            {func(o *Order) { o.By = "" }, "nobody"},
		"deputy, no paper":  {func(o *Order) { o.Role = wire.DeciderDeputy }, "authorisation"},
		"owner, no number":  {func(o *Order) { o.Ground = wire.GroundOwner }, "request"},
		"ground of another": {func(o *Order) { o.Ground = wire.GroundCleared }, "ground"},
	} {
		o := suspension
		o.Organisation = "ORG"
		tc.change(&o)
		_, err := ask[Decided](t, h, "POST", "/decide", o)
		if !errors.Is(err, ErrRefused) || !bytes.Contains([]byte(err.Error()), []byte(tc.is)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	decideOn(t, h, "ORG", suspension)
	move := []accountLine{{ID: "m1", Level: 2, Kind: wire.KindCitizen}}
	if _, err := ask[struct{}](t, h, "POST", "/accounts", move); !errors.Is(err, ErrRefused) {
		t.Errorf("an enrolment takes an account out of a suspended organisation: %v", err)
	}
	decideOn(t, h, "ORG", restoration)
	if _, err := ask[struct{}](t, h, "POST", "/accounts", move); err != nil {
		t.Errorf("after the restoration: %v", err)
	}
}

func TestNoticesAreDueTwoHoursAfterTheEffect(t *testing.T) {
	h := newHQ(t)
	h.start()
	staff(t, h, "ORG", "m1")
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	id := decide(t, h, "m1", suspension)
	r := waitApplied(t, h, id)
	if r.NoticeDue.Sub(r.Effective) != noticeWithin || !slices.Equal(r.NoticeMissing, []string{toPerson, toOrganisation}) || r.NoticeOverdue {
		t.Fatalf("report: %+v", r)
	}
	due, err := ask[NoticesDue](t, h, "GET", "/notices", nil)
	if err != nil || due.Missing != 1 || due.Overdue != 0 || due.List[0].Decision != id {
		t.Fatalf("due: %+v, %v", due, err)
	}
	// The deadline itself, by a clock of the test.
	d, err := h.app.ledger.Decision(id)
	if err != nil {
		t.Fatal(err)
	}
	at := func(now time.Time) AppliedReport { return h.app.events.report(d, nil, h.app.openTo, now) }
	if r := at(r.NoticeDue); r.NoticeOverdue {
		t.Error("overdue at the last moment")
	}
	if r := at(r.NoticeDue.Add(1)); !r.NoticeOverdue {
		t.Error("not overdue after the last moment")
	}
	if late := at(r.NoticeDue.Add(1)); !late.Effective.Equal(r.Effective) {
		t.Error("the moment of effect went away with the gate")
	}
	sent := func(as, to string) AppliedReport {
		t.Helper()
		r, err := ask[AppliedReport](t, h, "POST", "/notice", noticeRequest{Decision: id, To: to, As: as})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := sent("", "the holder"); !slices.Equal(r.NoticeMissing, []string{toOrganisation}) || r.Notices[0].To != "the holder" {
		t.Errorf("after one notice: %+v", r)
	}
	h.stop()
	h.start()
	if r := sent(toOrganisation, "the enterprise"); len(r.NoticeMissing) != 0 || len(r.Notices) != 2 {
		t.Errorf("after both: %+v", r)
	}
	if r := at(r.NoticeDue.Add(time.Hour)); r.NoticeOverdue {
		t.Error("overdue although both were sent")
	}
	for name, n := range map[string]noticeRequest{
		"nobody": {Decision: id}, "as whom": {Decision: id, To: "x", As: "friend"}, "decision": {Decision: "none", To: "x"},
	} {
		if _, err := ask[AppliedReport](t, h, "POST", "/notice", n); !errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A restoration has a deadline of its own, a cancellation none.
	if r := waitApplied(t, h, decide(t, h, "m1", restoration)); r.NoticeDue.IsZero() || len(r.NoticeMissing) != 2 {
		t.Errorf("restoration: %+v", r)
	}
	cancel := suspension
	cancel.Action = wire.ActionCancel
	if r := waitApplied(t, h, decide(t, h, "m1", cancel)); !r.NoticeDue.IsZero() || len(r.NoticeMissing) != 0 {
		t.Errorf("cancellation: %+v", r)
	}
}

func TestWatchListReachesTheGateAsHashes(t *testing.T) {
	h := newHQ(t)
	h.start()
	enrol(t, h, "a1")
	g := newGate(t, h, "lane-1")
	g.start(h)
	until(t, "the end of catching up", g.catching, false)
	for len(g.changed) > 0 {
		<-g.changed
	}
	put := func(list ...WatchEntry) (int, error) {
		r, err := ask[struct{ Written int }](t, h, "POST", "/watch", list)
		return r.Written, err
	}
	list := []WatchEntry{{Account: "WATCHEDACCOUNT", By: "N. N."}, {Name: "NGUYEN<<VAN<A", Birth: "1980-02-01", By: "N. N."}}
	if n, err := put(list...); n != 2 || err != nil {
		t.Fatalf("%d written, %v", n, err)
	}
	if n, err := put(list...); n != 0 || err != nil {
		t.Errorf("a second time: %d written, %v", n, err)
	}
	until(t, "the change", g.changed, "")
	person := wire.WatchPerson("NGUYEN<<VAN<A", time.Date(1980, 2, 1, 0, 0, 0, 0, time.UTC))
	for w, want := range map[wire.Watched]bool{wire.WatchAccount("WATCHEDACCOUNT"): true, person: true, wire.WatchAccount("a1"): false} {
		if got, err := g.accounts.Watched(w); got != want || err != nil {
			t.Errorf("watched: %v, %v; want %v", got, err, want)
		}
	}
	h.stop()
	h.start()
	if n, err := put(WatchEntry{Account: "WATCHEDACCOUNT", By: "N. N.", Off: true}); n != 1 || err != nil {
		t.Fatalf("%d written, %v", n, err)
	}
	s, err := ask[Status](t, h, "GET", "/status", nil)
	if err != nil || s.Watched != 1 {
		t.Errorf("%d entries, %v", s.Watched, err)
	}
	g.stop()
	walkFiles(t, g.dir, func(path string, b []byte) {
		if bytes.Contains(b, []byte("NGUYEN")) || bytes.Contains(b, []byte("WATCHEDACCOUNT")) {
			t.Errorf("%s holds an entry in clear", path)
		}
	})
	h.stop()
	walkFiles(t, h.dir, func(path string, b []byte) {
		if bytes.Contains(b, []byte("NGUYEN")) || bytes.Contains(b, []byte("WATCHEDACCOUNT")) {
			t.Errorf("%s holds an entry in clear", path)
		}
	})
}

func TestEntriesThatCannotBeWatched(t *testing.T) {
	for name, e := range map[string]WatchEntry{
		"nobody orders it": {Account: "a1"},
		"nothing":          {By: "N. N."},
		"two things":       {By: "N. N.", Account: "a1", Pass: "P1"},
		"bad pass":         {By: "N. N.", Pass: "p-1"},
		"name alone":       {By: "N. N.", Name: "NGUYEN<<VAN<A"},
		"birth alone":      {By: "N. N.", Birth: "1980-02-01"},
		"name in clear":    {By: "N. N.", Name: "Nguyễn Văn A", Birth: "1980-02-01"},
		"no such day":      {By: "N. N.", Name: "NGUYEN<<VAN<A", Birth: "1980-02-31"},
		"fillers":          {By: "N. N.", Name: "<<<", Birth: "1980-02-01"},
		"long account":     {By: "N. N.", Account: string(bytes.Repeat([]byte{'A'}, wire.MaxAccountID+1))},
	} {
		if _, err := e.watched(); !errors.Is(err, wire.ErrWatched) && !errors.Is(err, wire.ErrDecision) && !errors.Is(err, wire.ErrChange) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongClockOfAGateMovesNoDeadline(t *testing.T) {
	for _, c := range []struct{ told, made, heard, want int64 }{
		{150, 100, 200, 150},
		{50, 100, 200, 100},
		{900, 100, 200, 200},
		{900, 100, 90, 100}, // headquarters' own clock was set back
	} {
		if got := effective(c.told, c.made, c.heard); got != c.want {
			t.Errorf("told %d, made %d, heard %d: %d, want %d", c.told, c.made, c.heard, got, c.want)
		}
	}
}
