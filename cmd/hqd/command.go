package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"bordergate/cmd/hqd/app"
	"bordergate/sync/wire"
)

// cmdCommand has one gate do something and shows what it answers.
func cmdCommand(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "command")
	var o app.CommandOrder
	s.fs.StringVar(&o.Gate, "gate", "", "gate id")
	s.fs.StringVar(&o.By, "by", "", "name of who orders it; kept at headquarters only")
	s.fs.StringVar(&o.Mode, "mode", "", "with mode: closed, or normal to take headquarters' own closure back")
	wait := s.fs.Duration("wait", 90*time.Second, "how long to wait for the answer, up to 5m")
	rest, err := s.parse(args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("want one of mode, restart, resync, clock, diagnostics")
	}
	if err := need(s.fs, "gate", "by"); err != nil {
		return err
	}
	o.Do, o.WaitMS = rest[0], wait.Milliseconds()
	r, err := askFor[app.CommandAnswer](ctx, e, s, http.MethodPost, "/command", o)
	if err != nil {
		return err
	}
	if r.Outcome != wire.OutcomeExecuted {
		return errNegative
	}
	return nil
}
