package vision

import (
	"errors"
	"testing"
	"time"
)

// judge takes turns without a message until it is over, at most 1000.
func judge(s *silence, ready bool, state procState) (turns int, err error) {
	for i := range 1000 {
		if err := s.look(7, ready, func() procState { return state }); err != nil {
			return i, err
		}
	}
	return 1000, nil
}

func TestSilence(t *testing.T) {
	o := Options{Beat: 800 * time.Millisecond, StartLimit: 20 * time.Second}
	for name, c := range map[string]struct {
		ready bool
		state procState
		turns int
		want  error
	}{
		"waits for ever":              {true, procWaiting, turnsOfBeat, ErrBeat},
		"stopped":                     {true, procStopped, turnsOfBeat, ErrBeat},
		"wants to run and is not let": {true, procRunnable, turnsOfBeat * patience, ErrBeat},
		"starts for ever":             {false, procWaiting, 200, ErrStart},
		"stopped while it starts":     {false, procStopped, turnsOfBeat, ErrBeat},
	} {
		s := newSilence(o)
		_ = s.look(7, c.ready, nil)
		if turns, err := judge(s, c.ready, c.state); turns != c.turns-1 || !errors.Is(err, c.want) {
			t.Errorf("%s: %v after %d turns, want %v after %d", name, err, turns+1, c.want, c.turns)
		}
	}
}

// A message between two turns is enough, however long the turns took: the supervisor's own delay is not the worker's.
func TestSilenceCountsTurns(t *testing.T) {
	s := newSilence(Options{Beat: 800 * time.Millisecond, StartLimit: time.Second})
	heard := uint64(0)
	for i := range 100 {
		if i%(turnsOfBeat-1) == 0 {
			heard++
		}
		if err := s.look(heard, true, func() procState { return procWaiting }); err != nil {
			t.Fatalf("turn %d: %v", i, err)
		}
	}
}
