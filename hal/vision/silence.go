package vision

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// turnsOfBeat is how often a supervisor looks during the longest silence it takes.
const turnsOfBeat = 8

// patience is how many times the beat a worker may be silent that wants to run and is not let.
const patience = 4

// silence judges a worker that says nothing. It counts the supervisor's own turns and not the time: when the whole machine stood
// still, or the supervisor was not let run, hardly a turn was taken and the worker is not to blame.
type silence struct {
	turn, beat, start time.Duration
	heard             uint64
	turns             int
}

func newSilence(o Options) *silence {
	return &silence{turn: max(o.Beat/turnsOfBeat, time.Millisecond), beat: o.Beat, start: o.StartLimit}
}

// look takes one turn: how many messages there were, and whether the worker has been ready. State tells how the process stands; it
// is asked only when it matters.
func (s *silence) look(heard uint64, ready bool, state func() procState) error {
	if heard != s.heard {
		s.heard, s.turns = heard, 0
		return nil
	}
	s.turns++
	quiet := time.Duration(s.turns) * s.turn
	if quiet < s.beat {
		return nil
	}
	switch now := state(); {
	case now == procStopped:
		return ErrBeat
	case !ready && quiet >= s.start:
		return ErrStart
	case !ready:
		return nil
	case now == procWaiting, quiet >= patience*s.beat:
		return ErrBeat
	default:
		return nil
	}
}

// procState is how the threads of a process stand, the first that fits.
type procState uint8

const (
	procRunnable procState = iota // one at least runs, or would if it were let, or waits for the disk
	procStopped                   // all are stopped by a signal
	procWaiting                   // all wait for something else
)

// stateOf reads the states of a process's threads. A process that cannot be read counts as runnable: its end is noticed elsewhere.
func stateOf(pid int) procState {
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	if err != nil || len(files) == 0 {
		return procRunnable
	}
	stopped := 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		// The name before it is in brackets and may hold anything.
		i := bytes.LastIndexByte(b, ')')
		if i < 0 || i+2 >= len(b) {
			continue
		}
		switch b[i+2] {
		case 'R', 'D':
			return procRunnable
		case 'T', 't':
			stopped++
		}
	}
	if stopped == len(files) {
		return procStopped
	}
	return procWaiting
}
