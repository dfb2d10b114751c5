package main

import (
	"context"
	"errors"
	"fmt"

	"bordergate/cmd/gatectl/devices"
	"bordergate/hal/scanner"
)

// scanLine is one scan. The payload of a pass is personal data: it is told only
// when asked for.
type scanLine struct {
	Symbology string `json:"symbology"`
	AIM       string `json:"aim,omitempty"`
	Bytes     int    `json:"bytes"`
	Unframed  bool   `json:"unframed,omitempty"`
	Spoilt    string `json:"spoilt,omitempty"`
	Payload   []byte `json:"payload_base64,omitempty"`
}

func runScanner(ctx context.Context, e env, args []string) int {
	const words = "scanner"
	fs, config, _ := deviceFlags(e, words)
	show := fs.Bool("show", false, "print what was read too; of a pass that is personal data")
	hold := fs.Duration("for", 0, "end after this time; 0: when it is stopped")
	count := fs.Int("count", 0, "end after so many scans; 0: never")
	rest, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	cfg, err := alone(ctx, *config)
	if err == nil && !cfg.Scanner.Present() {
		err = errors.New("this gate has no scanner: scanner.dialect is none")
	}
	if err = errors.Join(noMore(rest), err); err != nil {
		return unable(e, words, err)
	}
	ctx, end := lasting(ctx, *hold)
	defer end()
	n := 0
	err = devices.Scanner(ctx, cfg.Scanner, func(ctx context.Context, s *scanner.Scanner) (err error) {
		fmt.Fprintln(e.Err, "it is there; hold a pass to it")
		n, err = scans(ctx, e, s, *show, *count)
		return err
	})
	if err != nil {
		return unable(e, words, err)
	}
	if n == 0 {
		fmt.Fprintln(e.Err, "nothing was read")
		return exitNegative
	}
	return exitDone
}

// scans prints what is read, a session for each.
func scans(ctx context.Context, e env, s *scanner.Scanner, show bool, count int) (n int, err error) {
	enc := lineEncoder(e)
	for count == 0 || n < count {
		if err := s.Start(uint32(n) + 1); err != nil {
			return n, err
		}
		l, ok, err := nextScan(ctx, s)
		if !ok || err != nil {
			return n, err
		}
		if !show {
			l.Payload = nil
		}
		if err := enc.Encode(l); err != nil {
			return n, fmt.Errorf("write result: %w", err)
		}
		n++
	}
	return n, nil
}

// nextScan waits for one; not ok means that the time is over.
func nextScan(ctx context.Context, s *scanner.Scanner) (l scanLine, ok bool, err error) {
	for {
		select {
		case ev := <-s.Events():
			switch ev.Kind {
			case scanner.Scanned:
				c := ev.Scan
				return scanLine{Symbology: c.Symbology, AIM: c.AIM, Bytes: len(c.Payload), Unframed: c.Unframed, Payload: c.Payload}, true, nil
			case scanner.Spoilt:
				return scanLine{Spoilt: ev.Err.Error()}, true, nil
			case scanner.Offline:
				return l, false, ev.Err
			}
		case <-ctx.Done():
			return l, false, nil
		}
	}
}
