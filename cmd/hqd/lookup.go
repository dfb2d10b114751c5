package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"bordergate/cmd/hqd/app"
)

// cmdCrossings prints what the look-up of a person gives.
func cmdCrossings(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "crossings")
	account := s.fs.String("account", "", "account id")
	pass := s.fs.String("pass", "", "number of a pass, in place of the account")
	limit := s.fs.Int("limit", 50, "how many at most, up to 1000")
	open := s.fs.Bool("open", false, "with the whole records, their personal part opened")
	if _, err := s.parse(args); err != nil {
		return err
	}
	if (*account == "") == (*pass == "") {
		return errors.New("want one of --account and --pass")
	}
	q := url.Values{"account": {*account}, "pass": {*pass}, "limit": {strconv.Itoa(*limit)}}
	if *open {
		q.Set("open", "1")
	}
	return ask(ctx, e, s, http.MethodGet, "/crossings?"+q.Encode(), nil)
}

func cmdFleet(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "fleet")
	if _, err := s.parse(args); err != nil {
		return err
	}
	o, err := askFor[app.Overview](ctx, e, s, http.MethodGet, "/fleet", nil)
	if err != nil {
		return err
	}
	if o.Well < o.Gates {
		return errNegative
	}
	return nil
}
