package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"

	"bordergate/barcode/seal"
	"bordergate/configs"
	"bordergate/sync/accounts"
	"bordergate/sync/wire"
)

// belief is whose seals the lane believes at a moment.
type belief struct {
	trust  *seal.Trust // nil: nobody's
	source string
	store  accounts.TrustStore // zero unless it is headquarters'
	fault  string              // what is wrong, and the cure
}

// Where a belief comes from.
const (
	fromHQ     = "headquarters"
	fromFolder = "folder" // only until headquarters has sent its first store
	fromNobody = "none"
)

// believer keeps the lane's belief. Headquarters' store in the cache rules and
// the configured folder only tightens it; before headquarters has ever sent
// one, the folder alone does, so that a gate can be installed. A store that is
// not usable changes nothing: the last good one stays, also over a restart, or
// the folder where none was good yet. A store older than one used before is never believed; without a better one the
// gate believes nobody until headquarters has sent it again.
type believer struct {
	cache trustCache
	facts facts
	conf  configs.Trust
	log   *slog.Logger

	now  atomic.Pointer[belief]
	wake chan struct{}
}

// trustCache is what the believer needs of the replica.
type trustCache interface {
	Trust() (newest, used accounts.TrustStore, err error)
	UseTrust(ver uint64) error
	TrustRefused() uint64
}

// factTrust is the journal's monotone fact of the newest store's version that
// was believed here.
const factTrust = "trust_store"

func newBeliever(c trustCache, f facts, conf configs.Trust, log *slog.Logger) *believer {
	b := &believer{cache: c, facts: f, conf: conf, log: log, wake: make(chan struct{}, 1)}
	b.now.Store(&belief{source: fromNobody})
	return b
}

// believed is what seals are checked against, nil where there is nothing.
func (b *believer) believed() *seal.Trust { return b.now.Load().trust }

// changed has the belief made anew; it never blocks.
func (b *believer) changed() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// serve follows the cache. It works beside the link, so that a large store
// keeps no suspension waiting.
func (b *believer) serve(ctx context.Context) error {
	for {
		select {
		case <-b.wake:
			if err := b.load(); err != nil {
				b.log.Error("Trust store is not followed", "error", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// load makes the belief anew and puts it in place of the old one. An error says
// that there is no store of headquarters and no folder either.
func (b *believer) load() error {
	next, err := b.choose()
	if err != nil {
		return err
	}
	old := b.now.Load()
	if next.trust == nil && old.source == fromHQ {
		kept := *old
		kept.fault = next.fault
		next = &kept
	}
	if next.source == fromHQ && next.store.Ver > old.store.Ver {
		if err := b.keep(next.store.Ver); err != nil {
			next.fault = "headquarters' trust store is used and cannot be kept: " + err.Error() + "; see to the disk"
		}
	}
	b.now.Store(next)
	if next.fault != "" {
		b.log.Error("Trust store is not as it should be", "error", next.fault)
	} else {
		b.log.Info("Trust store in use", "source", next.source, "version", next.store.Ver, "signers", next.trust.Signers())
	}
	return nil
}

// keep makes the use of a store durable: it is what stays when a later one is
// not usable, and nothing older comes after it.
func (b *believer) keep(ver uint64) error {
	return errors.Join(b.cache.UseTrust(ver), b.facts.Advance(factTrust, ver))
}

// choose finds the newest usable store, or the folder where there never was one.
func (b *believer) choose() (*belief, error) {
	newest, used, err := b.cache.Trust()
	floor := b.facts.Fact(factTrust)
	none := &belief{source: fromNobody}
	switch {
	case err != nil:
		none.fault = fmt.Sprintf("headquarters' trust store cannot be read (%v): it comes again with the accounts, see that headquarters is reached", err)
		return none, nil
	case newest.Ver == 0 && floor == 0:
		return b.fromFolder()
	case newest.Ver < floor:
		none.fault = fmt.Sprintf("headquarters' trust store %d was used here and the cache has %d: it comes again with the accounts; if it does not, have headquarters run: hqd trust publish", floor, newest.Ver)
		return none, nil
	}
	out, err := b.fromStore(newest)
	if refused := b.cache.TrustRefused(); err == nil && refused > newest.Ver {
		out.fault = fmt.Sprintf("headquarters' trust store %d did not come whole, %d stays in use: have headquarters run: hqd trust publish", refused, newest.Ver)
	}
	if err == nil {
		return out, nil
	}
	fault := fmt.Sprintf("headquarters' trust store %d is not used (%v): have headquarters correct it with hqd trust, or install newer software here", newest.Ver, err)
	if used.Ver >= floor && used.Ver != newest.Ver && used.Ver != 0 {
		if out, err = b.fromStore(used); err == nil {
			out.fault = fmt.Sprintf("%s; %d stays in use", fault, used.Ver)
			return out, nil
		}
	}
	if out, err := b.fromFolder(); floor == 0 && err == nil {
		out.fault = fault // nothing of headquarters was ever good here
		return out, nil
	}
	none.fault = fault
	return none, nil
}

// local are the options of the gate's own file.
func (b *believer) local() seal.TrustOptions {
	lists, _ := seal.ParseListPolicy(b.conf.Lists)
	return seal.TrustOptions{Pin: b.conf.Pin, AllowP224: b.conf.AllowP224, Lists: lists, ListAge: b.conf.ListAge}
}

func (b *believer) fromFolder() (*belief, error) {
	trust, err := seal.LoadTrust(b.conf.Dir, b.local())
	if err != nil {
		return nil, fmt.Errorf("%w (make the folder trust.dir; it may stay empty where headquarters sends its trust store)", err)
	}
	b.warn(trust)
	out := &belief{trust: trust, source: fromFolder}
	if trust.Signers() == 0 {
		out.fault = "no signer is known and every pass is referred: have headquarters run hqd trust publish, or fill trust.dir with gatectl seal trust add"
	}
	return out, nil
}

// fromStore is headquarters' store with what the folder adds to be stricter.
func (b *believer) fromStore(s accounts.TrustStore) (*belief, error) {
	lists, known := seal.ParseListPolicy(s.Lists)
	if !known {
		return nil, fmt.Errorf("%w: unknown rule for lists", seal.ErrStore)
	}
	options := seal.TrustOptions{AllowP224: s.P224, Lists: lists, ListAge: time.Duration(s.ListAge) * time.Second}
	beside, err := seal.ReadFolder(b.conf.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		// Not a reason to shut the gate: headquarters' own lists are there.
		b.log.Warn("Trust folder is not read", "error", err)
	}
	trust, err := seal.ReadStore(options.Tighten(b.local()), s.Certificates, s.Revocations, beside...)
	if err != nil {
		return nil, err
	}
	b.warn(trust)
	return &belief{trust: trust, source: fromHQ, store: s}, nil
}

func (b *believer) warn(t *seal.Trust) {
	for _, l := range t.LeftOut() {
		b.log.Warn("Certificate or list is not used", "file", l.File, "error", l.Err)
	}
}

// TrustStatus is whose seals the gate believes, and since when.
type TrustStatus struct {
	Source   string `json:"source"` // headquarters, folder or none
	Version  uint64 `json:"version,omitempty"`
	Issued   string `json:"issued,omitempty"`
	Signers  int    `json:"signers"`
	Lists    string `json:"lists,omitempty"`
	OldLists int    `json:"old_lists"`
	Fault    string `json:"fault,omitempty"`
}

func (b *believer) status(now time.Time) TrustStatus {
	at := b.now.Load()
	s := TrustStatus{Source: at.source, Version: at.store.Ver, Fault: at.fault}
	if at.store.Ver != 0 {
		s.Issued = at.store.Issued.Format(time.RFC3339)
	}
	if at.trust == nil {
		return s
	}
	s.Signers, s.Lists = at.trust.Signers(), at.trust.Options().Lists.String()
	for _, e := range at.trust.Entries(now) {
		if e.Kind == seal.KindList && errors.Is(e.Err, seal.ErrListOld) {
			s.OldLists++
		}
	}
	return s
}

// ofTrust reports whether the changes bring another store.
func ofTrust(changes []wire.Change) bool {
	for _, c := range changes {
		if c.Op == wire.OpTrust {
			return true
		}
	}
	return false
}
