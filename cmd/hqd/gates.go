package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"bordergate/cmd/hqd/app"
)

func cmdAuthorityRenew(_ context.Context, e env, args []string) error {
	dir, err := keysFolder(e, "authority renew", "folder of the keys", args)
	if err != nil {
		return err
	}
	b, err := app.RenewAuthority(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(e.Err, "Carry %s to every gate, and start hqd anew.\n", app.BundlePath(dir))
	return json.NewEncoder(e.Out).Encode(struct {
		Version uint64 `json:"version"`
		Bundle  string `json:"bundle"`
	}{b.Ver, app.BundlePath(dir)})
}

// cmdBrokerCertify needs the identity folder only.
func cmdBrokerCertify(_ context.Context, e env, args []string) error {
	s := newFlags(e, "broker certify")
	names := s.fs.String("name", "", "names and addresses by which gates and hqd call the broker, with commas")
	out := s.fs.String("out", "", "folder for ca.crt, broker.crt, broker.key and acl")
	if err := s.demand(args, "name", "out"); err != nil {
		return err
	}
	f, err := app.CertifyBroker(s.hq.Identity, strings.Split(*names, ","), *out)
	if err != nil {
		return err
	}
	return json.NewEncoder(e.Out).Encode(f)
}

// gateFlags are those of the commands that give a gate its certificate.
type gateFlags struct {
	*settings
	certificate *string
}

func newGateFlags(e env, name string) gateFlags {
	f := gateFlags{settings: newFlags(e, name)}
	f.certificate = f.fs.String("certificate", "", "file to write the gate's certificate to, for gatectl identity install")
	return f
}

// tell has the running hqd do it, or does it in the folder where none runs.
func (f gateFlags) tell(ctx context.Context, e env, target string, body []byte, alone func() (app.GateEntry, error)) error {
	var (
		out   bytes.Buffer
		entry app.GateEntry
	)
	err := f.client().Do(ctx, http.MethodPost, target, body, &out)
	switch {
	case errors.Is(err, app.ErrNotRunning):
		entry, err = alone()
	case err == nil:
		err = json.Unmarshal(out.Bytes(), &entry)
	}
	if err != nil {
		return err
	}
	if *f.certificate != "" {
		if entry.Certificate == "" {
			return app.ErrAuthority
		}
		if err := os.WriteFile(*f.certificate, []byte(entry.Certificate), 0o644); err != nil {
			return fmt.Errorf("write certificate: %w", err)
		}
		fmt.Fprintf(e.Err, "Carry %s to gate %s: gatectl identity install --certificate FILE\n", *f.certificate, entry.Gate)
	}
	return json.NewEncoder(e.Out).Encode(entry)
}

func cmdGateAdd(ctx context.Context, e env, args []string) error {
	f := newGateFlags(e, "gate add")
	file := f.fs.String("request", "", "request that gatectl identity init made")
	if err := f.demand(args, "request"); err != nil {
		return err
	}
	b, err := os.ReadFile(*file)
	if err != nil {
		return err
	}
	return f.tell(ctx, e, "/gates", b, func() (app.GateEntry, error) { return app.AddGate(f.hq.Identity, b) })
}

func cmdGateRenew(ctx context.Context, e env, args []string) error {
	f := newGateFlags(e, "gate renew")
	gate := f.fs.String("gate", "", "gate id")
	if err := f.demand(args, "gate"); err != nil {
		return err
	}
	return f.tell(ctx, e, "/gates/renew", []byte(*gate), func() (app.GateEntry, error) { return app.RenewGate(f.hq.Identity, *gate) })
}

func cmdGateList(_ context.Context, e env, args []string) error {
	s := newFlags(e, "gate list")
	if _, err := s.parse(args); err != nil {
		return err
	}
	list, err := app.ListGates(s.hq.Identity)
	if err != nil {
		return err
	}
	for _, g := range list {
		if err := json.NewEncoder(e.Out).Encode(g); err != nil {
			return err
		}
	}
	return nil
}

func cmdGateRetire(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "gate retire")
	gate := s.fs.String("gate", "", "gate id")
	if err := s.demand(args, "gate"); err != nil {
		return err
	}
	err := ask(ctx, e, s, http.MethodPost, "/gates/retire", []byte(*gate))
	if !errors.Is(err, app.ErrNotRunning) {
		return err
	}
	entry, err := app.RetireGate(s.hq.Identity, *gate)
	if err != nil {
		return err
	}
	return json.NewEncoder(e.Out).Encode(entry)
}
