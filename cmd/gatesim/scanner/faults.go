package scanner

import (
	"fmt"
	"slices"
	"time"
)

// What can be wrong with a scanner, in a scenario's words.
const (
	glued  = "glued"  // two codes with nothing between them
	split  = "split"  // a code in pieces with long pauses between them
	silent = "silent" // it takes commands and says nothing
	hangUp = "hang_up"
)

// Verbs lists what can be wrong with a scanner.
func Verbs() []string { return []string{glued, hangUp, silent, split} }

// Strike has one of the verbs happen; Mend takes it back.
func (s *Scanner) Strike(verb string) error {
	if !slices.Contains(Verbs(), verb) {
		return fmt.Errorf("strike scanner: no verb %q", verb)
	}
	if verb == hangUp {
		return s.Unplug()
	}
	s.set(func() { s.verb = verb })
	return nil
}

// Mend has the scanner work again.
func (s *Scanner) Mend() error {
	s.set(func() { s.verb = "" })
	return s.Replug()
}

// mute tells that the scanner answers nothing.
func (s *Scanner) mute() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.verb == silent
}

// spoilLocked makes of a code's bytes what the fault leaves of them.
func (s *Scanner) spoilLocked(out []byte) []byte {
	if s.verb != glued {
		return out
	}
	whole := slices.Clone(out[:len(out)-len(s.o.Suffix)])
	return slices.Concat(whole, whole, []byte(s.o.Suffix))
}

// piece is how many of n bytes go at once: what a USB packet carries, but for a
// split code.
func (s *Scanner) piece(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.verb == split {
		return max(min(n/2, 64), 1)
	}
	return 64
}

// pause is longer than a reader waits for the next byte of a code.
const pause = 400 * time.Millisecond

// linger is the pause after a piece of a split code.
func (s *Scanner) linger() {
	s.mu.Lock()
	hit := s.verb == split
	s.mu.Unlock()
	if !hit {
		return
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.stop:
	}
}
