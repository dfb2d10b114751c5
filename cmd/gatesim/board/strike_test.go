package board

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"
)

const (
	readInputs = "01 02 00 00 00 10"
	idleInputs = "01 02 02 EC 00"
)

func strike(t *testing.T, b *Board, verb string) {
	t.Helper()
	if err := b.Strike(verb); err != nil {
		t.Fatal(err)
	}
}

func TestEveryVerbStrikesAndIsMended(t *testing.T) {
	for _, verb := range Verbs() {
		t.Run(verb, func(t *testing.T) {
			b := powered(t, nil)
			strike(t, b, verb)
			if err := b.Mend(); err != nil {
				t.Fatal(err)
			}
			ask(t, dial(t, b), sealed(readInputs), sealed(idleInputs))
		})
	}
	if powered(t, nil).Strike("explode") == nil {
		t.Error("an unknown verb is taken")
	}
}

func TestSpoiltAnswers(t *testing.T) {
	for verb, answer := range map[string]string{
		"echo_only": sealed(readInputs), "exception": sealed("01 82 04"), "truncated": "01 02 02 EC 00", "wrong_unit": sealed("41 02 02 EC 00"),
		"late_reply": sealed(idleInputs), "stuck_presence": sealed("01 02 02 EC 01"), "stuck_pass": sealed("01 02 02 EE 00"),
	} {
		t.Run(verb, func(t *testing.T) {
			b := powered(t, nil)
			strike(t, b, verb)
			ask(t, dial(t, b), sealed(readInputs), answer)
		})
	}
}

// A pulse that no poll sees closes the contact after one reading and opens it
// before the next can come.
func TestShortPulseIsBetweenTwoReadings(t *testing.T) {
	b := powered(t, nil)
	strike(t, b, "short_pulse")
	f := dial(t, b)
	b.Pulse(1, 150*time.Millisecond)
	ask(t, f, sealed(readInputs), sealed(idleInputs))
	b.mu.Lock()
	closed, timers := b.inputs[1], len(b.timers)
	b.mu.Unlock()
	if !closed && timers > 0 {
		t.Error("no pulse came after the reading")
	}
	if err := b.Mend(); err != nil {
		t.Fatal(err)
	}
}

// hungUp reads until the line ends and gives what came before.
func hungUp(t *testing.T, f *os.File) []byte {
	t.Helper()
	if err := f.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	p, err := io.ReadAll(f)
	if err != nil && !errors.Is(err, syscall.EIO) {
		t.Fatalf("read: %v", err)
	}
	return p
}

func TestHangUpInTheMiddle(t *testing.T) {
	for verb, acted := range map[string]int{"hang_up_frame": 1, "hang_up_write": 0} {
		t.Run(verb, func(t *testing.T) {
			b := powered(t, nil)
			f := dial(t, b)
			strike(t, b, verb)
			if _, err := f.Write(unhex(t, sealed("01 05 02 00 00 03"))); err != nil {
				t.Fatal(err)
			}
			if p := hungUp(t, f); len(p) >= 8 {
				t.Errorf("the whole answer came: % X", p)
			}
			if n := len(b.Grants()); n != acted {
				t.Errorf("%d pulses, want %d", n, acted)
			}
			if err := b.Mend(); err != nil {
				t.Fatal(err)
			}
			ask(t, dial(t, b), sealed(readInputs), sealed(idleInputs))
		})
	}
}

func TestReappearsElsewhere(t *testing.T) {
	b := powered(t, nil)
	before, f := b.Path(), dial(t, b)
	strike(t, b, "elsewhere")
	hungUp(t, f)
	if after := b.Path(); after == before || after == "" {
		t.Errorf("at %q, was at %q", after, before)
	}
	ask(t, dial(t, b), sealed(readInputs), sealed(idleInputs))
}
