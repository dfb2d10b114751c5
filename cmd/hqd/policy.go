package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"bordergate/cmd/hqd/app"
	"bordergate/configs"
	"bordergate/sync/wire"
)

func cmdPolicyShow(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "policy show")
	if _, err := s.parse(args); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodGet, "/policy", nil)
}

func cmdPolicyPublish(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "policy publish")
	o := app.PolicyOrder{}
	s.fs.StringVar(&o.By, "by", "", "name of who publishes; kept at headquarters only")
	var manifests []string
	s.fs.Func("manifest", "file of a model manifest that gates may work with; may be given again", func(name string) error {
		manifests = append(manifests, name)
		return nil
	})
	rest, err := s.parse(args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("name the one file of the policy, such as configs/policy.yaml")
	}
	if err := need(s.fs, "by"); err != nil {
		return err
	}
	file, faults := configs.LoadPolicy(rest[0])
	if err := faults.Err(); err != nil {
		return err
	}
	if o.Policy, err = wirePolicy(file); err != nil {
		return err
	}
	for _, name := range manifests {
		b, err := configs.ReadManifest(name)
		if err != nil {
			return err
		}
		o.Policy.Models = append(o.Policy.Models, wire.HashOf(b))
	}
	return ask(ctx, e, s, http.MethodPost, "/policy", o)
}

// wirePolicy is the file as gates get it.
func wirePolicy(f *configs.SignedPolicy) (wire.Policy, error) {
	p := wire.Policy{
		FMR: f.FMR, Liveness: f.Liveness, CacheMaxAge: wholeSeconds(f.CacheMaxAge), Passback: wholeSeconds(f.Passback),
		KindMaxAge: map[string]int64{},
	}
	for kind, age := range map[string]time.Duration{
		wire.KindCitizen: f.KindMaxAge.Citizen, wire.KindForeigner: f.KindMaxAge.Foreigner, wire.KindOrganisation: f.KindMaxAge.Organisation,
	} {
		if age > 0 {
			p.KindMaxAge[kind] = wholeSeconds(age)
		}
	}
	for _, t := range f.PassTypes {
		p.Types = append(p.Types, wire.TypeRule{
			Type: t.Type, Level: t.Level, StampEvery: wholeSeconds(t.StampEvery), StampSoon: wholeSeconds(t.StampSoon),
		})
	}
	for _, text := range f.Models {
		b, err := hex.DecodeString(text)
		if err != nil || len(b) != len(wire.Hash{}) {
			return p, fmt.Errorf("model manifest %.64q is not named by its SHA-256", text)
		}
		p.Models = append(p.Models, wire.Hash(b))
	}
	return p, nil
}

func wholeSeconds(d time.Duration) int64 { return int64(d / time.Second) }

func cmdOfficerList(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "officer list")
	if _, err := s.parse(args); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodGet, "/officers", nil)
}

func cmdOfficerAdd(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "officer add")
	var o app.OfficerOrder
	s.fs.StringVar(&o.By, "by", "", "name of who certifies; kept at headquarters only")
	s.fs.StringVar(&o.ID, "id", "", "the officer's service id, a-z, 0-9 and -; no name, gates get it")
	file := s.fs.String("key", "", "PEM file of the officer's public key, Ed25519")
	until := s.fs.Duration("for", 365*24*time.Hour, "how long the key is good")
	for name, to := range map[string]*[]string{"act": &o.Acts, "crossing": &o.Crossings} {
		s.fs.Func(name, map[string]string{
			"act": "override, stamp, mode or sign_off; may be given again", "crossing": "code of a crossing, or *; may be given again",
		}[name], func(v string) error {
			*to = append(*to, v)
			return nil
		})
	}
	if err := s.demand(args, "id", "key", "by"); err != nil {
		return err
	}
	if len(o.Acts) == 0 || len(o.Crossings) == 0 {
		return errors.New("--act and --crossing: say what he may do and where")
	}
	var err error
	if o.Key, err = os.ReadFile(*file); err != nil {
		return err
	}
	o.NotAfter = time.Now().Add(*until)
	return ask(ctx, e, s, http.MethodPost, "/officers", o)
}

func cmdOfficerRemove(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "officer remove")
	o := app.OfficerOrder{Remove: true}
	s.fs.StringVar(&o.By, "by", "", "name of who removes him; kept at headquarters only")
	s.fs.StringVar(&o.ID, "id", "", "the officer's service id")
	if err := s.demand(args, "id", "by"); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodPost, "/officers", o)
}
