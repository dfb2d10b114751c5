package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// note is a telemetry draft of about n bytes.
func note(i, n int) Draft {
	return Draft{Stream: wire.StreamTelemetry, Kind: "health", Public: fmt.Sprintf("%d %s", i, strings.Repeat("x", n)), Wall: int64(i+1) * 1e9}
}

func fillOf(j *Journal, s wire.Stream) Fill { return j.Fills()[s-1] }

// acknowledgeAll has headquarters hold all of a stream.
func acknowledgeAll(t *testing.T, j *Journal, s wire.Stream) {
	t.Helper()
	h, err := j.head(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Acknowledge(wire.Ack{Stream: s.String(), Epoch: j.Epoch(), Cum: h.next - 1, Hash: h.hash}); err != nil {
		t.Fatal(err)
	}
}

func TestEveryStreamHasABudgetOfItsOwn(t *testing.T) {
	for _, s := range []wire.Stream{wire.StreamCrossing, wire.StreamAlarm, wire.StreamImage} {
		t.Run(s.String(), func(t *testing.T) {
			o := testOptions(t)
			o.Budgets = map[wire.Stream]int64{s: 200 << 10}
			j := openJournal(t, o)
			d := Draft{Stream: s, Kind: "big", Personal: make([]byte, 20<<10), Class: vault.ClassImage}
			n := 0
			for ; n < 50; n++ {
				if _, err := j.Append(t.Context(), d); errors.Is(err, ErrFull) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if f := fillOf(j, s); n < 7 || n > 10 || f.Budget != 200<<10 || f.Percent() < 70 {
				t.Errorf("%d records of 20 KiB went into 200 KiB, fill %+v", n, f)
			}
			for _, other := range wire.Streams() {
				d := draft(1)
				if d.Stream = other; other == s {
					continue
				}
				if _, err := j.Append(t.Context(), d); err != nil {
					t.Errorf("%s suffers: %v", other, err)
				}
			}
			// Headquarters holds them; what is deleted makes room.
			acknowledgeAll(t, j, s)
			if err := j.Prune(t.Context(), s, 5); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Append(t.Context(), d); err != nil {
				t.Errorf("after making room: %v", err)
			}
		})
	}
}

func TestFillIsAboutWhatTheFileGrows(t *testing.T) {
	o := testOptions(t)
	j := openJournal(t, o)
	before, _ := j.Usage()
	for i := range 30 {
		for size := range 30 {
			d := draft(i)
			d.Personal = make([]byte, 1+size*size*100)
			if err := j.AppendAsync(d, func(_ Position, err error) {
				if err != nil {
					t.Error(err)
				}
			}); err != nil {
				t.Fatal(err)
			}
		}
		appendN(t, j, 1)
	}
	after, _ := j.Usage()
	f := fillOf(j, wire.StreamCrossing)
	if real := after - before; f.Used < real*8/10 || f.Used > real*12/10 {
		t.Errorf("fill says %d bytes, the file grew by %d", f.Used, real)
	}
	if again := fillOf(reopen(t, j, o), wire.StreamCrossing); again != f {
		t.Errorf("after opening anew %+v, before %+v", again, f)
	}
}

func TestADiskThatFillsUpTakesPicturesFirst(t *testing.T) {
	j := openJournal(t, testOptions(t))
	var left int64
	j.disk = func() (int64, error) { return left, nil }
	picture := Draft{Stream: wire.StreamImage, Kind: "still", Personal: make([]byte, 90<<10), Class: vault.ClassImage}
	for _, c := range []struct {
		left             int64
		picture, health  error
		crossingFillsTo0 bool
	}{
		{1 << 30, nil, nil, true},
		{200 << 20, ErrFull, nil, true},
		{100 << 20, ErrFull, ErrThinned, true},
		{1 << 20, ErrFull, ErrThinned, false},
	} {
		left = c.left
		if _, err := j.Append(t.Context(), picture); !errors.Is(err, c.picture) {
			t.Errorf("with %d left a picture gives %v, want %v", left, err, c.picture)
		}
		// What is free inside the file counts as room.
		for range 30 {
			if _, err := j.Append(t.Context(), note(1, 2000)); err != nil {
				if !errors.Is(err, c.health) || c.health == nil {
					t.Errorf("with %d left telemetry gives %v, want %v", left, err, c.health)
				}
				break
			}
		}
		if _, err := j.Append(t.Context(), draft(1)); err != nil {
			t.Errorf("with %d left a crossing gives %v", left, err)
		}
		if f := fillOf(j, wire.StreamCrossing); f.Budget-f.Used > 1<<20 != c.crossingFillsTo0 {
			t.Errorf("with %d left crossings have room for %d", left, f.Budget-f.Used)
		}
	}
}

// gaps adds up the telemetry records kept and those that gaps speak of.
func gaps(t *testing.T, j *Journal) (kept, dropped int) {
	t.Helper()
	err := j.Export(t.Context(), func(raw RawRecord) error {
		rec, err := wire.DecodeRecord(raw.Bytes)
		if err != nil {
			return err
		}
		if rec.Kind != KindGap {
			kept++
			return nil
		}
		var g Gap
		if err := json.Unmarshal(rec.Public, &g); err != nil || g.Dropped == 0 || g.To.Before(g.From) {
			t.Errorf("gap %+v, %v", g, err)
		}
		dropped += int(g.Dropped)
		return nil
	}, wire.StreamTelemetry)
	if err != nil {
		t.Fatal(err)
	}
	return kept, dropped
}

func TestTelemetryThinsOutWithARecordedGap(t *testing.T) {
	o := testOptions(t)
	o.Budgets = map[wire.Stream]int64{wire.StreamTelemetry: 128 << 10}
	j := openJournal(t, o)
	at := map[int]int{} // telemetry records kept while the fill was in a band
	const n = 600
	for i := range n {
		band := 0
		for _, b := range []int{FillWarn, FillAlarm, FillStop} {
			if fillOf(j, wire.StreamTelemetry).Percent() >= b {
				band = b
			}
		}
		_, err := j.Append(t.Context(), note(i, 500))
		if err != nil && !errors.Is(err, ErrThinned) {
			t.Fatal(err)
		}
		if err == nil {
			at[band]++
		}
	}
	_, dropped := gaps(t, j)
	if at[0] == 0 || at[FillWarn] == 0 || at[FillAlarm] == 0 || at[FillStop] != 0 || dropped == 0 {
		t.Errorf("kept by fill: %v, %d dropped", at, dropped)
	}
	if f := fillOf(j, wire.StreamTelemetry); f.Percent() > FillStop+1 {
		t.Errorf("fill %+v", f)
	}
	// A stop forgets nothing of the gap that is still open.
	o.Budgets[wire.StreamTelemetry] = 1 << 20
	j = reopen(t, j, o)
	if _, err := j.Append(t.Context(), note(n, 10)); err != nil {
		t.Fatal(err)
	}
	if kept, dropped := gaps(t, j); kept+dropped != n+1 || kept < 50 {
		t.Errorf("%d kept and %d in gaps of %d", kept, dropped, n+1)
	}
}

func TestCrossingsAndAlarmsAreNeverThinned(t *testing.T) {
	for _, s := range []wire.Stream{wire.StreamCrossing, wire.StreamAlarm} {
		o := testOptions(t)
		o.Budgets = map[wire.Stream]int64{s: 64 << 10}
		j := openJournal(t, o)
		for i := 0; ; i++ {
			d := draft(i)
			d.Stream = s
			pos, err := j.Append(t.Context(), d)
			if errors.Is(err, ErrFull) {
				if p := fillOf(j, s).Percent(); p < 98 {
					t.Errorf("%s: full at %d %%", s, p)
				}
				break
			}
			if err != nil || pos.Seq != uint64(i+1) {
				t.Fatalf("%s: record %d at %d, %v", s, i, pos.Seq, err)
			}
		}
	}
}

const diskEnv = "BORDERGATE_JOURNAL_DISK"

// TestFullDisk runs TestFullDiskChild on a file system of 24 MiB.
func TestFullDisk(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestFullDiskChild$", "-test.v")
	cmd.Env = append(os.Environ(), diskEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		t.Skipf("this machine gives no file system of its own: %v", err)
	case strings.Contains(string(out), "no small file system"):
		t.Skipf("%s", out)
	case err != nil || !strings.Contains(string(out), "--- PASS"):
		t.Fatalf("%v\n%s", err, out)
	}
}

// TestFullDiskChild fills a disk for real and empties it again.
func TestFullDiskChild(t *testing.T) {
	dir := os.Getenv(diskEnv)
	if dir == "" {
		t.Skip("runs only as a child of TestFullDisk")
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatalf("no small file system: %v", err)
	}
	o := testOptions(t)
	o.Path = filepath.Join(dir, "journal.db")
	j := openJournal(t, o)
	d := draft(1)
	d.Personal = make([]byte, 20<<10)
	fill := func() (n uint64) {
		t.Helper()
		for {
			_, err := j.Append(t.Context(), d)
			switch {
			case errors.Is(err, syscall.ENOSPC) && errors.Is(err, ErrFull):
				return n
			case err != nil:
				t.Fatalf("after %d records: %v", n, err)
			}
			n++
		}
	}
	n := fill()
	if p := fillOf(j, wire.StreamCrossing).Percent(); p < FillStop || j.Err() != nil {
		t.Errorf("fill %d %%, %v", p, j.Err())
	}
	if err := j.Verify(); err != nil {
		t.Error(err)
	}
	j = reopen(t, j, o)
	if r := j.Ranges()[0]; r.Next != n+1 {
		t.Errorf("%d records written, %d there", n, r.Next-1)
	}
	acknowledgeAll(t, j, wire.StreamCrossing)
	if err := j.Prune(t.Context(), wire.StreamCrossing, n/2); err != nil {
		t.Fatalf("prune on a full disk: %v", err)
	}
	if again := fill(); again < n/3 {
		t.Errorf("%d records where %d were deleted", again, n/2)
	}
}
