package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bordergate/gate"
	"bordergate/gate/reason"
	"bordergate/hal/vision"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// atTime is a clock that a test sets.
type atTime struct {
	now, floor time.Time
	trust      gate.ClockTrust
}

func (c *atTime) Wall() (time.Time, gate.ClockTrust, time.Time) { return c.now, c.trust, c.floor }

// archive is a journal with evidence and retention on real files.
type archive struct {
	*evidence
	*retention
	t     *testing.T
	dir   string
	at    *atTime
	asked int
}

func newArchive(t *testing.T, images string, budgets ...map[wire.Stream]int64) *archive {
	t.Helper()
	at := &atTime{now: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC), trust: gate.ClockSynced}
	dir, log := t.TempDir(), slog.New(slog.DiscardHandler)
	v, err := vault.Open(filepath.Join(dir, "keys"), [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	o := journal.Options{Path: filepath.Join(dir, "journal.db"), Gate: "lane-1", Vault: v}
	if len(budgets) > 0 {
		o.Budgets = budgets[0]
	}
	j, err := journal.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Verify(); err != nil {
			t.Error(err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	a := &archive{t: t, dir: dir, at: at}
	a.evidence = &evidence{images: func() string { return images }, journal: j, clock: at, log: log, ask: func() { a.asked++ }}
	rec := &recorder{journal: j, clock: at, log: log, notify: func() {}}
	a.retention = &retention{journal: j, vault: v, clock: at, log: log, note: rec.note, keep: map[vault.Class]time.Duration{vault.ClassImage: 30 * day}}
	return a
}

func (a *archive) records(s wire.Stream) []wire.Record {
	a.t.Helper()
	raws, err := a.retention.journal.Tail(s, 100)
	if err != nil {
		a.t.Fatal(err)
	}
	var out []wire.Record
	for _, raw := range raws {
		r, err := wire.DecodeRecord(raw.Bytes)
		if err != nil {
			a.t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

// settle waits until what was queued before is on the disk.
func (a *archive) settle() {
	a.t.Helper()
	if err := a.retention.journal.Advance("settled", a.retention.journal.Fact("settled")+1); err != nil {
		a.t.Fatal(err)
	}
}

// picture stands for a JPEG; nothing of it may be found in a file.
var picture = bytes.Repeat([]byte("\xff\xd8 a face of somebody \xff\xd9"), 500)

func refusal(at int64) gate.Entry {
	return gate.Entry{Tx: gate.TxID{7}, Kind: gate.EntryDecision, At: at, Public: gate.Public{
		Outcome: reason.Refused, Reasons: []reason.Reason{reason.FaceMismatch},
	}}
}

func TestPicturesAreKeptWhereTheRuleAsks(t *testing.T) {
	admission := gate.Entry{Kind: gate.EntryDecision, Public: gate.Public{Outcome: reason.Admitted}}
	alarm := gate.Entry{Kind: gate.EntryAlarm, Public: gate.Public{Reasons: []reason.Reason{reason.Tailgating}}}
	fire := gate.Entry{Kind: gate.EntryAlarm, Public: gate.Public{Reasons: []reason.Reason{reason.ModeEmergency}}}
	outcome := gate.Entry{Kind: gate.EntryOutcome, Public: gate.Public{Outcome: reason.Refused, Reasons: []reason.Reason{reason.FaceMismatch}}}
	taken := gate.Entry{Kind: gate.EntryOutcome, Public: gate.Public{Revoked: true, Reasons: []reason.Reason{reason.FaceMany}}}
	withheld := gate.Entry{Kind: gate.EntryOutcome, Public: gate.Public{Withheld: true, Reasons: []reason.Reason{reason.FaceMany}}}
	stamp := gate.Entry{Kind: gate.EntryDecision, Public: gate.Public{Reasons: []reason.Reason{reason.PassStampDue}}}
	for _, c := range []struct {
		images string
		e      gate.Entry
		want   int
	}{
		{imagesExceptions, refusal(0), 1},
		{imagesExceptions, alarm, 1},
		{imagesExceptions, taken, 1},
		{imagesExceptions, withheld, 1},
		{imagesExceptions, outcome, 0},
		{imagesExceptions, admission, 0},
		{imagesExceptions, stamp, 0},
		{imagesExceptions, fire, 0},
		{imagesAll, admission, 1},
		{imagesAll, stamp, 1},
		{imagesOff, refusal(0), 0},
		{"", refusal(0), 0},
	} {
		a := newArchive(t, c.images)
		a.wants(c.e)
		if a.asked != c.want {
			t.Errorf("%s: %s with %v asked %d times, want %d", c.images, c.e.Kind, c.e.Public.Reasons, a.asked, c.want)
		}
	}
	var none *evidence
	none.wants(refusal(0))
	none.image(vision.Image{})
}

func TestPictureIsSealedAndOfTheMoment(t *testing.T) {
	a := newArchive(t, imagesExceptions)
	const now = int64(time.Hour)
	for _, off := range []time.Duration{-600 * time.Millisecond, 1600 * time.Millisecond} {
		a.wants(refusal(now))
		a.image(vision.Image{FrameAt: now + int64(off), JPEG: picture}) // of somebody else, perhaps
	}
	a.image(vision.Image{FrameAt: now, JPEG: picture}) // nobody asked
	a.wants(refusal(now))
	a.image(vision.Image{FrameAt: now + int64(40*time.Millisecond), Width: 1280, Height: 720, JPEG: picture})
	a.settle()
	got := a.records(wire.StreamImage)
	if len(got) != 1 || got[0].Kind != KindStill || got[0].Tx != [16]byte(gate.TxID{7}) || got[0].Class != vault.ClassImage {
		t.Fatalf("on record: %+v", got)
	}
	plain, err := journal.Personal(&got[0], a.vault.Open)
	if err != nil || !bytes.Equal(plain, picture) {
		t.Errorf("opens to %d bytes, %v", len(plain), err)
	}
	if files := readAll(t, a.dir); bytes.Contains(files, []byte("a face of somebody")) {
		t.Error("the picture lies on the disk in clear")
	}
}

func TestPicturesHaveABudgetOfTheirOwn(t *testing.T) {
	a := newArchive(t, imagesAll, map[wire.Stream]int64{wire.StreamImage: 50 << 10})
	for range 5 {
		a.wants(refusal(1))
		a.image(vision.Image{FrameAt: 1, JPEG: picture})
		a.settle()
	}
	if n := len(a.records(wire.StreamImage)); n != 3 {
		t.Errorf("%d pictures are kept, want 3", n)
	}
	for range 2 * maxWishes {
		a.wants(refusal(1))
	}
	if len(a.wishes) != maxWishes {
		t.Errorf("%d records wait for a picture", len(a.wishes))
	}
}

func TestRetentionDeletesAndProves(t *testing.T) {
	a := newArchive(t, imagesAll)
	first := a.at.now
	shoot := func() {
		a.wants(refusal(1))
		a.image(vision.Image{FrameAt: 1, JPEG: picture})
		a.settle()
	}
	due := func(after time.Duration) {
		t.Helper()
		a.at.now = first.Add(after)
		if err := a.once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	shoot()
	a.at.now = first.Add(5 * day)
	shoot()
	due(30 * day)
	if n := len(a.records(wire.StreamAlarm)); n != 0 {
		t.Fatalf("%d deletions before their time", n)
	}
	due(31 * day)
	due(31 * day) // once more changes nothing
	got := a.records(wire.StreamImage)
	if _, err := journal.Personal(&got[0], a.vault.Open); !errors.Is(err, vault.ErrDestroyed) {
		t.Errorf("the picture opens after its time: %v", err)
	}
	if _, err := journal.Personal(&got[1], a.vault.Open); err != nil {
		t.Errorf("the other day's picture is gone too: %v", err)
	}
	proofs := a.records(wire.StreamAlarm)
	var p vault.Proof
	if len(proofs) != 1 || proofs[0].Kind != KindDestroyed || json.Unmarshal(proofs[0].Public, &p) != nil || p.Day != vault.Day(first) || p.Class != vault.ClassImage {
		t.Fatalf("proofs on record: %+v", proofs)
	}
	if report, err := a.retention.journal.Check(t.Context()); err != nil || !report.OK {
		t.Errorf("the chain does not verify: %+v %v", report, err)
	}
}

// TestProofSurvivesACrash stops between the destruction of a key and its
// record.
func TestProofSurvivesACrash(t *testing.T) {
	a := newArchive(t, imagesAll)
	a.wants(refusal(1))
	a.image(vision.Image{FrameAt: 1, JPEG: picture})
	a.settle()
	if _, err := a.vault.Destroy(vault.ClassImage, vault.Day(a.at.now)); err != nil {
		t.Fatal(err)
	}
	if err := a.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(a.records(wire.StreamAlarm)); n != 1 {
		t.Errorf("%d proofs on record, want 1", n)
	}
}

// TestAWrongClockDeletesNothing lets a clock that nobody vouches for run years
// ahead.
func TestAWrongClockDeletesNothing(t *testing.T) {
	a := newArchive(t, imagesAll)
	a.wants(refusal(1))
	a.image(vision.Image{FrameAt: 1, JPEG: picture})
	a.settle()
	a.at.floor = a.at.now
	a.at.now, a.at.trust = a.at.now.AddDate(3, 0, 0), gate.ClockPlausible
	if err := a.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	if days, err := a.vault.Days(vault.ClassImage); err != nil || len(days) != 1 {
		t.Errorf("keys left: %v, %v", days, err)
	}
}

// readAll gives every file below dir, one after the other.
func readAll(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
