package app

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"bordergate/sync/wire"
)

// ErrOfficer means that HQ will not certify this.
var ErrOfficer = errors.New("officer is refused")

// maxOfficerLife is how long a key is certified for at most.
const maxOfficerLife = 2 * 366 * 24 * time.Hour

// OfficerOrder adds an officer, in the place of one with the same id, or
// removes one. Key is his public key: PEM (PKIX, Ed25519).
type OfficerOrder struct {
	By        string    `json:"by"`
	ID        string    `json:"id"`
	Key       []byte    `json:"key,omitempty"`
	Acts      []string  `json:"acts,omitempty"`
	Crossings []string  `json:"crossings,omitempty"`
	NotAfter  time.Time `json:"not_after,omitzero"`
	Remove    bool      `json:"remove,omitempty"`
}

// OfficerReport is the list in force.
type OfficerReport struct {
	Version  uint64         `json:"version"`
	Officers []OfficerEntry `json:"officers"`
}

// OfficerEntry is one officer as HQ shows him.
type OfficerEntry struct {
	ID          string    `json:"id"`
	Kid         string    `json:"kid"`
	Fingerprint string    `json:"fingerprint"`
	Acts        []string  `json:"acts"`
	Crossings   []string  `json:"crossings"`
	NotAfter    time.Time `json:"not_after"`
	Expired     bool      `json:"expired,omitempty"`
}

// Officer publishes a new list with the order carried out.
func (a *App) Officer(ctx context.Context, o OfficerOrder) error {
	if o.By == "" {
		return fmt.Errorf("%w: nobody named as who certifies", ErrOfficer)
	}
	l, at, _, err := newest[wire.Officers](ctx, a, wire.TypeOfficers)
	if err != nil {
		return err
	}
	now := time.Now()
	others := slices.DeleteFunc(slices.Clone(l.Officers), func(e wire.Officer) bool { return e.ID == o.ID })
	switch {
	case o.Remove && len(others) == len(l.Officers):
		return fmt.Errorf("%w: nobody has this id", ErrOfficer)
	case !o.Remove:
		e, err := o.certify(now)
		if err != nil {
			return err
		}
		others = append(others, e)
	}
	// Whose key is over is off the list with the next one.
	others = slices.DeleteFunc(others, func(e wire.Officer) bool { return e.NotAfter < now.UnixMilli() })
	slices.SortFunc(others, func(a, b wire.Officer) int { return strings.Compare(a.ID, b.ID) })
	l = wire.Officers{Ver: nextVersion(l.Ver, now), Issued: now.UnixNano(), Officers: others}
	if err := l.Check(); err != nil {
		return err
	}
	return a.publishDocument(ctx, wire.TypeOfficers, at, l.Ver, l, o.By)
}

// certify makes the entry of a new officer.
func (o OfficerOrder) certify(now time.Time) (wire.Officer, error) {
	block, _ := pem.Decode(o.Key)
	if block == nil || block.Type != "PUBLIC KEY" {
		return wire.Officer{}, fmt.Errorf("%w: his key is not a PEM block PUBLIC KEY; a private key is none of headquarters' business", ErrOfficer)
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := pub.(ed25519.PublicKey)
	switch {
	case err != nil || !ok:
		return wire.Officer{}, fmt.Errorf("%w: his key is not of Ed25519", ErrOfficer)
	case !o.NotAfter.After(now) || o.NotAfter.Sub(now) > maxOfficerLife:
		return wire.Officer{}, fmt.Errorf("%w: a key is certified until a time within two years", ErrOfficer)
	}
	return wire.Officer{ID: o.ID, Key: key, Acts: o.Acts, Crossings: o.Crossings, NotAfter: o.NotAfter.UnixMilli()}, nil
}

func (a *App) officerReport(ctx context.Context, now time.Time) (OfficerReport, error) {
	l, _, _, err := newest[wire.Officers](ctx, a, wire.TypeOfficers)
	r := OfficerReport{Version: l.Ver, Officers: []OfficerEntry{}}
	for _, o := range l.Officers {
		until := time.UnixMilli(o.NotAfter).UTC()
		r.Officers = append(r.Officers, OfficerEntry{
			ID: o.ID, Kid: o.Kid(), Fingerprint: wire.Fingerprint(o.Key), Acts: o.Acts, Crossings: o.Crossings,
			NotAfter: until, Expired: now.After(until),
		})
	}
	return r, err
}

func (a *App) listOfficers(w http.ResponseWriter, r *http.Request) {
	out, err := a.officerReport(r.Context(), time.Now())
	reply(w, out, err)
}

func (a *App) changeOfficers(w http.ResponseWriter, r *http.Request) {
	o, ok := orderOf[OfficerOrder](w, r, ErrOfficer)
	if !ok {
		return
	}
	if err := a.Officer(r.Context(), o); err != nil {
		reply(w, nil, err)
		return
	}
	out, err := a.officerReport(r.Context(), time.Now())
	reply(w, out, err)
}
