package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"bordergate/cmd/hqd/app"
	"bordergate/sync/wire"
)

func cmdPassRevoke(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "pass revoke")
	o := app.Revocation{}
	s.fs.StringVar(&o.Number, "number", "", "number of the pass")
	s.fs.StringVar(&o.By, "by", "", "name of who revokes; kept at headquarters only")
	s.fs.StringVar((*string)(&o.Role), "role", string(wire.DeciderIssuer), "issuing_office, station_commander or authorised_deputy")
	s.fs.StringVar(&o.Authorisation, "authorisation", "", "reference of the authorisation; a deputy needs one")
	s.fs.StringVar((*string)(&o.Ground), "ground", "", "lost, stolen, replaced, withdrawn, security_risk or owner_request")
	s.fs.StringVar(&o.Request, "request", "", "number of the owner's request")
	if err := s.demand(args, "number", "by", "ground"); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodPost, "/passes/revoke", o)
}

func cmdStamp(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "stamp")
	one := app.Stamp{}
	s.fs.StringVar(&one.Pass, "pass", "", "number of the pass")
	s.fs.StringVar(&one.By, "by", "", "name of who stamped; kept at headquarters only")
	at := s.fs.String("at", "", "when it was stamped, RFC 3339; now when empty")
	file := s.fs.String("file", "", "JSON list of stamps instead: [{pass, by, at}]")
	if _, err := s.parse(args); err != nil {
		return err
	}
	if *file != "" {
		if one.Pass != "" || one.By != "" || *at != "" {
			return errors.New("want either --file or one stamp, not both")
		}
		b, err := os.ReadFile(*file)
		if err != nil {
			return err
		}
		return ask(ctx, e, s, http.MethodPost, "/passes/stamp", b)
	}
	if err := need(s.fs, "pass", "by"); err != nil {
		return err
	}
	if *at != "" {
		var err error
		if one.At, err = time.Parse(time.RFC3339, *at); err != nil {
			return fmt.Errorf("read --at: %w", err)
		}
	}
	return ask(ctx, e, s, http.MethodPost, "/passes/stamp", []app.Stamp{one})
}
