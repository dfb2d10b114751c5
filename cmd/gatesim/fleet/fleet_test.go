package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"bordergate/cmd/gatesim/station"
	"bordergate/sync/link/mosquittotest"
	"bordergate/sync/wire"
)

// play runs a small fleet against a real hqd of the folder bin, behind
// mosquitto.
func play(t *testing.T, bin string, o Options) *Report {
	t.Helper()
	dir := t.TempDir()
	hq, err := station.NewSecureHeadquarters(t.Context(), filepath.Join(dir, "hq"), bin, func(files string) (string, error) {
		return mosquittotest.New(t, files).URL(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := hq.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hq.Stop)
	o.Dir, o.Prefix, o.Say = dir, "fleet", t.Logf
	f, err := New(t.Context(), hq, o)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Run(t.Context())
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFleetFollowsAndLosesNothing with accounts in memory, and with the gates'
// own replica.
func TestFleetFollowsAndLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "hqd"), "bordergate/cmd/hqd").CombinedOutput(); err != nil {
		t.Fatalf("build hqd: %v\n%s", err, out)
	}
	for name, o := range map[string]Options{
		"in memory": {Gates: 6, Suspensions: 4, Pace: 50 * time.Millisecond, Hold: 300 * time.Millisecond},
		"on disk":   {Gates: 2, Suspensions: 3, Pace: 50 * time.Millisecond, OnDisk: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := play(t, bin, o)
			if !r.OK || r.Listed != o.Gates || r.EffectMS.N != o.Gates*o.Suspensions || r.Stored != r.Written || r.SlowestMS.P50 <= 0 || r.Written < o.Gates && !o.OnDisk {
				b, _ := json.MarshalIndent(r, "", " ")
				t.Errorf("%s", b)
			}
		})
	}
}

// change is a status in the log.
func change(account string, ver uint64, s wire.Status) wire.Change {
	return wire.Change{Op: wire.OpStatus, Account: account, Ver: ver, Status: s}
}

func TestRegisterKeepsTheLinksPromises(t *testing.T) {
	r, zero, one, two := newRegister(), wire.Hash{}, wire.Hash{1}, wire.Hash{2}
	apply := func(first uint64, prev, hash wire.Hash, c ...wire.Change) error {
		return r.Apply(7, first, prev, hash, c)
	}
	if err := apply(1, zero, one, change("a", 1, wire.StatusActive), wire.Change{}); err != nil {
		t.Fatal(err)
	}
	if _, seq := r.Cursor(); seq != 2 {
		t.Fatalf("cursor is %d: a change that was refused takes its place", seq)
	}
	for name, err := range map[string]error{
		"hole":             apply(4, one, two),
		"again":            apply(1, zero, one),
		"another history":  apply(3, two, one),
		"another epoch":    r.Apply(8, 3, one, two, nil),
		"head of another":  r.Head(wire.Head{Epoch: 8, Seq: 2, Hash: one}),
		"head that forked": r.Head(wire.Head{Epoch: 7, Seq: 2, Hash: two}),
	} {
		if !errors.Is(err, errContradiction) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.Overlay(change("a", 2, wire.StatusSuspended))
	if got := r.status("a"); got != wire.StatusSuspended {
		t.Errorf("before its place: %s", got)
	}
	if got, _ := r.Committed("a"); got != wire.StatusActive {
		t.Errorf("committed before its place: %s", got)
	}
	if err := apply(3, one, two, change("a", 2, wire.StatusSuspended), change("a", 3, wire.StatusActive)); err != nil {
		t.Fatal(err)
	}
	r.Overlay(change("b", 1, wire.StatusSuspended))
	if r.status("a") != wire.StatusActive || r.status("b") != wire.StatusSuspended {
		t.Errorf("after: a %s, b %s", r.status("a"), r.status("b"))
	}
}

func TestBookLetsGoOnlyWhatIsAcknowledgedByHash(t *testing.T) {
	b := book{gate: "lane-1", epoch: 3}
	for range 3 {
		if err := b.add(wire.Record{Kind: recordKind, Simulated: true}, func(*wire.Record) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	raws, err := b.Read(wire.StreamCrossing, 1, 10)
	if err != nil || len(raws) != 3 {
		t.Fatalf("%d records, %v", len(raws), err)
	}
	var prev wire.Hash
	for i, raw := range raws {
		rec, err := wire.DecodeRecord(raw.Bytes)
		if err != nil || rec.Seq != uint64(i+1) || rec.Prev != prev || !rec.Simulated {
			t.Fatalf("record %d: %+v, %v", i, rec, err)
		}
		prev = wire.HashOf(raw.Bytes)
	}
	for _, a := range []wire.Ack{{Cum: 2, Hash: wire.Hash{9}}, {Cum: 4, Hash: prev}} {
		if err := b.Acknowledge(a); !errors.Is(err, errContradiction) {
			t.Errorf("acknowledgement of %d: %v", a.Cum, err)
		}
	}
	if err := b.Acknowledge(wire.Ack{Cum: 2, Hash: wire.HashOf(raws[1].Bytes)}); err != nil {
		t.Fatal(err)
	}
	left, err := b.Read(wire.StreamCrossing, 3, 10)
	if err != nil || len(left) != 1 || left[0].Seq != 3 || !slices.Equal(left[0].Bytes, raws[2].Bytes) {
		t.Fatalf("left: %d, %v", len(left), err)
	}
	if err := b.Acknowledge(wire.Ack{Cum: 1, Hash: wire.Hash{9}}); err != nil {
		t.Errorf("an old acknowledgement: %v", err)
	}
}

// TestWaitForGatesEnds: a fleet that does not come through says so.
func TestWaitForGatesEnds(t *testing.T) {
	f := &Fleet{gates: []*gate{{name: "fleet-1"}}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.until(ctx, "gates", func() int { return 0 }); !errors.Is(err, ErrNotReady) {
		t.Error(err)
	}
}
