package app

import (
	"context"
	"log/slog"
	"sync"

	"bordergate/gate"
	"bordergate/hal/fitting"
	"bordergate/hal/scanner"
)

// passScanner is the serial scanner, as the lane sees it. The driver opens its
// line again and again with a growing wait; what it reads outside a traveller's
// session it throws away itself.
type passScanner struct {
	dev  *scanner.Scanner
	log  *slog.Logger
	post func(gate.Input)

	mu  sync.Mutex
	up  bool
	err string
}

// senses are all that looks at a traveller and what he shows.
type senses struct {
	eyes
	scanner *passScanner // nil where the gate has none
}

// Watch implements gate.Eyes: the scanner's light is on while a traveller's
// pass or face is wanted, and only then.
func (s senses) Watch(session uint32) {
	s.eyes.Watch(session)
	if s.scanner == nil {
		return
	}
	if err := s.scanner.dev.Start(session); err != nil {
		s.scanner.log.Error("Scanner does not start", "error", err)
	}
}

// Hold implements gate.Eyes.
func (s senses) Hold() {
	s.eyes.Hold()
	s.dark()
}

// Stop implements gate.Eyes.
func (s senses) Stop() {
	s.eyes.Stop()
	s.dark()
}

func (s senses) dark() {
	if s.scanner != nil {
		s.scanner.dev.Stop()
	}
}

func (a *App) openScanner() error {
	if !a.cfg.Scanner.Present() {
		return nil
	}
	log := a.log.With("device", "scanner")
	o, err := fitting.Scanner(a.cfg.Scanner, a.log)
	if err != nil {
		return err
	}
	dev, err := scanner.New(o)
	if err != nil {
		return err
	}
	a.scanner = &passScanner{dev: dev, log: log, post: a.post}
	a.run("scanner", dev.Serve)
	a.runWatched("scanner events", a.scanner.serveEvents)
	return nil
}

// serveEvents tells the lane what the scanner reads.
func (s *passScanner) serveEvents(ctx context.Context, beat func()) error {
	return each(ctx, s.dev.Events(), beat, s.tell)
}

func (s *passScanner) tell(e scanner.Event) {
	switch e.Kind {
	case scanner.Scanned:
		s.post(gate.Symbol(monoNow(), e.Session, int64(e.At), e.Scan.Payload))
	case scanner.Spoilt:
		// Something was held to it: the traveller did not come without a pass.
		s.log.Warn("Scan is spoilt", "error", e.Err)
		s.post(gate.DocumentSeen(monoNow(), e.Session))
	case scanner.Online:
		s.note(true, "")
	case scanner.Offline:
		s.note(false, e.Err.Error())
	}
}

// note keeps the scanner's health and tells the lane of it.
func (s *passScanner) note(up bool, text string) {
	s.mu.Lock()
	s.up, s.err = up, text
	s.mu.Unlock()
	s.post(gate.ScannerUp(monoNow(), up))
}

func (s *passScanner) device() Device {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Device{Name: "scanner", OK: s.up, Error: s.err}
}
