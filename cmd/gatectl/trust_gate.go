package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"bordergate/barcode/seal"
	"bordergate/configs"
	"bordergate/sync/accounts"
	"bordergate/sync/journal"
)

// gateTrust is what a gate believes: as gated answers it, or as found in the
// files of a gate that does not run.
type gateTrust struct {
	Status struct {
		Source string `json:"source"` // headquarters, folder or none
		Fault  string `json:"fault"`
	} `json:"status"`
	Store accounts.TrustStore `json:"store"` // zero unless it is headquarters'
}

// trustHead begins the output for a gate.
type trustHead struct {
	Source  string `json:"source"`
	Version uint64 `json:"version,omitempty"`
	Issued  string `json:"issued,omitempty"`
	Age     string `json:"age,omitempty"`
	Signers int    `json:"signers"`
	Lists   string `json:"lists"`
	// ListAge is how long a list is in its time, ListMax the gate's own limit;
	// without either it is until the list's own next update.
	ListAge   string `json:"list_age,omitempty"`
	ListMax   string `json:"list_max,omitempty"`
	AllowP224 bool   `json:"allow_p224"`
	Fault     string `json:"fault,omitempty"`
}

// judged is what the commands look at.
type judged struct {
	trust *seal.Trust
	at    time.Time
	fault bool // the gate itself says that its store is not as it should be
}

// source opens the folder or, with --config, what the gate believes, and says
// which.
func (f trustFlags) source(ctx context.Context, e env) (j judged, err error) {
	if *f.config == "" {
		j.trust, j.at, err = f.load(e)
		return j, err
	}
	if j.at, err = f.moment(); err != nil {
		return j, err
	}
	cfg, faults := configs.LoadGate(*f.config)
	if err := faults.Err(); err != nil {
		return j, fmt.Errorf("load configuration: %w", err)
	}
	g, err := findTrust(ctx, cfg)
	if err != nil {
		return j, err
	}
	if j.trust, err = g.trust(cfg.Trust); err != nil {
		return j, err
	}
	j.fault = g.Status.Fault != ""
	if err := g.head(j.trust, j.at).print(e.Out, *f.json); err != nil {
		return j, err
	}
	warnTrust(e, j.trust, j.at)
	return j, nil
}

// findTrust asks the running gated, which holds the files, else the files.
func findTrust(ctx context.Context, cfg *configs.Gate) (g gateTrust, err error) {
	if c := newControlClient(cfg.Paths.Control); c.alive(ctx) {
		doc, err := c.get(ctx, "/v1/trust")
		if err == nil {
			err = json.Unmarshal(doc, &g)
		}
		return g, err
	}
	s := state{cfg: cfg, path: filepath.Join(cfg.Paths.State, accountsFile)}
	r, err := s.openAccounts()
	if errors.Is(err, fs.ErrNotExist) {
		g.Status.Source = "folder"
		return g, nil // the gate was never started
	}
	if err != nil {
		return g, err
	}
	defer r.Close()
	newest, used, err := r.Trust()
	switch {
	case err != nil:
		return g, err
	case newest.Ver == 0:
		return neverSent(cfg)
	}
	g.Status.Source, g.Store = "headquarters", newest
	if _, err := g.trust(cfg.Trust); err != nil && used.Ver != 0 && used.Ver != newest.Ver {
		g.Store, g.Status.Fault = used, fmt.Sprintf("store %d is not used: %v", newest.Ver, err)
	}
	return g, nil
}

// factTrust is gated's monotone fact of the store it has used.
const factTrust = "trust_store"

// neverSent tells a gate that was never sent a store from one that has lost it.
func neverSent(cfg *configs.Gate) (g gateTrust, err error) {
	j, err := journal.OpenReadOnly(filepath.Join(cfg.Paths.State, journalFile))
	if err != nil {
		return g, err
	}
	defer j.Close()
	used, err := j.Fact(factTrust)
	g.Status.Source = "folder"
	if used > 0 {
		g.Status.Source = "none"
		g.Status.Fault = fmt.Sprintf("headquarters' trust store %d was used and the cache has lost it; it comes again with the accounts", used)
	}
	return g, err
}

// trust makes of it what gated does: headquarters' store with what the gate's
// own file and folder add to be stricter, or the folder alone.
func (g gateTrust) trust(conf configs.Trust) (*seal.Trust, error) {
	lists, _ := seal.ParseListPolicy(conf.Lists)
	own := seal.TrustOptions{Pin: conf.Pin, AllowP224: conf.AllowP224, Lists: lists, ListAge: conf.ListAge}
	switch {
	case g.Status.Source == "none":
		return nil, fmt.Errorf("the gate believes nobody: %s", g.Status.Fault)
	case g.Store.Ver == 0:
		return seal.LoadTrust(conf.Dir, own)
	}
	lists, _ = seal.ParseListPolicy(g.Store.Lists)
	options := seal.TrustOptions{AllowP224: g.Store.P224, Lists: lists, ListAge: time.Duration(g.Store.ListAge) * time.Second}
	beside, err := seal.ReadFolder(conf.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return seal.ReadStore(options.Tighten(own), g.Store.Certificates, g.Store.Revocations, beside...)
}

func (g gateTrust) head(t *seal.Trust, at time.Time) trustHead {
	o := t.Options()
	h := trustHead{
		Source: g.Status.Source, Version: g.Store.Ver, Signers: t.Signers(), Lists: o.Lists.String(),
		AllowP224: o.AllowP224, Fault: g.Status.Fault,
	}
	if g.Store.Ver != 0 {
		h.Issued, h.Age = g.Store.Issued.UTC().Format(time.RFC3339), showAge(at.Sub(g.Store.Issued))
	}
	if o.ListAge > 0 {
		h.ListAge = showAge(o.ListAge)
	}
	if o.ListMax > 0 {
		h.ListMax = showAge(o.ListMax)
	}
	return h
}

func (h trustHead) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(h)
	}
	text := "the gate's own folder"
	if h.Version != 0 {
		text = fmt.Sprintf("headquarters' store %d of %s (%s old)", h.Version, h.Issued, h.Age)
	}
	if _, err := fmt.Fprintf(w, "%s: %d signers, revocation lists %s\n", text, h.Signers, h.Lists); err != nil || h.Fault == "" {
		return err
	}
	_, err := fmt.Fprintf(w, "not well: %s\n", h.Fault)
	return err
}
