package soak

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"bordergate/cmd/gatesim/bare"
	"bordergate/cmd/gatesim/line"
	"bordergate/sync/journal"
	"bordergate/sync/wire"
)

// TestMain also plays the gate's process.
func TestMain(m *testing.M) {
	if os.Getenv("SOAK_TEST_GATE") != "" {
		if err := bare.Command(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestCampaign plays a few rounds of what "make soak PART=sync" plays at length.
func TestCampaign(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and kills them")
	}
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, "hqd"), "bordergate/cmd/hqd").CombinedOutput(); err != nil {
		t.Fatalf("build hqd: %v\n%s", err, out)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), Options{
		Dir: dir, Bin: dir, Child: []string{self}, Env: []string{"SOAK_TEST_GATE=1"},
		Seed: 7, Kills: 3, Records: 400, Deltas: 400, Accounts: 20, Pace: 500 * time.Millisecond,
		Faults: line.Faults{Drop: 0.01, Double: 0.02, Swap: 0.02},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !r.Clean() || r.Detail.Records < 400 || r.Detail.Stored < r.Detail.Records || r.Detail.Changes < 400 {
		b, _ := json.MarshalIndent(r, "", " ")
		t.Errorf("campaign of seed %d:\n%s", r.Seed, b)
	}
}

// lines makes n chained records as headquarters lists them, and what was
// promised of them.
func lines(n int) (said map[place]promised, kept map[place]string, there []journal.Line) {
	said, kept = make(map[place]promised), make(map[place]string)
	var prev wire.Hash
	for i := range n {
		hash := wire.HashOf([]byte{byte(i)})
		nonce := fmt.Sprintf("%032x", i)
		p := place{"crossing", 9, uint64(i + 1)}
		there = append(there, journal.Line{
			Stream: p.stream, Epoch: p.epoch, Seq: p.seq, Prev: prev, Hash: hash, Simulated: true,
			Personal: fmt.Appendf(nil, `{"nonce":%q}`, nonce),
		})
		said[p], kept[p] = promised{hash.String(), nonce, 1}, hash.String()
		prev = hash
	}
	return said, kept, there
}

// TestCompareRecordsBites holds that each kind of damage is found.
func TestCompareRecordsBites(t *testing.T) {
	third := place{"crossing", 9, 3}
	for _, c := range []struct {
		name                    string
		change                  func(said map[place]promised, kept map[place]string, there []journal.Line) []journal.Line
		lost, duplicated, wrong int
	}{
		{"nothing", func(_ map[place]promised, _ map[place]string, l []journal.Line) []journal.Line { return l }, 0, 0, 0},
		{"the last is missing", func(_ map[place]promised, _ map[place]string, l []journal.Line) []journal.Line { return l[:4] }, 1, 0, 0},
		{"one in between is missing", func(_ map[place]promised, _ map[place]string, l []journal.Line) []journal.Line {
			return append(l[:2:2], l[3:]...)
		}, 1, 0, 1},
		{"one that nobody heard of is missing", func(s map[place]promised, _ map[place]string, l []journal.Line) []journal.Line {
			delete(s, place{"crossing", 9, 5})
			return l[:4]
		}, 1, 0, 0},
		{"one twice", func(_ map[place]promised, _ map[place]string, l []journal.Line) []journal.Line {
			return append(l, l[4])
		}, 0, 1, 0},
		{"another under its number", func(_ map[place]promised, _ map[place]string, l []journal.Line) []journal.Line {
			l[4].Hash[0]++
			return l
		}, 0, 0, 2},
		{"its personal part is lost", func(_ map[place]promised, _ map[place]string, l []journal.Line) []journal.Line {
			l[2].Personal = nil
			return l
		}, 0, 0, 1},
		{"a number given twice", func(s map[place]promised, _ map[place]string, l []journal.Line) []journal.Line {
			v := s[third]
			v.times = 2
			s[third] = v
			return l
		}, 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r Report
			said, kept, there := lines(5)
			there = c.change(said, kept, there)
			r.compareRecords(said, kept, there)
			if r.Lost != c.lost || r.Duplicated != c.duplicated || r.Wrong != c.wrong {
				t.Errorf("lost %d, duplicated %d, wrong %d; want %d, %d, %d: %q", r.Lost, r.Duplicated, r.Wrong, c.lost, c.duplicated, c.wrong, r.Detail.Faults)
			}
		})
	}
}

// TestCompareAccountsBites does the same for a replica.
func TestCompareAccountsBites(t *testing.T) {
	ordered := newRegister(2, 1)
	*ordered.accounts["a0000"] = state{status: wire.StatusSuspended, level: 2, reference: []byte{1, 2}, least: 3, most: 4}
	for _, c := range []struct {
		have          map[string]string
		wrong, unsafe int
	}{
		{map[string]string{"a0000": "suspended 2 3 0102"}, 0, 0},
		{map[string]string{"a0000": "suspended 2 4 0102"}, 0, 0},
		{map[string]string{"a0000": "suspended 2 5 0102"}, 1, 0},
		{map[string]string{"a0000": "suspended 2 2 0102"}, 1, 0},
		{map[string]string{"a0000": "suspended 2 3 0103"}, 1, 0},
		{map[string]string{"a0000": "suspended 1 3 0102"}, 1, 0},
		{map[string]string{"a0000": "active 2 3 0102"}, 1, 1},
		{map[string]string{}, 1, 0},
		{map[string]string{"a0000": "suspended 2 3 0102", "a0001": "active 1 1 00"}, 1, 1},
	} {
		var r Report
		r.compareAccounts("gate", ordered, c.have)
		if r.Wrong != c.wrong || r.Unsafe != c.unsafe {
			t.Errorf("%v: wrong %d, unsafe %d; want %d, %d", c.have, r.Wrong, r.Unsafe, c.wrong, c.unsafe)
		}
	}
}

// TestSaidTakesWholeLinesOnly holds that a line which a kill cut short counts
// for nothing.
func TestSaidTakesWholeLinesOnly(t *testing.T) {
	whole := "recorded crossing 9 1 " + wire.Hash{1}.String() + " 00112233445566778899aabbccddeeff"
	for n := range len(whole) {
		s := newSaid()
		s.take(whole[:n])
		if s.count() != 0 {
			t.Fatalf("took %q", whole[:n])
		}
	}
	s := newSaid()
	s.take(whole)
	if s.count() != 1 {
		t.Error("a whole line was not taken")
	}
}
