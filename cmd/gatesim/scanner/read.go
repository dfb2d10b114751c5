package scanner

import (
	"bytes"
	"slices"
	"time"
)

// The commands, and the answer to the one that is a question.
const (
	cmdLight  = "\x16T\r"
	cmdDark   = "\x16U\r"
	cmdBeep   = "\x16\x07\r"
	cmdQuery  = "\x16M\rREVINF."
	answerRev = "REVINF: Simulated scanner\r\nSW: 1\x06."
)

// obey deals with every whole command in b, and returns what is left with the
// answers.
func (s *Scanner) obey(b []byte) (rest []byte, answers []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []string{cmdLight, cmdDark, cmdBeep, cmdQuery}
	for len(b) > 0 {
		i := slices.IndexFunc(all, func(c string) bool { return bytes.HasPrefix(b, []byte(c)) })
		if i < 0 {
			if slices.ContainsFunc(all, func(c string) bool { return bytes.HasPrefix([]byte(c), b) }) {
				return b, answers // the rest is on its way
			}
			s.counts.Noise++
			b = b[1:]
			continue
		}
		b = b[len(all[i]):]
		switch all[i] {
		case cmdLight:
			s.counts.Triggers++
			s.lit = time.Now()
			s.tellLight(true)
		case cmdDark:
			s.lit = time.Time{}
			s.tellLight(false)
		case cmdQuery:
			s.counts.Queries++
			answers = append(answers, answerRev)
		}
	}
	return nil, answers
}

func (s *Scanner) tellLight(on bool) {
	if s.o.OnLight != nil {
		s.o.OnLight(on)
	}
}

// dueLocked is when the code is decoded, ok if one will be.
func (s *Scanner) dueLocked() (at time.Time, ok bool) {
	if s.code == nil || s.lit.IsZero() || s.verb == silent {
		return time.Time{}, false
	}
	at = s.lit
	if s.shown.After(at) {
		at = s.shown
	}
	return at.Add(s.o.Decode), true
}

// sleep bounds the next read by what is to be done next. Whoever changes that
// holds the same lock, so that no change falls between the two.
func (s *Scanner) sleep(l *line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	const longest = time.Second
	wait := longest
	if at, ok := s.dueLocked(); ok {
		wait = min(wait, time.Until(at))
	}
	return l.Far.SetReadDeadline(time.Now().Add(max(wait, time.Millisecond)))
}

// read gives the bytes of a code that is decoded now, and goes dark with it.
func (s *Scanner) read() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if !s.lit.IsZero() && now.Sub(s.lit) > s.o.Read {
		s.lit = time.Time{}
	}
	at, ok := s.dueLocked()
	if !ok || now.Before(at) {
		return nil
	}
	s.lit = time.Time{}
	out := slices.Concat([]byte(s.code.AIM), s.code.Payload, []byte(s.o.Suffix))
	out = s.spoilLocked(out)
	if cut := s.code.Cut; cut > 0 && cut < len(out) {
		s.code.Cut = 0
		s.counts.Cut++
		return out[:cut]
	}
	s.counts.Reads++
	return out
}

// send takes the time that the bytes take on the wire.
func (s *Scanner) send(l *line, out []byte) error {
	for part := range slices.Chunk(out, s.piece(len(out))) {
		t := time.NewTimer(time.Duration(len(part)) * 10 * time.Second / time.Duration(s.o.Baud))
		select {
		case <-t.C:
		case <-s.stop:
			t.Stop()
		}
		if _, err := l.Far.Write(part); err != nil {
			return err
		}
		s.linger()
	}
	return nil
}
