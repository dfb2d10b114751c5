package main

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestStall(t *testing.T) {
	for name, c := range map[string]struct {
		waits bool
		cpu   time.Duration // each turn
		hangs int           // turns after the first, 0 never
	}{
		"waits for ever":           {true, 0, workTurns},
		"runs for ever":            {false, changeEvery, workTurns},
		"is hardly let run":        {false, changeEvery / 100, 0},
		"waits between two frames": {true, 0, 0},
	} {
		var s stall
		cpu, hung := 5*time.Second, 0
		for i := range 50 * workTurns / 25 {
			frame := uint32(7)
			if name == "waits between two frames" {
				frame = uint32(i % 20)
			}
			if s.look(frame, func() (bool, time.Duration, error) { return c.waits, cpu, nil }) {
				hung = i
				break
			}
			cpu += c.cpu
		}
		if hung != c.hangs {
			t.Errorf("%s: taken for hung after %d turns, want %d", name, hung, c.hangs)
		}
	}
	var s stall
	for range 100 {
		if s.look(1, func() (bool, time.Duration, error) { return true, time.Hour, os.ErrNotExist }) {
			t.Fatal("a thread that cannot be read hangs")
		}
	}
}

func TestThreadStat(t *testing.T) {
	waits, cpu, err := threadStat([]byte("12 (a) (b) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20"))
	if err != nil || !waits || cpu != 420*time.Millisecond {
		t.Errorf("%v, %v, %v", waits, cpu, err)
	}
	for _, s := range []string{"", "12 (x)", "12 (x) S 1 2 3 4 5 6 7 8 9 10 x 12", ")"} {
		if _, _, err := threadStat([]byte(s)); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
	if _, _, err := thread(unix.Gettid()); err != nil {
		t.Error(err)
	}
}
