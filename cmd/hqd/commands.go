package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"

	"bordergate/cmd/hqd/app"
	"bordergate/sync/wire"
)

// need turns missing flags into one error that names them all.
func need(fs *flag.FlagSet, names ...string) error {
	var missing []error
	for _, n := range names {
		if f := fs.Lookup(n); f == nil || f.Value.String() == "" {
			missing = append(missing, fmt.Errorf("--%s is missing", n))
		}
	}
	return errors.Join(missing...)
}

// keysFolder reads the flags of a command that has no file and works on
// headquarters' keys.
func keysFolder(e env, name, about string, args []string) (string, error) {
	fs := flag.NewFlagSet("hqd "+name, flag.ContinueOnError)
	fs.SetOutput(e.Err)
	dir := fs.String("dir", "", about)
	if err := fs.Parse(args); err != nil {
		return "", err
	}
	return *dir, need(fs, "dir")
}

func cmdInit(_ context.Context, e env, args []string) error {
	dir, err := keysFolder(e, "init", "folder for the keys", args)
	if err != nil {
		return err
	}
	print, err := app.Init(dir)
	if err != nil {
		return err
	}
	return json.NewEncoder(e.Out).Encode(struct {
		Fingerprint string `json:"fingerprint"`
		Bundle      string `json:"bundle"`
	}{print, app.BundlePath(dir)})
}

func cmdServe(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "serve")
	if _, err := s.parse(args); err != nil {
		return err
	}
	cluster, err := s.cluster()
	if err != nil {
		return err
	}
	hq, err := app.New(ctx, app.Options{
		Listen: s.hq.Listen, Names: s.hq.Names, Broker: s.hq.Broker, Store: s.hq.Folder(), Cluster: cluster, Identity: s.hq.Identity, Control: s.hq.Control,
		Accounts: s.hq.Accounts, Simulated: s.hq.Simulated, Logger: newLogger(e.Err), Console: s.console(),
		Ready: func(addr string) { fmt.Fprintf(e.Err, "HQ ready %s\n", addr) },
	})
	if err != nil {
		return err
	}
	if err := hq.Serve(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// ask has the running HQ do something, or says that there is none.
func ask(ctx context.Context, e env, s *settings, method, target string, body any) error {
	return s.client().Do(ctx, method, target, body, e.Out)
}

// askFor is ask where the answer also decides the exit status.
func askFor[T any](ctx context.Context, e env, s *settings, method, target string, body any) (answer T, err error) {
	var out bytes.Buffer
	if err = s.client().Do(ctx, method, target, body, &out); err == nil {
		err = json.Unmarshal(out.Bytes(), &answer)
	}
	if err == nil {
		_, err = out.WriteTo(e.Out)
	}
	return answer, err
}

func cmdAccountPut(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "account put")
	file := s.fs.String("file", "", "JSON list of accounts")
	if err := s.demand(args, "file"); err != nil {
		return err
	}
	b, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodPost, "/accounts", b)
}

func cmdDecide(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "decide")
	o := app.Order{}
	s.fs.StringVar(&o.Account, "account", "", "account id")
	s.fs.StringVar(&o.Organisation, "organisation", "", "organisation id instead: every account it answers for, those enrolled later too")
	s.fs.StringVar(&o.By, "by", "", "name of who decides")
	s.fs.StringVar((*string)(&o.Role), "role", "", "station_commander or authorised_deputy")
	s.fs.StringVar(&o.Authorisation, "authorisation", "", "reference of the authorisation; a deputy needs one")
	s.fs.StringVar((*string)(&o.Ground), "ground", "", "security_risk, owner_request or risk_cleared")
	s.fs.StringVar(&o.Request, "request", "", "number of the owner's request")
	rest, err := s.parse(args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("want one of suspend, restore, cancel")
	}
	err = need(s.fs, "by", "role", "ground")
	if (o.Account == "") == (o.Organisation == "") {
		err = errors.Join(errors.New("want --account or --organisation, and not both"), err)
	}
	if err != nil {
		return err
	}
	o.Action = wire.Action(rest[0])
	return ask(ctx, e, s, http.MethodPost, "/decide", o)
}

func cmdApplied(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "applied")
	id := s.fs.String("decision", "", "decision id")
	s.fs.Duration("wait", 0, "wait so long at most until every gate has followed")
	if err := s.demand(args, "decision"); err != nil {
		return err
	}
	wait := s.fs.Lookup("wait").Value.String()
	r, err := askFor[app.AppliedReport](ctx, e, s, http.MethodGet, "/applied?"+url.Values{"decision": {*id}, "wait": {wait}}.Encode(), nil)
	if err != nil {
		return err
	}
	if !r.All {
		return errNegative
	}
	return nil
}

func cmdNotice(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "notice sent")
	id := s.fs.String("decision", "", "decision id")
	to := s.fs.String("to", "", "addressee; kept sealed")
	as := s.fs.String("as", "", "person or organisation: to whom one is due; the first of them when empty")
	if err := s.demand(args, "decision", "to"); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodPost, "/notice", map[string]string{"decision": *id, "to": *to, "as": *as})
}

// cmdNoticeDue is negative while a notice is overdue.
func cmdNoticeDue(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "notice due")
	if _, err := s.parse(args); err != nil {
		return err
	}
	due, err := askFor[app.NoticesDue](ctx, e, s, http.MethodGet, "/notices", nil)
	if err != nil {
		return err
	}
	if due.Overdue > 0 {
		return errNegative
	}
	return nil
}

func cmdRecords(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "records")
	gate := s.fs.String("gate", "", "gate id")
	stream := s.fs.String("stream", "crossing", "crossing, alarm, telemetry or image")
	open := s.fs.Bool("open", false, "open the personal part")
	if err := s.demand(args, "gate"); err != nil {
		return err
	}
	q := url.Values{"gate": {*gate}, "stream": {*stream}}
	if *open {
		q.Set("open", "1")
	}
	return ask(ctx, e, s, http.MethodGet, "/records?"+q.Encode(), nil)
}

func cmdSnapshot(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "snapshot")
	if _, err := s.parse(args); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodPost, "/snapshot", nil)
}

func cmdFollow(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "follow")
	gate := s.fs.String("gate", "", "of this gate alone")
	if _, err := s.parse(args); err != nil {
		return err
	}
	err := ask(ctx, e, s, http.MethodGet, "/follow?"+url.Values{"gate": {*gate}}.Encode(), nil)
	if ctx.Err() != nil {
		return nil // it ends when it is told to
	}
	return err
}

func cmdStatus(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "status")
	if _, err := s.parse(args); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodGet, "/status", nil)
}
